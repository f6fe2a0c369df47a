/*
 * Server-sent events: what a stream says, when it begins and when it ends.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { EventStream } from './lib/event_stream.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

let database
let bridge
let token

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo())
  await bridge.ready()
  token = await database.token()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const counted = count => ({ processed_count: processed }) => processed === count
const ended = ({ status }) => status === 'completed'

/** Another bridge, for tests that need settings of their own. */
async function bridgeWith(t, ...args) {
  const other = await Bridge.start(database.conninfo(), args)
  t.after(() => other.stop())
  await other.ready()
  return other
}

function openPath(t, path, { at = bridge, ...options } = {}) {
  const stream = EventStream.open(at.port, path, options)
  t.after(() => stream.close())
  return stream
}

function open(t, session, { query = '', as = token, ...options } = {}) {
  return openPath(t, `/events/SyncStatusChannel/${session}?token=${as}${query}`, options)
}

/** What is refused when the database has said so: it is 200 where that took more than a second, and then the next time. */
const refusal = ask => until(ask, ({ status }) => status !== 200, 'it is refused')

async function isNotFound(open) {
  const { status } = await refusal(async () => {
    const stream = open()
    await stream.statusCode()
    return { status: stream.status }
  })
  assert.equal(status, 404)
}

function assertGrowing(states) {
  for (let i = 1; i < states.length; i++) {
    assert.ok(states[i].version > states[i - 1].version, `version ${states[i].version} after ${states[i - 1].version}`)
    assert.ok(states[i].processed_count >= states[i - 1].processed_count, `${states[i].processed_count} after ${states[i - 1].processed_count}`)
  }
}

async function metric(name, at = bridge) {
  const text = await (await fetch(`${at.origin}/metrics`)).text()
  return Number(new RegExp(`^sync_progress_bridge_${name} (\\d+)$`, 'm').exec(text)[1])
}

// -- messages ------------------------------------------------------------------

test('[003-03] [003-04] connected with the job, then states without a type; unnamed messages, ids that grow', async t => {
  const session = await database.session(`kind => 'connection', source_id => 'c-${Date.now()}'`)
  const { job_id: job, source_id: source } = await database.row(session)
  const stream = openPath(t, `/events/ConnectionSyncChannel/${source}?token=${token}`)
  assert.equal(await stream.statusCode(), 200)
  await stream.state()
  assert.deepEqual(stream.messages.all[0], { type: 'connected', job_id: job })
  assert.equal(stream.messages.all[1].is_complete, false)
  await database.sql(`SELECT sync.sync_progress_increment_many(${session}, '{"inserted": 3, "deleted": 1, "entities_encountered.Message": 3}')`)
  const state = await stream.state(({ inserted }) => inserted === 3)
  assert.equal(state.deleted, 1)
  assert.deepEqual(state.entities_encountered, { Message: 3 })
  await database.complete(session)
  await stream.state(({ is_complete: complete }) => complete)
  const messages = stream.blocks.all.filter(({ json }) => json)
  assert.ok(messages.every(({ event }) => event === undefined))
  assert.ok(messages.every(({ id, json }) => (id === undefined) === (json.type !== undefined)))
  const ids = messages.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]))
  assert.ok(ids.every((id, i) => i === 0 || id > ids[i - 1]), stream.text)
  assert.equal(ids.length, stream.states.length)
})

test('the head of the answer: no cache, no buffering, no compression; when to come back', async t => {
  const stream = open(t, await database.session(), { headers: { 'Accept-Encoding': 'gzip, br' } })
  await stream.state()
  assert.equal(stream.headers['content-type'], 'text/event-stream')
  assert.equal(stream.headers['cache-control'], 'no-cache, no-transform')
  assert.equal(stream.headers['x-accel-buffering'], 'no')
  assert.equal(stream.headers.connection, 'keep-alive')
  assert.equal(stream.headers['content-encoding'], undefined)
  assert.equal(stream.headers['content-length'], undefined)
  const { retry } = await stream.blocks.find(block => block.retry, 'a retry')
  assert.ok(retry >= 1_000 && retry <= 3_000, retry)
})

test('the state has the id that it has as its version, live ones too', async t => {
  const session = await database.session()
  const stream = open(t, session)
  await stream.state()
  await database.increment(session, 5)
  await stream.state(counted(5))
  for (const { id, json } of stream.blocks.all.filter(block => block.json && block.json.type === undefined)) assert.equal(id, String(json.version))
})

test('?named=1: every message has an event name', async t => {
  const other = await bridgeWith(t, '--heartbeat-seconds', '1')
  const session = await database.session()
  const stream = open(t, session, { at: other, query: '&named=1' })
  await stream.type('heartbeat')
  await database.complete(session)
  await stream.state(ended)
  const names = stream.blocks.all.filter(({ json }) => json).map(({ event, json }) => [event, json.type])
  assert.deepEqual(names[0], ['connected', 'connected'])
  assert.ok(names.every(([event, type]) => event === (type ?? 'progress')), JSON.stringify(names))
  assert.ok(names.some(([event]) => event === 'progress'))
})

test('[003-04] heartbeats are messages, and come again and again', async t => {
  const other = await bridgeWith(t, '--heartbeat-seconds', '1')
  const stream = open(t, await database.session(), { at: other })
  await stream.messages.find((message, i) => message.type === 'heartbeat', 'a heartbeat')
  await until(() => stream.messages.all.filter(({ type }) => type === 'heartbeat').length, count => count >= 3, 'three heartbeats')
  assert.deepEqual(stream.messages.all.find(({ type }) => type === 'heartbeat'), { type: 'heartbeat' })
  assert.equal(stream.messages.all[0].type, 'connected')
})

test('?padding=1: two kilobytes that no page gets to see', async t => {
  const session = await database.session()
  const [padded, plain] = [open(t, session, { query: '&padding=1' }), open(t, session)]
  await padded.state()
  await plain.state()
  assert.ok(padded.blocks.all[0].comments[0].length >= 2_000)
  assert.equal(padded.blocks.all[0].json, undefined)
  assert.ok(plain.blocks.all.every(({ comments }) => comments.length === 0))
})

test('?min_interval_ms: who wants less is told less, and the last state at once', async t => {
  const session = await database.session()
  const [seldom, often, odd] = [open(t, session, { query: '&min_interval_ms=60000' }), open(t, session), open(t, session, { query: '&min_interval_ms=-1x' })]
  await Promise.all([seldom, often, odd].map(stream => stream.state()))
  for (let count = 1; count <= 5; count++) {
    await database.increment(session)
    await Promise.all([often, odd].map(stream => stream.state(counted(count))))
  }
  assert.ok(!seldom.states.some(({ processed_count: count }) => count === 3))
  await database.complete(session)
  await Promise.all([seldom, often].map(stream => stream.state(ended)))
  assert.ok(seldom.states.length < often.states.length)
})

test('a stream and the cable say the same', async t => {
  const session = await database.session()
  const client = await RawClient.welcomed(bridge.cable(token))
  t.after(() => client.close())
  const [one, two] = [open(t, session), open(t, session)]
  await client.watch(identifierOf(session))
  await Promise.all([one.state(), two.state()])
  for (let count = 1; count <= 10; count++) {
    await database.increment(session)
    const [seen, ...others] = await Promise.all([client.message(identifierOf(session), counted(count)), one.state(counted(count)), two.state(counted(count))])
    for (const other of others) assert.deepEqual(other, seen)
  }
})

test('[004-12] [004-15] /events/owner: what happens to the owner\'s list, and nobody else\'s', async t => {
  const owner = `carla ${Date.now()}`
  const stream = openPath(t, `/events/owner?named=1&token=${await database.token(owner)}`)
  assert.deepEqual(await stream.type('connected'), { type: 'connected' })
  await database.session('total_count => 1', 'somebody else')
  const session = await database.session(`title => 'Mail'`, owner)
  const { data } = await stream.type('session_created')
  assert.equal(data.session_id, session)
  await database.sql(`SELECT sync.sync_session_rename(${session}, 'Post')`)
  assert.equal((await stream.type('session_renamed')).data.title, 'Post')
  await database.sql(`DELETE FROM sync.sync_sessions WHERE id = ${session}`)
  await stream.type('session_deleted')
  const happened = stream.blocks.all.filter(({ json }) => json && json.type !== 'connected')
  assert.deepEqual(happened.map(({ json }) => json.type), ['session_created', 'session_renamed', 'session_deleted'])
  assert.ok(happened.every(({ event, json, id }) => event === json.type && json.data.session_id === session && id === undefined))
})

test('HEAD: the head of the answer and no stream; for what is not there 404', async t => {
  const there = open(t, await database.session(), { method: 'HEAD' })
  assert.equal(await there.end(), 'end')
  assert.equal(there.status, 200)
  assert.equal(there.headers['content-type'], 'text/event-stream')
  assert.ok(there.text.endsWith('\r\n\r\n'))
  await isNotFound(() => open(t, 999_999, { method: 'HEAD', headers: { Connection: 'close' } }))
})

// -- who comes back ----------------------------------------------------------------

test('[003-13] Last-Event-ID: what the client has is not sent again, what is newer is', async t => {
  const session = await database.session()
  const first = open(t, session)
  await first.state()
  await database.increment(session, 3)
  await first.state(counted(3))
  // subscribing has the worker fold once more: wait until nothing new comes of it
  const { version } = await until(() => database.row(session), row => String(row.version) === first.lastId, 'the table has the version that was sent last')
  first.close()
  for (const options of [{ headers: { 'Last-Event-ID': String(version) } }, { query: `&last_event_id=${version}` }]) {
    const again = open(t, session, options)
    await again.type('connected')
    await database.increment(session)
    const { processed_count: count } = await again.state()
    assert.ok(count > 3, 'the state that it had was sent again')
    assertGrowing(again.states)
    assert.ok(again.states.every(state => state.version > version))
  }
  const older = open(t, session, { headers: { 'Last-Event-ID': String(version - 1_000_000) } })
  assert.ok((await older.state()).version > version)
})

test('a Last-Event-ID that is none is ignored', async t => {
  const session = await database.session()
  for (const id of ['', 'abc', '-1', '0', '12.5', '99999999999999999999', '9007199254740993', `${Date.now()}999999`, '4102444800000000', 'x'.repeat(3_000), "1'; DROP TABLE x; --"]) {
    const stream = open(t, session, { headers: { 'Last-Event-ID': id } })
    await stream.state()
    stream.close()
    const asked = open(t, session, { query: `&last_event_id=${encodeURIComponent(id)}` })
    await asked.state()
    asked.close()
  }
})

test('[003-15] every stream is ended after its lifetime, and the client that comes back has missed nothing', async t => {
  const other = await bridgeWith(t, '--stream-lifetime-seconds', '1')
  const session = await database.session()
  const states = []
  let lives = 0
  let lastId
  let last
  const client = (async () => {
    for (; !last; lives++) {
      const stream = open(t, session, { at: other, headers: lastId ? { 'Last-Event-ID': lastId } : {} })
      assert.equal(await stream.end(), 'end')
      assert.equal(stream.rest, '', 'it ends between two messages')
      const { retry } = stream.blocks.all.at(-1)
      assert.ok(retry >= 500 && retry <= 1_500, 'the last thing it says is when to come back')
      states.push(...stream.states)
      lastId = stream.lastId ?? lastId
      last = states.find(ended)
    }
  })()
  await until(async () => { await database.increment(session); return lives }, count => count >= 3, 'it came back three times')
  await database.complete(session)
  await client
  assertGrowing(states)
  assert.equal(last.processed_count, (await database.row(session)).processed_count)
})

// -- who is not let in ---------------------------------------------------------------

test('404 for what is not there, and for what is not allowed, in the same words', async t => {
  const foreign = await database.session('total_count => 1', 'somebody else')
  const bodies = new Set()
  for (const path of ['/events/SyncStatusChannel/999999', `/events/SyncStatusChannel/${foreign}`, '/events/NoSuchChannel/1', '/events/SyncStatusChannel/abc',
    "/events/SyncStatusChannel/1'%3B%20DROP%20TABLE%20x%3B--", '/events/SyncStatusChannel/%ff%fe', `/events/SyncStatusChannel/${'9'.repeat(600)}`,
    '/events/%22%7D/1', '/events/SyncStatusChannel/%22%2C%22session_id%22%3A1']) {
    const answer = await refusal(async () => {
      const answer = await fetch(`${bridge.origin}${path}?token=${token}`)
      if (answer.status === 200) await answer.body.cancel()
      return answer
    })
    assert.equal(answer.status, 404, path)
    assert.equal(answer.headers.get('content-type'), 'application/json')
    bodies.add(await answer.text())
  }
  assert.equal(bodies.size, 1, [...bodies].join())
  assert.match([...bodies][0], /"error":"not found"/)
})

test('401 without a token, with a bad one, and with one for something else', async () => {
  const session = await database.session()
  const callback = await database.sql(`SELECT sync.sync_progress_callback_token('${(await database.row(session)).job_id}')`, { user: 'app' })
  for (const as of ['', 'nonsense', token.slice(0, -2), callback]) {
    const { status } = await fetch(`${bridge.origin}/events/SyncStatusChannel/${session}?token=${as}`)
    assert.ok([401, 404].includes(status), `${as}: ${status}`)
    if (as !== callback) assert.equal(status, 401)
  }
  const mine = await fetch(`${bridge.origin}/events/SyncStatusChannel/${session}`, { headers: { Authorization: `Bearer ${token}` } })
  assert.equal(mine.status, 200)
  await mine.body.cancel()
})

test('a request with a body, or of another method, is refused', async () => {
  const path = `/events/SyncStatusChannel/${await database.session()}?token=${token}`
  for (const method of ['POST', 'PUT', 'DELETE']) assert.ok([404, 405].includes((await fetch(bridge.origin + path, { method })).status))
})

// -- the end ---------------------------------------------------------------------------

test('the end of a run does not end the stream: a retry of it follows there', async t => {
  const session = await database.session()
  const stream = open(t, session)
  await stream.state()
  await database.sql(`SELECT sync.sync_session_fail(${session}, 'the disk is full')`, { user: 'app' })
  const failed = await stream.state(({ status }) => status === 'failed')
  const next = Number(await database.sql(`SELECT sync.sync_session_retry(${session})`, { user: 'app' }))
  const state = await stream.state(({ session_id: id }) => id === next)
  assert.ok(state.version > failed.version)
  await database.complete(next)
  await stream.state(ended)
})

for (const named of ['', '&named=1']) {
  test(`[003-05] who loses the right to watch is told, and not let in again${named && ', with names'}`, async t => {
    const session = await database.session()
    const stream = open(t, session, { query: named })
    await stream.state()
    await database.sql(`UPDATE sync.sync_sessions SET owner_id = 'bob' WHERE id = ${session}`)
    const error = await stream.type('error')
    assert.deepEqual(error, { type: 'error', message: 'not found, or no longer allowed' })
    assert.equal(await stream.end(), 'end')
    assert.equal(stream.messages.all.at(-1), error)
    await isNotFound(() => open(t, session))
  })
}

test('[003-15] a token that expires: a warning, an error, the end; then 401', async t => {
  const session = await database.session()
  const short = await database.token('alice', `ttl => '8 seconds'`)
  const stream = open(t, session, { as: short })
  await stream.type('token_expiring')
  assert.equal(await stream.end(), 'end')
  assert.deepEqual(stream.messages.all.at(-1), { type: 'error', message: 'token expired' })
  assert.equal(stream.messages.all.filter(({ type }) => type === 'token_expiring').length, 1)
  assert.equal(await open(t, session, { as: short }).statusCode(), 401)
})

test('an owner is disconnected by an administrator: only theirs, and whether to come again is said', async t => {
  const owner = `dora ${Date.now()}`
  const session = await database.session('total_count => 1', owner)
  const other = await database.session()
  const [theirs, mine] = [open(t, session, { as: await database.token(owner) }), open(t, other)]
  await Promise.all([theirs.state(), mine.state()])
  await database.sql(`SELECT sync.sync_progress_disconnect('${owner}', reconnect => false)`)
  assert.equal(await theirs.end(), 'end')
  assert.deepEqual(theirs.messages.all.at(-1), { type: 'error', message: 'disconnected by an administrator', reconnect: false })
  await database.increment(other)
  await mine.state(counted(1))
})

test('[003-13] the bridge stops: streams are closed in order, spread over time, and go on when it is back', async t => {
  const other = await Bridge.start(database.conninfo())
  await other.ready()
  const session = await database.session()
  const streams = Array.from({ length: 10 }, () => open(t, session, { at: other }))
  await Promise.all(streams.map(stream => stream.state()))
  assert.equal(await other.stop(), 0)
  for (const stream of streams) assert.equal(await stream.end(), 'end')
  const retries = streams.map(stream => Number(stream.blocks.all.at(-1).retry))
  assert.ok(retries.every(retry => retry >= 1_000 && retry <= 5_000), String(retries))
  assert.ok(new Set(retries).size > 1, 'they are not all sent back at once')
  await other.start()
  t.after(() => other.stop())
  await other.ready()
  await database.increment(session, 2)
  await open(t, session, { at: other, headers: { 'Last-Event-ID': streams[0].lastId } }).state(counted(2))
})

test('[000-36] streams are counted while they are there', async t => {
  await until(() => metric('stream_clients'), count => count === 0, 'those before are gone')
  const stream = open(t, await database.session())
  await stream.state()
  assert.equal(await metric('stream_clients'), 1)
  stream.close()
  await until(() => metric('stream_clients'), count => count === 0, 'it is counted no more')
})
