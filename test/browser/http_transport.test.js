/*
 * Streams over HTTP: what each answer and each event leads to.
 */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { EventSource } from 'eventsource'
import { State } from '../../client/index.js'
import { ClientRig, settled, tokenOf, until } from './lib/client_rig.js'
import { FakeServer } from './lib/fake_server.js'
import { within } from './lib/wait.js'

const PATH = 'SyncStatusChannel/42'
const SNAPSHOT = `/snapshots/${PATH}`
const LIST = { channel: 'SessionsChannel' }

let server
let rig
beforeEach(async () => {
  server = await FakeServer.start()
  server.state(PATH, { version: 5 })
})
afterEach(async () => {
  rig?.client.close()
  await server.stop()
})

function setUp(options) {
  rig = new ClientRig(server.url, { transports: ['sse', 'polling'], ...options })
  Object.assign(rig.host, { fetch, EventSource, sessionStorage: {} })
  return rig
}

async function setUpListening(options, identifier) {
  setUp(options)
  const watcher = rig.watch(identifier)
  assert.deepEqual(await watcher.next(), ['connected', { reconnected: false }])
  return { ...watcher, stream: await server.nextStream() }
}

async function setUpPolling(options) {
  setUp({ transports: ['polling'], ...options })
  const watcher = rig.watch()
  await watcher.shows(5)
  await server.nextRequest(SNAPSHOT)
  await settled()
  return watcher
}

/** Time passes, and the question that is due then is answered and understood; with which status. */
async function asks(ms) {
  const { set } = rig.clock
  rig.clock.advance(ms)
  await until(() => rig.clock.set >= set + 2) // the question's own time, and that of the next
  return server.requests.all.at(-1).status
}

test('without WebSockets in the list none is tried', async () => {
  const { shows } = await setUpListening()
  await shows(5)
  assert.equal(rig.client.transport, 'sse')
  rig.clock.advance(70_000)
  assert.deepEqual([server.cable.connections.all, server.cable.refused], [[], 0])
})

test('[003-15] the end of a stream is no loss: it is taken up where it was', async () => {
  const { events, shows, stream } = await setUpListening()
  stream.say({ version: 6 })
  await shows(6)
  server.state(PATH, { version: 7 })
  stream.end()
  const reopened = rig.client
  await passUntilStream()
  await shows(7)
  assert.equal(server.streams.all.at(-1).query.last_event_id, '7')
  assert.ok(!events.all.some(([name]) => name === 'disconnected'))
  assert.equal(reopened.state, State.LIVE)
})

/** A pause of random length, here 2 s, precedes the next stream. */
async function passUntilStream() {
  const before = server.streams.all.length
  await until(() => {
    rig.clock.advance(100)
    return server.streams.all.length > before
  })
}

test('a server that goes away is waited for, with the same patience as ever', async () => {
  const { stream, shows } = await setUpListening()
  await shows(5)
  rig.clock.advance(5_000)
  await server.stop()
  await within(stream.gone, 'the stream ends')
  await until(() => {
    rig.clock.advance(100)
    return rig.client.state !== State.LIVE
  })
  const { retryInMs } = await rig.reach(State.BACKOFF)
  assert.ok(retryInMs <= 2_000)
  await server.listen()
  server.state(PATH, { version: 9 })
  rig.clock.advance(retryInMs)
  await shows(9)
  await server.nextStream()
})

test('silence for 75 s: the state is asked for, and another stream takes over', async () => {
  const { stream, shows } = await setUpListening()
  stream.say({ type: 'heartbeat' })
  stream.say({ version: 6 })
  await shows(6)
  rig.clock.advance(74_999)
  await settled()
  assert.equal(server.streams.all.length, 1)
  server.state(PATH, { version: 8 })
  await passUntilStream()
  await within(stream.gone, 'the silent stream is closed')
  await shows(8)
})

test('a database that is away is no silence, and nothing is lost by it', async () => {
  const { stream, shows } = await setUpListening()
  stream.say({ type: 'stale' })
  stream.say({ version: 6 })
  await shows(6)
  assert.equal(rig.client.state, State.LIVE)
})

test('[003-15] a token that expires: another stream with another token', async () => {
  const tokens = ['first', 'second']
  const { stream, shows } = await setUpListening({ token: () => tokens.shift() })
  assert.equal(stream.query.token, 'first')
  rig.clock.advance(1_000)
  server.state(PATH, { version: 6 })
  stream.say({ type: 'token_expiring' })
  assert.equal((await server.nextStream()).query.token, 'second')
  await shows(6)
  assert.deepEqual(rig.names, ['connecting', 'live'])
})

test('the errors that end a stream', async () => {
  const { events, stream } = await setUpListening({ token: () => 'good' })
  stream.say({ type: 'error', message: 'token expired' })
  const { reason, retryInMs } = await rig.reach(State.BACKOFF)
  assert.equal(reason, 'token_expired')
  rig.clock.advance(retryInMs)
  const second = await server.nextStream()
  server.answers.clear()
  second.say({ type: 'error', message: 'not found, or no longer allowed' })
  await events.find(([name]) => name === 'rejected')
  rig.client.close()

  server.state(PATH, { version: 5 })
  const { stream: third } = await setUpListening()
  third.say({ type: 'error', message: 'disconnected by an administrator', reconnect: false })
  assert.equal((await rig.reach(State.REJECTED)).reason, 'remote')
})

test('unknown or forbidden: rejected, and the others go on', async () => {
  setUp()
  const unknown = rig.watch({ channel: 'SyncStatusChannel', session_id: 1 })
  const known = rig.watch()
  assert.deepEqual(await unknown.next(), ['rejected'])
  await known.shows(5)
  assert.equal(rig.client.state, State.LIVE)
})

test('a bad token is useless from the start; one that becomes so is replaced', async () => {
  server.answers.set(SNAPSHOT, { status: 401, json: {} })
  setUp({ token: () => 'bad' })
  rig.watch()
  assert.equal((await rig.reach(State.REJECTED)).reason, 'unauthorized')

  server.state(PATH, { version: 5 })
  await setUpPolling({ token: () => 'good' })
  server.answers.set(SNAPSHOT, { status: 401, json: {} })
  rig.clock.advance(5_000)
  assert.equal((await rig.reach(State.BACKOFF)).reason, 'token_expired')
})

test('events that do not come through: polling, until another try', async () => {
  server.events = 'held'
  const { shows, stream } = await setUpListening()
  await shows(5)
  rig.clock.advance(7_500)
  await within(stream.gone, 'the stream is closed')
  assert.equal(rig.client.transport, 'polling')
  assert.equal(rig.host.sessionStorage['sync-progress:transport'], 'polling')
  server.state(PATH, { version: 6 })
  rig.clock.advance(2_000)
  await shows(6)
  server.events = 'served'
  rig.clock.advance(60_000)
  await server.nextStream()
  await until(() => rig.client.transport === 'sse')
})

test('events that are refused', async () => {
  server.events = 'refused'
  setUp()
  const { shows } = rig.watch()
  await shows(5)
  await until(() => rig.client.transport === 'polling')
})

test('no EventSource at all', async () => {
  setUp()
  delete rig.host.EventSource
  await rig.watch().shows(5)
  assert.equal(rig.client.transport, 'polling')
})

test('polling: 5 s while something changes, then 10, 20, 40, 60 s apart; unchanged costs no body', async () => {
  const { shows } = await setUpPolling()
  assert.equal(rig.client.transport, 'polling')
  for (const wait of [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
    const count = server.requests.all.length
    rig.clock.advance(wait - 1)
    await settled()
    assert.equal(server.requests.all.length, count)
    assert.equal(await asks(1), 304)
  }
  server.state(PATH, { version: 6 })
  rig.clock.advance(60_000)
  await shows(6)
  await settled()
  assert.equal(await asks(5_000), 304)
})

test('polling obeys Retry-After and outlives a database that is away', async () => {
  await setUpPolling()
  server.answers.set(SNAPSHOT, { status: 503, json: {}, headers: { 'Retry-After': '30' } })
  assert.equal(await asks(5_000), 503)
  const count = server.requests.all.length
  rig.clock.advance(29_999)
  await settled()
  assert.equal(server.requests.all.length, count)
  assert.equal(await asks(1), 503)
  assert.equal(rig.client.state, State.LIVE)
})

test('a Retry-After that is a date, or for ever, is no reason to ask without a pause, or never again', async () => {
  await setUpPolling()
  server.answers.set(SNAPSHOT, { status: 503, json: {}, headers: { 'Retry-After': 'Wed, 21 Oct 2026 07:28:00 GMT' } })
  assert.equal(await asks(5_000), 503)
  const count = server.requests.all.length
  rig.clock.advance(4_999)
  await settled()
  assert.equal(server.requests.all.length, count)
  server.answers.set(SNAPSHOT, { status: 503, json: {}, headers: { 'Retry-After': '99999999' } })
  assert.equal(await asks(5_001), 503)
  assert.equal(await asks(3_600_000), 503)
})

test('a server that does not answer a question in time is gone', async () => {
  await setUpPolling()
  const asked = new Promise(resolve => {
    rig.host.fetch = (url, { signal }) => new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
      resolve()
    })
  })
  rig.clock.advance(5_000)
  await asked
  rig.clock.advance(10_000)
  await rig.reach(State.BACKOFF)
})

test('a token is replaced before a question for which it would be too old', async () => {
  const soon = Math.floor(Date.now() / 1_000)
  const tokens = [tokenOf('alice', { exp: soon + 20 }), tokenOf('alice', { exp: soon + 900 })]
  await setUpPolling({ token: () => (tokens.length > 1 ? tokens.shift() : tokens[0]), shared: false })
  rig.clock.advance(5_000)
  assert.equal((await server.nextRequest(SNAPSHOT)).token, `Bearer ${tokens[0]}`)
})

test('a stream\'s own min_interval_ms holds for both ways', async () => {
  const slow = { channel: 'SyncStatusChannel', session_id: 42, min_interval_ms: 15_000 }
  const { stream } = await setUpListening({}, slow)
  assert.equal(stream.query.min_interval_ms, '15000')
  rig.client.close()
  setUp({ transports: ['polling'] })
  await rig.watch(slow).shows(5)
  await settled()
  const count = server.requests.all.length
  rig.clock.advance(14_999)
  await settled()
  assert.equal(server.requests.all.length, count)
})

test('at most four streams listen, the others are polled', async () => {
  setUp()
  const watchers = Array.from({ length: 6 }, (_, index) => {
    server.state(`SyncStatusChannel/${index}`, { version: 1 })
    return rig.watch({ channel: 'SyncStatusChannel', session_id: index })
  })
  for (const { shows } of watchers) await shows(1)
  for (let n = 0; n < 4; n++) await server.nextStream()
  server.state('SyncStatusChannel/5', { version: 2 })
  rig.clock.advance(5_000)
  await watchers[5].shows(2)
  assert.equal(server.streams.all.length, 4)
})

test('the owner\'s list: its events as they come, and "reloaded" where some may be missing', async () => {
  const list = version => server.answers.set('/sessions', { status: 200, json: { sessions: [{ session_id: 1, title: `${version}`, version }] } })
  list(1)
  const { events, stream } = await setUpListening({}, LIST)
  assert.equal(stream.path, '/events/owner')
  stream.say({ type: 'session_renamed', data: { session_id: 1 } })
  await events.find(([, type]) => type === 'session_renamed')
  list(2)
  stream.end()
  await passUntilStream()
  await events.find(([, type]) => type === 'sessions_reloaded')
})

test('the owner\'s list, polled: told when it is another one, progress apart', async () => {
  const list = (title, version) => server.answers.set('/sessions', { status: 200, json: { sessions: [{ session_id: 1, title, version }] } })
  list('a', 1)
  setUp({ transports: ['polling'] })
  const { events } = rig.watch(LIST)
  await events.find(([name]) => name === 'connected')
  await settled()
  list('a', 2)
  rig.clock.advance(10_000)
  await server.nextRequest('/sessions')
  await server.nextRequest('/sessions')
  await settled()
  list('b', 3)
  await until(() => {
    rig.clock.advance(1_000)
    return events.all.some(([name]) => name === 'event')
  })
  assert.deepEqual(events.all.slice(1), [['event', 'sessions_reloaded']])
})

test('actions: asked for over HTTP, the state or the refusal is a message', async () => {
  const { events, shows, subscription } = await setUpListening({ token: 'good' })
  await shows(5)
  server.answers.set(`/sessions/${PATH}/pause`, { status: 200, json: { result: {}, state: { version: 8 } } })
  subscription.perform('pause', { why: 'lunch' })
  const { method, body, token } = await server.nextRequest(`/sessions/${PATH}/pause`)
  assert.deepEqual([method, body, token], ['POST', { why: 'lunch' }, 'Bearer good'])
  await shows(8)
  server.answers.set(`/sessions/${PATH}/rename`, { status: 409, json: { error: 'was edited', current: { title: 'Theirs' } } })
  subscription.perform('rename', { title: 'Ours' })
  const [, refusal] = await events.find(([name]) => name === 'error')
  assert.deepEqual([refusal.action, refusal.status, refusal.error, refusal.current], ['rename', 409, 'was edited', { title: 'Theirs' }])
  server.state(PATH, { version: 9 })
  subscription.requestUpdate()
  await shows(9)
})

test('seen again, the state is asked for at once; an unsubscribed stream is not', async () => {
  const { shows, stream, subscription } = await setUpListening()
  await shows(5)
  server.state(PATH, { version: 6 })
  rig.host.show('visible')
  await shows(6)
  await within(stream.gone, 'the old stream is closed')
  const second = await server.nextStream()
  subscription.unsubscribe()
  await within(second.gone, 'the stream is closed')
})

test('whoever leaves before the first answer does not keep the others waiting', async () => {
  setUp()
  const first = rig.watch({ channel: 'SyncStatusChannel', session_id: 1 })
  const second = rig.watch()
  await until(() => server.requests.all.length > 0)
  first.subscription.unsubscribe()
  await second.shows(5)
})
