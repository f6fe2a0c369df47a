/*
 * What people ask to be done, without a WebSocket:
 * POST /sessions/<channel>/<id>/<action>.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { call, raw } from './lib/raw_http.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

let database
let bridge
let alice

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--refused-per-minute', '0', '--allowed-origin', 'https://app.example'])
  await bridge.ready()
  alice = await database.token('alice', "scope => '{read,control}'")
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const act = (session, action, body, options = {}) =>
  call(bridge, 'POST', `/sessions/SyncStatusChannel/${session}/${action}`, { token: alice, body, ...options })

test('[000-12] [002-13] pause, resume, cancel, retry: what was done, and the state then', async () => {
  const session = await database.session()
  for (const [action, body, status, shown = status] of [['pause', undefined, 'paused'], ['resume', {}, 'processing'], ['cancel', { message: 'by Alice' }, 'cancelled', null]]) {
    const answer = await act(session, action, body)
    assert.equal(answer.status, 200, answer.text)
    assert.equal(answer.json.result.session_id, session)
    assert.equal(answer.json.result.status, status)
    // the last state of a run follows, with what was counted until then
    assert.equal(answer.json.state?.status ?? null, shown)
    assert.equal((await database.row(session)).status, status)
  }
  const again = await act(session, 'retry')
  assert.equal(again.status, 200)
  assert.notEqual(again.json.result.session_id, session)
  assert.equal(again.json.state.session_id, again.json.result.session_id)
})

test('who watches over a WebSocket sees at once what was done over HTTP', async t => {
  const session = await database.session()
  const watcher = await RawClient.welcomed(bridge.cable(alice))
  t.after(() => watcher.close())
  await watcher.watch(identifierOf(session))
  await act(session, 'pause')
  await watcher.message(identifierOf(session), ({ status }) => status === 'paused')
})

test('[004-12] rename, pin; a stale edit is 409 with the row as it is', async () => {
  const session = await database.session("total_count => 1, title => 'Mail'")
  const first = await act(session, 'rename', { title: 'Inbox', lock_version: 0 })
  assert.equal(first.status, 200, first.text)
  assert.equal(first.json.state.title, 'Inbox')
  const stale = await act(session, 'rename', { title: 'Letters', lock_version: 0 })
  assert.equal(stale.status, 409)
  assert.equal(stale.json.current.title, 'Inbox')
  assert.equal(stale.json.current.lock_version, first.json.result.lock_version)
  assert.equal(typeof stale.json.error, 'string')
  assert.equal((await act(session, 'pin', { pinned: true, lock_version: first.json.result.lock_version })).status, 200)
  assert.equal((await database.row(session)).title, 'Inbox')
})

test('what the state does not allow is 409, and says both states', async () => {
  const session = await database.session()
  await database.complete(session)
  const { status, json } = await act(session, 'pause')
  assert.equal(status, 409)
  assert.match(json.error, /completed/)
  assert.equal(json.current, undefined)
})

test('[000-35] without the scope: 403; of somebody else, unknown: 404; none of them does anything', async () => {
  const session = await database.session()
  const reader = await act(session, 'pause', undefined, { token: await database.token() })
  assert.equal(reader.status, 403)
  assert.match(reader.json.hint, /control/)
  for (const id of [await database.session('total_count => 1', 'bob'), 999999, encodeURIComponent('"}'), '%F0%28']) {
    assert.equal((await act(id, 'pause')).status, 404)
  }
  assert.equal((await act(session, 'pause', undefined, { token: undefined })).status, 401)
  assert.equal((await database.row(session)).status, 'processing')
})

test('bad input: a refusal that says what to do', async () => {
  const session = await database.session()
  for (const [action, body, status, pattern] of [
    ['explode', undefined, 422, /explode/], ['rename', {}, 422, /title/], ['pin', { pinned: 'yes' }, 422, /pinned/],
    ['pause', '[1]', 422, /object/], ['pause', '{"message":', 422, /object/], ['pause', { message: 7 }, 422, /message/],
    ['pause', '{"message":"\\u0000"}', 422, /./], ['pause', '[['.repeat(20_000), 422, /object/]
  ]) {
    const answer = await act(session, action, body)
    assert.equal(answer.status, status, `${action} ${body}: ${answer.text}`)
    assert.match(answer.json.error, pattern)
    assert.match(answer.json.hint, /\S+ \S+/, `${action} ${body}: ${answer.text}`)
  }
  assert.equal((await act(session, 'pause', 'message=x', { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } })).status, 415)
  assert.equal((await act(session, 'pause', '{}', { headers: { 'Content-Type': 'text/plain' } })).status, 415)
  assert.equal((await act(session, 'pause', JSON.stringify({ message: 'x'.repeat(70_000) }))).status, 413)
  assert.equal((await database.row(session)).status, 'processing')
})

test('[000-35] with a cookie alone, only a page that is allowed may do anything', async () => {
  const session = await database.session()
  const cookie = { Cookie: `sync_progress_token=${alice}` }
  for (const headers of [{}, { Origin: 'https://evil.example' }, { Origin: 'null' }, { Origin: 'https://evil.example', 'Content-Type': 'text/plain' }]) {
    const { status } = await act(session, 'pause', undefined, { token: undefined, headers: { ...cookie, ...headers } })
    assert.equal(status, 403, JSON.stringify(headers))
  }
  assert.equal((await database.row(session)).status, 'processing')
  for (const [action, Origin] of [['pause', 'https://app.example'], ['resume', bridge.origin]]) {
    assert.equal((await act(session, action, undefined, { token: undefined, headers: { ...cookie, Origin } })).status, 200)
  }
})

test('[000-35] auth none: only pages of this machine, whatever name they use for it', async t => {
  const open = await Bridge.start(database.conninfo(), ['--auth', 'none'])
  t.after(() => open.stop())
  await open.ready()
  const session = await database.session()
  const ask = async headers => {
    const { status } = await raw(open, `POST /sessions/SyncStatusChannel/${session}/pause HTTP/1.1\r\n${headers}Content-Length: 0\r\nConnection: close\r\n\r\n`)
    return status
  }
  assert.equal(await ask('Host: evil.example\r\n'), 403) // a name that an attacker lets resolve to 127.0.0.1
  assert.equal(await ask('Host: evil.example\r\nOrigin: http://evil.example\r\n'), 403)
  assert.equal(await ask(`Host: 127.0.0.1:${open.port}\r\nOrigin: http://evil.example\r\n`), 403)
  assert.equal((await database.row(session)).status, 'processing')
  assert.equal(await ask(`Host: localhost:${open.port}\r\n`), 200)
  assert.equal((await database.row(session)).status, 'paused')
})

test('a row that an application holds: 503 with Retry-After; nobody else waits for it', async t => {
  const session = await database.session()
  const other = await database.session()
  const holder = database.psql('postgres')
  t.after(() => holder.end())
  holder.stdin.write(`BEGIN; SELECT 1 FROM sync.sync_sessions WHERE id = ${session} FOR UPDATE;\n\\echo held\n`)
  await until(() => holder.stdout, text => text.includes('held'), 'the row is held')
  const refused = Promise.all([act(session, 'pause'), act(session, 'pause')])
  assert.equal((await act(other, 'pause')).status, 200) // both of them wait on one connection
  assert.equal((await call(bridge, 'GET', `/snapshots/SyncStatusChannel/${session}`, { token: alice })).status, 200)
  for (const { status, headers, json } of await refused) {
    assert.equal(status, 503)
    assert.equal(headers.get('retry-after'), '1')
    assert.match(json.error, /locked/)
  }
  holder.stdin.write('ROLLBACK;\n')
  await until(() => act(session, 'pause'), ({ status }) => status === 200, 'it is paused once the row is free')
})

test('one person who asks for much, of rows that are held, is nobody else\'s wait', async t => {
  const held = [await database.session(), await database.session()]
  const bob = await database.token('bob', "scope => '{read,control}'")
  const his = await database.session('total_count => 1', 'bob')
  const holder = database.psql('postgres')
  t.after(() => holder.end())
  holder.stdin.write(`BEGIN; SELECT 1 FROM sync.sync_sessions WHERE id IN (${held}) FOR UPDATE;\n\\echo held\n`)
  await until(() => holder.stdout, text => text.includes('held'), 'the rows are held')
  const refused = []
  const asked = Promise.all(Array.from({ length: 250 }, async (_, i) => {
    const answer = await act(held[i % 2], 'pause')
    if (/too much is waiting/.test(answer.json.error)) refused.push(answer)
    return answer
  }))
  // 128 may wait
  await until(() => refused.length, length => length >= 64, 'what is too much for one is refused')
  assert.ok(await bridge.metric('queue_depth{queue="actions"}') > 64, 'much waits still')
  for (const { status, headers } of refused) {
    assert.equal(status, 503)
    assert.ok(Number(headers.get('retry-after')) > 0)
  }
  for (const action of ['pause', 'resume', 'cancel']) {
    assert.equal((await call(bridge, 'GET', '/sessions', { token: bob })).status, 200)
    assert.equal((await act(his, action, undefined, { token: bob })).status, 200)
  }
  assert.ok(await bridge.metric('queue_depth{queue="actions"}') > 0, 'he did not wait for it')
  holder.stdin.write('ROLLBACK;\n')
  const answers = await asked
  assert.ok(answers.some(({ status }) => status === 200), 'once the rows are free the rest is done')
})

test('the database goes in the middle of an action: 503 that says so, and it comes back', async t => {
  const session = await database.session()
  await database.actionsWait(8)
  t.after(() => database.actionsWait(1))
  const holder = database.psql('postgres')
  t.after(() => holder.end())
  holder.stdin.write(`BEGIN; SELECT 1 FROM sync.sync_sessions WHERE id = ${session} FOR UPDATE;\n\\echo held\n`)
  await until(() => holder.stdout, text => text.includes('held'), 'the row is held')
  const asked = act(session, 'pause')
  await until(() => database.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%perform%' AND pid <> pg_backend_pid()"),
    count => count === '1', 'the action waits')
  await database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%sync_progress_perform%' AND pid <> pg_backend_pid()")
  const { status, json } = await asked
  assert.equal(status, 503)
  assert.match(json.error, /not known whether|cannot do that now/)
  holder.stdin.write('ROLLBACK;\n')
  await until(() => act(session, 'pause'), ({ status }) => status === 200, 'actions are done again')
})

test('told to stop while answers are awaited, it stops', async t => {
  const stopping = await Bridge.start(database.conninfo())
  t.after(() => stopping.stop())
  await stopping.ready()
  const session = await database.session()
  const holder = database.psql('postgres')
  t.after(() => holder.end())
  holder.stdin.write('BEGIN; LOCK TABLE sync.sync_sessions;\n\\echo held\n')
  await until(() => holder.stdout, text => text.includes('held'), 'the table is held')
  const asked = Promise.allSettled([
    ...Array.from({ length: 5 }, () => call(stopping, 'POST', `/sessions/SyncStatusChannel/${session}/pause`, { token: alice })),
    ...Array.from({ length: 5 }, () => call(stopping, 'GET', '/sessions', { token: alice })),
    ...Array.from({ length: 5 }, () => call(stopping, 'GET', `/snapshots/SyncStatusChannel/${session}`, { token: alice }))
  ])
  await until(() => database.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()"),
    count => Number(count) >= 2, 'some are under way')
  assert.equal(await stopping.stop(), 0)
  await asked // answered or hung up on, each of them
  holder.stdin.write('ROLLBACK;\n')
})

test('while the database is away: 503 with Retry-After', async () => {
  const session = await database.session()
  await database.stop()
  const { status, headers } = await until(() => act(session, 'pause'), answer => answer.json.error === 'the database is away', 'it is found to be away')
  assert.equal(status, 503)
  assert.ok(Number(headers.get('retry-after')) > 0)
  await database.start()
  await until(() => act(session, 'pause'), answer => answer.status === 200, 'and back')
})
