import assert from 'node:assert/strict'
import { test } from 'node:test'
import { append, longer, openStorageChannel, unseen } from '../../client/storage_channel.js'
import { FakeClock } from './lib/fake_clock.js'
import { FakeStorage } from './lib/fake_storage.js'

const KEY = 'list'

/** Channels of that name, each in a tab of its own, with what they were sent. */
function tabs(count, options = {}) {
  const storage = new FakeStorage()
  const clock = new FakeClock()
  const open = () => {
    const received = []
    const channel = openStorageChannel('list', { host: storage.tab(), clock, ...options })
    channel.onmessage = ({ data }) => received.push(data)
    return { channel, received }
  }
  return { storage, clock, open, all: Array.from({ length: count }, open) }
}

/** How long until it looks again, in seconds. */
function waits(clock, storage, count) {
  let looks = 0
  const getItem = storage.getItem
  storage.getItem = key => {
    looks += 1
    return getItem.call(storage, key)
  }
  return Array.from({ length: count }, () => {
    const before = looks
    let seconds = 0
    while (looks === before && seconds < 200) {
      clock.advance(1_000)
      seconds += 1
    }
    return seconds
  })
}

test('[004-04] the ring: the last fifty, each new once to whoever reads', () => {
  let events = []
  for (let i = 1; i <= 60; i++) events = append(events, ['a', i, `event ${i}`])
  assert.deepEqual([events.length, events[0][1], events.at(-1)[1]], [50, 11, 60])
  const seen = new Map([['a', 57]])
  events = append(events, ['b', 1, 'other'])
  assert.deepEqual(unseen(events, seen).map(([from, count]) => from + count), ['a58', 'a59', 'a60', 'b1'])
  assert.deepEqual(unseen(events, seen), [])
})

test('[004-04] looks after 5, 10, 20, 40 and 60 s, and no longer than that', () => {
  assert.deepEqual([5_000, 10_000, 20_000, 40_000, 60_000].map(ms => longer(ms)), [10_000, 20_000, 40_000, 60_000, 60_000])
  const { clock, storage } = tabs(1)
  assert.deepEqual(waits(clock, storage, 6), [5, 10, 20, 40, 60, 60])
})

test('[004-10] other waits, another length', () => {
  const { clock, storage, all: [{ channel }] } = tabs(1, { pollMs: 3_000, maxPollMs: 10_000, keep: 2 })
  assert.deepEqual(waits(clock, storage, 4), [3, 6, 10, 10])
  for (const data of ['a', 'b', 'c']) channel.postMessage(data)
  assert.deepEqual(JSON.parse(storage.getItem(KEY)).map(([,, data]) => data), ['b', 'c'])
})

test('[004-04] the other tabs are told at once, each once, and not who says it', () => {
  const { clock, all: [one, two, three] } = tabs(3)
  one.channel.postMessage({ type: 'session_renamed', payload: { chatId: 7 } })
  two.channel.postMessage('second')
  clock.advance(300_000)
  assert.deepEqual(one.received, ['second'])
  assert.deepEqual(two.received, [{ type: 'session_renamed', payload: { chatId: 7 } }])
  assert.deepEqual(three.received, [{ type: 'session_renamed', payload: { chatId: 7 } }, 'second'])
})

test('[004-04] where no tab is told they find it by looking, and look soon again then', () => {
  const { clock, storage, all: [one, two] } = tabs(2)
  storage.tells = false
  clock.advance(75_000) // the next looks: after 135 s, 195 s …
  one.channel.postMessage('a')
  one.channel.postMessage('b')
  clock.advance(59_999)
  assert.deepEqual(two.received, [])
  clock.advance(1)
  assert.deepEqual(two.received, ['a', 'b'])
  one.channel.postMessage('c')
  clock.advance(4_999)
  assert.deepEqual(two.received, ['a', 'b'])
  clock.advance(1)
  assert.deepEqual(two.received, ['a', 'b', 'c'])
  assert.deepEqual(one.received, [])
})

test('what a tab says does not hide from it what others said before', () => {
  const { clock, storage, all: [one, two] } = tabs(2)
  storage.tells = false
  one.channel.postMessage('from one')
  two.channel.postMessage('from two')
  clock.advance(5_000)
  assert.deepEqual([one.received, two.received], [['from two'], ['from one']])
})

test('[004-07] a tab that opens later is told what comes from then on', () => {
  const { clock, open, all: [one] } = tabs(1)
  one.channel.postMessage('before')
  const late = open()
  one.channel.postMessage('after')
  clock.advance(120_000)
  assert.deepEqual(late.received, ['after'])
})

test('[004-04] no room: the newest event only; none at all: the sender is told', () => {
  const { storage, all: [one, two] } = tabs(2)
  one.channel.postMessage('x'.repeat(400))
  storage.quota = 400
  one.channel.postMessage('short')
  assert.equal(two.received.at(-1), 'short')
  assert.equal(JSON.parse(storage.getItem(KEY)).length, 1)
  storage.quota = 0
  assert.throws(() => one.channel.postMessage('short'), { name: 'QuotaExceededError' })
  const cycle = {}
  cycle.cycle = cycle
  assert.throws(() => one.channel.postMessage(cycle), TypeError)
})

test('whatever else is written there is passed over', () => {
  const { clock, storage, all: [one, two] } = tabs(2)
  for (const junk of ['', '{', 'null', '7', '{"a":1}', '[7,null,"x"]']) {
    storage.tab().localStorage.setItem(KEY, junk)
    clock.advance(120_000)
  }
  assert.deepEqual(one.received, [])
  two.channel.postMessage('still works')
  assert.deepEqual(one.received, ['still works'])
})

test('after close() it hears nothing and no timer runs', () => {
  const { clock, all: [one, two] } = tabs(2)
  two.channel.close()
  one.channel.postMessage('late')
  clock.advance(300_000)
  assert.deepEqual(two.received, [])
  one.channel.close()
  assert.equal(clock.pending, 0)
})

test('owners have channels of their own', () => {
  const storage = new FakeStorage()
  const received = []
  const channel = name => openStorageChannel(name, { host: storage.tab(), clock: new FakeClock() })
  channel('ana').onmessage = ({ data }) => received.push(data)
  channel('bob').postMessage('for bob')
  channel('ana').postMessage('for ana')
  assert.deepEqual(received, ['for ana'])
})
