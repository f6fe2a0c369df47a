import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { Recorder, until } from '../bridge/lib/recorder.js'
import { getConnectionJobs, subscribeToSyncProgress } from '../../client/sse_users.js'
import { FakeEvents } from './lib/fake_events.js'

const JOB = 'job-1'

let server
let watch
before(async () => { server = await FakeEvents.start() })
after(() => server.stop())
beforeEach(() => { watch = null })
afterEach(() => watch?.close())

/** A watch that comes again at once after a loss; heard has all that its handlers were told. */
function subscribe(options = {}) {
  const heard = new Recorder()
  const handlers = Object.fromEntries(['onConnected', 'onDisconnected', 'onHeartbeat', 'onStale', 'onProgress', 'onComplete', 'onError']
    .map(name => [name, (...args) => heard.put([name, ...args])]))
  watch = subscribeToSyncProgress('c/1', handlers, { url: `${server.origin}/events/ConnectionSyncChannel/{id}`, token: 't1', random: () => 0, ...options })
  return heard
}

const told = (heard, name, passes = () => true) => heard.find(([each, ...args]) => each === name && passes(...args), `${name} is called with what passes ${passes}`)
const names = heard => heard.all.map(([name]) => name)
const state = (changes = {}) => ({ job_id: JOB, inserted: 0, updated: 0, deleted: 0, kept: 0, skipped: 0, entities_encountered: {},
  is_complete: false, is_failed: false, error: null, ...changes })

test('[003-03] [003-04] [003-07] connected, heartbeat, progress, and the end, which closes the stream', async () => {
  const heard = subscribe()
  const visit = await server.nextStream(JOB)
  assert.deepEqual([visit.path, visit.token, visit.lastId], ['/events/ConnectionSyncChannel/c%2F1', 't1', null])
  assert.deepEqual(await told(heard, 'onConnected'), ['onConnected', { job_id: JOB, reconnected: false }])
  visit.message({ type: 'heartbeat' })
  await told(heard, 'onHeartbeat')
  visit.message({ type: 'stale' })
  visit.message({ type: 'of a later version' })
  visit.text('data: not JSON\n\n')
  visit.message(state({ inserted: 3, entities_encountered: { Message: 4 } }), 10)
  const [, update] = await told(heard, 'onProgress')
  assert.deepEqual([update.entities_inserted, update.inserted, update.entities_encountered, watch.latest], [3, 3, { Message: 4 }, update])
  visit.message(state({ inserted: 9, is_complete: true }), 11)
  visit.message(state({ inserted: 9, is_complete: true }), 12)
  const [, last] = await told(heard, 'onComplete')
  assert.equal(last.entities_inserted, 9)
  await visit.closed()
  assert.ok(watch.isClosed)
  assert.deepEqual(names(heard), ['onConnected', 'onHeartbeat', 'onStale', 'onProgress', 'onProgress', 'onComplete'])
})

test('[003-03] [003-13] a run that failed is told once, with why', async () => {
  const heard = subscribe({ keepAfterEnd: true })
  const visit = await server.nextStream()
  visit.message(state({ is_failed: true, error: 'no route' }), 5)
  visit.message(state({ is_failed: true, error: 'no route' }), 6)
  visit.message(state({ job_id: 'job-2', inserted: 1 }), 7)
  visit.message(state({ job_id: 'job-2', is_complete: true }), 8)
  await told(heard, 'onComplete')
  const [, message, { update }] = await told(heard, 'onError')
  assert.equal(message, 'no route')
  assert.equal(update.is_failed, true)
  assert.equal(names(heard).filter(name => name === 'onError').length, 1)
  assert.equal(watch.isClosed, false)
})

test('[003-13] [003-15] a stream that is dropped is opened again with the last id, and nothing older is shown', async () => {
  const heard = subscribe()
  const first = await server.nextStream()
  first.message(state({ inserted: 5 }), 100)
  await told(heard, 'onProgress')
  first.drop()
  const second = await server.nextStream()
  assert.equal(second.lastId, '100')
  assert.deepEqual(await told(heard, 'onConnected', ({ reconnected }) => reconnected), ['onConnected', { job_id: 'job-1', reconnected: true }])
  second.message(state({ inserted: 4 }), 99)
  second.message(state({ inserted: 5 }), 100)
  second.message(state({ inserted: 6 }), 101)
  await told(heard, 'onProgress', ({ inserted }) => inserted === 6)
  assert.deepEqual(heard.all.filter(([name]) => name === 'onProgress').map(([, { inserted }]) => inserted), [5, 6])
  assert.equal((await told(heard, 'onDisconnected'))[1].reason, 'connection_lost')
})

test('[003-12] a server that ends the stream in order says when to come again', async () => {
  const heard = subscribe({ random: () => 1 })
  const first = await server.nextStream()
  first.text('retry: 30\n\n')
  first.end()
  assert.deepEqual((await told(heard, 'onDisconnected'))[1], { reason: 'ended', retryInMs: 30 })
  await server.nextStream()
})

test('a message cut anywhere, also within a character', async () => {
  const heard = subscribe({ keepAfterEnd: true })
  const visit = await server.nextRequest()
  visit.begin({ 'Content-Type': 'text/event-stream; charset=utf-8' })
  const bytes = Buffer.from(`id: 3\ndata: ${JSON.stringify(state({ is_failed: true, error: 'San José' }))}\n\n`)
  const cut = bytes.indexOf('é') + 1
  visit.text(bytes.subarray(0, cut))
  await new Promise(resolve => setImmediate(resolve))
  visit.text(bytes.subarray(cut))
  assert.equal((await told(heard, 'onError'))[1], 'San José')
})

test('[003-12] accidents are tried again: refused for now, no answer, a proxy that is lost', async () => {
  const heard = subscribe()
  ;(await server.nextRequest()).drop()
  const second = await server.nextStream()
  second.message({ type: 'heartbeat' })
  await told(heard, 'onHeartbeat')
  assert.ok(!names(heard).includes('onError'))
})

test('[003-12] however a server says when to come again, it is neither at once nor in a year', async () => {
  for (const [value, least, most] of [[new Date(Date.now() + 60_000).toUTCString(), 50_000, 60_000], ['4000000', 3_600_000, 3_600_000], ['soon', 0, 5_000], ['-9', 0, 5_000]]) {
    const waits = []
    const clock = { now: () => performance.now(), clearTimeout: () => {}, setTimeout: (callback, ms) => { waits.push(ms) } }
    const heard = subscribe({ clock, random: () => 0.5 })
    ;(await server.nextRequest()).refuse(503, { 'Retry-After': value })
    const ms = await until(() => waits.at(-1), ms => ms !== 75_000, 'it waits')
    assert.ok(ms >= least && ms <= most && ms > 0, `${value}: ${ms} ms`)
    assert.deepEqual(names(heard), [])
    watch.close()
  }
})

test('an address with the place of the id, as a URL; without an id there is nothing to watch', async () => {
  subscribe({ url: new URL(`${server.origin}/x/{id}`) })
  assert.equal((await server.nextRequest()).path, '/x/c%2F1')
  for (const id of [undefined, null, '']) assert.throws(() => subscribeToSyncProgress(id, {}, { url: server.origin }), /^TypeError: not the id of a connection/)
})

test('[003-12] what will not get better ends it: not found, forbidden, another page than asked for', async () => {
  for (const [status, headers, message] of [[404, {}, 'not found'], [403, {}, 'unauthorized'], [401, {}, 'unauthorized'], [400, {}, 'the server answered 400'],
    [200, { 'Content-Type': 'text/html' }, 'not an event stream']]) {
    const heard = subscribe()
    const visit = await server.nextRequest()
    visit.refuse(status, headers)
    assert.deepEqual(await told(heard, 'onError'), ['onError', message, { status, update: null }])
    assert.ok(watch.isClosed)
  }
})

test('[003-03] the server says why it ends: forbidden is final, its word to come again counts', async () => {
  const heard = subscribe()
  const first = await server.nextStream()
  first.message({ type: 'error', message: 'disconnected by an administrator', reconnect: true })
  first.end()
  const second = await server.nextStream()
  second.message({ type: 'error', message: 'not found, or no longer allowed' })
  second.end()
  assert.equal((await told(heard, 'onError'))[1], 'not found, or no longer allowed')
  assert.ok(watch.isClosed)
})

test('[003-15] a token that is about to expire is replaced, and the stream with it', async () => {
  const tokens = ['t1', 't2', 't3']
  let now = 0
  const heard = subscribe({ token: () => tokens.shift(), clock: { now: () => (now += 1_500), setTimeout, clearTimeout } })
  const first = await server.nextStream()
  first.message(state({ inserted: 1 }), 1)
  first.message({ type: 'token_expiring' })
  const second = await server.nextStream()
  assert.deepEqual([second.token, second.lastId], ['t2', '1'])
  await first.closed()
  second.message({ type: 'error', message: 'token expired' })
  second.end()
  const third = await server.nextStream()
  assert.equal(third.token, 't3')
  assert.ok(!names(heard).includes('onDisconnected'), 'nobody need know')
  assert.ok(!names(heard).includes('onError'))
})

test('[003-15] a token refused when the stream is opened: the callback is asked once more', async () => {
  const tokens = ['old', 'new']
  const heard = subscribe({ token: () => tokens.shift() })
  ;(await server.nextRequest()).refuse(401)
  const second = await server.nextStream()
  assert.equal(second.token, 'new')
  await told(heard, 'onConnected')
  assert.ok(!names(heard).includes('onError'))
})

test('[003-15] a token that cannot be replaced ends it', async () => {
  const heard = subscribe()
  const visit = await server.nextStream()
  visit.message({ type: 'token_expiring' })
  visit.message({ type: 'error', message: 'token expired' })
  visit.end()
  assert.equal((await told(heard, 'onError'))[1], 'token expired')
})

test('a token callback that has no new one does not make it reconnect again and again', async () => {
  const heard = subscribe({ token: () => 'same' })
  await (await server.nextStream()).message({ type: 'token_expiring' })
  const second = await server.nextStream()
  second.message({ type: 'token_expiring' })
  second.message(state({ inserted: 1 }), 1)
  await told(heard, 'onProgress')
  assert.equal(server.requests.all.at(-1), second)
})

test('a stream that falls silent is opened again', async () => {
  subscribe({ heartbeatMs: 40 })
  const first = await server.nextStream()
  await first.closed()
  await server.nextStream()
})

test('[003-07] close() and an AbortController end it at once, whatever it is doing', async () => {
  const abort = new AbortController()
  const heard = subscribe({ signal: abort.signal })
  const visit = await server.nextStream()
  await told(heard, 'onConnected')
  abort.abort()
  await visit.closed()
  assert.ok(watch.isClosed)

  subscribe({ random: () => 1 })
  ;(await server.nextRequest()).drop()
  watch.close()
  watch.close()
  assert.ok(watch.isClosed)

  const before = server.requests.all.length
  subscribe({ signal: AbortSignal.abort() })
  assert.ok(watch.isClosed)
  assert.equal(server.requests.all.length, before)
  assert.deepEqual(names(heard), ['onConnected'])
})

test('online, and a page that is looked at again, do not wait', async () => {
  const host = new EventTarget()
  host.document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  host.location = { href: server.origin }
  host.fetch = fetch
  const heard = subscribe({ host, url: '/events/{id}', random: () => 1 })
  for (const [target, type] of [[host, 'online'], [host.document, 'visibilitychange']]) {
    const from = heard.all.length
    const visit = await server.nextStream()
    await heard.find(([name]) => name === 'onConnected', 'it is connected', { from })
    visit.drop()
    await heard.find(([name, detail]) => name === 'onDisconnected' && detail.retryInMs > 1_000, 'the wait begins', { from })
    target.dispatchEvent(new Event(type))
  }
  const visit = await server.nextStream()
  host.dispatchEvent(new Event('pagehide'))
  await visit.closed()
  host.dispatchEvent(new Event('pageshow'))
  await server.nextStream()
})

test('a handler\'s mistake is reported as uncaught, and ends nothing', async t => {
  const reported = new Recorder()
  const { queueMicrotask: real } = globalThis
  t.mock.method(globalThis, 'queueMicrotask', task => real(() => {
    try {
      task()
    } catch (error) {
      reported.put(error.message)
    }
  }))
  let calls = 0
  watch = subscribeToSyncProgress(7, { onProgress: () => { throw new Error(`mistake ${++calls}`) } }, { url: server.origin, keepAfterEnd: true })
  const visit = await server.nextStream()
  for (const call of [1, 2]) {
    visit.message(state(), call)
    await reported.find(message => message === `mistake ${call}`, 'it is reported')
  }
})

test('[003-07] getConnectionJobs: the runs, page by page, from the bridge or from an application', async () => {
  const ask = options => getConnectionJobs('c 1', { url: `${server.origin}/connect/source-connections/{id}/jobs`, ...options })
  const answer = async (status, body) => (await server.nextRequest()).refuse(status, {}, body)
  let jobs = ask({ token: () => 't9', limit: 2, after: 5 })
  const visit = await server.nextRequest()
  assert.deepEqual([visit.path, visit.token], ['/connect/source-connections/c%201/jobs?limit=2&after=5', 't9'])
  visit.refuse(200, {}, { sessions: [{ session_id: 4 }], next: 4 })
  assert.deepEqual(await jobs, { jobs: [{ session_id: 4 }], next: 4 })
  jobs = ask()
  await answer(200, [{ id: 1 }])
  assert.deepEqual(await jobs, { jobs: [{ id: 1 }], next: null })
  jobs = ask()
  await answer(401, { error: 'bad token' })
  await assert.rejects(jobs, { name: 'RequestError', status: 401, message: 'bad token' })
})
