/*
 * The owner's list, against a server that a test plays: what is loaded, what
 * events do to it, and when it is read again.
 */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { createBackoff } from '../../client/backoff.js'
import { RequestError } from '../../client/errors.js'
import { EMPTY_SNAPSHOT, SessionList } from '../../client/sessions.js'
import { FakeClock } from './lib/fake_clock.js'
import { FakeListClient, facts, row, settled } from './lib/fake_list.js'

let list
afterEach(() => list?.close())

/** A list of that many sessions, and how often another snapshot came. */
function setUp({ count = 3, ...options } = {}) {
  const client = new FakeListClient(count)
  const clock = new FakeClock()
  list = new SessionList(client, { clock, random: () => 1, ...options })
  const snapshots = []
  list.addEventListener('change', () => snapshots.push(list.snapshot()))
  return { client, clock, snapshots }
}

async function loaded(options) {
  const all = setUp(options)
  list.open()
  all.client.connect()
  await settled()
  all.snapshots.length = 0
  return all
}

/** Lets the time of a debounced load pass, and its answer come. */
async function reloaded(clock, ms = 500) {
  clock.advance(ms)
  await settled()
}

const ids = () => list.sessions.map(({ session_id: id }) => id)
const titles = () => list.sessions.map(({ title }) => title)

test('it is read once, when what happens from then on is heard; pinned first, then the newest', async () => {
  const { client, clock } = setUp({ count: 0 })
  assert.equal(list.snapshot(), EMPTY_SNAPSHOT)
  for (const id of [1, 2, 3, 4]) client.create(id, { pinned: id === 2 })
  list.open()
  assert.equal(list.snapshot().isLoading, true)
  assert.deepEqual(client.identifier, { channel: 'SessionsChannel' })
  assert.equal(client.reads, 0)
  client.connect()
  await settled()
  assert.deepEqual(ids(), [2, 4, 3, 1])
  assert.deepEqual(list.snapshot(), { sessions: list.sessions, isLoaded: true, isLoading: false, isLive: true, hasMore: false, error: null })
  clock.advance(60_000)
  await settled()
  assert.equal(client.reads, 1)
})

test('no connection comes about: it is read all the same, and again once there is one', async () => {
  const { client, clock } = setUp()
  list.open()
  clock.advance(1_999)
  assert.equal(client.reads, 0)
  await reloaded(clock, 1)
  assert.deepEqual([ids(), list.snapshot().isLive], [[3, 2, 1], false])
  client.edit(1, { title: 'missed' })
  client.connect()
  await settled()
  assert.deepEqual(titles(), ['Mail 3', 'Mail 2', 'missed'])
})

test('a token that may not watch the list: what it may read is shown', async () => {
  const { client } = setUp()
  list.open()
  client.reject()
  await settled()
  assert.deepEqual([ids(), list.snapshot().isLive], [[3, 2, 1], false])
})

test('[004-03] [004-11] created, renamed, pinned, deleted: by the event alone, and only that row is another', async () => {
  const { client, clock } = await loaded()
  const before = list.sessions
  client.event('session_renamed', client.edit(2, { title: 'Post' }))
  assert.deepEqual(titles(), ['Mail 3', 'Post', 'Mail 1'])
  assert.equal(list.sessions[0], before[0])
  assert.equal(list.sessions[2], before[2])
  assert.equal(list.sessions[1].processed_count, 450)
  client.event('session_pinned', client.edit(1, { pinned: true }))
  assert.deepEqual(ids(), [1, 3, 2])
  client.event('session_deleted', client.remove(3))
  assert.deepEqual(ids(), [1, 2])
  await reloaded(clock, 10_000)
  assert.equal(client.reads, 1)
  client.event('session_created', client.create(4))
  assert.deepEqual(ids(), [1, 4, 2])
  assert.equal(list.sessions[1].created_at, undefined)
  await reloaded(clock)
  assert.equal(list.sessions[1].created_at, '2026-11-22T06:00:00+00:00')
  assert.equal(client.requests.all.at(-1).path, 'sessions?limit=1&after=5')
})

test('the same array, and the same snapshot, until there is something else to show', async () => {
  const { client, snapshots } = await loaded()
  const { sessions } = list
  const renamed = client.edit(2, { title: 'Post' })
  client.event('session_renamed', renamed)
  assert.equal(snapshots.length, 1)
  assert.notEqual(list.sessions, sessions)
  const shown = list.snapshot()
  client.event('session_renamed', renamed) // told twice
  client.event('session_renamed', { ...renamed, version: renamed.version - 1, title: 'older', lock_version: 0 })
  list.reload()
  await settled()
  assert.equal(client.reads, 2)
  assert.equal(list.snapshot(), shown)
  assert.ok(Object.isFrozen(shown) && Object.isFrozen(shown.sessions) && Object.isFrozen(shown.sessions[0]))
})

test('a deleted session does not come back by what was said of it before', async () => {
  const { client, clock } = await loaded()
  const renamed = client.edit(2, { title: 'Post' })
  const pinned = client.edit(2, { pinned: true })
  client.event('session_deleted', client.remove(2))
  client.event('session_renamed', renamed)
  client.event('session_pinned', pinned)
  assert.deepEqual(ids(), [3, 1])
  await reloaded(clock, 5_000)
  assert.deepEqual([ids(), client.reads], [[3, 1], 1])
})

test('deleted and restored, with the version that it had: the server knows', async () => {
  const { client, clock } = await loaded()
  const row2 = client.rows.get(2)
  client.event('session_deleted', client.remove(2))
  client.rows.set(2, row2)
  client.event('session_created', facts(row2))
  assert.deepEqual(ids(), [3, 1])
  await reloaded(clock)
  assert.deepEqual(ids(), [3, 2, 1])
})

test('gone to another owner and come back', async () => {
  const { client, clock } = await loaded()
  client.event('session_deleted', client.remove(2))
  client.event('session_created', client.create(2, { title: 'back' }))
  assert.deepEqual(titles(), ['Mail 3', 'back', 'Mail 1'])
  client.event('session_deleted', { ...facts(row(2)), version: 1 }) // late
  assert.deepEqual(titles(), ['Mail 3', 'back', 'Mail 1'])
  await reloaded(clock)
  assert.deepEqual(titles(), ['Mail 3', 'back', 'Mail 1'])
})

test('[004-11] a session that is not known is asked for once, however many events there are', async () => {
  const { client, clock } = await loaded()
  client.create(9)
  for (let i = 0; i < 20; i++) client.event('session_renamed', client.edit(9, { title: `Post ${i}` }))
  assert.deepEqual(ids(), [3, 2, 1])
  await reloaded(clock)
  assert.deepEqual(titles(), ['Post 19', 'Mail 3', 'Mail 2', 'Mail 1'])
  assert.equal(client.reads, 2)
})

test('asked for, and not there: it is not shown, nor asked for again', async () => {
  const { client, clock } = await loaded()
  client.event('session_created', facts(row(9)))
  assert.deepEqual(ids(), [9, 3, 2, 1])
  await reloaded(clock)
  client.event('session_created', facts(row(9))) // told twice
  assert.deepEqual(ids(), [3, 2, 1])
})

test('a session that was gone before the list was read is not shown by what is told of it late', async () => {
  const { client, clock } = await loaded()
  const created = facts(row(2, { session_id: 2.5 })) // lower than others that are there
  client.event('session_created', created)
  client.event('session_renamed', { ...created, title: 'Post' })
  assert.deepEqual(ids(), [3, 2, 1])
  await reloaded(clock)
  assert.deepEqual(ids(), [3, 2, 1])
})

test('several at once are one request, for as few rows as needed', async () => {
  const { client, clock } = await loaded()
  for (const id of [5, 6, 8]) client.event('session_created', client.create(id))
  await reloaded(clock)
  assert.equal(client.requests.all.at(-1).path, 'sessions?limit=3&after=9')
  assert.ok(list.sessions.every(({ created_at: created }) => created))
  assert.deepEqual(ids(), [8, 6, 5, 3, 2, 1])
})

test('others that nobody told of are between them: all is read', async () => {
  const { client, clock } = await loaded()
  client.create(6)
  client.create(7)
  for (const id of [5, 8]) client.event('session_created', client.create(id))
  await reloaded(clock)
  await reloaded(clock)
  assert.deepEqual(ids(), [8, 7, 6, 5, 3, 2, 1])
  assert.equal(client.requests.all.at(-1).path, 'sessions?limit=200')
})

test('a long title is left out of an event: the row is read', async () => {
  const { client, clock } = await loaded()
  const long = 'x'.repeat(490)
  const { title, ...event } = client.edit(2, { title: long })
  assert.equal(title, long)
  client.event('session_renamed', event)
  assert.deepEqual(titles(), ['Mail 3', 'Mail 2', 'Mail 1'])
  await reloaded(clock)
  assert.deepEqual(titles(), ['Mail 3', long, 'Mail 1'])
})

for (const [what, type, data] of [['sessions_reloaded', 'sessions_reloaded', { count: 30 }], ['an event without its data', 'session_renamed', undefined]]) {
  test(`${what}: the list is read again, half a second later`, async () => {
    const { client, clock } = await loaded()
    client.edit(2, { title: 'Post' })
    client.event(type, data)
    await reloaded(clock, 499)
    assert.equal(client.reads, 1)
    await reloaded(clock, 1)
    assert.deepEqual([titles(), client.reads], [['Mail 3', 'Post', 'Mail 1'], 2])
  })
}

test('[004-11] 100 events in a second: right at once by events; one or two loads where each wants one', async () => {
  for (const [granular, reads] of [[true, 1], [false, 2]]) {
    const { client, clock } = await loaded({ granular })
    for (let i = 1; i <= 100; i++) {
      client.event('session_renamed', client.edit(1 + i % 3, { title: `Post ${i}` }))
      if (granular) assert.ok(titles().includes(`Post ${i}`))
      await reloaded(clock, 10)
    }
    await reloaded(clock)
    assert.deepEqual(titles(), ['Post 98', 'Post 100', 'Post 99'])
    assert.equal(client.reads, reads)
    list.close()
  }
})

test('events without an end do not keep the list from being read', async () => {
  const { client, clock } = await loaded({ granular: false })
  for (let i = 0; i < 100; i++) {
    client.event('session_renamed', client.edit(1, { title: `Post ${i}` }))
    await reloaded(clock, 100)
  }
  assert.ok(client.reads >= 4 && client.reads <= 7, `${client.reads} in ten seconds`)
})

test('what happens while the list is read is newer than what is read', async () => {
  const { client, clock } = await loaded()
  client.auto = false
  list.reload()
  const old = client.page(new URLSearchParams('limit=200'))
  client.event('session_renamed', client.edit(3, { title: 'Post' }))
  client.event('session_deleted', client.remove(2))
  client.event('session_created', client.create(4))
  client.requests.all.at(-1).resolve(old)
  await settled()
  assert.deepEqual(titles(), ['Mail 4', 'Post', 'Mail 1'])
  client.auto = true
  await reloaded(clock)
  assert.deepEqual(titles(), ['Mail 4', 'Post', 'Mail 1'])
})

test('one is read at a time: reasons that come meanwhile are one load more', async () => {
  const { client, clock } = await loaded()
  client.auto = false
  list.reload()
  for (let i = 0; i < 10; i++) client.event('sessions_reloaded')
  list.reload()
  await reloaded(clock, 5_000)
  assert.equal(client.reads, 2)
  client.requests.all.at(-1).answer()
  await settled()
  client.auto = true
  await reloaded(clock)
  assert.equal(client.reads, 3)
  await reloaded(clock, 60_000)
  assert.equal(client.reads, 3)
})

test('after a gap in the connection the list is read again', async () => {
  const { client, snapshots } = await loaded()
  client.disconnect()
  assert.equal(list.snapshot().isLive, false)
  client.edit(1, { title: 'missed' })
  client.remove(3)
  client.connect(true)
  await settled()
  assert.deepEqual([titles(), list.snapshot().isLive], [['Mail 2', 'missed'], true])
  assert.ok(snapshots.every(({ sessions, isLoading }) => sessions.length >= 2 && !isLoading), 'what was known stayed on the screen')
})

test('a load that fails is tried again, later and later, and the reason is shown', async () => {
  const { client, clock } = setUp()
  client.auto = false
  list.open()
  client.connect()
  const waits = []
  const backoff = createBackoff({ random: () => 1, now: clock.now })
  const expected = []
  for (const retryAfterMs of [null, null, null, 20_000]) {
    expected.push(Math.max(backoff.next(), retryAfterMs ?? 0))
    client.requests.all.at(-1).reject(new RequestError('the database is away', { status: 503, retryAfterMs }))
    await settled()
    assert.equal(list.snapshot().error.status, 503)
    assert.equal(list.snapshot().isLoading, true)
    client.event('sessions_reloaded') // must not hurry it
    const asked = client.reads
    let waited = 0
    while (client.reads === asked) waited += clock.advance(100) ?? 100
    waits.push(waited)
  }
  assert.deepEqual(waits, expected)
  client.requests.all.at(-1).answer()
  await settled()
  assert.deepEqual([ids(), list.snapshot().error], [[3, 2, 1], null])
})

for (const [what, retryAfterMs] of [['a date (not a number)', NaN], ['forty days', 40 * 86_400_000], ['a time that is over', -5_000]]) {
  test(`a load that is to be tried again after ${what} is not tried again at once, nor never`, async () => {
    const { client, clock } = setUp()
    client.auto = false
    list.open()
    client.connect()
    client.requests.all.at(-1).reject(new RequestError('too many', { status: 429, retryAfterMs }))
    await reloaded(clock, 0)
    assert.equal(client.reads, 1)
    await reloaded(clock, 3_600_000)
    assert.ok(client.reads > 1)
  })
}

test('what a load was for is not forgotten when it fails', async () => {
  const { client, clock } = await loaded()
  client.auto = false
  const reasons = [() => client.event('session_created', client.create(4)), () => client.event('sessions_reloaded')]
  for (const [i, reason] of reasons.entries()) {
    reason()
    await reloaded(clock)
    const { path } = client.requests.all.at(-1)
    client.requests.all.at(-1).reject(new RequestError('cut', { status: 0 }))
    await settled()
    await reloaded(clock, 5_000)
    assert.equal(client.reads, 3 + 2 * i)
    assert.equal(client.requests.all.at(-1).path, path)
    client.requests.all.at(-1).answer()
    await settled()
    assert.equal(list.snapshot().error, null)
  }
})

test('a load that is refused is not tried again until there is a reason', async () => {
  const { client, clock } = setUp()
  client.auto = false
  list.open()
  client.connect()
  client.requests.all.at(-1).reject(new RequestError('no token', { status: 401 }))
  await reloaded(clock, 120_000)
  assert.deepEqual([client.reads, list.snapshot().error.status, list.snapshot().isLoading], [1, 401, false])
  client.auto = true
  list.reload()
  await settled()
  assert.deepEqual(ids(), [3, 2, 1])
})

test('[004-10] many sessions: page by page, and more when asked; older ones stay out', async () => {
  const { client, clock } = await loaded({ count: 450, limit: 250 })
  assert.deepEqual(client.requests.all.map(({ path }) => path), ['sessions?limit=200', 'sessions?limit=50&after=251'])
  assert.deepEqual([list.sessions.length, ids().at(-1), list.snapshot().hasMore], [250, 201, true])
  client.event('session_renamed', client.edit(100, { title: 'not shown' }))
  client.event('session_deleted', client.remove(99))
  await reloaded(clock)
  assert.equal(list.sessions.length, 250)
  list.loadMore()
  assert.equal(list.snapshot().isLoading, true)
  await settled()
  assert.deepEqual([list.sessions.length, list.snapshot().hasMore, list.snapshot().isLoading], [449, false, false])
  assert.ok(titles().includes('not shown'))
  const before = client.reads
  list.loadMore()
  assert.equal(client.reads, before)
})

test('[004-07] a token with other rights: nothing of the other owner stays', async () => {
  const { client, clock } = await loaded()
  client.auto = false
  list.reload() // still the old owner's
  client.reset()
  assert.deepEqual([list.sessions, list.snapshot().isLoaded], [[], false])
  client.rows = new Map([[7, row(7, { title: 'of another' })]])
  client.auto = true
  client.connect()
  client.requests.all.at(-2).resolve({ sessions: [row(1)], next: null })
  await settled()
  assert.deepEqual(titles(), ['of another'])
  await reloaded(clock, 5_000)
  assert.deepEqual(titles(), ['of another'])
})

test('subscribe() opens it for as long as anybody listens, and a second more', async () => {
  const { client, clock } = setUp()
  let calls = 0
  const { subscribe, snapshot } = list
  const off = subscribe(() => { calls += 1 })
  client.connect()
  await settled()
  assert.ok(calls > 0)
  const shown = snapshot()
  off()
  off()
  clock.advance(999)
  const again = subscribe(() => {}) // as StrictMode does
  clock.advance(10_000)
  assert.deepEqual([client.subscriptions, snapshot()], [1, shown])
  const second = subscribe(() => {})
  again()
  clock.advance(10_000)
  assert.equal(client.subscriptions, 1)
  second()
  clock.advance(1_000)
  assert.deepEqual([client.subscriptions, list.sessions, clock.pending], [0, [], 0])
})

test('one list for a client, whoever asks', () => {
  const client = new FakeListClient()
  assert.equal(SessionList.for(client), SessionList.for(client))
  assert.notEqual(SessionList.for(client), SessionList.for(new FakeListClient()))
})
