/*
 * A client that wants to be told less often says so in its identifier.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { StockClient } from './lib/stock_client.js'

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

const wanting = (session, interval) => JSON.stringify({ channel: 'SyncStatusChannel', session_id: session, min_interval_ms: interval })
const counted = count => ({ processed_count: processed }) => processed === count

async function open(t) {
  const client = await RawClient.welcomed(bridge.cable(token))
  t.after(() => client.close())
  return client
}

test('min_interval_ms: fewer states, the newest each time, and the last one', async t => {
  const session = await database.session('total_count => 1000000')
  const client = await open(t)
  const [all, few] = [identifierOf(session), wanting(session, 500)]
  await client.watch(all)
  await client.watch(few)
  const begun = performance.now()
  let count = 0
  const application = database.psql() // quicker than a psql for each
  t.after(() => application.end())
  while (performance.now() - begun < 3_000) {
    application.stdin.write(`SELECT sync.sync_progress_increment(${session});\n`)
    await client.message(all, counted(++count))
  }
  await client.message(few, counted(count))
  const frames = client.frames.all.filter(({ identifier, message }) => identifier === few && message)
  const seconds = (frames.at(-1).at - frames[0].at) / 1000
  t.diagnostic(`of ${client.messages(all).length} states, ${frames.length} in ${seconds.toFixed(1)} s`)
  // one more for each end, and some in case that this process was late to look at the first
  assert.ok(frames.length <= seconds / 0.5 + 4, `${frames.length} in ${seconds} s`)
  assert.ok(frames.length >= 4 && frames.length < client.messages(all).length)
  for (let i = 1; i < frames.length; i++) assert.ok(frames[i].message.version > frames[i - 1].message.version)
})

test('min_interval_ms: the first state, the one that was asked for and the final one do not wait', async t => {
  const session = await database.session()
  const client = await open(t)
  const [all, few] = [identifierOf(session), wanting(session, 60_000)]
  await client.watch(all)
  await client.watch(few)
  await database.increment(session, 1)
  await client.message(all, counted(1))
  const late = await open(t)
  assert.equal((await late.watch(few)).processed_count, 1)
  await client.barrier()
  await database.increment(session, 1)
  await client.message(all, counted(2))
  client.send({ command: 'message', identifier: few, data: '{"action":"request_update"}' })
  await client.message(few, counted(2))
  await database.increment(session, 1)
  await client.message(all, counted(3))
  await database.complete(session)
  for (const each of [client, late]) {
    await each.message(few, ({ status }) => status === 'completed')
    assert.ok(!each.messages(few).some(message => counted(3)(message) && message.status !== 'completed'), 'the third state was held back')
  }
})

test('min_interval_ms that is none: everything is told', async t => {
  const session = await database.session()
  const client = await open(t)
  const all = identifierOf(session)
  const identifiers = ['1000', 1.5, null, true, -1, 0].map(interval => wanting(session, interval))
  for (const identifier of [all, ...identifiers]) await client.watch(identifier)
  for (let count = 1; count <= 3; count++) {
    await database.increment(session)
    await client.message(all, counted(count))
  }
  for (let count = 1; count <= 3; count++) for (const identifier of identifiers) await client.message(identifier, counted(count))
})

test('min_interval_ms with the stock client', async t => {
  const session = await database.session()
  const client = new StockClient(bridge, token)
  t.after(() => client.close())
  const watcher = client.watch({ channel: 'SyncStatusChannel', session_id: session, min_interval_ms: 60_000 })
  await watcher.event('connected')
  await watcher.count(0)
  await database.increment(session)
  await database.complete(session)
  await watcher.state(({ status }) => status === 'completed')
})
