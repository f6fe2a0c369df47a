/*
 * Tabs that tell each other: each tab a window of its own, with channels that
 * answer at once, or with those of Node.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CrossTabSync, SYNC_EVENTS, getSyncInstance } from '../../client/cross_tab.js'
import { fakeBroadcast } from './lib/fake_broadcast.js'
import { FakeClock } from './lib/fake_clock.js'
import { FakeStorage } from './lib/fake_storage.js'
import { until } from '../bridge/lib/recorder.js'
import { Mailbox } from './lib/wait.js'

/** Windows of one browser; with broadcast: false they have no BroadcastChannel. */
function browser({ broadcast = true } = {}) {
  const BroadcastChannel = broadcast ? fakeBroadcast() : undefined
  const storage = new FakeStorage()
  const clock = new FakeClock()
  const tab = () => storage.tab({ BroadcastChannel, setTimeout: clock.setTimeout, clearTimeout: clock.clearTimeout })
  const errors = []
  const sync = options => new CrossTabSync({ host: tab(), owner: 'ana', onError: error => errors.push(error), ...options })
  return { BroadcastChannel, storage, clock, tab, sync, errors }
}

function record(sync, types = SYNC_EVENTS) {
  const events = []
  for (const type of types) sync.on(type, payload => events.push([type, payload]))
  return events
}

test('[004-02] [004-03] each event, with its payload, in every other tab and not in this one', () => {
  const { sync, BroadcastChannel } = browser()
  const [one, two, three] = [sync(), sync(), sync()]
  const heard = [one, two, three].map(each => record(each))
  for (const type of SYNC_EVENTS) one.broadcast(type, { chatId: 7 })
  const all = SYNC_EVENTS.map(type => [type, { chatId: 7 }])
  assert.deepEqual(heard, [[], all, all])
  assert.equal(one.mode, 'broadcast')
  for (const each of [one, two, three]) each.cleanup()
  assert.equal(BroadcastChannel.open, 0)
})

test('[004-02] on() returns how to stop it; a listener is told when it was said', () => {
  const { sync } = browser()
  const [one, two] = [sync(), sync()]
  const events = []
  const off = two.on('session_pinned', (payload, event) => events.push(event))
  const before = Date.now()
  one.broadcast('session_pinned', { chatId: 1 })
  off()
  off()
  one.broadcast('session_pinned', { chatId: 2 })
  assert.equal(events.length, 1)
  assert.deepEqual([events[0].type, events[0].payload], ['session_pinned', { chatId: 1 }])
  assert.ok(events[0].timestamp >= before && events[0].timestamp <= Date.now())
})

test('[004-07] owners never hear each other, nor do other lists; whatever their names are', () => {
  const { sync } = browser()
  const heard = record(sync({ owner: 'bob' }))
  const others = [{ owner: 'ana' }, { owner: '' }, { owner: undefined }, { name: 'list:bob', owner: '' }, { owner: 'bob', name: 'other' }, { owner: 'bob%' }]
  for (const options of others) sync(options).broadcast('session_created', options)
  assert.deepEqual(heard, [])
  sync({ owner: 'bob' }).broadcast('session_created', 'for bob')
  assert.deepEqual(heard, [['session_created', 'for bob']])
})

test('[004-05] what a listener broadcasts while it is told goes nowhere: no loops', () => {
  const { sync } = browser()
  const [one, two, three] = [sync(), sync(), sync()]
  for (const each of [two, three]) each.on('session_renamed', payload => each.broadcast('session_renamed', payload))
  const heard = record(one)
  one.broadcast('session_renamed', { chatId: 7 })
  assert.deepEqual(heard, [])
  two.broadcast('session_renamed', 'by its own')
  assert.deepEqual(heard, [['session_renamed', 'by its own']])
})

test('what cannot be copied, and a listener that throws: told to onError, and nothing else suffers', () => {
  const { sync, errors } = browser()
  const [one, two] = [sync(), sync()]
  two.on('session_created', () => { throw new Error('a mistake') })
  const heard = record(two)
  one.broadcast('session_created', () => {})
  assert.equal(errors[0].name, 'DataCloneError')
  one.broadcast('session_created', 7)
  assert.equal(errors[1].message, 'a mistake')
  assert.deepEqual(heard, [['session_created', 7]])
  two.broadcast('session_created', 8) // the guard against loops is open again
  assert.equal(errors.length, 2)
})

test('[004-10] switched off: nothing is opened, said or heard', () => {
  const { sync, tab, BroadcastChannel } = browser()
  const off = getSyncInstance({ enabled: false, host: tab(), owner: 'ana' })
  const heard = record(off)
  off.broadcast('session_created', 1)
  sync().broadcast('session_created', 2)
  assert.deepEqual([heard, off.mode, BroadcastChannel.open], [[], 'off', 1])
  off.cleanup()
})

test('[004-06] one instance for a page; it lives until the last one who has it lets go', () => {
  const { sync, tab, BroadcastChannel } = browser()
  const host = tab()
  const get = (owner = 'strict') => getSyncInstance({ owner, host })
  const [first, second] = [get(), get()]
  assert.equal(first, second)
  assert.notEqual(first, get('another'))
  const heard = record(first)
  first.cleanup()
  const other = sync({ owner: 'strict' })
  other.broadcast('session_created', 1)
  assert.deepEqual(heard, [['session_created', 1]])
  second.cleanup()
  other.broadcast('session_created', 2)
  assert.equal(heard.length, 1)
  assert.equal(BroadcastChannel.open, 1)
})

test('[004-06] mounted, unmounted and mounted again, as StrictMode does, it still works', () => {
  const { sync, tab, BroadcastChannel } = browser()
  const host = tab()
  const heard = []
  const instance = getSyncInstance({ owner: 'mounted', host })
  const mount = () => {
    const off = instance.on('session_created', payload => heard.push(payload))
    return () => {
      off()
      instance.cleanup()
    }
  }
  mount()()
  const unmount = mount()
  const other = sync({ owner: 'mounted' })
  other.broadcast('session_created', 1)
  assert.deepEqual(heard, [1])
  unmount()
  assert.equal(BroadcastChannel.open, 1)
  assert.equal(getSyncInstance({ owner: 'mounted', host }), instance)
})

test('without a channel of the browser\'s: the same, through localStorage', async () => {
  const { sync, clock } = browser({ broadcast: false })
  const [one, two, bob] = [sync(), sync(), sync({ owner: 'bob' })]
  const [heard, his] = [record(two), record(bob)]
  one.broadcast('session_created', { chatId: 1 }) // before it is open
  await until(() => heard.length, length => length === 1, 'the other tab is told')
  one.broadcast('session_renamed', { chatId: 1 })
  assert.deepEqual(heard, [['session_created', { chatId: 1 }], ['session_renamed', { chatId: 1 }]])
  assert.deepEqual([one.mode, his], ['storage', []])
  for (const each of [one, two, bob]) each.cleanup()
  assert.equal(clock.pending, 0)
})

test('closed before the module for localStorage has come: nothing is opened', async () => {
  const { sync, clock } = browser({ broadcast: false })
  const sy = sync()
  sy.broadcast('session_created', 1)
  sy.cleanup()
  await import('../../client/storage_channel.js')
  await new Promise(resolve => setImmediate(resolve))
  assert.deepEqual([clock.pending, sy.mode], [0, 'off'])
})

test('neither is allowed: the application is told, and goes on', async () => {
  const errors = new Mailbox()
  const host = {
    BroadcastChannel: class { constructor() { throw new DOMException('not here', 'SecurityError') } },
    get localStorage() { throw new DOMException('not here', 'SecurityError') }
  }
  const sync = new CrossTabSync({ host, onError: error => errors.put(error) })
  sync.broadcast('session_created', 1)
  assert.equal((await errors.take()).name, 'SecurityError')
})

test('[004-07] back from the back/forward cache: read the list again, which is not told to others', () => {
  const { sync, tab, BroadcastChannel } = browser()
  const host = tab()
  const [one, two] = [sync({ host }), sync()]
  const [heard, other] = [record(one), record(two)]
  one.on('sessions_reloaded', () => one.broadcast('sessions_reloaded'))
  const page = (type, persisted) => host.dispatchEvent(Object.assign(new Event(type), { persisted }))
  page('pageshow', false)
  page('pagehide', true)
  assert.equal(BroadcastChannel.open, 1)
  two.broadcast('session_created', 'missed')
  page('pageshow', true)
  assert.deepEqual([heard, other], [[['sessions_reloaded', undefined]], []])
  two.broadcast('session_created', 'heard')
  assert.deepEqual(heard.at(-1), ['session_created', 'heard'])
  one.cleanup()
  page('pageshow', true)
  assert.equal(BroadcastChannel.open, 1)
})

test('[004-07] many at once: each, in its order', () => {
  const { sync } = browser()
  const [one, two] = [sync(), sync()]
  const heard = record(two)
  for (let i = 0; i < 1_000; i++) one.broadcast('session_renamed', i)
  assert.deepEqual(heard.map(([, payload]) => payload), Array.from({ length: 1_000 }, (_, i) => i))
})

test('messages that are no events are passed over', () => {
  const { sync, BroadcastChannel, errors } = browser()
  const heard = record(sync())
  const stranger = new BroadcastChannel('sync-progress:list:ana')
  for (const junk of [null, 7, 'x', {}, { type: 7 }, []]) stranger.postMessage(junk)
  stranger.postMessage({ type: 'session_created', payload: 'known' })
  assert.deepEqual([heard, errors], [[['session_created', 'known']], []])
})

test('with the channels of Node, which are those of browsers', async t => {
  const [one, two] = [new CrossTabSync({ owner: 'node' }), new CrossTabSync({ owner: 'node' })]
  t.after(() => [one, two].forEach(each => each.cleanup()))
  const events = new Mailbox()
  two.on('session_deleted', payload => events.put(payload))
  one.broadcast('session_deleted', { chatId: 7 })
  // The channel keeps no process alive, so something else must.
  const alive = setInterval(() => {}, 1_000)
  t.after(() => clearInterval(alive))
  assert.deepEqual(await events.take(), { chatId: 7 })
})

test('[004-08] debug says each event on the console', t => {
  const said = t.mock.method(console, 'debug', () => {})
  const { sync } = browser()
  const [one, two] = [sync(), sync({ debug: true })]
  two.on('session_created', () => {})
  one.broadcast('session_created', { chatId: 7 })
  assert.deepEqual(said.mock.calls.map(({ arguments: said }) => said), [['Sync event: session_created', { chatId: 7 }]])
})
