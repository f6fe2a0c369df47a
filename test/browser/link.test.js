/*
 * One link to the server beside a network, a page and a token that come and go.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { State } from '../../client/index.js'
import { ClientRig, ID, settled, tokenOf, until } from './lib/client_rig.js'
import { FakeCable } from './lib/fake_cable.js'

let cable
let rig
before(async () => {
  cable = await FakeCable.start()
})
after(() => cable.stop())
afterEach(() => {
  cable.refuse(false)
  rig?.client.close()
})

const setUp = options => (rig = new ClientRig(cable.url, { transports: ['websocket'], ...options }))

async function setUpLive(options) {
  setUp(options)
  const watcher = rig.watch()
  const { peer } = await cable.nextWatcher()
  assert.deepEqual(await watcher.next(), ['connected', { reconnected: false }])
  return { ...watcher, peer }
}

test('[000-05] no network: offline instead of backoff, and at once when the browser says so', async () => {
  const { peer } = await setUpLive()
  rig.host.goOffline()
  peer.drop()
  const { retryInMs } = await rig.reach(State.OFFLINE)
  assert.equal(retryInMs, 60_000)
  cable.refuse()
  rig.clock.advance(59_999)
  assert.equal(rig.client.state, State.OFFLINE)
  cable.refuse(false)
  rig.host.goOnline()
  await cable.nextWatcher()
  assert.deepEqual(rig.names, ['connecting', 'live', 'offline', 'connecting', 'live'])
})

test('offline while live: the next frame is due within 4 s', async () => {
  await setUpLive()
  rig.host.goOffline()
  rig.clock.advance(5_000)
  assert.deepEqual(rig.names.slice(2), ['stale', 'offline'])
})

test('offline while waiting is said at once', async () => {
  cable.refuse()
  setUp()
  rig.watch()
  await rig.reach(State.BACKOFF)
  rig.host.goOffline()
  await rig.reach(State.OFFLINE)
})

test('the browser may be wrong: offline is tried once a minute', async () => {
  const { peer } = await setUpLive()
  rig.host.navigator.onLine = false
  peer.drop()
  await rig.reach(State.OFFLINE)
  rig.clock.advance(60_000)
  await cable.nextWatcher()
  await rig.reach(State.LIVE)
})

test('maxAttempts: then closed, with the reason, and nothing is left; connect() tries again', async () => {
  cable.refuse()
  setUp({ maxAttempts: 2 })
  rig.watch()
  for (const wait of [2_000, 4_000]) {
    await rig.reach(State.BACKOFF)
    rig.clock.advance(wait)
  }
  assert.equal((await rig.reach(State.CLOSED)).reason, 'max_attempts')
  assert.equal(rig.clock.pending, 0)
  assert.ok(rig.host.signals.every(({ aborted }) => aborted))
  cable.refuse(false)
  rig.client.connect()
  await cable.nextWatcher()
  await rig.reach(State.LIVE)
})

test('the off switch: whoever subscribes waits, and nothing is asked of anybody', async () => {
  setUp({ enabled: false, token: () => assert.fail('asked for a token') })
  const { subscription } = rig.watch()
  rig.client.connect()
  rig.host.goOnline()
  rig.host.show('visible')
  assert.deepEqual([rig.client.state, subscription.state, rig.clock.pending], ['idle', 'pending', 0])
  subscription.requestUpdate()
  subscription.unsubscribe()
  assert.equal(subscription.state, 'ended')
})

test('says what the connection is made of', async () => {
  const { peer } = await setUpLive()
  assert.equal(rig.client.transport, 'websocket')
  peer.drop()
  await rig.reach(State.BACKOFF)
  assert.equal(rig.client.transport, null)
  assert.deepEqual(rig.transports, ['websocket', null])
})

for (const [what, leave, comeBack] of [['the back/forward cache', 'leave', 'comeBack'], ['a freeze', 'freeze', 'thaw']]) {
  test(`${what}: nothing is open while away; then the newest state`, async () => {
    const { peer, events, next } = await setUpLive()
    peer.message(ID, { version: 5 })
    await next()
    rig.host[leave]()
    await peer.closed()
    assert.equal(rig.clock.pending, 0)
    assert.equal(rig.client.state, State.IDLE)
    rig.host[comeBack]()
    const { peer: second } = await cable.nextWatcher()
    second.message(ID, { version: 9 })
    await events.find(([, version]) => version === 9)
    assert.deepEqual(events.all.slice(2, 4), [['disconnected', { willReconnect: true }], ['connected', { reconnected: true }]])
  })
}

test('what was closed before the page was put away stays closed', async () => {
  await setUpLive()
  rig.client.close()
  rig.host.leave()
  rig.host.comeBack()
  await settled()
  assert.equal(rig.client.state, State.CLOSED)
})

test('[000-27] hidden for long: the connection is closed until the page is seen, if asked for', async () => {
  const { peer } = await setUpLive({ pauseHiddenAfterMs: 3_000 })
  rig.host.show('hidden')
  rig.clock.advance(2_000)
  rig.host.show('visible')
  rig.host.show('hidden')
  rig.clock.advance(2_999)
  assert.equal(rig.client.state, State.LIVE)
  rig.clock.advance(1)
  assert.equal(rig.client.state, State.IDLE)
  await peer.closed()
  rig.host.show('visible')
  await cable.nextWatcher()
})

test('a token is replaced in band before it expires', async () => {
  const tokens = ['first', 'second']
  const { peer } = await setUpLive({ token: () => tokens.shift() })
  rig.clock.advance(1_000)
  peer.send({ identifier: '', type: 'token_expiring' })
  assert.equal((await peer.nextCommand('refresh')).token, 'second')
  assert.deepEqual(rig.names, ['connecting', 'live'])
})

test('one that cannot be had, or is still the old one, is asked for again while the connection lasts', async () => {
  const answers = [() => 'first', () => Promise.reject(new Error('no')), () => 'first', () => 'second']
  const { peer, shows } = await setUpLive({ token: () => answers.shift()() })
  rig.clock.advance(1_000)
  peer.send({ identifier: '', type: 'token_expiring' })
  for (const [version, left] of [[1, 2], [2, 1]]) {
    peer.message(ID, { version }) // a sign of life
    await shows(version)
    await until(() => answers.length <= left)
    await settled()
    rig.clock.advance(5_000)
  }
  assert.equal((await peer.nextCommand('refresh')).token, 'second')
})

test('a token that is only a string is left alone', async () => {
  const { peer } = await setUpLive({ token: 'only' })
  peer.send({ identifier: '', type: 'token_expiring' })
  peer.message(ID, { version: 1 })
  await rig.watch().shows(1)
  assert.equal(peer.commandsNamed('refresh').length, 0)
})

test('a refreshed token with other rights: another connection, and what was known is forgotten', async () => {
  const tokens = [tokenOf('alice'), tokenOf('bob')]
  const { peer, events, next } = await setUpLive({ token: () => tokens.shift() ?? tokenOf('bob'), shared: false })
  peer.message(ID, { version: 5 })
  await next()
  rig.clock.advance(1_000)
  peer.send({ identifier: '', type: 'token_expiring' })
  await peer.closed()
  assert.equal(peer.commandsNamed('refresh').length, 0)
  const { peer: second } = await cable.nextWatcher()
  assert.equal(second.token, tokenOf('bob'))
  second.message(ID, { version: 2 })
  await events.find(([name, version]) => name === 'progress' && version === 2)
})
