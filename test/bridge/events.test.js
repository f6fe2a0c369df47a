/*
 * What happens to an owner's list reaches everybody who watches it: each event,
 * once, in its order, or word to read the list again.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { signalProcess } from './lib/programs.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'
import { StockClient } from './lib/stock_client.js'

let database
let bridge

const LIST = JSON.stringify({ channel: 'SessionsChannel' })

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--log-level', 'debug'])
  await bridge.ready()
  await bridge.line(/attached .*worker_pid=/)
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

/** A client that watches the list of an owner who is nobody else's in this file. */
async function watch(t, owner) {
  const client = await RawClient.welcomed(bridge.cable(await database.token(owner)))
  t.after(() => client.close())
  client.subscribe(LIST)
  await client.confirmed(LIST)
  return client
}

const start = owner => database.sql(`SELECT sync.sync_session_start('${owner}', title => 'Mail')`).then(Number)
const rename = (session, title) => database.sql(`SELECT sync.sync_session_rename(${session}, '${title}')`)
const event = (client, type, session, passes = () => true) => client.message(LIST,
  message => message.type === type && message.data?.session_id === session && passes(message.data))
const types = client => client.messages(LIST).map(({ type }) => type)
const notify = payload => database.sql(`SELECT pg_notify('sync_progress', $forged$${JSON.stringify(payload)}$forged$)`)

test('[004-03] [004-12] [004-15] every change of the list, in its order, to each device of its owner and nobody else', async t => {
  const [one, two, other] = [await watch(t, 'ann'), await watch(t, 'ann'), await watch(t, 'bob')]
  const session = await start('ann')
  await rename(session, 'Post')
  await database.sql(`SELECT sync.sync_session_pin(${session}, true)`)
  await database.sql(`SELECT sync.sync_session_delete(${session})`)
  for (const client of [one, two]) {
    await event(client, 'session_deleted', session)
    assert.deepEqual(types(client), ['session_created', 'session_renamed', 'session_pinned', 'session_deleted'])
    const [created, renamed, pinned] = client.messages(LIST)
    assert.deepEqual(Object.keys(created), ['type', 'data'])
    assert.equal(created.data.title, 'Mail')
    assert.equal(renamed.data.title, 'Post')
    assert.deepEqual([pinned.data.pinned, pinned.data.lock_version], [true, 2])
    assert.equal(pinned.data.kind, 'sync')
  }
  await other.barrier()
  assert.deepEqual(types(other), [])
})

test('[004-12] a run that passes to another owner leaves one list and enters the other', async t => {
  const session = await start('carl')
  const [from, to] = [await watch(t, 'carl'), await watch(t, 'dora')]
  await database.sql(`UPDATE sync.sync_sessions SET owner_id = 'dora' WHERE id = ${session}`)
  await event(from, 'session_deleted', session)
  await event(to, 'session_created', session)
})

test('[004-12] the stock client receives them', async t => {
  const token = await database.token('eve')
  const client = new StockClient(bridge, token)
  t.after(() => client.close())
  const watcher = client.watch({ channel: 'SessionsChannel' })
  await watcher.event('connected')
  const session = await start('eve')
  const created = await watcher.states.find(({ type }) => type === 'session_created', 'the stock client is told')
  assert.equal(created.data.session_id, session)
})

test('[004-03] a statement that changes many runs: read the list again, said by the worker', async t => {
  const client = await watch(t, 'fred')
  await database.sql(`INSERT INTO sync.sync_sessions (owner_id, title) SELECT 'fred', 'Mail ' || i FROM generate_series(1, 30) AS i`)
  const reloaded = await client.message(LIST, ({ type }) => type === 'sessions_reloaded')
  assert.deepEqual(reloaded.data, { count: 30 })
})

test('[004-03] [004-14] thirty renames, each told, in its order, and how soon', async t => {
  const client = await watch(t, 'gina')
  const session = await start('gina')
  await event(client, 'session_created', session)
  const delays = []
  for (let i = 1; i <= 30; i++) {
    await rename(session, `Mail ${i}`)
    const committed = performance.now()
    await event(client, 'session_renamed', session, ({ title }) => title === `Mail ${i}`)
    const frame = client.frames.all.find(({ message }) => message?.data?.title === `Mail ${i}`)
    delays.push(Math.max(0, frame.at - committed))
  }
  assert.equal(types(client).length, 31)
  delays.sort((a, b) => a - b)
  t.diagnostic(`after the statement had returned: median ${delays[15].toFixed(1)} ms, slowest ${delays[29].toFixed(1)} ms`)
  if (!process.env.CHECK_TOOL) assert.ok(delays[15] < 200, `median ${delays[15].toFixed(1)} ms`)
})

test('[004-03] a database that notifies hints only: the events come without their data', async t => {
  const client = await watch(t, 'hank')
  await database.sql('ALTER SYSTEM SET sync_progress.notify = hint')
  await database.sql('SELECT pg_reload_conf()')
  t.after(async () => {
    await database.sql('ALTER SYSTEM RESET sync_progress.notify')
    await database.sql('SELECT pg_reload_conf()')
  })
  const session = await start('hank')
  await rename(session, 'Post')
  const bare = await client.message(LIST, ({ type, data }) => type === 'session_renamed' && data === undefined)
  assert.deepEqual(bare, { type: 'session_renamed' })
})

test('events that somebody else sends: never shown, only word to read the list again, and that seldom', async t => {
  const client = await watch(t, 'ivy')
  const other = await watch(t, 'jack')
  const forged = { stream: 'owner:ivy', version: 1, type: 'session_renamed', data: { session_id: 666, title: 'forged' } }
  for (let i = 0; i < 20; i++) await notify(forged)
  await client.message(LIST, ({ type }) => type === 'sessions_reloaded')
  for (const type of ['progress', 'heartbeat', 'error', 'connected', 'Bad', '"}', 'disconnect']) await notify({ ...forged, type })
  // The worker is believed all the same; and when this has come, so has what was sent before it.
  const session = await start('ivy')
  await until(() => rename(session, 'Post'), () => types(client).includes('session_renamed'), 'the worker\'s events are told')
  assert.ok(!client.frames.all.some(({ text }) => text.includes('forged')))
  for (const { type, data } of client.messages(LIST)) if (type === 'sessions_reloaded') assert.equal(data, undefined)
  const seconds = (client.frames.all.at(-1).at - client.frames.all[0].at) / 1000
  assert.ok(types(client).filter(type => type === 'sessions_reloaded').length <= 2 * seconds + 2)
  await other.barrier()
  assert.deepEqual(types(other), [])
})

test('the connection to the database breaks: read the list again, and it goes on', async t => {
  const client = await watch(t, 'kate')
  const session = await start('kate')
  await event(client, 'session_created', session)
  const states = await RawClient.welcomed(bridge.cable(await database.token('kate')))
  t.after(() => states.close())
  await states.watch(identifierOf(session))
  await database.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bridge'`)
  const reloaded = await client.message(LIST, ({ type }) => type === 'sessions_reloaded')
  assert.deepEqual(reloaded, { type: 'sessions_reloaded' })
  await rename(session, 'Post')
  await event(client, 'session_renamed', session)
  assert.equal(types(client).filter(type => type === 'sessions_reloaded').length, 1)
  assert.ok(!states.frames.all.some(({ message }) => message?.type === 'sessions_reloaded'), 'who watches a state has no list')
})

test('the worker dies with an event untold: read the list again', async t => {
  const client = await watch(t, 'liam')
  const session = await start('liam')
  await event(client, 'session_created', session)
  const worker = await database.freezeWorker()
  await database.sql(`SELECT pg_terminate_backend(${worker})`)
  await rename(session, 'Post')
  signalProcess(worker, 'SIGCONT')
  await client.message(LIST, ({ type, data }) => type === 'sessions_reloaded' || data?.title === 'Post', { ms: 20_000 })
  // From here on its successor is believed, too.
  let edits = 0
  await until(() => rename(session, `Mail ${++edits}`), () => client.messages(LIST).some(({ data }) => /^Mail \d/.test(data?.title)),
    'the next worker\'s events are told', 20_000)
})

test('a client that does not read: told to read the list again, and it goes on with what comes then', async t => {
  const slow = await watch(t, 'mona')
  const quick = await watch(t, 'mona')
  const session = await start('mona')
  await event(slow, 'session_created', session)
  const pad = 'x'.repeat(400)
  // States first: a list's events are too small to fill what the kernels hold.
  const accounts = Array.from({ length: 800 }, (_, i) => ({ name: `Bank ${i} of San José`, email: `account${i}@example.com`, total_count: 10_000 }))
  const large = Number(await database.sql(`SELECT sync.sync_session_start('mona', accounts => '${JSON.stringify(accounts)}')`))
  const sent = async () => Number(/^sync_progress_bridge_states_sent_total (\d+)/m.exec(await (await fetch(`${bridge.origin}/metrics`)).text())?.[1])
  const before = await sent()
  await slow.watch(identifierOf(large))
  await quick.watch(identifierOf(large))
  slow.socket.pause()
  // States are sent to these two: what is not the quick one's is the slow one's, which misses three.
  const states = () => quick.messages(identifierOf(large)).length
  for (let count = 1; states() - (await sent() - before - states()) < 3; count++) {
    await database.increment(large, 1)
    await quick.message(identifierOf(large), ({ processed_count: processed }) => processed >= count)
  }
  // The stream keeps 64; some more may still find room in the kernels.
  const people = database.psql('postgres')
  t.after(() => people.end())
  for (let i = 1; i <= 200; i++) {
    people.stdin.write(`SELECT sync.sync_session_rename(${session}, '${i} ${pad}');\n`)
    if (i % 40 === 0) await event(quick, 'session_renamed', session, ({ title }) => title.startsWith(`${i} `))
  }
  assert.equal(types(quick).filter(type => type === 'session_renamed').length, 200)
  slow.socket.resume()
  await slow.message(LIST, ({ type }) => type === 'sessions_reloaded')
  await rename(session, 'Post')
  await event(slow, 'session_renamed', session, ({ title }) => title === 'Post')
  assert.deepEqual(types(slow).slice(-2), ['sessions_reloaded', 'session_renamed'])
  const old = slow.frames.all.filter(({ message }) => message?.type === 'session_renamed').slice(0, -1)
  const oldBytes = old.reduce((sum, { text }) => sum + text.length, 0)
  assert.ok(oldBytes <= 64 * 1024, `${oldBytes} bytes of old events`)
})
