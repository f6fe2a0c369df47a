/*
 * subscribeToSyncProgress() with the real bridge and a real PostgreSQL.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { Bridge } from '../bridge/lib/bridge.js'
import { Database } from '../bridge/lib/database.js'
import { guardDirectory } from '../bridge/lib/programs.js'
import { Recorder } from '../bridge/lib/recorder.js'
import { getConnectionJobs, subscribeToSyncProgress } from '../../client/sse_users.js'

const ROUTES = [
  'GET /connect/source-connections/:id/subscribe -> /events/ConnectionSyncChannel/:id',
  'GET /connect/source-connections/:id/jobs -> /sessions/ConnectionSyncChannel/:id'
]

let guard
let database
let bridge
let watch
before(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-progress-sse.'))
  guard = guardDirectory(dir)
  writeFileSync(join(dir, 'bridge.conf'), ROUTES.map(line => `route = ${line}\n`).join(''))
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--config', join(dir, 'bridge.conf')])
  await bridge.ready()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
  await guard?.release()
})
afterEach(() => watch?.close())

function subscribe(id, options) {
  const heard = new Recorder()
  const handlers = Object.fromEntries(['onConnected', 'onDisconnected', 'onProgress', 'onComplete', 'onError']
    .map(name => [name, detail => heard.put([name, detail])]))
  watch = subscribeToSyncProgress(id, handlers, options)
  const told = (name, passes = () => true) => heard.find(([each, detail]) => each === name && passes(detail), `${name}, ${passes}`, { ms: 20_000 })
  return { heard, told }
}

const start = id => database.session(`'connection', source_id => '${id}'`)
const count = (session, counts) => database.sql(`SELECT sync.sync_progress_increment_many(${session}, '${JSON.stringify(counts)}')`)

test('[003-01] [003-07] by the bridge\'s own path and by an application\'s, up to the end', async () => {
  const token = await database.token('alice', "scope => '{read,control}'")
  for (const [id, path] of [['own', 'events/ConnectionSyncChannel/{id}'], ['c 7', 'connect/source-connections/{id}/subscribe']]) {
    const session = await start(id)
    const { job_id: job } = await database.row(session)
    const { heard, told } = subscribe(id, { url: `${bridge.origin}/${path}`, token })
    assert.deepEqual(await told('onConnected'), ['onConnected', { job_id: job, reconnected: false }])
    await count(session, { inserted: 3, kept: 1, 'entities_encountered.Message': 4 })
    const [, update] = await told('onProgress', ({ entities_inserted: inserted }) => inserted === 3)
    assert.deepEqual([update.job_id, update.entities_kept, update.entities_encountered, update.is_complete], [job, 1, { Message: 4 }, false])
    await database.complete(session)
    assert.equal((await told('onComplete'))[1].inserted, 3)
    assert.ok(!heard.all.some(([name]) => name === 'onError'))
    const jobs = { url: `${bridge.origin}/${id === 'own' ? 'sessions/ConnectionSyncChannel/{id}' : 'connect/source-connections/{id}/jobs'}`, token }
    assert.deepEqual((await getConnectionJobs(id, jobs)).jobs.map(({ session_id, status }) => [session_id, status]), [[session, 'completed']])
  }
})

test('[003-13] [003-15] through a killed bridge and through tokens that live four seconds, nothing is missed', async () => {
  const session = await start('long')
  let tokens = 0
  const token = () => { tokens++; return database.token('alice', "ttl => '4 seconds'") }
  const { heard, told } = subscribe('long', { url: `${bridge.origin}/events/ConnectionSyncChannel/{id}`, token })
  await told('onConnected')
  assert.equal(await bridge.stop('SIGKILL'), 'SIGKILL')
  await told('onDisconnected')
  await count(session, { inserted: 1 })
  await bridge.start()
  await told('onProgress', ({ inserted }) => inserted === 1)
  const before = tokens
  for (let inserted = 2; tokens < before + 2; inserted++) {
    await count(session, { inserted: 1 })
    await told('onProgress', update => update.inserted === inserted)
    assert.ok(inserted < 10_000)
  }
  await database.sql(`SELECT sync.sync_session_fail(${session}, 'no route')`)
  assert.deepEqual(await told('onError'), ['onError', 'no route'])
  const shown = heard.all.filter(([name]) => name === 'onProgress').map(([, { inserted }]) => inserted)
  assert.deepEqual(shown, [...shown].sort((a, b) => a - b))
})

test('[003-01] somebody else\'s connection is not found; without a token nobody is let in', async () => {
  await start('private')
  const url = `${bridge.origin}/events/ConnectionSyncChannel/{id}`
  assert.deepEqual(await subscribe('private', { url, token: await database.token('bob') }).told('onError'), ['onError', 'not found'])
  assert.deepEqual(await subscribe('private', { url }).told('onError'), ['onError', 'unauthorized'])
})
