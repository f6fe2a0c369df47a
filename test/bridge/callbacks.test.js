/*
 * Workers without a database connection report over HTTP: POST /callbacks/progress.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { call } from './lib/raw_http.js'
import { RawClient } from './lib/raw_client.js'

let database
let bridge

before(async () => {
  database = await Database.start()
  // an audience for watchers says nothing about workers
  bridge = await Bridge.start(database.conninfo(), ['--refused-per-minute', '0', '--audience', 'watchers'])
  await bridge.ready()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

/** A mesh, its job and the worker's token. */
async function mesh(source = `m${Math.random()}`) {
  const session = await database.session(`'mesh', source_id => '${source}'`)
  const job = (await database.row(session)).job_id
  return { session, source, job, token: await database.sql(`SELECT sync.sync_progress_callback_token('${job}')`, { user: 'app' }) }
}

const report = (token, body, options = {}) => call(bridge, 'POST', '/callbacks/progress', { headers: token === undefined ? {} : { 'X-Callback-Token': token }, body, ...options })

test('[002-14] a report is accepted, and the answer says what the session\'s status is', async () => {
  const { session, job, token } = await mesh()
  const { status, json } = await report(token, { job_id: job, progress: 40, message: 'meshing', status: 'processing' })
  assert.equal(status, 202)
  assert.deepEqual(json, { status: 'accepted', job_id: job, session_status: 'processing' })
  const { processed_count, total_count, message } = await database.json(`SELECT to_json(p) FROM sync.sync_progress(${session}) AS p`)
  assert.deepEqual([Math.round(100 * processed_count / total_count), message], [40, 'meshing'])
})

test('[002-14] the token may come as Authorization: Bearer', async () => {
  const { job, token } = await mesh()
  assert.equal((await report(undefined, { job_id: job, progress: 1 }, { token })).status, 202)
})

// it waited for keys that nobody read
test('[002-14] workers need their token, and it is taken, where nobody else needs one', async t => {
  const open = await Bridge.start(database.conninfo(), ['--auth', 'none'])
  t.after(() => open.stop())
  await open.ready()
  const { job, token } = await mesh()
  const send = headers => call(open, 'POST', '/callbacks/progress', { headers, body: { job_id: job, progress: 1 } })
  assert.equal((await send({ 'X-Callback-Token': token })).status, 202)
  assert.equal((await send({})).status, 401)
})

test('[002-14] missing, forged, of another job, of a watcher: 401 Invalid callback token', async () => {
  const { session, job, token } = await mesh()
  const other = await mesh()
  const watcher = await database.token('alice', "scope => '{read,control,admin}'")
  for (const bad of [undefined, '', 'x', `${token.slice(0, -4)}AAAA`, other.token, watcher]) {
    const { status, headers, json } = await report(bad, { job_id: job, progress: 99 })
    assert.equal(status, 401, String(bad))
    assert.equal(json.error, 'Invalid callback token')
    assert.equal(headers.get('www-authenticate'), 'Bearer')
  }
  assert.equal((await database.json(`SELECT to_json(p) FROM sync.sync_progress(${session}) AS p`)).processed_count, 0)
})

test('[002-14] repeated and late reports have one effect', async () => {
  const { job, session, token } = await mesh()
  const sent = [{ progress: 40 }, { progress: 70 }, { progress: 40 }, { progress: 70 }, { status: 'completed', result_url: '/meshes/7' }, { progress: 10 }, { status: 'failed' }]
  for (const body of sent) assert.equal((await report(token, { job_id: job, ...body })).status, 202)
  const { json } = await report(token, { job_id: job, progress: 5 })
  assert.equal(json.session_status, 'completed')
  assert.equal((await database.row(session)).status, 'completed')
})

test('[002-20] from a worker\'s report to who watches', async t => {
  const { job, source, token } = await mesh()
  const free = await Bridge.start(database.conninfo())
  t.after(() => free.stop())
  await free.ready()
  const client = await RawClient.welcomed(free.cable(await database.token()))
  t.after(() => client.close())
  const identifier = JSON.stringify({ channel: 'MeshProgressChannel', mesh_id: source })
  await client.watch(identifier)
  await report(token, { job_id: job, progress: 55, message: 'half' })
  await client.message(identifier, ({ progress, message }) => progress === 55 && message === 'half')
  await report(token, { job_id: job, status: 'completed', result_url: 'https://example.com/7' })
  const last = await client.message(identifier, ({ status }) => status === 'completed')
  assert.equal(last.result_url, 'https://example.com/7')
})

test('bad reports: 413, 415, 422, each says what is wrong, and changes nothing', async () => {
  const { job, session, token } = await mesh()
  for (const [body, status] of [
    ['', 422], ['nonsense', 422], ['[]', 422], [{ job_id: job, progress: 101 }, 422], [{ job_id: job, progress: '40' }, 422],
    [{ job_id: job, status: 'exploded' }, 422], [{ job_id: job, result_url: 'javascript:alert(1)', status: 'completed' }, 422],
    [{ progress: 4 }, 422], [{ job_id: job, message: 'x'.repeat(70_000) }, 413]
  ]) {
    const answer = await report(token, body)
    assert.equal(answer.status, status, `${JSON.stringify(body).slice(0, 80)}: ${answer.text}`)
    for (const text of [answer.json.error, answer.json.hint]) assert.match(text ?? '', /\S+ \S+/, answer.text)
  }
  assert.equal((await report(token, '{}', { headers: { 'X-Callback-Token': token, 'Content-Type': 'text/plain' } })).status, 415)
  assert.equal((await database.row(session)).status, 'processing')
})

test('a job that has been deleted is 404: the worker can stop', async () => {
  const { job, session, token } = await mesh()
  await database.sql(`SELECT sync.sync_session_delete(${session})`)
  assert.equal((await report(token, { job_id: job, progress: 5 })).status, 404)
})

test('GET is 405, and says what is there', async () => {
  assert.equal((await call(bridge, 'GET', '/callbacks/progress')).status, 405)
  assert.equal((await call(bridge, 'GET', '/callbacks/progress')).headers.get('allow'), 'OPTIONS, POST')
})

test('tokens are in no line of the log', async () => {
  const { job, token } = await mesh()
  await report(token, { job_id: job, progress: 5 })
  await report(`${token}x`, { job_id: job, progress: 5 })
  assert.ok(!bridge.log.includes(token.slice(0, 30)))
})
