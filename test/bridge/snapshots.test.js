/*
 * The state of a stream, once: GET /snapshots/<channel>/<id>.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { jwt, secondsFromNow } from './lib/jwt.js'
import { call } from './lib/raw_http.js'
import { until } from './lib/recorder.js'

let database
let bridge
let alice

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--refused-per-minute', '0'])
  await bridge.ready()
  alice = await database.token()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const snapshot = (id, options = {}) => call(bridge, 'GET', `/snapshots/SyncStatusChannel/${id}`, { token: alice, ...options })

test('[001-03] the payload, as the database has it, and its version as ETag', async () => {
  const session = await database.session()
  await database.increment(session, 450)
  // asking marks the session due: the row's next version can be there before it is sent
  const { status, headers, json, row } = await until(async () => ({ ...await snapshot(session), row: await database.row(session) }),
    ({ json, row }) => json.processed_count === 450 && json.version === row.version, 'the count is there, as the table has it')
  assert.equal(status, 200)
  assert.equal(headers.get('content-type'), 'application/json')
  assert.equal(headers.get('etag'), `"${json.version}"`)
  assert.equal(headers.get('cache-control'), 'no-cache')
  assert.equal(json.progress_percentage, 45)
  assert.equal(row.processed_count, 450)
})

test('If-None-Match: 304 while nothing is newer, then the newer state', async () => {
  const session = await database.session()
  const first = await until(() => snapshot(session), ({ json }) => json !== undefined, 'a state')
  const etag = first.headers.get('etag')
  for (const known of [etag, `W/${etag}`, `"1", ${etag}`, '*']) {
    const same = await snapshot(session, { headers: { 'If-None-Match': known } })
    // asking marks the session due: its next version can be on its way
    if (same.status === 200) assert.ok(same.json.version > first.json.version)
    else assert.deepEqual([same.status, same.text], [304, ''])
  }
  const { headers } = await until(() => snapshot(session), ({ headers }) => headers.get('etag') !== undefined, 'an etag')
  const same = await until(() => snapshot(session, { headers: { 'If-None-Match': headers.get('etag') } }), ({ status }) => status === 304 || status === 200, 'an answer')
  assert.ok([200, 304].includes(same.status))
  await database.increment(session, 7)
  const newer = await until(() => snapshot(session, { headers: { 'If-None-Match': etag } }), ({ status, json }) => status === 200 && json.processed_count === 7, 'the newer state')
  assert.notEqual(newer.headers.get('etag'), etag)
})

test('HEAD: the version, and no body', async () => {
  const session = await database.session()
  const { status, headers, text } = await call(bridge, 'HEAD', `/snapshots/SyncStatusChannel/${session}`, { token: alice })
  assert.equal(status, 200)
  assert.match(headers.get('etag'), /^"\d+"$/)
  assert.ok(Number(headers.get('content-length')) > 100)
  assert.equal(text, '')
})

test('[000-35] unknown, forbidden and malformed are all the same 404', async () => {
  const bobs = await database.session('total_count => 1', 'bob')
  const answers = await Promise.all([snapshot(999999), snapshot(bobs), snapshot('%F0%28'), snapshot(encodeURIComponent("1'; DROP TABLE x --")), snapshot('x'.repeat(600)),
    call(bridge, 'GET', `/snapshots/NoSuchChannel/${bobs}`, { token: alice })])
  for (const { status, json } of answers) {
    assert.equal(status, 404)
    assert.deepEqual(json, answers[0].json)
  }
})

test('[000-35] without a token, with a forged one, with an expired one: 401', async () => {
  const session = await database.session()
  const expired = await database.token('alice', "ttl => '-1 minute'").catch(() => null)
  for (const token of [undefined, 'x', `${alice.slice(0, -4)}AAAA`, ...expired ? [expired] : []]) {
    const { status, headers, json } = await snapshot(session, { token })
    assert.equal(status, 401)
    assert.equal(headers.get('www-authenticate'), 'Bearer')
    assert.equal(typeof json.error, 'string')
  }
})

test('a token of a key that is not known yet waits for it; a forged one is refused once the keys were read', async () => {
  const session = await database.session()
  await database.sql('SELECT sync.sync_progress_rotate_key()')
  const forged = jwt({ alg: 'HS256', kid: 'nobody' }, { sub: 'alice', exp: secondsFromNow(60) }, 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U')
  const [fresh, bad] = await Promise.all([snapshot(session, { token: await database.token() }), snapshot(session, { token: forged })])
  assert.equal(fresh.status, 200)
  assert.equal(bad.status, 401)
})

test('a token may come as ?token=, ?jid=, or a cookie', async () => {
  const session = await database.session()
  for (const [query, headers] of [[`?token=${alice}`], [`?x=1&jid=${alice}`], ['', { Cookie: `a=b; sync_progress_token=${alice}` }]]) {
    const { status } = await call(bridge, 'GET', `/snapshots/SyncStatusChannel/${session}${query}`, { headers })
    assert.equal(status, 200)
  }
})

test('a callback token opens nothing but reports', async () => {
  const session = await database.session()
  const worker = await database.sql(`SELECT sync.sync_progress_callback_token((SELECT job_id FROM sync.sync_sessions WHERE id = ${session}))`)
  assert.equal((await snapshot(session, { token: worker })).status, 404)
  assert.deepEqual((await call(bridge, 'GET', '/sessions', { token: worker })).json, { sessions: [], next: null })
  const { status } = await call(bridge, 'POST', `/sessions/SyncStatusChannel/${session}/pause`, { token: worker })
  assert.ok([403, 404].includes(status))
  assert.equal((await database.row(session)).status, 'processing')
})

test('many at once are few queries', async () => {
  const session = await database.session()
  const queries = async () => Number(/^sync_progress_bridge_queries_total (\d+)$/m.exec(await (await fetch(`${bridge.origin}/metrics`)).text())[1])
  const before = await queries()
  const answers = await Promise.all(Array.from({ length: 100 }, () => snapshot(session)))
  for (const { status } of answers) assert.equal(status, 200)
  assert.ok(await queries() - before < 60, `${await queries() - before} queries for 100 snapshots`)
})

test('a client that goes before its answer leaves nothing behind', async () => {
  const session = await database.session()
  for (let i = 0; i < 50; i++) {
    const abort = new AbortController()
    const gone = fetch(`${bridge.origin}/snapshots/SyncStatusChannel/${session}?token=${alice}`, { signal: abort.signal }).catch(() => {})
    if (i % 2) await new Promise(resolve => setImmediate(resolve))
    abort.abort()
    await gone
  }
  assert.equal((await snapshot(session)).status, 200)
  await until(async () => /^sync_progress_bridge_subscriptions (\d+)$/m.exec(await (await fetch(`${bridge.origin}/metrics`)).text())[1],
    count => count === '0', 'no subscription is left')
})

test('while the database is away: 503 with Retry-After, and served again after', async () => {
  const session = await database.session()
  await database.stop()
  await bridge.ready(503)
  const { status, headers, json } = await snapshot(session)
  assert.equal(status, 503)
  assert.ok(Number(headers.get('retry-after')) > 0)
  assert.equal(json.error, 'the database is away')
  await database.start()
  await bridge.ready()
  assert.equal((await snapshot(session)).status, 200)
})
