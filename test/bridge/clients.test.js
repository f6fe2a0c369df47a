/*
 * The clients that people already have, as they come from npm or with the
 * system: whoever speaks Action Cable or SSE needs nothing of ours.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import actioncable8 from '@rails/actioncable'
import actioncable72 from 'actioncable7'
import { EventSource } from 'eventsource'
import { launchChromium, openPage } from '../browser/lib/chromium.js'
import { AnyCableClient } from './lib/anycable_client.js'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { Program, run } from './lib/programs.js'
import { Recorder, until } from './lib/recorder.js'
import { StockClient } from './lib/stock_client.js'

// a release that looks for the window when it is loaded
globalThis.self ??= globalThis
const { default: actioncable70 } = await import('actioncable70')

let database
let bridge
let token
let browser

before(async () => {
  [database, browser] = await Promise.all([Database.start(), launchChromium()])
  bridge = await Bridge.start(database.conninfo())
  await bridge.ready()
  token = await database.token('alice', `scope => '{read,control}'`)
})
after(async () => {
  await browser?.close()
  await bridge?.stop()
  await database?.destroy()
})

const CABLES = {
  // this one counts only pings and welcomes as signs of life
  '@rails/actioncable 7.0': token => new StockClient(bridge, token, actioncable70),
  '@rails/actioncable 7.2': token => new StockClient(bridge, token, actioncable72),
  '@rails/actioncable 8.1': token => new StockClient(bridge, token, actioncable8),
  '@anycable/core': token => new AnyCableClient(bridge, token)
}

/** Each is a test of its own, and they run side by side. */
const eachCable = (what, play) => describe(what, { concurrency: true }, () => {
  for (const [name, open] of Object.entries(CABLES)) {
    test(`${what}: ${name}`, t => play(t, (as = token) => {
      const client = open(as)
      t.after(() => client.close())
      return client
    }))
  }
})

eachCable('[000-03] [002-06] subscribes, is confirmed, and sees the state and what follows', async (t, open) => {
  const session = await database.session(`title => 'Mail', total_count => 100`)
  await database.increment(session, 40)
  const watcher = open().watch(session)
  await watcher.event('connected')
  await watcher.count(40)
  await database.increment(session, 2)
  const state = await watcher.count(42)
  assert.deepEqual([state.title, state.progress_percentage], ['Mail', 42])
  await database.complete(session)
  await watcher.states.find(({ status }) => status === 'completed', 'its end')
})

eachCable('[000-35] [002-06] is rejected where it may not watch, and watches on elsewhere', async (t, open) => {
  const client = open()
  const own = client.watch(await database.session())
  await client.watch(await database.session('total_count => 1', 'bob')).event('rejected')
  await own.event('connected')
})

eachCable('[002-02] performs an action', async (t, open) => {
  const watcher = open().watch(await database.session())
  await watcher.event('connected')
  await watcher.count(0)
  const from = watcher.states.all.length
  watcher.perform('request_update')
  await watcher.count(0, { from })
  watcher.perform('no_such_action', { a: 1 })
  watcher.perform('request_update')
  await watcher.states.find(() => watcher.states.all.length >= from + 2, 'a second answer')
})

eachCable('knows nothing of token_expiring, and goes on', async (t, open) => {
  const session = await database.session()
  const client = open(await database.token('alice', `ttl => '29 seconds'`))
  const watcher = client.watch(session)
  await watcher.event('connected')
  await client.frames.find(({ frame }) => frame.type === 'token_expiring', 'the warning')
  await database.increment(session, 7)
  await watcher.count(7)
  assert.ok(watcher.states.all.every(state => state.session_id === session), 'no frame without identifier was taken for a state')
})

// -- server-sent events ----------------------------------------------------------

const eventsOf = session => `${bridge.origin}/events/SyncStatusChannel/${session}?token=${token}`

/** What an EventSource was told: messages, and how it opened, failed and gave up. */
class Stream {
  messages = new Recorder()
  events = new Recorder()

  take(what, data) {
    if (what === 'message') this.messages.put(JSON.parse(data))
    else this.events.put(what)
  }

  count(processed) {
    return this.messages.find(({ processed_count: count }) => count === processed, `processed_count ${processed}`, { ms: 20_000 })
  }

  event(name) {
    return this.events.find(event => event === name, `it is ${name}; so far ${this.events.all}`)
  }
}

/** Has an EventSource report everything; runs in the page, too. */
const LISTEN = (source, take) => {
  source.onopen = () => take('open')
  source.onmessage = ({ data }) => take('message', data)
  source.onerror = () => take(source.readyState === 2 ? 'gone' : 'lost')
}

const STREAMS = {
  'npm eventsource': (t, url) => {
    const stream = new Stream()
    const source = new EventSource(url)
    t.after(() => source.close())
    LISTEN(source, (what, data) => stream.take(what, data))
    return stream
  },
  'the browser\'s EventSource': async (t, url) => {
    const stream = new Stream()
    const { page, close } = await openPage(browser, `${bridge.origin}/healthz`)
    t.after(close)
    await page.exposeFunction('take', (what, data) => stream.take(what, data))
    await page.evaluate(([url, listen]) => eval(listen)(new EventSource(url), globalThis.take), [url, `(${LISTEN})`])
    return stream
  }
}

for (const [name, open] of Object.entries(STREAMS)) {
  test(`[003-04] connected, the state and what follows, to the end: ${name}`, async t => {
    const session = await database.session('total_count => 100')
    await database.increment(session, 40)
    const stream = await open(t, eventsOf(session))
    await stream.count(40)
    const { job_id: job } = await database.row(session)
    assert.deepEqual(stream.messages.all[0], { type: 'connected', job_id: job })
    await database.increment(session, 2)
    await stream.count(42)
    await database.complete(session)
    await stream.messages.find(({ status }) => status === 'completed', 'its end')
  })

  test(`[000-35] what may not be watched is refused for good: ${name}`, async t => {
    const bobs = await database.session('total_count => 1', 'bob')
    const stream = await open(t, eventsOf(bobs))
    await stream.event('gone')
    assert.deepEqual([stream.messages.all, stream.events.all], [[], ['gone']])
  })
}

// -- curl ------------------------------------------------------------------------

/** What curl prints: status, headers, body. */
async function curl(...args) {
  const text = await run('curl', ['-s', '-i', ...args])
  const [head, ...body] = text.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), etag: /^etag: (.*)$/im.exec(head)?.[1].trim(), body: body.join('\r\n\r\n') }
}

test('curl -N: the stream as text, one message after another', async t => {
  const session = await database.session('total_count => 100')
  const program = new Program('curl', ['-sN', '-H', `Authorization: Bearer ${token}`, `${bridge.origin}/events/SyncStatusChannel/${session}`])
  t.after(() => program.end())
  await until(() => program.stdout, text => /^data: .*"connected".*\n\nid: \d+\ndata: .*"processed_count" ?: ?0,/m.test(text), 'the first state')
  await database.increment(session, 12)
  await until(() => program.stdout, text => /^id: \d+\ndata: .*"processed_count" ?: ?12,/m.test(text), 'the next')
})

test('curl: a snapshot, and the same again is not sent', async () => {
  const session = await database.session('total_count => 100')
  await database.increment(session, 12)
  const url = `${bridge.origin}/snapshots/SyncStatusChannel/${session}`
  const bearer = ['-H', `Authorization: Bearer ${token}`]
  const first = await until(() => curl(...bearer, url), ({ body }) => JSON.parse(body).processed_count === 12, 'what was counted')
  assert.equal(first.status, 200)
  assert.equal(first.etag, `"${JSON.parse(first.body).version}"`)
  // asking marks the session due: its next version can be on its way
  let known = first.etag
  const again = await until(() => curl(...bearer, '-H', `If-None-Match: ${known}`, url), ({ status, etag }) => {
    if (status === 200) known = etag
    return status !== 200
  }, 'nothing is newer')
  assert.deepEqual([again.status, again.body], [304, ''])
  await database.increment(session, 1)
  await until(() => curl(...bearer, '-H', `If-None-Match: ${first.etag}`, url), ({ status, body }) => status === 200 && JSON.parse(body).processed_count === 13, 'what was counted since')
})

test('curl: an action by POST', async () => {
  const session = await database.session()
  const act = (action, ...args) => curl('-X', 'POST', '-H', `Authorization: Bearer ${token}`, ...args, `${bridge.origin}/sessions/SyncStatusChannel/${session}/${action}`)
  assert.equal((await act('pause')).status, 200)
  assert.equal((await database.row(session)).status, 'paused')
  assert.equal((await act('resume', '-H', 'Content-Type: application/json', '-d', '{}')).status, 200)
  assert.equal((await database.row(session)).status, 'processing')
  assert.equal((await act('no_such_action')).status, 422)
})

// -- all of them -----------------------------------------------------------------

test('[000-05] [003-13] the bridge is restarted: each comes again by itself, and gets the newest state', async t => {
  const session = await database.session('total_count => 1000')
  const watchers = Object.values(CABLES).map(open => {
    const client = open(token)
    t.after(() => client.close())
    return client.watch(session)
  })
  const streams = await Promise.all(Object.values(STREAMS).map(open => open(t, eventsOf(session))))
  for (const watcher of watchers) await watcher.event('connected')
  for (const stream of streams) await stream.count(0)
  await bridge.stop()
  for (const watcher of watchers) await watcher.event('disconnected')
  for (const stream of streams) await stream.event('lost')
  await database.increment(session, 333)
  await bridge.start()
  for (const [i, watcher] of watchers.entries()) {
    await watcher.event('connected', 2, 40_000).catch(error => { throw new Error(`${Object.keys(CABLES)[i]}: ${error.message}`) })
    await watcher.count(333)
  }
  for (const stream of streams) await stream.count(333)
  await database.increment(session, 1)
  for (const watched of [...watchers, ...streams]) await watched.count(334)
})
