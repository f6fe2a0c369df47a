/*
 * Tabs of a real browser that tell each other, and what is left of that where
 * the browser lacks something.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, afterEach, before, test } from 'node:test'
import { SYNC_EVENTS } from '../../client/cross_tab.js'
import { timeMax } from '../bridge/lib/bridge.js'
import { until } from '../bridge/lib/recorder.js'
import { Browser } from './lib/devtools.js'
import { median } from './lib/list_tab.js'
import { servePage } from './lib/page_server.js'

let server
let origin
let browser
const contexts = []

before(async () => {
  server = createServer(servePage)
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${server.address().port}`
  browser = await Browser.launch()
})
after(async () => {
  await browser?.close()
  server?.closeAllConnections()
  server?.close()
})
afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close()
})

async function device() {
  const context = await browser.context()
  contexts.push(context)
  return context
}

async function tab(context, options = {}) {
  const opened = await context.open(`${origin}/pages/cross_tab.html#${encodeURIComponent(JSON.stringify({ owner: 'ana', ...options }))}`)
  const wanted = options.without?.includes('BroadcastChannel') ? 'storage' : 'broadcast'
  await opened.until(() => globalThis.sync?.mode, mode => mode === wanted, `it is open, by ${wanted}`)
  return opened
}

const say = (from, type, payload) => from.call((type, payload) => {
  globalThis.sync.broadcast(type, payload)
  return globalThis.now()
}, type, payload)

const told = to => to.call(() => globalThis.told)

/** Waits until it was told so much; all of it. */
const hears = (to, count) => until(() => told(to), all => all.length >= count, `${count} events are heard`)

async function assertSound(...all) {
  for (const each of all) assert.deepEqual([...await each.call(() => globalThis.violations), ...each.problems], [])
}

/** Each event of the first is heard by the others; how soon, of all. */
async function delays([first, ...others], count) {
  const said = []
  for (let i = 0; i < count; i++) {
    said.push(await say(first, SYNC_EVENTS[i % SYNC_EVENTS.length], i))
    for (const other of others) await hears(other, i + 1)
  }
  const all = []
  for (const other of others) {
    const events = await told(other)
    assert.deepEqual(events.map(({ type, payload }) => [type, payload]), said.map((_, i) => [SYNC_EVENTS[i % SYNC_EVENTS.length], i]))
    all.push(...events.map(({ at }, i) => at - said[i]))
  }
  assert.deepEqual(await told(first), [])
  return all
}

for (const [how, without] of [['BroadcastChannel', []], ['localStorage and its events', ['BroadcastChannel']]]) {
  test(`[004-01] [004-07] [004-09] by ${how}: every event in every other tab, within 100 ms, and no request`, async t => {
    const context = await device()
    const tabs = []
    for (let i = 0; i < 4; i++) tabs.push(await tab(context, { without }))
    const requests = () => Promise.all(tabs.map(each => each.call(() => performance.getEntriesByType('resource').length)))
    const before = await requests()
    const all = await delays(tabs, 30)
    t.diagnostic(`from broadcast() to the listener: median ${median(all).toFixed(1)} ms, slowest ${Math.max(...all).toFixed(1)} ms`)
    assert.ok(median(all) < timeMax(100), `${median(all)} ms`)
    assert.deepEqual(await requests(), before)
    await assertSound(...tabs)
  })
}

test('[004-07] 6 [004-04] neither BroadcastChannel nor storage events: found by looking, each once', async () => {
  const context = await device()
  const options = { without: ['BroadcastChannel', 'storage events'], pollMs: 200, maxPollMs: 400 }
  const [one, two] = [await tab(context, options), await tab(context, options)]
  for (let i = 0; i < 5; i++) await say(one, 'session_renamed', i)
  await hears(two, 5)
  await say(two, 'session_created', 'back')
  await hears(one, 1)
  await say(one, 'session_pinned', 'last')
  assert.deepEqual((await hears(two, 6)).map(({ payload }) => payload), [0, 1, 2, 3, 4, 'last'])
  assert.deepEqual((await told(one)).map(({ payload }) => payload), ['back'])
  await assertSound(one, two)
})

test('[004-04] no room in localStorage: what is newest is told all the same', async () => {
  const context = await device()
  const without = ['BroadcastChannel']
  const [one, two] = [await tab(context, { without }), await tab(context, { without })]
  for (let i = 0; i < 50; i++) await say(one, 'session_renamed', 'x'.repeat(200))
  const room = await one.call(() => {
    for (let size = 1 << 20; size >= 1; size >>= 1) {
      try {
        for (let i = 0; ; i++) localStorage.setItem(`fill ${size} ${i}`, 'x'.repeat(size))
      } catch {
        // the next smaller one
      }
    }
    return Object.keys(localStorage).length
  })
  assert.ok(room > 0)
  await say(one, 'session_created', 'y'.repeat(500))
  const events = await hears(two, 51)
  assert.equal(events.at(-1).payload, 'y'.repeat(500))
  await assertSound(one, two)
})

for (const without of [[], ['BroadcastChannel']]) {
  test(`[004-07] 10 two people in one browser, and one person on two devices${without.length ? ', by localStorage' : ''}: only one's own tabs`, async () => {
    const [context, other] = [await device(), await device()]
    const his = await tab(context, { owner: 'bob', without })
    const far = await tab(other, { without })
    const [one, two] = [await tab(context, { without }), await tab(context, { without })]
    for (let i = 0; i < 5; i++) await say(one, 'session_renamed', i)
    await hears(two, 5)
    // what comes after all of that has come, so has that
    await say(await tab(context, { owner: 'bob', without }), 'session_created', 'barrier')
    assert.deepEqual((await hears(his, 1)).map(({ payload }) => payload), ['barrier'])
    await say(await tab(other, { without }), 'session_created', 'barrier')
    assert.deepEqual((await hears(far, 1)).map(({ payload }) => payload), ['barrier'])
    await assertSound(his, far, one, two)
  })
}

test('[004-07] 9 hidden and frozen for a while: everything, in its order', async () => {
  const context = await device()
  const asleep = await tab(context)
  const awake = await tab(context)
  await asleep.freeze()
  for (let i = 0; i < 20; i++) await say(awake, 'session_renamed', i)
  await asleep.thaw()
  await asleep.show()
  assert.deepEqual((await hears(asleep, 20)).map(({ payload }) => payload), Array.from({ length: 20 }, (_, i) => i))
  await assertSound(asleep, awake)
})

test('[004-07] 9 back from the back/forward cache: told to read the list again, and it goes on', async () => {
  const context = await device()
  const away = await tab(context)
  const here = await tab(context)
  await away.show()
  await away.call(() => { globalThis.loadedOnce = true })
  await away.go(`${origin}/favicon.svg`)
  await say(here, 'session_created', 'missed')
  await away.back()
  assert.deepEqual(await away.call(() => [globalThis.loadedOnce, globalThis.wasKept]), [true, true], 'the cache had the page')
  await say(here, 'session_created', 'heard')
  const events = await hears(away, 2)
  assert.deepEqual(events.map(({ type, payload }) => [type, payload]), [['sessions_reloaded', undefined], ['session_created', 'heard']])
  assert.deepEqual(await told(here), [])
  await assertSound(away, here)
})
