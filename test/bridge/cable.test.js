/*
 * The stock Action Cable client against the bridge: the protocol as its users
 * know it.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'
import { StockClient } from './lib/stock_client.js'

let database
let bridge
let alice
let observer

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo())
  await bridge.ready()
  alice = await database.token('alice')
  // open all the while, for the pings
  observer = new StockClient(bridge, alice)
  observer.watch(await database.session())
})
after(async () => {
  observer?.close()
  await bridge?.stop()
  await database?.destroy()
})

function clientOf(t, token = alice) {
  const client = new StockClient(bridge, token)
  t.after(() => client.close())
  return client
}

function assertGrowing(states) {
  for (let i = 1; i < states.length; i++) {
    assert.ok(states[i].version > states[i - 1].version, `version ${states[i].version} after ${states[i - 1].version}`)
  }
}

async function rawClient(t, token = alice) {
  const client = await RawClient.welcomed(bridge.cable(token))
  t.after(() => client.close())
  return client
}

test('[002-19] welcome first, then the confirmation, the state right after it', async t => {
  const session = await database.session(`title => 'Mail of four banks', total_count => 1000`)
  await database.increment(session, 450)
  const client = clientOf(t)
  const watcher = client.watch(session)
  await watcher.event('connected')
  await watcher.state(() => true)
  const [first, second, third] = client.frames.all.filter(({ frame }) => frame.type !== 'ping')
  assert.deepEqual(first.frame, { type: 'welcome' })
  assert.deepEqual(second.frame, { identifier: watcher.identifier, type: 'confirm_subscription' })
  assert.deepEqual(Object.keys(third.frame), ['identifier', 'message'])
  assert.equal(third.frame.identifier, watcher.identifier)
  await watcher.count(450)
  assert.equal(watcher.latest.title, 'Mail of four banks')
  assert.equal(watcher.latest.progress_percentage, 45)
  assert.equal(client.sockets[0].protocol, 'actioncable-v1-json')
})

test('[002-19] confirmed within 500 ms of the welcome, with the state within 500 ms of that', async t => {
  const session = await database.session()
  const waits = []
  // of seven, for this process and the bridge may be kept waiting by this machine
  for (let i = 0; i < 7; i++) {
    const client = clientOf(t)
    const watcher = client.watch(session)
    const connected = await watcher.event('connected')
    const state = await watcher.state(() => true)
    waits.push([connected.at - client.framesOf('welcome')[0].at, state.at - connected.at])
  }
  for (const [i, what] of ['confirmed', 'the state'].entries()) {
    const median = waits.map(wait => wait[i]).sort((a, b) => a - b)[waits.length >> 1]
    assert.ok(median < 500, `${what} after ${median.toFixed(0)} ms, of ${waits.map(wait => wait[i].toFixed(0))}`)
  }
})

test('[000-03] [001-09] increments arrive live, versions only grow, the last equals the table', async t => {
  const session = await database.session('total_count => 200')
  const watcher = clientOf(t).watch(session)
  await watcher.event('connected')
  for (let i = 1; i <= 20; i++) {
    await database.increment(session, 10)
    const state = await watcher.state(({ processed_count: count }) => count >= i * 10, `at least ${i * 10}`, { ms: 5_000 })
    assert.equal(state.processed_count, i * 10)
  }
  await database.complete(session)
  await watcher.state(({ status }) => status === 'completed', 'status completed')
  await until(() => database.row(session), row => row.version === watcher.latest.version, 'the table has the version that was sent last')
  assert.deepEqual([watcher.latest.status, watcher.latest.progress_percentage, watcher.latest.processed_count], ['completed', 100, 200])
  watcher.assertInOrder()
})

test('what a watcher is sent is what SQL says: each letter, and each number as it is written', async t => {
  const session = await database.session(`total_count => 3, title => E'José ✓ "quoted" \\\\ / <b>\\u2028',
    accounts => '[{"name":"BAC San José","email":"a@example.com","total_count":3}]'`)
  const watcher = await rawClient(t)
  const identifier = identifierOf(session)
  await watcher.watch(identifier)
  await database.increment(session, 1)
  await watcher.message(identifier, ({ processed_count: count }) => count === 1)
  // a newer version may come between a frame and the question
  const payload = await until(() => database.sql(`SELECT payload FROM sync.sync_progress_snapshots('{sync:${session}}')`),
    json => watcher.messages(identifier).at(-1).version === JSON.parse(json).version, 'SQL has the version that was sent last')
  const { text } = watcher.frames.all.findLast(frame => frame.message && frame.identifier === identifier)
  const { message, ...rest } = JSON.parse(text)
  assert.deepEqual(rest, { identifier })
  assert.deepEqual(message, JSON.parse(payload))
  // 1.0 must not have become 1, nor 4.6 4.5999999999999996
  const numbers = json => json.match(/"rate" ?: ?[^,]+|"version" ?: ?[^,]+/g).map(member => member.replaceAll(' ', ''))
  assert.deepEqual(numbers(text), numbers(payload))
})

test('[000-21] a completed run that is opened late: its last state', async t => {
  const session = await database.session('total_count => 7')
  await database.increment(session, 7)
  await database.complete(session)
  const watcher = clientOf(t).watch(session)
  const state = await watcher.state(({ status }) => status === 'completed', 'status completed')
  assert.equal(state.progress_percentage, 100)
})

for (const [what, params] of [
  ['a session of somebody else', async () => ({ channel: 'SyncStatusChannel', session_id: await database.session('total_count => 1', 'bob') })],
  ['a session that does not exist', () => ({ channel: 'SyncStatusChannel', session_id: 999_999_999 })],
  ['a channel that does not exist', () => ({ channel: 'NoSuchChannel', session_id: 1 })],
  ['no id', () => ({ channel: 'SyncStatusChannel' })],
  ['an id that is null', () => ({ channel: 'SyncStatusChannel', session_id: null })],
  ['an id that is an object', () => ({ channel: 'SyncStatusChannel', session_id: { a: 1 } })],
  ['an id far out of range', () => ({ channel: 'SyncStatusChannel', session_id: '9'.repeat(60) })],
  ['an id that JSON has and the database has not', () => ({ channel: 'SyncStatusChannel', session_id: '\u0000' })],
  ['no channel', () => ({ session_id: 1 })]
]) {
  test(`[002-19] rejected: ${what}`, async t => {
    const client = clientOf(t)
    const own = client.watch(await database.session())
    const watcher = client.watch(await params())
    await watcher.event('rejected')
    // its own session is not harmed by it
    await own.event('connected')
    assert.deepEqual(watcher.subscriptionState, ['rejected'])
    assert.equal(watcher.states.all.length, 0)
  })
}

for (const identifier of ['nonsense', '{', '[]', '"SyncStatusChannel"', '{"channel":7}', '{"channel":"SyncStatusChannel","session_id":1']) {
  test(`rejected, with the identifier as it was sent: ${identifier}`, async t => {
    const client = await rawClient(t)
    client.subscribe(identifier)
    const { text } = await client.rejected(identifier)
    assert.equal(text, `{"identifier":${JSON.stringify(identifier)},"type":"reject_subscription"}`)
  })
}

test('[000-23] [000-35] a token that names sessions allows these and no others', async t => {
  const named = await database.session()
  const other = await database.session()
  const client = clientOf(t, await database.token('alice', `ARRAY[${named}]`))
  await client.watch(named).event('connected')
  await client.watch(other).event('rejected')
})

test('numbers and strings as ids, and "id" in place of the kind\'s own name', async t => {
  const session = await database.session()
  const client = clientOf(t)
  const watchers = [
    { channel: 'SyncStatusChannel', session_id: session },
    { channel: 'SyncStatusChannel', session_id: String(session) },
    { channel: 'SyncStatusChannel', id: session }
  ].map(params => client.watch(params))
  await Promise.all(watchers.map(watcher => watcher.event('connected')))
  await database.increment(session, 5)
  for (const watcher of watchers) await watcher.count(5)
})

test('a source id of the application\'s own', async t => {
  const source = 'mailbox/José:7'
  const session = await database.session(`source_id => '${source}'`)
  const watcher = clientOf(t).watch({ channel: 'SyncStatusChannel', session_id: source })
  await database.increment(session, 3)
  const state = await watcher.count(3)
  assert.deepEqual([state.session_id, state.source_id], [session, source])
})

test('identifiers come back byte for byte, each on its own frames', async t => {
  const session = await database.session()
  const client = await rawClient(t)
  const identifiers = [
    `{"channel":"SyncStatusChannel","session_id":${session}}`,
    `{ "session_id" : ${session},\t"channel":"SyncStatusChannel" }`,
    `{"channel":"SyncStatus\\u0043hannel","session_id":"${session}","note":"José ✓ \\u00e9 \\/ \\" "}`
  ]
  for (const identifier of identifiers) client.subscribe(identifier)
  for (const identifier of identifiers) await client.confirmed(identifier)
  await database.increment(session, 11)
  for (const identifier of identifiers) {
    await client.message(identifier, ({ processed_count: count }) => count === 11)
    // subscribing has the session folded: a fresher version may have come, but none twice
    assertGrowing(client.messages(identifier))
  }
})

test('unsubscribe stops the messages', async t => {
  const session = await database.session()
  const client = clientOf(t)
  const watcher = client.watch(session)
  const other = client.watch({ channel: 'SyncStatusChannel', session_id: String(session) })
  await watcher.event('connected')
  await other.event('connected')
  await database.increment(session, 1)
  await watcher.count(1)
  watcher.subscription.unsubscribe()
  // what is asked after it is answered after it
  await client.watch(999_999_999).event('rejected')
  const before = client.frames.all.length
  await database.increment(session, 1)
  await other.count(2)
  await client.watch(999_999_998).event('rejected')
  const since = client.frames.all.slice(before).map(({ frame }) => frame.identifier)
  assert.ok(since.includes(other.identifier))
  assert.ok(!since.includes(watcher.identifier))
})

test('unsubscribed and subscribed again: confirmed again, with the newest state', async t => {
  const session = await database.session()
  const client = await rawClient(t)
  const identifier = identifierOf(session)
  await client.watch(identifier)
  client.unsubscribe(identifier)
  await database.increment(session, 9)
  await client.barrier()
  const from = client.frames.all.length
  client.subscribe(identifier)
  await client.frames.find(frame => frame.identifier === identifier && frame.type === 'confirm_subscription', 'a second confirmation', { from })
  await client.message(identifier, ({ processed_count: count }) => count === 9, { from })
})

test('subscribing twice is silent', async t => {
  const session = await database.session()
  const identifier = identifierOf(session)
  const client = await rawClient(t)
  client.subscribe(identifier)
  client.subscribe(identifier)
  await client.message(identifier)
  client.subscribe(identifier)
  await client.barrier()
  const [first, ...others] = client.frames.all.filter(frame => frame.identifier === identifier)
  assert.equal(first.type, 'confirm_subscription')
  // no second confirmation, and no state twice; subscribing has the session folded, so a fresher one may follow
  assert.ok(others.every(({ type, message }) => type === undefined && message), JSON.stringify(others))
  assertGrowing(client.messages(identifier))
})

test('[002-02] request_update: the state once more', async t => {
  const session = await database.session()
  const client = await rawClient(t)
  const identifier = identifierOf(session)
  await client.watch(identifier)
  // nothing new, and yet a version that was sent already; a fresher one of the session's beginning may come first
  await until(() => {
    client.send({ command: 'message', identifier, data: JSON.stringify({ action: 'request_update' }) })
    return client.messages(identifier)
  }, states => states.length > new Set(states.map(({ version }) => version)).size, 'the state comes once more')
  const states = client.messages(identifier)
  for (let i = 1; i < states.length; i++) {
    assert.ok(states[i].version >= states[i - 1].version)
    if (states[i].version === states[i - 1].version) assert.deepEqual(states[i], states[i - 1])
  }
})

test('[000-07] three hundred watchers of one run, each on its own connection, all see its end', async t => {
  const session = await database.session('total_count => 100')
  const identifier = identifierOf(session)
  const clients = await Promise.all(Array.from({ length: 300 }, () => rawClient(t)))
  await Promise.all(clients.map(client => client.watch(identifier)))
  for (let i = 0; i < 10; i++) await database.increment(session, 10)
  await database.complete(session)
  for (const client of clients) {
    const last = await client.message(identifier, ({ status }) => status === 'completed')
    assert.equal(last.progress_percentage, 100)
    assertGrowing(client.messages(identifier))
  }
})

test('many runs on one connection: each watcher gets its own', async t => {
  const client = clientOf(t)
  const sessions = []
  for (let i = 0; i < 20; i++) sessions.push(await database.session())
  const watchers = sessions.map(session => client.watch(session))
  await Promise.all(watchers.map(watcher => watcher.event('connected')))
  await database.sql(sessions.map((session, i) => `SELECT sync.sync_progress_increment(${session}, ${i + 1});`).join(' '), { user: 'app' })
  for (const [i, watcher] of watchers.entries()) {
    const state = await watcher.count(i + 1)
    assert.equal(state.session_id, sessions[i])
  }
})

test('a run that is deleted: its watchers are cut off', async t => {
  const session = await database.session()
  const client = clientOf(t)
  const watcher = client.watch(session)
  await watcher.event('connected')
  await database.sql(`DELETE FROM sync.sync_sessions WHERE id = ${session}`)
  await watcher.event('rejected')
  assert.ok(client.consumer.connection.isOpen())
})

test('a run that passes to another owner: its former owner is cut off, the new one is not', async t => {
  const session = await database.session()
  const watcher = clientOf(t).watch(session)
  await watcher.event('connected')
  await database.sql(`UPDATE sync.sync_sessions SET owner_id = 'bob' WHERE id = ${session}`)
  await watcher.event('rejected')
  await clientOf(t, await database.token('bob')).watch(session).event('connected')
})

test('a source that passes to another owner with its next run: the former owner sees nothing of it', async t => {
  const first = await database.session(`source_id => 'inbox-of-two'`)
  const client = clientOf(t)
  const watcher = client.watch({ channel: 'SyncStatusChannel', session_id: 'inbox-of-two' })
  await watcher.event('connected')
  await database.complete(first)
  await database.session(`title => 'secret', source_id => 'inbox-of-two'`, 'bob')
  await watcher.event('rejected')
  assert.ok(!client.frames.all.some(({ frame }) => JSON.stringify(frame).includes('secret')), 'not a frame has the other\'s title')
})

test('the next run of a source is followed by who may, and not by a token for the first run alone', async t => {
  const first = await database.session(`source_id => 'inbox-of-one'`)
  const identifier = { channel: 'SyncStatusChannel', session_id: 'inbox-of-one' }
  const all = clientOf(t).watch(identifier)
  const narrow = clientOf(t, await database.token('alice', `ARRAY[${first}]`)).watch(identifier)
  await all.event('connected')
  await narrow.event('connected')
  await database.complete(first)
  const second = await database.session(`source_id => 'inbox-of-one'`)
  await narrow.event('rejected')
  await all.state(state => state.session_id === second)
  await database.increment(first) // late, and nobody's business any more
  await database.increment(second, 3)
  await all.state(state => state.session_id === second && state.processed_count === 3)
})

test('a ping each 3 seconds, with the time in seconds', async () => {
  await observer.frames.find(() => observer.framesOf('ping').length >= 3, 'three pings', { ms: 12_000 })
  const pings = observer.framesOf('ping')
  const [{ at: welcomed }] = observer.framesOf('welcome')
  for (const [i, { at, frame }] of pings.entries()) {
    assert.ok(Number.isInteger(frame.message) && Math.abs(frame.message - (performance.timeOrigin + at) / 1000) < 60, `a ping says ${frame.message}`)
    // when this process looks late, one seems late and the next one early
    assert.ok(at - (i ? pings[i - 1].at : welcomed) < 6_000, 'the stock client would have given up')
  }
  const each = (pings.at(-1).at - welcomed) / pings.length
  assert.ok(each > 2_500 && each < 4_000, `a ping each ${each.toFixed(0)} ms`)
  assert.equal(observer.sockets.length, 1, 'the stock client never had to reconnect')
})
