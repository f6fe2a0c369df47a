/*
 * Where WebSockets do not get through: event streams, and where those do not
 * either, polling; and back, as soon as they do.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { timeMax } from '../bridge/lib/bridge.js'
import { until } from '../bridge/lib/recorder.js'
import { World } from './lib/world.js'

let world
before(async () => { world = await World.start() })
after(() => world?.stop())
afterEach(() => world.reset())

const STATUSES = ['paused', 'processing', 'completed']

/** A run and a tab that shows it. */
async function watched(options) {
  const session = await world.database.session()
  const context = await world.context()
  const viewer = await world.watch(context, session, options)
  await viewer.shows({ count: 0 }, 30_000)
  return { session, context, viewer }
}

const transport = viewer => viewer.tab.call(() => globalThis.client.transport)

function comesBy(viewer, name, ms = 30_000) {
  return until(() => transport(viewer), now => now === name, `a tab has ${name}`, ms)
}

function streamsAre(count) {
  return until(() => world.bridge.metric('stream_clients'), now => now === count, `the bridge has ${count} event streams`)
}

const upgrades = () => world.front.asked.filter(path => path === 'UPGRADE /cable').length

/** Each status is shown, and the last count; nothing older ever. */
async function followsToTheEnd(viewer, session, ms) {
  await viewer.shows(await world.count(session, 5), ms)
  for (const [i, action] of ['pause', 'resume', 'complete'].entries()) {
    await world.database.sql(`SELECT sync.sync_session_${action}(${session})`, { user: 'app' })
    await viewer.shows({ status: STATUSES[i] }, ms)
  }
  const { count, status } = await viewer.shown()
  assert.deepEqual({ count, status }, await world.newest(session))
  await viewer.assertSound()
}

/** Asked for now and then, everything that lasts is shown. */
async function pollsToTheEnd(viewer, session) {
  await viewer.shows(await world.count(session, 5), 15_000)
  await world.count(session, 5)
  await world.database.complete(session)
  await viewer.shows(await world.newest(session), 15_000)
  await viewer.assertSound()
}

test('only event streams are wanted: no WebSocket, and everything is shown', async () => {
  const { session, viewer } = await watched({ transports: ['sse'] })
  assert.equal(await transport(viewer), 'sse')
  await streamsAre(1)
  assert.equal(await world.sockets(), 0)
  await followsToTheEnd(viewer, session)
  assert.equal(upgrades(), 0)
})

test('only polling is wanted: neither WebSocket nor event stream, and everything is shown', async () => {
  const { session, viewer } = await watched({ transports: ['polling'] })
  assert.equal(await transport(viewer), 'polling')
  await pollsToTheEnd(viewer, session)
  assert.equal(upgrades(), 0)
  assert.ok(!world.front.asked.some(path => path.startsWith('GET /events/')))
})

test('[000-05] event streams: the bridge is killed and started again, and the newest state is shown', async () => {
  const { session, viewer } = await watched({ transports: ['sse'] })
  await world.bridge.stop('SIGKILL')
  await viewer.is('backoff')
  await world.database.increment(session, 7)
  await world.bridge.start()
  const started = Date.now()
  const { at } = await viewer.shows({ count: 7 }, 10_000)
  assert.ok(at - started <= timeMax(3_000), `${at - started} ms`)
  await viewer.assertSound()
})

test('a proxy that refuses upgrades: an event stream by itself, and a WebSocket as soon as it lets them by', async () => {
  world.front.refuseUpgrades = true
  const { session, viewer } = await watched()
  await comesBy(viewer, 'sse')
  await viewer.shows(await world.count(session, 5))
  world.front.refuseUpgrades = false
  await viewer.tab.call(() => { globalThis.dispatchEvent(new Event('online')) }) // another network, perhaps
  await comesBy(viewer, 'websocket')
  await viewer.shows(await world.count(session, 5))
  await streamsAre(0)
  assert.equal(await world.sockets(), 1)
  await viewer.assertSound()
})

test('a proxy that refuses upgrades and holds answers back: polling by itself', async () => {
  Object.assign(world.front, { refuseUpgrades: true, streams: 'hold' })
  const { session, viewer } = await watched()
  await comesBy(viewer, 'polling', 60_000)
  await pollsToTheEnd(viewer, session)
})

test('a proxy that refuses upgrades and event streams: polling by itself', async () => {
  Object.assign(world.front, { refuseUpgrades: true, streams: 'refuse' })
  const { session, viewer } = await watched()
  await comesBy(viewer, 'polling', 60_000)
  await pollsToTheEnd(viewer, session)
})

test('a proxy that cuts event streams off after a moment, each time: everything is shown', async () => {
  Object.assign(world.front, { refuseUpgrades: true, streams: 'cut' })
  const { session, viewer } = await watched()
  await followsToTheEnd(viewer, session, 15_000)
})

test('three tabs behind such a proxy are one event stream', async () => {
  world.front.refuseUpgrades = true
  const { session, context } = await watched()
  for (let i = 0; i < 2; i++) await (await world.watch(context, session)).shows({ count: 0 }, 30_000)
  await world.count(session, 5)
  await world.allShowNewest(session)
  await streamsAre(1)
})
