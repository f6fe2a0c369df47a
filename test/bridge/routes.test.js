/*
 * An application's own paths, in front of the bridge's.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { guardDirectory } from './lib/programs.js'
import { call } from './lib/raw_http.js'

const ROUTES = [
  'GET /connect/source-connections/:id/subscribe -> /events/ConnectionSyncChannel/:id',
  'GET /connect/source-connections/:id/jobs -> /sessions/ConnectionSyncChannel/:id',
  'GET /sessions/stream -> /events/owner',
  'POST /api/v1/meshes/:id/cancel -> /sessions/MeshProgressChannel/:id/cancel',
  'POST /api/v1/meshes/:id/retry -> /sessions/MeshProgressChannel/:id/retry',
  'POST /api/v1/meshes/:mesh/progress -> /callbacks/progress',
  'GET /p/:what/:which -> /snapshots/:what/:which'
]

let dir
let guard
let database
let bridge
let alice

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sync-progress-routes.'))
  guard = guardDirectory(dir)
  writeFileSync(join(dir, 'bridge.conf'), ROUTES.map(line => `route = ${line}\n`).join(''))
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--config', join(dir, 'bridge.conf'), '--refused-per-minute', '0'])
  await bridge.ready()
  alice = await database.token('alice', "scope => '{read,control}'")
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
  await guard?.release()
})

/** The head of a stream that is answered without end. */
async function stream(path) {
  const abort = new AbortController()
  const { status, headers, body } = await fetch(bridge.origin + path, { headers: { Authorization: `Bearer ${alice}` }, signal: abort.signal })
  let text = ''
  for await (const bytes of body.pipeThrough(new TextDecoderStream())) {
    text += bytes
    if (/"type" ?: ?"connected"[^]*\n\n/.test(text)) break
  }
  abort.abort()
  return { status, type: headers.get('content-type'), text }
}

test('[003-01] GET /connect/source-connections/{id}/subscribe is the stream of that connection', async () => {
  const session = await database.session("'connection', source_id => 'c1'")
  const { status, type, text } = await stream('/connect/source-connections/c1/subscribe')
  assert.equal(status, 200)
  assert.match(type, /^text\/event-stream/)
  assert.ok(text.includes((await database.row(session)).job_id))
  assert.equal((await call(bridge, 'GET', '/connect/source-connections/c1/subscribe')).status, 401)
})

test('[003-01] GET /connect/source-connections/{id}/jobs lists its runs', async () => {
  const first = await database.session("'connection', source_id => 'c2'")
  const { status, json } = await call(bridge, 'GET', '/connect/source-connections/c2/jobs?limit=5', { token: alice })
  assert.equal(status, 200)
  assert.deepEqual(json.sessions.map(({ session_id }) => session_id), [first])
})

test('[004-12] GET /sessions/stream is the owner\'s stream', async t => {
  const abort = new AbortController()
  t.after(() => abort.abort())
  const { status, headers } = await fetch(`${bridge.origin}/sessions/stream`, { headers: { Authorization: `Bearer ${alice}` }, signal: abort.signal })
  assert.equal(status, 200)
  assert.match(headers.get('content-type'), /^text\/event-stream/)
})

test('[002-13] POST /api/v1/meshes/{id}/cancel and /retry', async () => {
  const session = await database.session("'mesh', source_id => '7'")
  const cancelled = await call(bridge, 'POST', '/api/v1/meshes/7/cancel', { token: alice, headers: { 'X-CSRF-Token': 'of the page' } })
  assert.equal(cancelled.status, 200, cancelled.text)
  assert.equal((await database.row(session)).status, 'cancelled')
  const retried = await call(bridge, 'POST', '/api/v1/meshes/7/retry', { token: alice })
  assert.equal(retried.status, 200)
  assert.notEqual(retried.json.result.session_id, session)
})

test('[002-14] the worker\'s callback under the application\'s path', async () => {
  const session = await database.session("'mesh', source_id => '8'")
  const job = (await database.row(session)).job_id
  const token = await database.sql(`SELECT sync.sync_progress_callback_token('${job}')`)
  const path = '/api/v1/meshes/8/progress'
  const { status, json } = await call(bridge, 'POST', path, { headers: { 'X-Callback-Token': token }, body: { job_id: job, progress: 3 } })
  assert.equal(status, 202)
  assert.equal(json.job_id, job)
  const refused = await call(bridge, 'POST', path, { headers: { 'X-Callback-Token': 'x' }, body: { job_id: job, progress: 3 } })
  assert.deepEqual([refused.status, refused.json], [401, { error: 'Invalid callback token' }])
})

test('every parameter may come from the path, the bridge\'s own paths stay, and methods are told apart', async () => {
  const session = await database.session()
  assert.equal((await call(bridge, 'GET', `/p/SyncStatusChannel/${session}`, { token: alice })).json.session_id, session)
  assert.equal((await call(bridge, 'GET', `/snapshots/SyncStatusChannel/${session}`, { token: alice })).status, 200)
  const { status, headers } = await call(bridge, 'GET', '/api/v1/meshes/7/cancel', { token: alice })
  assert.deepEqual([status, headers.get('allow')], [405, 'OPTIONS, POST'])
  assert.equal((await call(bridge, 'GET', '/connect/source-connections//jobs', { token: alice })).status, 404)
})

for (const [line, why] of [
  ['GET /x', /of the form/], ['GET /x -> /y', /no path of the bridge's/], ['FETCH /x -> /healthz', /of the form/], ['GET x -> /healthz', /begins with/],
  ['GET /x -> /events/:channel/:id', /left side has not/], ['POST /x/:id -> /events/SyncStatusChannel/:id', /not served for this method/],
  ['GET /x/:id/:id -> /events/SyncStatusChannel/:id', /twice/], ['GET /x/: -> /events/owner', /needs a name/],
  ['GET /x?y=1 -> /events/owner', /plain path/], ['GET /a/../b -> /events/owner', /plain path/]
]) {
  test(`a wrong route is found at the start: ${line}`, async () => {
    for (const more of [[], ['--check-config']]) {
      const { status, log } = await Bridge.tries(['--db', 'host=/nonexistent', '--route', line, ...more])
      assert.equal(status, 2)
      assert.ok(log.includes(`"${line}"`), log)
      assert.match(log, why)
    }
  })
}

test('the same path twice is found at the start', async () => {
  const { status, log } = await Bridge.tries(['--db', 'host=/nonexistent', '--route', 'GET /x/:a -> /events/SyncStatusChannel/:a',
    '--route', 'GET /x/:b -> /events/MeshProgressChannel/:b'])
  assert.equal(status, 2)
  assert.match(log, /earlier route/)
})
