import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import WebSocket from 'ws'
import { Recorder } from '../bridge/lib/recorder.js'
import { SyncProgressClient } from '../../client/client.js'
import { BatchProgressSubscriber, MeshProgressSubscriber, formatTime } from '../../client/mesh_subscriber.js'
import { FakeCable } from './lib/fake_cable.js'
import { FakeClock } from './lib/fake_clock.js'

const MESH = '{"channel":"MeshProgressChannel","id":42}'

let cable
let client
let clock
let subscriber
before(async () => { cable = await FakeCable.start() })
after(() => cable?.stop())
afterEach(() => {
  subscriber?.unsubscribe()
  client?.close()
  cable.refuse(false)
})

const names = heard => heard.all.map(([name]) => name)
const told = (heard, name, passes = () => true) => heard.find(([each, ...args]) => each === name && passes(...args), `${name} is called with what passes ${passes}`)

function make(Subscriber, id, options = {}) {
  const heard = new Recorder()
  clock = new FakeClock()
  client = new SyncProgressClient({ url: cable.url, WebSocket, clock, random: () => 0, shared: false, cache: false })
  const callbacks = Object.fromEntries(['onConnected', 'onDisconnected', 'onProgress', 'onComplete', 'onCancelled', 'onError']
    .map(name => [name, (...args) => heard.put([name, ...args])]))
  subscriber = new Subscriber(id, callbacks, { client, dom: false, ...options })
  return heard
}

async function watch(options, id = 42) {
  const heard = make(MeshProgressSubscriber, id, options)
  assert.equal(subscriber.subscribe(), subscriber)
  const { peer, identifier } = await cable.nextWatcher()
  return { heard, peer, identifier }
}

/** Timers of these lengths run when the test says so; all others by themselves. */
function holdTimers(t, ...lengths) {
  const { setTimeout: realSet, clearTimeout: realClear } = globalThis
  const held = []
  t.mock.method(globalThis, 'setTimeout', (callback, ms, ...args) => {
    if (!lengths.includes(ms)) return realSet(callback, ms, ...args)
    const timer = { callback, ms }
    held.push(timer)
    return timer
  })
  t.mock.method(globalThis, 'clearTimeout', timer => {
    if (held.includes(timer)) held.splice(held.indexOf(timer), 1)
    else realClear(timer)
  })
  return {
    get pending() { return held.map(({ ms }) => ms) },
    run: () => held.splice(0).forEach(({ callback }) => callback())
  }
}

const END_MS = 5_000
const GRACE_MS = 1_000

const state = (changes = {}) => ({ mesh_id: 42, status: 'processing', progress: 30, message: 'Meshing', estimated_remaining: 75, ...changes })

test('[002-06] subscribe() returns this; connected, progress, request_update, disconnected', async () => {
  const { heard, peer, identifier } = await watch()
  assert.equal(identifier, MESH)
  await told(heard, 'onConnected')
  peer.message(MESH, state())
  assert.deepEqual(await told(heard, 'onProgress'), ['onProgress', state()])
  subscriber.requestUpdate()
  const { data } = await peer.nextCommand('message')
  assert.deepEqual(JSON.parse(data), { action: 'request_update' })
  peer.drop()
  await told(heard, 'onDisconnected')
  assert.deepEqual(names(heard), ['onConnected', 'onProgress', 'onDisconnected'])
})

test('[002-07] subscribing twice, and connecting again, make no second subscription', async () => {
  const { heard, peer } = await watch()
  subscriber.subscribe()
  peer.message(MESH, state())
  await told(heard, 'onProgress')
  assert.equal(peer.commandsNamed('subscribe').length, 1)
  peer.drop()
  await told(heard, 'onDisconnected')
  clock.advance(0)
  const { peer: second } = await cable.nextWatcher()
  second.message(MESH, state({ progress: 60 }))
  await told(heard, 'onProgress', ({ progress }) => progress === 60)
  assert.equal(second.commandsNamed('subscribe').length, 1)
  assert.equal(names(heard).filter(name => name === 'onProgress').length, 2)
})

test('[002-08] who may not see it is told so', async () => {
  const heard = make(MeshProgressSubscriber, 42)
  subscriber.subscribe()
  const peer = await cable.nextConnection()
  peer.welcome()
  const { identifier } = await peer.nextCommand('subscribe')
  peer.reject(identifier)
  assert.deepEqual(await told(heard, 'onError'), ['onError', 'Unauthorized to view mesh progress'])
})

test('[002-08] a connection that is refused for good is the same, also to who comes later', async () => {
  const heard = make(MeshProgressSubscriber, 42)
  subscriber.subscribe()
  ;(await cable.nextConnection()).disconnect('unauthorized', false)
  await told(heard, 'onError', message => message === 'Unauthorized to view mesh progress')
  const late = new Recorder()
  new MeshProgressSubscriber(43, { onError: message => late.put(message) }, { client, dom: false }).subscribe()
  assert.equal(await late.find(() => true, 'onError'), 'Unauthorized to view mesh progress')
  subscriber.retry()
  const { peer } = await cable.nextWatcher()
  peer.message(MESH, state())
  await told(heard, 'onProgress')
})

test('[002-09] the end is told once, and five seconds later nobody watches any more', async t => {
  const timers = holdTimers(t, END_MS, GRACE_MS)
  for (const [status, name, said] of [['completed', 'onComplete', undefined], ['failed', 'onError', 'Out of memory'], ['cancelled', 'onCancelled', undefined]]) {
    const { heard, peer } = await watch()
    const last = state({ status, progress: 100, message: said ?? 'x' })
    peer.message(MESH, last)
    peer.message(MESH, last)
    await heard.find(() => names(heard).filter(each => each === 'onProgress').length === 2, 'both have come')
    assert.deepEqual((await told(heard, name))[1], said ?? last)
    assert.equal(names(heard).filter(each => each === name).length, 1)
    assert.deepEqual(timers.pending, [END_MS])
    timers.run()
    assert.deepEqual(timers.pending, [GRACE_MS])
    assert.equal(peer.commandsNamed('unsubscribe').length, 0)
    timers.run()
    assert.equal((await peer.nextCommand('unsubscribe')).identifier, MESH)
    client.close()
  }
})

test('[002-13] a retry within the five seconds is followed', async t => {
  const timers = holdTimers(t, END_MS, GRACE_MS)
  const { heard, peer } = await watch()
  peer.message(MESH, state({ status: 'failed', message: 'a' }))
  await told(heard, 'onError')
  assert.deepEqual(timers.pending, [END_MS])
  peer.message(MESH, state({ status: 'pending', progress: 0 }))
  await told(heard, 'onProgress', ({ status }) => status === 'pending')
  assert.deepEqual(timers.pending, [])
  peer.message(MESH, state({ status: 'failed', message: 'b' }))
  await told(heard, 'onError', message => message === 'b')
})

test('an end that was kept from before is shown, and told when the server says so', async () => {
  const heard = new Recorder()
  const kept = state({ status: 'completed', progress: 100 })
  const fake = { state: 'pending', latest: kept, unsubscribe() {} }
  let callbacks
  const offline = Object.assign(new EventTarget(), { state: 'backoff', subscribe: (_, given) => { callbacks = given; return fake } })
  const callbacksHeard = Object.fromEntries(['onProgress', 'onComplete'].map(name => [name, each => heard.put([name, each])]))
  subscriber = new MeshProgressSubscriber(42, callbacksHeard, { client: offline, dom: false }).subscribe()
  await told(heard, 'onProgress')
  assert.deepEqual(names(heard), ['onProgress'])
  fake.state = 'confirmed'
  callbacks.onProgress(state({ status: 'completed', progress: 100 }))
  assert.deepEqual(names(heard), ['onProgress', 'onProgress', 'onComplete'])
})

test('[002-13] a retry whose run begins late is waited for: what the server says until then is the old end', async t => {
  const timers = holdTimers(t, END_MS, GRACE_MS)
  for (const [status, name] of [['failed', 'onError'], ['cancelled', 'onCancelled']]) {
    for (const isLate of [false, true]) {
      const { heard, peer } = await watch()
      const old = state({ status, message: 'a', updated_at: '2026-11-22T16:00:00Z' })
      peer.message(MESH, old)
      await told(heard, name)
      if (isLate) {
        timers.run() // the five seconds
        timers.run() // and the place
        await peer.nextCommand('unsubscribe')
      }
      subscriber.retry()
      assert.deepEqual(timers.pending, [])
      if (isLate) peer.confirm((await peer.commands.find(({ command }, i) => command === 'subscribe' && peer.commandsNamed('subscribe').length === 2, 'again')).identifier)
      peer.message(MESH, { ...old, message: 'still the old one' })
      await told(heard, 'onProgress', ({ message }) => message === 'still the old one')
      assert.deepEqual(timers.pending, [], 'it goes on')
      peer.message(MESH, state({ message: 'the new one' }))
      peer.message(MESH, { ...old, updated_at: '2026-11-22T17:00:00Z' })
      await heard.find(() => names(heard).filter(each => each === name).length === 2, 'the end of the new one')
      assert.deepEqual(timers.pending, [END_MS])
      subscriber.unsubscribe()
      timers.run()
      client.close()
    }
  }
})

test('a callback\'s mistake is reported as uncaught, and the end is told and seen all the same', async t => {
  const thrown = []
  const uncaught = error => thrown.push(error.message)
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', uncaught)
  t.after(() => {
    process.off('uncaughtException', uncaught)
    others.forEach(each => process.on('uncaughtException', each))
  })
  const timers = holdTimers(t, END_MS)
  const heard = make(MeshProgressSubscriber, 42)
  subscriber = new MeshProgressSubscriber(42, {
    onProgress() { throw new Error('mine') },
    onComplete: each => heard.put(['onComplete', each])
  }, { client, dom: false }).subscribe()
  const { peer } = await cable.nextWatcher()
  peer.message(MESH, state({ status: 'completed' }))
  await told(heard, 'onComplete')
  assert.deepEqual([thrown, timers.pending], [['mine'], [END_MS]])
})

test('[002-07] by default it never gives up; with maxAttempts it does, and retry() begins anew', async () => {
  cable.refuse()
  const heard = make(MeshProgressSubscriber, 42, { maxAttempts: 5 })
  let losses = 0
  client.addEventListener('statechange', ({ state }) => { if (state === 'backoff') losses++ })
  subscriber.subscribe()
  for (let i = 1; i <= 6; i++) {
    await new Promise(resolve => {
      const look = () => (losses >= i ? resolve() : setTimeout(look, 2))
      look()
    })
    if (i < 6) assert.deepEqual(names(heard), [], `after ${i}`)
    clock.advance(30_000)
  }
  assert.deepEqual(heard.all, [['onError', 'Max reconnection attempts reached']])
  cable.refuse(false)
  subscriber.retry()
  client.connect()
  const peer = await cable.nextConnection()
  peer.welcome()
  peer.confirm((await peer.nextCommand('subscribe')).identifier)
  await told(heard, 'onConnected')
})

test('after unsubscribe() nothing is told; the place is kept for a moment', async t => {
  const timers = holdTimers(t, GRACE_MS)
  const { heard, peer } = await watch()
  await told(heard, 'onConnected')
  subscriber.unsubscribe()
  const other = new Recorder()
  const second = new MeshProgressSubscriber('42', { onProgress: each => other.put(each) }, { client, dom: false }).subscribe()
  timers.run()
  peer.message(MESH, state())
  await other.find(() => true, 'a state')
  assert.deepEqual(names(heard), ['onConnected'])
  assert.deepEqual([peer.commandsNamed('subscribe').length, peer.commandsNamed('unsubscribe').length], [1, 0])
  second.unsubscribe()
})

test('[002-04] a batch, by an id that is a name', async () => {
  const heard = make(BatchProgressSubscriber, 'night-1')
  subscriber.subscribe()
  const { peer, identifier } = await cable.nextWatcher()
  assert.equal(identifier, '{"channel":"BatchProgressChannel","id":"night-1"}')
  const last = { batch_id: 'night-1', total: 4, completed: 3, failed: 1, progress: 100, status: 'completed', estimated_remaining: null }
  peer.message(identifier, last)
  assert.deepEqual((await told(heard, 'onComplete'))[1], last)
  assert.equal(subscriber.batchId, 'night-1')
})

test('[002-10] times, and ids that are none', () => {
  assert.deepEqual([0, 45.4, 59, 60, 125].map(formatTime), ['0s', '45s', '59s', '1m 0s', '2m 5s'])
  for (const id of [0, '', null, undefined]) assert.throws(() => make(MeshProgressSubscriber, id) && subscriber.subscribe(), TypeError)
})
