import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { launchChromium, openPage } from './lib/chromium.js'
import { FakeCable } from './lib/fake_cable.js'
import { payload } from './lib/payloads.js'
import { reactSite } from './lib/react_page.js'

let browser
let site
let cable
let open
before(async () => {
  browser = await launchChromium()
  site = await reactSite()
})
after(() => browser?.close())
afterEach(async () => {
  const { problems, close } = open ?? {}
  open = null
  await close?.()
  await cable?.stop()
  assert.deepEqual(problems ?? [], [])
})

const idOf = id => `{"channel":"ConnectionSyncChannel","id":${JSON.stringify(id)}}`

/** A state as the wire has it: without a version, and with the short names. */
function state(changes) {
  return {
    job_id: 'job-1',
    inserted: 120,
    updated: 30,
    deleted: 0,
    kept: 300,
    skipped: 0,
    entities_encountered: { Message: 445 },
    is_complete: false,
    is_failed: false,
    error: null,
    ...changes
  }
}

async function show(props) {
  cable = await FakeCable.start({ serve: site })
  open = await openPage(browser, cable.origin)
  const { page } = open
  await page.locator('[data-ready]').waitFor({ state: 'attached' })
  await page.evaluate(props => globalThis.show('Many', props), props)
  return page
}

/** The list as it is, one line each. */
const update = (page, props) => page.evaluate(props => globalThis.show('Many', props), props)

async function subscribed(peer, id) {
  const { identifier } = await peer.nextCommand('subscribe')
  assert.equal(identifier, idOf(id))
  peer.confirm(identifier)
}

async function watching(props, ...ids) {
  const page = await show(props)
  const peer = await cable.nextConnection()
  peer.welcome()
  for (const id of ids) await subscribed(peer, id)
  return { page, peer }
}

function lines(page, expected) {
  return page.waitForFunction(expected => [...document.querySelectorAll('li')].map(each => each.textContent).join('\n') === expected,
    expected.join('\n'), { timeout: 10_000 })
}

const called = (page, name) => page.evaluate(name => globalThis.called(name), name)

const A = { id: 'a', status: 'syncing' }
const B = { id: 'b', status: 'syncing' }
const IDLE = { id: 'c', status: 'active' }

test('[003-08] what is syncing is subscribed to, once, and nothing else', async () => {
  const { page, peer } = await watching({ connections: [A, IDLE, B] }, 'a', 'b')
  await lines(page, ['a null undefined active', 'b null undefined active'])
  peer.message(idOf('b'), state({ inserted: 7 }))
  await lines(page, ['a null undefined active', 'b job-1 7 active'])
  assert.equal(peer.commands.all.length, 2)
  assert.deepEqual(peer.commandsNamed('unsubscribe'), [])
})

test('[003-05][003-06] a subscription has the counts by both names, and when it was heard', async () => {
  const { page, peer } = await watching({ connections: [A] }, 'a')
  peer.message(idOf('a'), state())
  await lines(page, ['a job-1 120 active'])
  const [subscription, now] = await page.evaluate(() => [globalThis.subscriptions.get('a'), Date.now()])
  const { lastMessageTime, lastUpdate, ...rest } = subscription
  assert.deepEqual(rest, { connectionId: 'a', jobId: 'job-1', status: 'active' })
  assert.ok(lastMessageTime <= now && lastMessageTime > now - 60_000, String(lastMessageTime))
  const { entities_inserted, entities_updated, entities_deleted, entities_kept, entities_skipped, entities_encountered, inserted } = lastUpdate
  assert.deepEqual([entities_inserted, entities_updated, entities_deleted, entities_kept, entities_skipped], [120, 30, 0, 300, 0])
  assert.deepEqual(entities_encountered, { Message: 445 })
  assert.equal(inserted, 120)
  assert.deepEqual(await called(page, 'onProgress'), [['a', lastUpdate]])
})

test('[003-11] an end is told once, shown for two seconds, then removed; an old list does not bring it back', async () => {
  const { page, peer } = await watching({ connections: [A] }, 'a')
  const start = await page.evaluate(() => performance.now())
  peer.message(idOf('a'), state({ is_complete: true }))
  await lines(page, ['a job-1 120 completed'])
  peer.message(idOf('a'), state({ is_complete: true }))
  await lines(page, [])
  const shownMs = await page.evaluate(start => performance.now() - start, start)
  assert.ok(shownMs >= 2_000, `removed after ${shownMs} ms`)
  assert.equal((await peer.nextCommand('unsubscribe')).identifier, idOf('a'))

  await update(page, { connections: [{ ...A }, IDLE] })
  assert.deepEqual(await called(page, 'onComplete').then(all => all.map(([id, { is_complete }]) => [id, is_complete])), [['a', true]])

  // Idle, then syncing again: that is another run.
  await update(page, { connections: [{ ...A, status: 'active' }] })
  await update(page, { connections: [{ ...A }] })
  await subscribed(peer, 'a')
  assert.equal(peer.commandsNamed('subscribe').length, 2)
})

test('[003-09] a failure and a cancellation are told with their reason; the others go on', async () => {
  const { page, peer } = await watching({ connections: [A, B], removeAfterMs: 60_000 }, 'a', 'b')
  peer.message(idOf('a'), state({ is_failed: true, error: 'Connection refused' }))
  peer.message(idOf('b'), state({ inserted: 121 }))
  await lines(page, ['a job-1 120 failed', 'b job-1 121 active'])
  peer.message(idOf('b'), state({ is_failed: true, error: 'cancelled' }))
  await lines(page, ['a job-1 120 failed', 'b job-1 120 failed'])
  assert.deepEqual((await called(page, 'onError')).map(([id, message]) => [id, message]), [['a', 'Connection refused'], ['b', 'cancelled']])
  assert.deepEqual(await called(page, 'onComplete'), [])
})

test('a run that ended before it was subscribed to is told, for it was said to be syncing', async () => {
  const { page, peer } = await watching({ connections: [A] }, 'a')
  peer.message(idOf('a'), state({ is_complete: true }))
  await lines(page, ['a job-1 120 completed'])
  assert.equal((await called(page, 'onComplete')).length, 1)
})

test('the end of the job before is not that of the job which the list names', async () => {
  const { page, peer } = await watching({ connections: [{ ...A, job_id: 'job-2' }] }, 'a')
  peer.message(idOf('a'), state({ is_complete: true }))
  peer.message(idOf('a'), state({ job_id: 'job-2', inserted: 1 }))
  await lines(page, ['a job-2 1 active'])
  peer.message(idOf('a'), state({ job_id: 'job-2', inserted: 2, is_complete: true }))
  await lines(page, ['a job-2 2 completed'])
  assert.deepEqual((await called(page, 'onComplete')).map(([, { job_id }]) => job_id), ['job-2'])
})

test('a retry within the two seconds is the same entry, active again', async () => {
  const { page, peer } = await watching({ connections: [A], removeAfterMs: 1_000 }, 'a')
  peer.message(idOf('a'), state({ is_failed: true, error: 'no' }))
  await lines(page, ['a job-1 120 failed'])
  peer.message(idOf('a'), state({ job_id: 'job-2', inserted: 0 }))
  await lines(page, ['a job-2 0 active'])
  await page.evaluate(() => new Promise(resolve => setTimeout(resolve, 1_100)))
  await lines(page, ['a job-2 0 active'])
  peer.message(idOf('a'), state({ job_id: 'job-2', is_complete: true }))
  await lines(page, ['a job-2 120 completed'])
  assert.equal((await called(page, 'onError')).length, 1)
  assert.equal((await called(page, 'onComplete')).length, 1)
})

test('what is not allowed is failed, told, and removed', async () => {
  const page = await show({ connections: [A], removeAfterMs: 300 })
  const peer = await cable.nextConnection()
  peer.welcome()
  await peer.nextCommand('subscribe')
  peer.reject(idOf('a'))
  await lines(page, ['a null undefined failed'])
  assert.deepEqual(await called(page, 'onError'), [['a', 'not found, or not allowed', null]])
  await lines(page, [])
})

test('by hand, beside the list or without one', async () => {
  const { page, peer } = await watching({ connections: [A] }, 'a')
  await page.evaluate(() => globalThis.byHand.subscribe('x', 'job-9'))
  await subscribed(peer, 'x')
  await lines(page, ['a null undefined active', 'x job-9 undefined active'])
  // The list has never known it, so it cannot take it away.
  await update(page, { connections: [] })
  await lines(page, ['x job-9 undefined active'])
  await page.evaluate(() => globalThis.byHand.unsubscribe('x'))
  await lines(page, [])
  const left = [await peer.nextCommand('unsubscribe'), await peer.nextCommand('unsubscribe')]
  assert.deepEqual(left.map(({ identifier }) => identifier).sort(), [idOf('a'), idOf('x')])
})

test('[003-12] leaving ends every subscription; an id of digits is a number on the wire', async () => {
  const { page, peer } = await watching({ connections: [{ ...A, id: '17' }, B] }, 17, 'b')
  await page.evaluate(() => globalThis.leave())
  const left = [await peer.nextCommand('unsubscribe'), await peer.nextCommand('unsubscribe')]
  assert.deepEqual(left.map(({ identifier }) => identifier).sort(), [idOf('b'), idOf(17)])
})

test('[003-15] a connection that drops while they run comes back with all of them, and nothing is told twice', async () => {
  const { page, peer } = await watching({ connections: [A, B] }, 'a', 'b')
  peer.message(idOf('a'), state())
  await lines(page, ['a job-1 120 active', 'b null undefined active'])
  peer.drop()
  const again = await cable.nextConnection()
  again.welcome()
  await subscribed(again, 'a')
  await subscribed(again, 'b')
  again.message(idOf('a'), state({ is_complete: true }))
  await lines(page, ['a job-1 120 completed', 'b null undefined active'])
  assert.equal((await called(page, 'onComplete')).length, 1)
  assert.deepEqual(await called(page, 'onError'), [])
})

test('other kinds of run, by their channel', async () => {
  const page = await show({ channel: 'SyncStatusChannel', connections: [{ id: 42, status: 'syncing' }] })
  const peer = await cable.nextConnection()
  peer.welcome()
  const { identifier } = await peer.nextCommand('subscribe')
  assert.equal(identifier, '{"channel":"SyncStatusChannel","session_id":42}')
  peer.confirm(identifier)
  peer.message(identifier, payload({ counters: { inserted: 5 } }))
  await lines(page, ['42 6f1d3c1e-3a53-4c57-9f4e-0c2b6b1f3a10 5 active'])
  peer.message(identifier, payload({ status: 'failed', error_message: 'no more disk' }))
  await lines(page, ['42 6f1d3c1e-3a53-4c57-9f4e-0c2b6b1f3a10 0 failed'])
  assert.equal((await called(page, 'onError'))[0][1], 'no more disk')
})
