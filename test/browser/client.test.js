import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import WebSocket from 'ws'
import { State, SyncProgressClient } from '../../client/index.js'
import { FakeCable } from './lib/fake_cable.js'
import { FakeClock } from './lib/fake_clock.js'
import { FakeHost } from './lib/fake_host.js'
import { Mailbox } from './lib/wait.js'

const STREAM = { channel: 'SyncStatusChannel', session_id: 42 }
const ID = '{"channel":"SyncStatusChannel","session_id":42}'

let cable
let client
before(async () => {
  cable = await FakeCable.start()
})
after(() => cable.stop())
afterEach(() => client?.close())

function setUp(options = {}) {
  const clock = new FakeClock()
  const host = new FakeHost()
  const states = new Mailbox()
  client = new SyncProgressClient({ url: cable.url, WebSocket, clock, host, random: () => 1, ...options })
  client.addEventListener('statechange', event => states.put(event))
  const reach = state => states.find(event => event.state === state, `state ${state}`)
  return { clock, host, states, reach, names: () => states.all.map(({ state }) => state) }
}

function watch(identifier = STREAM) {
  const events = new Mailbox()
  const subscription = client.subscribe(identifier, {
    onProgress: payload => events.put(['progress', payload.version ?? payload]),
    onConnected: detail => events.put(['connected', detail]),
    onDisconnected: detail => events.put(['disconnected', detail]),
    onRejected: () => events.put(['rejected'])
  })
  return { events, subscription, next: () => events.take('an event of the subscription') }
}

async function setUpLive(options) {
  const all = setUp(options)
  const watcher = watch()
  const { peer } = await cable.nextWatcher()
  assert.deepEqual(await watcher.next(), ['connected', { reconnected: false }])
  await all.reach(State.LIVE)
  return { ...all, ...watcher, peer }
}

test('does nothing until asked', () => {
  const { host, clock } = setUp()
  host.goOnline()
  assert.equal(client.state, State.IDLE)
  assert.equal(clock.pending, 0)
})

test('the first subscribe connects: idle → connecting → live', async () => {
  const { names } = await setUpLive()
  assert.deepEqual(names(), ['connecting', 'live'])
})

test('an address of http names its WebSocket, a relative one that of the page', async () => {
  const asHttp = setUp({ url: cable.origin + '/cable#fragment' })
  client.connect()
  ;(await cable.nextConnection()).welcome()
  await asHttp.reach(State.LIVE)
  client.close()

  const host = Object.assign(new FakeHost(), { location: { href: cable.origin + '/somewhere/' } })
  const relative = setUp({ url: undefined, host })
  client.connect()
  ;(await cable.nextConnection()).welcome()
  await relative.reach(State.LIVE)

  assert.throws(() => new SyncProgressClient({ url: 'ftp://host/cable' }), TypeError)
})

test('[002-02] the state comes at once, and requestUpdate asks for it again', async () => {
  const { peer, subscription, next } = await setUpLive()
  peer.message(ID, { version: 5 })
  assert.deepEqual(await next(), ['progress', 5])
  assert.equal(subscription.state, 'confirmed')
  subscription.requestUpdate()
  assert.deepEqual(await peer.nextCommand('message'), { command: 'message', identifier: ID, data: '{"action":"request_update"}' })
})

test('nothing older than what was shown is ever shown', async () => {
  const { peer, events } = await setUpLive()
  for (const version of [5, 4, 5, 7, 6, 7, 8]) peer.message(ID, { version })
  await events.find(([, version]) => version === 8)
  assert.deepEqual(events.all.slice(1), [['progress', 5], ['progress', 7], ['progress', 8]])
})

test('nor after a reconnect', async () => {
  const { clock, peer, events, next, reach } = await setUpLive()
  peer.message(ID, { version: 5 })
  await next()
  peer.drop()
  await reach(State.BACKOFF)
  clock.advance(2_000)
  const { peer: second } = await cable.nextWatcher()
  for (const version of [4, 5, 6]) second.message(ID, { version })
  await events.find(([, version]) => version === 6)
  assert.deepEqual(events.all.slice(2), [
    ['disconnected', { willReconnect: true }],
    ['connected', { reconnected: true }],
    ['progress', 6]
  ])
})

test('payloads without a version pass as they come', async () => {
  const { peer, next } = await setUpLive()
  for (const message of ['a', 'a', null]) peer.message(ID, { mesh: message })
  assert.deepEqual([await next(), await next(), await next()],
    [['progress', { mesh: 'a' }], ['progress', { mesh: 'a' }], ['progress', { mesh: null }]])
})

test('two who watch the same are one subscribe; the latecomer starts with the latest', async () => {
  const { peer, next } = await setUpLive()
  peer.message(ID, { version: 5 })
  await next()
  const second = watch()
  assert.deepEqual(second.events.all, [], 'not before subscribe() has returned')
  assert.deepEqual(await second.next(), ['connected', { reconnected: false }])
  assert.deepEqual(await second.next(), ['progress', 5])
  peer.message(ID, { version: 6 })
  assert.deepEqual(await second.next(), ['progress', 6])
  assert.deepEqual(await next(), ['progress', 6])
  second.subscription.requestUpdate() // commands arrive in order
  await peer.nextCommand('message')
  assert.equal(peer.commandsNamed('subscribe').length, 1)
})

test('a latecomer who leaves at once is shown nothing', async () => {
  const { peer, next } = await setUpLive()
  peer.message(ID, { version: 5 })
  await next()
  const second = watch()
  second.subscription.unsubscribe()
  peer.message(ID, { version: 6 })
  await next()
  assert.deepEqual(second.events.all, [])
})

test('a second confirmation is not a second connection', async () => {
  const { peer, events, next } = await setUpLive()
  peer.confirm(ID)
  peer.message(ID, { version: 5 })
  assert.deepEqual(await next(), ['progress', 5])
  assert.equal(events.all.length, 2)
})

test('only the last one to leave unsubscribes', async () => {
  const { peer, subscription } = await setUpLive()
  const second = watch()
  await second.next()
  subscription.unsubscribe()
  subscription.unsubscribe()
  assert.equal(subscription.state, 'ended')
  peer.message(ID, { version: 1 })
  assert.deepEqual(await second.next(), ['progress', 1])
  assert.deepEqual(peer.commandsNamed('unsubscribe'), [])

  second.subscription.unsubscribe()
  assert.deepEqual(await peer.nextCommand('unsubscribe'), { command: 'unsubscribe', identifier: ID })
  const third = watch()
  await peer.nextCommand('subscribe')
  peer.message(ID, { version: 1 })
  assert.deepEqual(await third.next(), ['progress', 1], 'begins anew')
})

test('[002-08] a refused subscription says so and is not asked for again', async () => {
  const { clock, reach } = setUp()
  const { next, subscription } = watch()
  const refused = new Mailbox()
  client.addEventListener('rejected', ({ identifier }) => refused.put(identifier))
  const peer = await cable.nextConnection()
  peer.welcome()
  await peer.nextCommand('subscribe')
  peer.reject(ID)
  assert.deepEqual(await next(), ['rejected'])
  assert.equal(await refused.take(), ID)
  assert.equal(subscription.state, 'rejected')

  peer.drop()
  await reach(State.BACKOFF)
  clock.advance(2_000)
  const second = await cable.nextConnection()
  second.welcome()
  await reach(State.LIVE)
  watch('marker')
  assert.deepEqual((await second.nextCommand('subscribe')).identifier, 'marker')
})

test('a right that is withdrawn later cuts off', async () => {
  const { peer, subscription, next } = await setUpLive()
  peer.reject(ID)
  assert.deepEqual(await next(), ['rejected'])
  assert.equal(subscription.state, 'rejected')
  subscription.unsubscribe()
  subscription.requestUpdate()
  watch('marker')
  await peer.nextCommand('subscribe')
  assert.deepEqual(peer.commandsNamed('message'), [])
  assert.deepEqual(peer.commandsNamed('unsubscribe'), [])
})

test('one watcher that throws harms no other', async t => {
  const { peer, next } = await setUpLive()
  const reported = []
  t.mock.method(globalThis, 'queueMicrotask', report => reported.push(report))
  client.subscribe(STREAM, { onProgress: () => assert.fail('on purpose') })
  reported.shift()() // the latecomer's start
  peer.message(ID, { version: 5 })
  assert.deepEqual(await next(), ['progress', 5])
  peer.message(ID, { version: 6 })
  assert.deepEqual(await next(), ['progress', 6])
  assert.equal(reported.length, 2)
  assert.throws(reported[0], /on purpose/)
})

test('silence: live → stale → backoff → connecting → live, with the newest state', async () => {
  const { clock, peer, events, names, reach, states } = await setUpLive()
  clock.advance(8_000)
  await reach(State.BACKOFF)
  await peer.closed()
  const [stale, backoff] = states.all.slice(2)
  assert.deepEqual([stale.state, stale.reason, stale.previous], ['stale', 'stale', 'live'])
  assert.deepEqual([backoff.retryInMs, backoff.attempt], [1_900, 1])
  clock.advance(1_900)
  const { peer: second } = await cable.nextWatcher()
  second.message(ID, { version: 9 })
  await events.find(([, version]) => version === 9)
  assert.deepEqual(names(), ['connecting', 'live', 'stale', 'backoff', 'connecting', 'live'])
})

test('a server that restarts is waited for, longer each time', async () => {
  const own = await FakeCable.start()
  const { clock, reach, states } = setUp({ url: own.url })
  watch()
  const { peer } = await own.nextWatcher()
  await reach(State.LIVE)
  clock.advance(5_000)
  peer.disconnect('server_restart', true)
  assert.equal((await reach(State.BACKOFF)).reason, 'server_restart')
  await own.stop()
  for (const wait of [1_900, 2_600, 4_500, 5_000]) {
    assert.equal(states.all.at(-1).retryInMs, wait)
    clock.advance(wait - 1)
    assert.equal(client.state, State.BACKOFF)
    clock.advance(1)
    assert.equal((await reach(State.BACKOFF)).reason, null)
  }
  await own.listen()
  clock.advance(5_000)
  await own.nextWatcher()
  await reach(State.LIVE)
  await own.stop()
})

test('a refused handshake is tried again', async () => {
  const { clock, reach } = setUp()
  cable.refuse()
  watch()
  await reach(State.BACKOFF)
  cable.refuse(false)
  clock.advance(2_000)
  await cable.nextWatcher()
  await reach(State.LIVE)
})

test('a server that welcomes and drops is not asked again without end', async () => {
  const { clock, reach, states } = setUp()
  watch()
  for (const wait of [1_900, 2_600, 5_000]) {
    const { peer } = await cable.nextWatcher()
    await reach(State.LIVE)
    clock.advance(500)
    peer.drop()
    await reach(State.BACKOFF)
    assert.equal(states.all.at(-1).retryInMs, wait)
    clock.advance(wait)
  }
  // One that held for 5 s ends the outage.
  const { peer } = await cable.nextWatcher()
  await reach(State.LIVE)
  clock.advance(5_000)
  peer.drop()
  assert.equal((await reach(State.BACKOFF)).retryInMs, 1_900)
})

test('told that coming back is useless: rejected, until connect()', async () => {
  const { clock, host, next, peer, reach } = await setUpLive({ token: () => 'bad' })
  peer.disconnect('unauthorized', false)
  assert.equal((await reach(State.REJECTED)).reason, 'unauthorized')
  assert.deepEqual(await next(), ['disconnected', { willReconnect: false }])
  host.goOnline()
  host.show('visible')
  assert.equal(client.state, State.REJECTED)
  assert.equal(clock.pending, 0)
  client.connect()
  await cable.nextWatcher()
  assert.deepEqual(await next(), ['connected', { reconnected: true }])
})

test('a token callback is asked at every open', async () => {
  let count = 0
  const { clock, peer, reach } = await setUpLive({ token: async () => `token ${++count}` })
  assert.equal(peer.token, 'token 1')
  peer.disconnect('token_expired', true)
  await reach(State.BACKOFF)
  clock.advance(2_000)
  assert.equal((await cable.nextConnection()).token, 'token 2')
})

test('an expired token that is only a string is not tried again', async () => {
  const { peer, reach } = await setUpLive({ token: 'old' })
  assert.equal(peer.token, 'old')
  peer.disconnect('token_expired', true)
  assert.equal((await reach(State.REJECTED)).reason, 'token_expired')
})

test('no token, no parameter', async () => {
  const { peer } = await setUpLive({ token: () => null })
  assert.equal(peer.token, null)
})

test('a token callback that fails or hangs is tried again later', async () => {
  const answers = [() => Promise.reject(new Error('no')), () => { throw new Error('no') }, () => new Promise(() => {}), () => 'good']
  const { clock, reach } = setUp({ token: () => answers.shift()() })
  watch()
  assert.equal((await reach(State.BACKOFF)).reason, 'token_unavailable')
  clock.advance(1_900)
  assert.equal((await reach(State.BACKOFF)).retryInMs, 2_600)
  clock.advance(2_600)
  clock.advance(15_000)
  assert.equal((await reach(State.BACKOFF)).retryInMs, 5_000)
  clock.advance(5_000)
  assert.equal((await cable.nextConnection()).token, 'good')
})

test('closed while the token is on its way: no connection', async () => {
  let answer
  const before = cable.connections.all.length
  const { clock, names } = setUp({ token: () => new Promise(resolve => { answer = resolve }) })
  client.connect()
  client.close()
  answer('late')
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual(names(), ['connecting', 'closed'])
  assert.equal(clock.pending, 0)
  assert.equal(cable.connections.all.length, before)
})

test('[000-05] back online: no waiting', async () => {
  const { host, peer, reach } = await setUpLive()
  peer.drop()
  await reach(State.BACKOFF)
  host.goOnline()
  await cable.nextWatcher()
  await reach(State.LIVE)
})

test('[000-27] seen again: no waiting; hidden: patience', async () => {
  const { host, peer, reach } = await setUpLive()
  peer.drop()
  await reach(State.BACKOFF)
  host.show('hidden')
  assert.equal(client.state, State.BACKOFF)
  host.show('visible')
  await cable.nextWatcher()
  await reach(State.LIVE)
})

test('seen again after a long silence: the connection is replaced at once', async () => {
  const { clock, host, peer, names } = await setUpLive()
  host.show('hidden')
  clock.sleep(60_000)
  assert.equal(client.state, State.LIVE)
  host.show('visible')
  await cable.nextWatcher()
  await peer.closed()
  assert.deepEqual(names().slice(2, 5), ['stale', 'backoff', 'connecting'])
})

test('online while live: the next frame is due within 4 s', async () => {
  const { clock, host, reach } = await setUpLive()
  host.goOnline()
  clock.advance(4_000)
  assert.equal(client.state, State.LIVE)
  clock.advance(1_000)
  await reach(State.BACKOFF)
})

test('close() ends everything; connect() takes it up again', async () => {
  const { clock, host, peer, next, reach } = await setUpLive()
  client.close()
  await reach(State.CLOSED)
  assert.deepEqual(await next(), ['disconnected', { willReconnect: false }])
  await peer.closed()
  host.goOnline()
  assert.equal(client.state, State.CLOSED)
  assert.ok(host.signals.length > 0 && host.signals.every(({ aborted }) => aborted), 'no listener is left')
  assert.equal(clock.pending, 0)
  client.connect()
  await cable.nextWatcher()
  assert.deepEqual(await next(), ['connected', { reconnected: true }])
})

test('a listener may close the client in the middle of a loss', async () => {
  const { clock, reach } = await setUpLive()
  client.addEventListener('statechange', ({ state }) => {
    if (state === State.STALE) client.close()
  })
  clock.advance(8_000)
  await reach(State.CLOSED)
  assert.equal(client.state, State.CLOSED)
  assert.equal(clock.pending, 0)
})

test('progress is an event of the client too', async () => {
  const { peer } = await setUpLive()
  const seen = new Mailbox()
  client.addEventListener('progress', event => seen.put(event))
  peer.message(ID, { version: 5 })
  peer.message(ID, { version: 5 })
  peer.message(ID, { version: 6 })
  assert.equal((await seen.take()).payload.version, 5)
  const { identifier, payload } = await seen.take()
  assert.deepEqual([identifier, payload.version], [ID, 6])
})
