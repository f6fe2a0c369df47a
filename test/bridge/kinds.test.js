/*
 * Every built-in kind through the bridge, as its watchers know it, and runs of
 * one source that follow each other.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { StockClient } from './lib/stock_client.js'

let database
let bridge
let alice

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo())
  await bridge.ready()
  alice = await database.token('alice')
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

function clientOf(t, token = alice) {
  const client = new StockClient(bridge, token)
  t.after(() => client.close())
  return client
}

const start = (kind, args) => database.session(`kind => '${kind}', ${args}`)

test('[002-01] [002-19] [002-15] a mesh: confirmed, then progress 0, pending; at its end the result', async t => {
  const session = await start('mesh', `source_id => '42', status => 'pending'`)
  const watcher = clientOf(t).watch({ channel: 'MeshProgressChannel', mesh_id: 42 })
  await watcher.event('connected')
  const first = await watcher.state(() => true)
  assert.deepEqual([first.mesh_id, first.progress, first.status, first.estimated_remaining], [42, 0, 'pending', null])
  await database.sql(`SELECT sync.sync_progress_set(${session}, 30, 100, 'Meshing')`, { user: 'app' })
  const second = await watcher.state(({ progress }) => progress === 30)
  assert.deepEqual([second.message, 'result_url' in second], ['Meshing', false])
  await database.sql(`SELECT sync.sync_progress_set(${session}, 100), sync.sync_session_complete(${session}, result_url => '/m.glb')`, { user: 'app' })
  const last = await watcher.state(({ status, progress }) => status === 'completed' && progress === 100)
  assert.equal(last.result_url, '/m.glb')
})

test('[002-04] [002-15] a batch: completed and failed', async t => {
  const session = await start('batch', `source_id => 'night', total_count => 4`)
  const watcher = clientOf(t).watch({ channel: 'BatchProgressChannel', batch_id: 'night' })
  await watcher.event('connected')
  await database.increment(session, 2)
  await database.sql(`SELECT sync.sync_progress_increment(${session}, 1, 'error')`, { user: 'app' })
  const state = await watcher.state(({ completed, failed }) => completed === 2 && failed === 1)
  assert.deepEqual([state.batch_id, state.total, state.progress, state.status], ['night', 4, 75, 'processing'])
})

test('[003-04] [003-02] [003-05] a connection: counts, and what was encountered', async t => {
  const session = await start('connection', `source_id => 'c0ffee'`)
  const watcher = clientOf(t).watch({ channel: 'ConnectionSyncChannel', id: 'c0ffee' })
  await watcher.event('connected')
  await database.sql(`SELECT sync.sync_progress_increment_many(${session}, '{"inserted":3,"kept":1,"entities_encountered.Message":4}')`)
  const state = await watcher.state(({ inserted }) => inserted === 3)
  assert.deepEqual([state.kept, state.updated, state.entities_encountered, state.is_complete, 'type' in state], [1, 0, { Message: 4 }, false, false])
  await database.sql(`SELECT sync.sync_session_fail(${session}, 'no route')`)
  const last = await watcher.state(({ is_failed: failed }) => failed)
  assert.equal(last.error, 'no route')
})

test('[002-13] a retry is followed by who watches the source, whatever its id was written like', async t => {
  const first = await start('mesh', `source_id => '77', total_count => 10`)
  const client = clientOf(t)
  const watchers = [{ mesh_id: 77 }, { mesh_id: '77' }, { id: 77 }, { mesh_id: first }].map(params => client.watch({ channel: 'MeshProgressChannel', ...params }))
  for (const watcher of watchers) await watcher.event('connected')
  let session = first
  for (const round of [1, 2, 3]) {
    await database.increment(session, round)
    await database.sql(`SELECT sync.sync_session_fail(${session}, 'attempt ${round}')`, { user: 'app' })
    for (const watcher of watchers) await watcher.state(({ status, message }) => status === 'failed' && message === `attempt ${round}`)
    session = Number(await database.sql(`SELECT sync.sync_session_retry(${session})`, { user: 'app' }))
    for (const watcher of watchers) await watcher.state(({ status, progress }) => status === 'pending' && progress === 0 && watcher.latest.status === 'pending')
  }
  await database.increment(first) // late, and nobody's business any more
  await database.increment(session, 10)
  await database.complete(session)
  for (const watcher of watchers) {
    await watcher.state(({ status, progress }) => status === 'completed' && progress === 100)
    assert.equal(watcher.latest.status, 'completed')
    assert.deepEqual(watcher.subscriptionState, ['connected'])
  }
})

test('[004-12] SessionsChannel is confirmed for who has a name, and not for a token for some sessions', async t => {
  const session = await database.session()
  await clientOf(t).watch({ channel: 'SessionsChannel' }).event('connected')
  await clientOf(t, await database.token('alice', `ARRAY[${session}]`)).watch({ channel: 'SessionsChannel' }).event('rejected')
})
