/*
 * Where WebSockets do not get through: down to server-sent events, to polling,
 * and up again.
 */
import assert from 'node:assert/strict'
import { after, afterEach, beforeEach, test } from 'node:test'
import { EventSource } from 'eventsource'
import { State } from '../../client/index.js'
import { ClientRig, ID, until } from './lib/client_rig.js'
import { FakeServer } from './lib/fake_server.js'
import { within } from './lib/wait.js'

const PATH = 'SyncStatusChannel/42'
const SNAPSHOT = `/snapshots/${PATH}`

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
after(() => rig?.client.close())

function setUp(options) {
  rig = new ClientRig(server.url, options)
  Object.assign(rig.host, { fetch, EventSource, sessionStorage: {} })
  return rig
}

/** A client whose WebSockets were refused twice. */
async function setUpFallen(options) {
  setUp(options)
  server.cable.refuse()
  const watcher = rig.watch()
  await rig.reach(State.BACKOFF)
  rig.clock.advance(2_000)
  await rig.reach(State.LIVE)
  assert.deepEqual(await watcher.next(), ['connected', { reconnected: false }])
  await watcher.shows(5)
  return watcher
}

async function setUpListening(options) {
  const watcher = await setUpFallen(options)
  const stream = await server.nextStream()
  stream.say({ version: 6 })
  await watcher.shows(6)
  return { ...watcher, stream }
}

// An attempt to come up ends after so long.
const TRIAL_MS = 20_000

let version = 100

/** Lets time pass, with a sign of life now and then. */
async function pass(ms, stream, shows) {
  for (let left = ms; left > 0; left -= 30_000) {
    stream.say({ version: ++version })
    await shows(version)
    rig.clock.advance(Math.min(left, 30_000))
  }
}

test('a WebSocket fails twice while the server answers: events, from the state on', async () => {
  const { shows, stream } = await setUpListening({ token: 'good' })
  assert.deepEqual(rig.names, ['connecting', 'backoff', 'connecting', 'live'])
  assert.deepEqual([rig.client.transport, rig.transports], ['sse', ['sse']])
  assert.deepEqual(stream.query, { token: 'good', last_event_id: '5' })
  assert.equal((await server.nextRequest(SNAPSHOT)).token, 'Bearer good')
  stream.say({ version: 7 })
  await shows(7)
  assert.equal(rig.host.sessionStorage['sync-progress:transport'], 'sse')
})

test('an outage pushes nobody down, and who comes back is not asked twice', async () => {
  setUp()
  rig.watch()
  const { peer } = await server.cable.nextWatcher()
  await rig.reach(State.LIVE)
  await server.stop()
  peer.drop()
  for (let attempt = 0; attempt < 4; attempt++) {
    const { retryInMs } = await rig.reach(State.BACKOFF)
    if (attempt === 3) await server.listen()
    rig.clock.advance(retryInMs)
  }
  await server.cable.nextWatcher()
  await rig.reach(State.LIVE)
  assert.deepEqual(rig.transports, ['websocket', null, 'websocket'])
  assert.deepEqual(server.requests.all, [])
})

test('nor does one that only a proxy notices, or in which only the database is away', async () => {
  setUp()
  server.cable.refuse()
  rig.watch()
  for (const status of [502, 503, 503]) {
    server.broken = status
    const { retryInMs } = await rig.reach(State.BACKOFF)
    rig.clock.advance(retryInMs)
  }
  await rig.reach(State.BACKOFF)
  assert.deepEqual(rig.transports, [])
  assert.deepEqual(server.streams.all, [])
})

test('a handshake that is never answered counts as well', async () => {
  setUp()
  const watcher = rig.watch()
  for (const wait of [2_000, 0]) {
    await server.cable.nextConnection()
    rig.clock.advance(8_000)
    rig.clock.advance(wait)
  }
  await watcher.shows(5)
  assert.equal(rig.client.transport, 'sse')
})

test('not if WebSockets are all that is wanted', async () => {
  setUp({ transports: ['websocket'] })
  server.cable.refuse()
  rig.watch()
  for (let attempt = 0; attempt < 4; attempt++) rig.clock.advance((await rig.reach(State.BACKOFF)).retryInMs)
  assert.deepEqual(server.requests.all, [])
})

test('a page of the same browser session begins where the last one was', async () => {
  setUp()
  rig.host.sessionStorage['sync-progress:transport'] = 'sse'
  const client = rig.client
  const { sessionStorage } = rig.host
  setUp()
  Object.assign(rig.host, { sessionStorage })
  const { shows } = rig.watch()
  await shows(5)
  await server.nextStream()
  assert.deepEqual(rig.names, ['connecting', 'live'])
  assert.deepEqual(server.cable.connections.all, [])
  client.close()
})

test('what is remembered but does not work any more is forgotten', async () => {
  setUp()
  server.broken = 404
  rig.host.sessionStorage['sync-progress:transport'] = 'polling'
  rig.watch()
  rig.clock.advance((await rig.reach(State.BACKOFF)).retryInMs)
  await server.cable.nextWatcher()
  await rig.reach(State.LIVE)
  assert.equal(rig.client.transport, 'websocket')
})

test('upward: soon, then after 1, 2, 4 … minutes; below it goes on until all is confirmed above', async () => {
  const { events, shows, stream } = await setUpListening()
  const before = server.cable.refused
  for (let n = 0; n < before; n++) await server.cable.nextRefusal()
  for (const [wait, count] of [[5_000, 1], [60_000, 2], [120_000, 3]]) {
    await pass(wait - 1, stream, shows)
    assert.equal(server.cable.refused - before, count - 1)
    await pass(TRIAL_MS, stream, shows) // the attempt before may not have ended until then
    await server.cable.nextRefusal()
  }
  server.cable.refuse(false)
  await pass(240_000, stream, shows)
  const peer = await server.cable.nextConnection()
  peer.welcome()
  await peer.nextCommand('subscribe')
  assert.equal(rig.client.transport, 'sse')
  stream.say({ version: 1_000 })
  await shows(1_000)
  peer.confirm(ID)
  peer.message(ID, { version: 1_001 })
  await shows(1_001)
  await within(stream.gone, 'the stream below is closed')
  assert.deepEqual(rig.transports, ['sse', 'websocket'])
  assert.ok(!events.all.some(([name]) => name === 'disconnected'), 'nobody was told of a gap')
  assert.equal(rig.host.sessionStorage['sync-progress:transport'], 'websocket')
  peer.drop()
  await rig.reach(State.BACKOFF)
})

test('upward when the network has changed, and not twice at a time', async () => {
  await setUpListening()
  server.cable.refuse(false)
  rig.host.goOnline()
  rig.host.goOnline()
  await server.cable.nextWatcher()
  await within(new Promise(resolve => rig.client.addEventListener('statechange', resolve)), 'another transport')
  assert.equal(rig.client.transport, 'websocket')
  const open = server.cable.connections.all.length
  for (const peer of server.cable.connections.all.slice(0, open - 1)) await peer.closed()
})

test('what is watched or left in the meantime is so above too', async () => {
  const { subscription } = await setUpListening()
  server.cable.refuse(false)
  rig.clock.advance(5_000)
  const peer = await server.cable.nextConnection()
  const other = JSON.stringify({ channel: 'MeshProgressChannel', id: 'm' })
  server.state('MeshProgressChannel/m', { version: 1 })
  const { next } = rig.watch(other)
  subscription.unsubscribe()
  peer.welcome()
  assert.equal((await peer.nextCommand('subscribe')).identifier, other)
  assert.deepEqual(await next(), ['connected', { reconnected: false }])
  peer.confirm(other)
  peer.message(other, { version: 3 })
  await until(() => rig.client.transport === 'websocket')
  const third = JSON.stringify({ channel: 'MeshProgressChannel', id: 'n' })
  const later = rig.watch(third)
  await peer.commands.find(({ identifier }) => identifier === third)
  peer.confirm(third)
  assert.deepEqual(await later.next(), ['connected', { reconnected: false }])
})

test('refused above: refused', async () => {
  const { events } = await setUpListening()
  server.cable.refuse(false)
  rig.clock.advance(5_000)
  const peer = await server.cable.nextConnection()
  peer.welcome()
  peer.reject((await peer.nextCommand('subscribe')).identifier)
  await events.find(([name]) => name === 'rejected')
})

test('put away while below: nothing stays open, no timer is left', async () => {
  const { stream } = await setUpListening()
  rig.host.leave()
  await within(stream.gone, 'the stream is closed')
  assert.equal(rig.clock.pending, 0)
  rig.host.comeBack()
  await server.nextStream()
  assert.equal(rig.client.transport, 'sse')
  rig.client.close()
  assert.equal(rig.clock.pending, 0)
})
