/*
 * Actions over the cable: what was done shows in the state that everybody gets,
 * what was refused is said to whoever asked.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'
import { StockClient } from './lib/stock_client.js'

let database
let bridge
let reader
let controller
let observer

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--log-level', 'debug', '--refused-per-minute', '0'])
  await bridge.ready()
  await bridge.line(/attached .*worker_pid=/)
  await bridge.line(/action: connected/)
  reader = await database.token('alice')
  observer = database.psql('postgres')
  controller = await database.token('alice', `scope => '{read,control}'`)
})
after(async () => {
  await observer?.end()
  await bridge?.stop()
  await database?.destroy()
})

async function open(t, token = controller) {
  const client = await RawClient.welcomed(bridge.cable(token))
  t.after(() => client.close())
  return client
}

/** A run, and a client that watches it. */
async function watched(t, token) {
  const session = await database.session()
  const client = await open(t, token)
  const identifier = identifierOf(session)
  await client.watch(identifier)
  return { session, client, identifier }
}

const perform = (client, identifier, action, data = {}) =>
  client.send({ command: 'message', identifier, data: JSON.stringify({ ...data, action }) })
const refusal = (client, identifier, action) =>
  client.message(identifier, message => message.type === 'error' && message.action === action)
const status = wanted => message => message.status === wanted
const metric = async name => {
  const text = await (await fetch(`${bridge.origin}/metrics`)).text()
  return Number(text.split('\n').find(line => line.startsWith(`sync_progress_bridge_${name} `)).split(' ')[1])
}

/** A transaction that holds the run's row until it is told to end; so many seconds it is waited for. */
async function hold(t, session, seconds = 8) {
  await database.actionsWait(seconds)
  t.after(() => database.actionsWait(1))
  const holder = database.psql('postgres')
  t.after(() => holder.end())
  holder.stdin.write(`BEGIN; SELECT FROM sync.sync_sessions WHERE id = ${session} FOR UPDATE;\n\\echo held\n`)
  await until(() => holder.stdout, text => text.includes('held'), 'the row is held')
  return () => holder.stdin.write('ROLLBACK;\n')
}

let asked = 0

/** Asks on a connection that is there already: soon. */
async function waiting(count) {
  const first = asked + 1
  await until(() => {
    observer.stdin.write(`SELECT ${++asked}, count(*) FROM pg_stat_activity WHERE usename = 'bridge' AND wait_event_type = 'Lock';\n`)
    return observer.stdout.trimEnd().split('\n').at(-1).split('|').map(Number)
  }, ([question, found]) => question >= first && found === count, `${count} wait for the row`)
}

test('[002-13] paused, resumed, cancelled, retried with the stock client: everybody who watches sees it', async t => {
  const session = await database.session()
  const clients = [new StockClient(bridge, controller), new StockClient(bridge, reader)]
  t.after(() => clients.forEach(client => client.close()))
  const [mine, other] = clients.map(client => client.watch(session))
  for (const watcher of [mine, other]) await watcher.event('connected')
  await mine.count(0)
  for (const [action, data, passes] of [
    ['pause', { message: 'by Alice' }, ({ status, message }) => status === 'paused' && message === 'by Alice'],
    ['resume', {}, status('processing')],
    ['cancel', {}, status('cancelled')],
    ['retry', {}, ({ session_id: id, status }) => id !== session && status === 'pending']
  ]) {
    const begun = performance.now()
    const from = mine.states.all.length
    mine.subscription.perform(action, data)
    const state = await mine.state(passes, action, { from })
    t.diagnostic(`${action}: ${(state.at - begun).toFixed(1)} ms`)
    await other.state(passes, action)
  }
  assert.ok(!other.states.all.some(({ type }) => type === 'error'))
})

test('[002-13] renamed, pinned and deleted: the list is told, and it is done', async t => {
  const { session, client, identifier } = await watched(t)
  const list = JSON.stringify({ channel: 'SessionsChannel' })
  client.subscribe(list)
  await client.confirmed(list)
  perform(client, identifier, 'rename', { title: 'Post', lock_version: 0 })
  perform(client, identifier, 'pin', { pinned: true, lock_version: 1 })
  perform(client, identifier, 'delete')
  await client.message(list, ({ type, data }) => type === 'session_deleted' && data.session_id === session)
  assert.deepEqual(client.messages(list).map(({ type }) => type).slice(-3), ['session_renamed', 'session_pinned', 'session_deleted'])
  await client.rejected(identifier)
})

test('without scope control: refused with 403, and nobody else is told', async t => {
  const { session, client, identifier } = await watched(t, reader)
  const other = await open(t, reader)
  await other.watch(identifier)
  perform(client, identifier, 'pause')
  const refused = await refusal(client, identifier, 'pause')
  assert.deepEqual(Object.keys(refused), ['type', 'action', 'status', 'error', 'hint'])
  assert.equal(refused.status, 403)
  assert.match(refused.error, /scope control/)
  assert.match(refused.hint, /sync_progress_token/)
  await other.barrier()
  assert.equal(other.messages(identifier).filter(({ type }) => type === 'error').length, 0)
  assert.equal((await database.row(session)).status, 'processing')
})

test('what cannot be done: 409, a stale edit with the row as it is', async t => {
  const { session, client, identifier } = await watched(t)
  perform(client, identifier, 'resume')
  const illegal = await refusal(client, identifier, 'resume')
  assert.equal(illegal.status, 409)
  assert.equal(illegal.current, undefined)
  await database.sql(`SELECT sync.sync_session_rename(${session}, 'Theirs')`)
  perform(client, identifier, 'rename', { title: 'Mine', lock_version: 0 })
  const stale = await refusal(client, identifier, 'rename')
  assert.equal(stale.status, 409)
  assert.deepEqual([stale.current.title, stale.current.lock_version], ['Theirs', 1])
  assert.equal((await database.row(session)).title, 'Theirs')
})

test('another\'s run, an unknown action, data that is none: each is refused with its reason', async t => {
  const { client, identifier } = await watched(t)
  const theirs = await database.session(undefined, 'bob')
  for (const [action, data, expected] of [
    ['pause', { session_id: theirs }, 404],
    ['explode', {}, 422],
    [`'; DROP TABLE sync.sync_sessions; --`, {}, 422],
    ['rename', { title: 42 }, 422],
    ['pin', { pinned: 'yes' }, 422],
    ['rename', { title: 'x', lock_version: 1.5 }, 422],
    ['pause', { message: 'x'.repeat(10_000) }, 422],
    ['pause', { message: 'x'.repeat(480) }, null],
    ['cancel', { message: `\u0001 '"\\ é 💥` }, null]
  ]) {
    const from = client.frames.all.length
    perform(client, identifier, action, data)
    const { message } = await client.frames.find(frame => frame.identifier === identifier &&
      (frame.message?.type === 'error' || frame.message?.message === data.message), `${action} is answered`, { from })
    assert.deepEqual([message.type, message.status], expected ? ['error', expected] : [undefined, message.status], JSON.stringify(message))
  }
  perform(client, identifier, 'a'.repeat(65))
  assert.equal((await refusal(client, identifier, '')).status, 422)
  client.send({ command: 'message', identifier, data: '{"action":"pause","message":"\\u0000"}' })
  await client.barrier()
})

test('[002-02] request_update asks for the right again, and sends the state', async t => {
  await database.sql(`
    CREATE SCHEMA app;
    CREATE TABLE app.open AS SELECT true AS yes;
    GRANT SELECT ON app.open TO PUBLIC;
    CREATE FUNCTION app.may_watch(session_id bigint, claims jsonb) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT yes FROM app.open';
    INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function)
    VALUES ('door', 'DoorChannel', 'session_id', 'sync.sync_payload(bigint[])', 'app.may_watch(bigint,jsonb)')`)
  const session = await database.session(`kind => 'door'`)
  const identifier = JSON.stringify({ channel: 'DoorChannel', session_id: session })
  const client = await open(t, reader)
  await client.watch(identifier)
  const before = client.messages(identifier).length
  perform(client, identifier, 'request_update')
  await until(() => client.messages(identifier).length, length => length > before, 'the state is sent again')
  await database.sql('UPDATE app.open SET yes = false')
  perform(client, identifier, 'request_update')
  await client.rejected(identifier)
})

test('performed in the same breath as subscribed: confirmed first', async t => {
  const session = await database.session()
  const identifier = identifierOf(session)
  const client = await open(t, reader)
  client.subscribe(identifier)
  perform(client, identifier, 'pause')
  await refusal(client, identifier, 'pause')
  assert.equal(client.frames.all.find(frame => frame.identifier === identifier).type, 'confirm_subscription')
})

test('performed and given up, or never allowed: nothing more is said', async t => {
  const { session, client, identifier } = await watched(t)
  const release = await hold(t, session, 3)
  perform(client, identifier, 'pause')
  await waiting(1)
  client.unsubscribe(identifier)
  await waiting(0)
  release()
  const theirs = identifierOf(await database.session(undefined, 'bob'))
  client.subscribe(theirs)
  perform(client, theirs, 'pause')
  await client.rejected(theirs)
  await client.barrier()
  assert.ok(!client.frames.all.some(({ message }) => message?.type === 'error'))
})

test('performed on what is not subscribed, and without an action: ignored, and counted', async t => {
  const { client, identifier } = await watched(t)
  const session = await database.session()
  const before = await metric('unknown_commands_total')
  perform(client, identifierOf(session), 'pause')
  perform(client, identifier, undefined)
  client.send({ command: 'message', identifier, data: '{"action":42}' })
  client.send({ command: 'message', identifier, data: '["pause"]' })
  await client.barrier()
  assert.equal(await metric('unknown_commands_total') - before, 4)
  assert.equal((await database.row(session)).status, 'processing')
  assert.equal(client.messages(identifier).filter(({ type }) => type === 'error').length, 0)
})

test('a row that somebody holds: told to try again when it has waited, and it holds up nobody else', async t => {
  const { session, client, identifier } = await watched(t)
  const release = await hold(t, session, 3)
  perform(client, identifier, 'pause')
  await waiting(1)
  const other = await watched(t)
  perform(other.client, other.identifier, 'pause')
  await other.client.message(other.identifier, status('paused'))
  const refused = await refusal(client, identifier, 'pause')
  assert.equal(refused.status, 503)
  release()
})

test('more than a few at a time on one connection: 429; the others are done in their order', async t => {
  const { session, client, identifier } = await watched(t)
  const release = await hold(t, session)
  for (let i = 1; i <= 8; i++) perform(client, identifier, i % 2 ? 'pause' : 'resume', { message: `the ${i}th` })
  perform(client, identifier, 'cancel')
  const refused = await refusal(client, identifier, 'cancel')
  assert.equal(refused.status, 429)
  release()
  await client.message(identifier, ({ status, message }) => status === 'processing' && message === 'the 8th')
  perform(client, identifier, 'cancel')
  await client.message(identifier, status('cancelled'))
})

test('gone while its action is under way: it is done all the same, and nothing breaks', async t => {
  const { session, client, identifier } = await watched(t)
  const release = await hold(t, session)
  for (let i = 0; i < 5; i++) perform(client, identifier, i % 2 ? 'resume' : 'pause')
  await waiting(1)
  client.close()
  await client.end()
  const other = await open(t)
  await other.watch(identifier)
  release()
  await other.message(identifier, status('paused'))
})

test('the database goes away in the middle: said so, and afterwards it works again', async t => {
  const { session, client, identifier } = await watched(t)
  await hold(t, session)
  perform(client, identifier, 'pause')
  await waiting(1)
  await database.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bridge' AND wait_event_type = 'Lock'`)
  const refused = await refusal(client, identifier, 'pause')
  assert.equal(refused.status, 503)
  assert.equal((await database.row(session)).status, 'processing')
  await database.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'`)
  await until(async () => {
    perform(client, identifier, 'pause')
    return client.messages(identifier)
  }, all => all.some(status('paused')), 'it can be paused again')
})

test('refused too often: 429, and the database is not asked', async t => {
  const strict = await Bridge.start(database.conninfo(), ['--refused-per-minute', '3'])
  t.after(() => strict.stop())
  await strict.ready()
  await strict.line(/action: connected/)
  const sessions = []
  const client = await RawClient.welcomed(strict.cable(await database.token('carla')))
  t.after(() => client.close())
  for (let i = 0; i < 5; i++) {
    const identifier = identifierOf(await database.session(undefined, 'carla'))
    sessions.push(identifier)
    await client.watch(identifier)
  }
  const statuses = []
  for (const identifier of sessions) {
    perform(client, identifier, 'pause')
    statuses.push((await refusal(client, identifier, 'pause')).status)
  }
  assert.deepEqual(statuses, [403, 403, 403, 429, 429])
})
