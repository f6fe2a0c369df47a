/*
 * An administrator disconnects an owner.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'
import { StockClient } from './lib/stock_client.js'

const TOLD = { type: 'disconnect', reason: 'remote', reconnect: true }

let database
let bridge

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo())
  await bridge.ready()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const literal = text => `'${text.replaceAll("'", "''")}'`
const disconnect = (owner, more = '') => database.sql(`SELECT sync.sync_progress_disconnect(${literal(owner)}${more})`)

async function clientOf(t, owner) {
  const token = await database.sql(`SELECT sync.sync_progress_token(${literal(owner)})`)
  const client = await RawClient.welcomed(bridge.cable(token))
  t.after(() => client.close())
  return client
}

/** The last that a client was told before it was closed. */
async function farewell(client) {
  const { code } = await client.end()
  assert.equal(code, 1000)
  const { at, text, ...frame } = client.frames.all.at(-1)
  return frame
}

test('every connection of that owner is told so and closed, nobody else\'s', async t => {
  const alice = [await clientOf(t, 'alice'), await clientOf(t, 'alice')]
  const others = [await clientOf(t, 'alice2'), await clientOf(t, 'Alice'), await clientOf(t, 'ali')]
  const session = await database.session()
  await alice[0].watch(identifierOf(session))
  await disconnect('alice')
  for (const client of alice) assert.deepEqual(await farewell(client), TOLD)
  for (const client of others) await client.barrier()
  const again = await clientOf(t, 'alice')
  assert.equal((await again.watch(identifierOf(session))).session_id, session, 'who comes again is let in')
})

test('whatever the owner is called', async t => {
  for (const owner of ['o"\'\\', 'a\nb', '{"stream":"owner:x"}', '✓ €', 'x'.repeat(200)]) {
    const client = await clientOf(t, owner)
    await disconnect(owner)
    assert.deepEqual(await farewell(client), TOLD, owner)
  }
})

test('not before the transaction has committed, and never if it rolls back', async t => {
  const alice = await clientOf(t, 'alice')
  const bob = await clientOf(t, 'bob')
  await database.sql(`BEGIN; SELECT sync.sync_progress_disconnect('alice'); ROLLBACK; SELECT sync.sync_progress_disconnect('bob')`)
  assert.deepEqual(await farewell(bob), TOLD)
  await alice.barrier()
})

test('the stock client stays away when it is told to, else it goes on', async t => {
  const clients = {}
  for (const owner of ['goes', 'stays']) {
    clients[owner] = new StockClient(bridge, await database.token(owner))
    t.after(() => clients[owner].close())
    const watcher = clients[owner].watch(await database.session('total_count => 1', owner))
    await watcher.event('connected')
  }
  await disconnect('goes', ', reconnect => false')
  await disconnect('stays')
  for (const [owner, willReconnect] of [['goes', false], ['stays', true]]) {
    const event = await clients[owner].watchers[0].event('disconnected')
    assert.equal(event.willAttemptReconnect, willReconnect)
    const { frame } = clients[owner].framesOf('disconnect').at(-1)
    assert.deepEqual(frame, { ...TOLD, reconnect: willReconnect })
    assert.equal(clients[owner].consumer.connection.monitor.isRunning(), willReconnect)
  }
})

test('what another backend says of it is not believed', async t => {
  const session = await database.session()
  const alice = await clientOf(t, 'alice')
  await alice.watch(identifierOf(session))
  const forged = JSON.stringify({ stream: 'owner:alice', version: 1, type: 'disconnect', final: false, owner: 'alice', data: { reconnect: false } })
  for (let i = 0; i < 30; i++) await database.sql(`NOTIFY sync_progress, ${literal(forged)}`, { user: 'app' })
  await bridge.line(/the worker did not send this, ignored type=disconnect/)
  await database.increment(session, 5)
  await alice.message(identifierOf(session), state => state.processed_count === 5)
  await alice.barrier()
})

test('a worker that was restarted is believed, though the bridge did not know it', async t => {
  for (let i = 0; i < 3; i++) {
    const alice = await clientOf(t, 'alice')
    const before = await database.sql('SELECT worker_pid FROM sync.pg_stat_sync_progress')
    await database.sql(`SELECT pg_terminate_backend(${before}); SELECT sync.sync_progress_disconnect('alice')`)
    assert.deepEqual(await farewell(alice), TOLD)
    await until(() => database.sql('SELECT worker_pid FROM sync.pg_stat_sync_progress'), pid => pid !== '' && pid !== before, 'another worker')
  }
})
