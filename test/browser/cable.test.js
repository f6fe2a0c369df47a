import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import WebSocket from 'ws'
import { openCable } from '../../client/cable.js'
import { FakeCable } from './lib/fake_cable.js'
import { FakeClock } from './lib/fake_clock.js'
import { Mailbox } from './lib/wait.js'

// Spaces on purpose: an identifier is opaque and comes back byte for byte.
const ID = '{"channel":"SyncStatusChannel", "session_id":42}'

let cable
before(async () => {
  cable = await FakeCable.start()
})
after(() => cable.stop())

async function connect() {
  const clock = new FakeClock()
  const events = new Mailbox()
  const connection = openCable({ url: cable.url, token: 't', WebSocket, clock, report: (...report) => events.put(report) })
  const peer = await cable.nextConnection()
  return { clock, connection, events, peer, next: () => events.take('an event of the connection') }
}

async function welcomed() {
  const all = await connect()
  all.peer.welcome()
  assert.deepEqual(await all.next(), ['welcomed'])
  return all
}

/** Returns when the connection has read everything sent so far. */
async function readAll({ peer, events }) {
  peer.message('marker', 0)
  await events.find(([name, identifier]) => name === 'received' && identifier === 'marker')
}

test('speaks actioncable-v1-json', async () => {
  const { connection, peer } = await connect()
  assert.equal(peer.protocol, 'actioncable-v1-json')
  assert.equal(peer.token, 't')
  connection.close()
  await peer.closed()
})

test('subscribes after the welcome only, and hands over the answer', async () => {
  const all = await connect()
  const { connection, peer, next } = all
  connection.subscribe(ID)
  await readAll(all)
  assert.deepEqual(peer.commands.all, [])

  peer.welcome()
  assert.deepEqual(await next(), ['welcomed'])
  assert.deepEqual(await peer.nextCommand('subscribe'), { command: 'subscribe', identifier: ID })
  peer.confirm(ID)
  assert.deepEqual(await next(), ['confirmed', ID])
  peer.message(ID, { version: 1 })
  assert.deepEqual(await next(), ['received', ID, { version: 1 }])
  peer.reject(ID)
  assert.deepEqual(await next(), ['rejected', ID])
  connection.close()
})

test('repeats a subscribe each second until it is answered', async () => {
  const all = await welcomed()
  const { clock, connection, peer } = all
  connection.subscribe(ID)
  connection.subscribe('other')
  clock.advance(1_000)
  clock.advance(1_000)
  for (let count = 0; count < 6; count++) await peer.nextCommand('subscribe')

  peer.confirm(ID)
  peer.reject('other')
  await readAll(all)
  clock.advance(3_000)
  connection.perform(ID, 'marker') // commands arrive in order
  await peer.nextCommand('message')
  assert.equal(peer.commandsNamed('subscribe').length, 6)
  connection.close()
})

test('an unsubscribed stream is not asked for again', async () => {
  const { clock, connection, peer } = await welcomed()
  connection.subscribe(ID)
  connection.unsubscribe(ID)
  clock.advance(2_000)
  connection.perform(ID, 'marker')
  await peer.nextCommand('message')
  assert.deepEqual(peer.commands.all.map(({ command }) => command), ['subscribe', 'unsubscribe', 'message'])
  connection.close()
})

test('encodes an action twice, as the protocol has it', async () => {
  const { connection, peer } = await welcomed()
  connection.perform(ID, 'rename', { title: 'A "new" one' })
  assert.deepEqual(await peer.nextCommand('message'), {
    command: 'message',
    identifier: ID,
    data: '{"title":"A \\"new\\" one","action":"rename"}'
  })
  connection.close()
})

test('says that the token expires, and hands over another', async () => {
  const { connection, next, peer } = await welcomed()
  peer.send({ identifier: '', type: 'token_expiring' })
  assert.deepEqual(await next(), ['expiring'])
  connection.refresh('newer')
  assert.deepEqual(await peer.nextCommand('refresh'), { command: 'refresh', token: 'newer' })
  connection.close()
})

test('is stale after 7.5 s of silence, told at the next check', async () => {
  const { clock, peer, events, next } = await welcomed()
  for (let second = 0; second < 7; second++) clock.advance(1_000)
  assert.equal(events.all.length, 1)
  clock.advance(1_000)
  assert.deepEqual(await next(), ['closed', { reason: 'stale', reconnect: true }])
  await peer.closed()
  assert.equal(clock.pending, 0)
})

test('a server that never answers the handshake with a welcome is stale too', async () => {
  const { clock, next } = await connect()
  clock.advance(8_000)
  assert.deepEqual(await next(), ['closed', { reason: 'stale', reconnect: true }])
})

test('pings, messages and even nonsense are signs of life', async () => {
  const all = await welcomed()
  const { clock, connection, peer, events } = all
  for (const speak of [() => peer.ping(), () => peer.message(ID, 1), () => peer.sendText('{"type":'), () => peer.send({ type: 'token_expiring' })]) {
    clock.advance(5_000)
    speak()
    await readAll(all)
  }
  clock.advance(7_000)
  assert.deepEqual(events.all.filter(([name]) => name === 'closed'), [])
  connection.close()
})

test('odd frames are ignored', async () => {
  const all = await welcomed()
  for (const text of ['null', '7', '[]', '{}', '{"identifier":7,"message":1}', '{"type":"whatever"}', 'not json']) {
    all.peer.sendText(text)
  }
  await readAll(all)
  assert.deepEqual(all.events.all.map(([name]) => name), ['welcomed', 'received'])
  all.connection.close()
})

test('a check that is itself late proves nothing until the next one', async () => {
  const { clock, events, next } = await welcomed()
  clock.sleep(60_000)
  assert.equal(events.all.length, 1, 'not given up on waking')
  clock.advance(1_000)
  assert.deepEqual(await next(), ['closed', { reason: 'stale', reconnect: true }])
})

test('a frame that had waited behind the late check saves the connection', async () => {
  const all = await welcomed()
  all.clock.sleep(60_000)
  all.peer.ping()
  await readAll(all)
  all.clock.advance(7_000)
  assert.deepEqual(all.events.all.filter(([name]) => name === 'closed'), [])
  all.connection.close()
})

test('timers throttled to one a minute still find a dead connection', async () => {
  const { clock, events, next } = await welcomed()
  clock.sleep(60_000)
  assert.equal(events.all.length, 1)
  clock.sleep(60_000)
  assert.deepEqual(await next(), ['closed', { reason: 'stale', reconnect: true }])
})

test('demandLife shortens the patience, and never lengthens it', async () => {
  const { clock, connection, events, next } = await welcomed()
  connection.demandLife(4_000)
  clock.advance(3_000)
  connection.demandLife(100_000)
  assert.equal(events.all.length, 1)
  clock.advance(2_000)
  assert.deepEqual(await next(), ['closed', { reason: 'stale', reconnect: true }])
})

test('hands over reason and reconnect of a disconnect, once', async () => {
  for (const [reason, reconnect] of [['server_restart', true], ['unauthorized', false], ['remote', true]]) {
    const { peer, events, next } = await welcomed()
    peer.disconnect(reason, reconnect)
    assert.deepEqual(await next(), ['closed', { reason, reconnect }])
    await peer.closed()
    assert.equal(events.all.length, 2)
  }
})

test('a disconnect without reconnect means: come back', async () => {
  const { peer, next } = await welcomed()
  peer.send({ type: 'disconnect' })
  assert.deepEqual(await next(), ['closed', { reason: null, reconnect: true }])
})

test('a cut network is a close without a reason', async () => {
  const { peer, next } = await welcomed()
  peer.drop()
  assert.deepEqual(await next(), ['closed', { reason: null, reconnect: true }])
})

test('close() tells nobody and leaves no timer', async () => {
  const { clock, connection, peer, events } = await welcomed()
  connection.close()
  connection.close()
  await peer.closed()
  clock.advance(20_000)
  assert.equal(events.all.length, 1)
  assert.equal(clock.pending, 0)
})
