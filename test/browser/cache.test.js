/*
 * What was shown last is shown at once by the next page, to whoever saw it.
 */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { ClientRig, ID, STREAM, settled, tokenOf, until } from './lib/client_rig.js'
import { FakeCable } from './lib/fake_cable.js'

const HOUR_MS = 3_600_000

let cable
let rig
beforeEach(async () => {
  cable = await FakeCable.start()
})
afterEach(async () => {
  rig?.client.close()
  await cable.stop()
})

/** sessionStorage as far as it is used here; its items are its own properties, as in a browser. */
class FakeSession {
  writes = 0

  constructor() {
    Object.defineProperty(this, 'writes', { enumerable: false })
  }

  getItem(key) {
    return this[key] ?? null
  }

  setItem(key, value) {
    this.writes += 1
    this[key] = value
  }

  removeItem(key) {
    delete this[key]
  }
}

const states = storage => Object.keys(storage).filter(key => key.startsWith('sync-progress:states '))

/** A page with that storage; resolves when its cache is there. */
async function open(sessionStorage, options = {}) {
  rig = new ClientRig(cable.url, { token: tokenOf('alice'), shared: false, ...options })
  rig.host.sessionStorage = sessionStorage
  const watcher = rig.watch()
  await import('../../client/cache.js')
  await settled()
  return watcher
}

async function openLive(...args) {
  const watcher = await open(...args)
  const { peer } = await cable.nextWatcher()
  return { ...watcher, peer }
}

/** What a page leaves behind that was shown a state. */
async function left(payload, options) {
  const storage = new FakeSession()
  const { peer, shows } = await openLive(storage, options)
  peer.message(ID, payload)
  await shows(payload.version)
  rig.host.leave()
  return storage
}

test('[000-28] the next page shows it before it is connected; then what the server says', async () => {
  const storage = await left({ version: 7 })
  const { events, subscription, shows } = await open(storage)
  assert.deepEqual(events.all, [['progress', 7]])
  assert.deepEqual([subscription.state, subscription.latest], ['pending', { version: 7 }])
  const { peer } = await cable.nextWatcher()
  peer.message(ID, { version: 8 })
  await shows(8)
})

test('what the server says is newer, whatever its version', async () => {
  const storage = await left({ version: 7 })
  const { peer, shows } = await openLive(storage)
  peer.message(ID, { version: 3 })
  await shows(3)
  assert.equal(rig.client.latest(STREAM).version, 3)
})

test('it is an event of the client, and shown to streams that are watched later', async () => {
  const storage = await left({ version: 7 })
  await open(storage)
  const seen = []
  rig.client.addEventListener('progress', ({ identifier, payload }) => seen.push([identifier, payload.version]))
  const other = JSON.stringify({ channel: 'SyncStatusChannel', id: 1 })
  storage[states(storage)[0]] = JSON.stringify({ [other]: [Date.now(), { version: 4 }] })
  rig.watch(other)
  assert.deepEqual(seen, [[other, 4]])
})

test('nothing comes once the server has spoken', async () => {
  const storage = await left({ version: 7 })
  rig = new ClientRig(cable.url, { token: tokenOf('alice'), shared: false })
  rig.host.sessionStorage = storage
  const { events } = rig.watch()
  const { peer } = await cable.nextWatcher()
  peer.message(ID, { version: 9 })
  await events.find(([, version]) => version === 9)
  const second = rig.watch()
  await second.shows(9)
  assert.deepEqual(second.events.all, [['connected', { reconnected: false }], ['progress', 9]])
})

test('[004-07] another owner, or other rights, see nothing of it; nor does who has none', async () => {
  const storage = await left({ version: 7 })
  for (const token of [tokenOf('bob'), tokenOf('alice', { sessions: [1] }), undefined]) {
    const { events } = await open(storage, { token })
    await cable.nextWatcher()
    assert.deepEqual(events.all.filter(([name]) => name === 'progress'), [])
    rig.client.close()
  }
})

test('who has no rights that are known leaves nothing', async () => {
  assert.deepEqual(Object.keys(await left({ version: 7 }, { token: 'opaque' })), [])
  assert.equal(states(await left({ version: 7 }, { token: 'opaque', owner: 'alice' })).length, 1)
})

test('a token that comes late: shown when it is there', async () => {
  const storage = await left({ version: 7 })
  let give
  const { events } = await open(storage, { token: () => new Promise(resolve => { give = resolve }) })
  assert.deepEqual(events.all, [])
  give(tokenOf('alice'))
  await events.find(([, version]) => version === 7)
})

test('it is good for an hour', async t => {
  const storage = await left({ version: 7 })
  const now = Date.now()
  t.mock.method(Date, 'now', () => now + HOUR_MS)
  const { events } = await open(storage)
  assert.deepEqual(events.all, [])
})

test('written once a second at most, at once when the page is hidden, and only what is a state', async () => {
  const storage = new FakeSession()
  const { peer, shows } = await openLive(storage)
  const list = JSON.stringify({ channel: 'SessionsChannel' })
  const listed = rig.watch(list)
  peer.confirm((await peer.nextCommand('subscribe')).identifier)
  peer.message(list, { type: 'sessions_reloaded' })
  await listed.events.find(([name]) => name === 'event')
  for (let version = 1; version <= 20; version++) peer.message(ID, { version })
  await shows(20)
  assert.equal(storage.writes, 0)
  rig.clock.advance(1_000)
  assert.equal(storage.writes, 1)
  peer.message(ID, { version: 21 })
  await shows(21)
  rig.host.show('hidden')
  assert.equal(storage.writes, 2)
  const kept = JSON.parse(storage[states(storage)[0]])
  assert.deepEqual(Object.keys(kept), [ID])
  assert.equal(kept[ID][1].version, 21)
  rig.clock.advance(2_000)
  rig.host.show('hidden')
  assert.equal(storage.writes, 2, 'nothing new, nothing written')
})

test('a state whose right was withdrawn is dropped', async () => {
  const storage = await left({ version: 7 })
  const { events, peer } = await openLive(storage)
  peer.reject(ID)
  await events.find(([name]) => name === 'rejected')
  assert.deepEqual(JSON.parse(storage[states(storage)[0]]), {})
})

test('forget(): nothing is left, whoever saw it; and nothing is written later', async () => {
  const storage = await left({ version: 7 })
  storage['the application\'s own'] = 'stays'
  const { peer, shows, events } = await openLive(storage)
  peer.message(ID, { version: 8 })
  await shows(8)
  await rig.client.forget()
  assert.deepEqual(Object.keys(storage), ['the application\'s own'])
  assert.deepEqual([rig.client.state, rig.client.latest(STREAM), rig.clock.pending], ['closed', undefined, 0])
  assert.ok(events.all.some(([name]) => name === 'reset'))
})

test('another owner\'s token takes away what the first one saw', async () => {
  const storage = await left({ version: 7 })
  const tokens = [tokenOf('alice'), tokenOf('bob')]
  const { peer } = await openLive(storage, { token: () => tokens.shift() ?? tokenOf('bob') })
  rig.clock.advance(1_000)
  peer.send({ identifier: '', type: 'token_expiring' })
  await peer.closed()
  assert.deepEqual(states(storage), [])
})

test('no storage, a full one, one with rubbish in it, and the switch: the rest works', async () => {
  const denied = { get sessionStorage() { throw new DOMException('denied', 'SecurityError') } }
  const full = Object.assign(new FakeSession(), { setItem() { throw new DOMException('no room', 'QuotaExceededError') } })
  const rubbish = await left({ version: 7 })
  rubbish[states(rubbish)[0]] = '{"x":'
  for (const storage of [denied, undefined, full, rubbish]) {
    const { peer, shows } = await openLive(storage)
    if (storage === denied) Object.defineProperty(rig.host, 'sessionStorage', Object.getOwnPropertyDescriptor(denied, 'sessionStorage'))
    peer.message(ID, { version: 8 })
    await shows(8)
    rig.host.leave()
    rig.client.close()
  }
  const storage = await left({ version: 7 })
  const { events } = await open(storage, { cache: false })
  assert.deepEqual(events.all, [])
  await until(() => cable.connections.all.length > 0)
})
