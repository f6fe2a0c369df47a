/*
 * What is restarted, killed or not there yet: watchers end up with the newest
 * state, whatever it was that went away.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { signalProcess } from './lib/programs.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'
import { StockClient } from './lib/stock_client.js'

/** The stock client looks at its connection each 6 to 14 s, and needs two looks at worst. */
const STOCK_RECONNECT_MS = 40_000

let database
let bridge
let token

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo())
  await bridge.ready()
  token = await database.token('alice')
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

async function watch(t, session, on = bridge) {
  const client = await RawClient.welcomed(on.cable(token))
  t.after(() => client.close())
  await client.watch(identifierOf(session))
  return client
}

function stockClient(t) {
  const client = new StockClient(bridge, token)
  t.after(() => client.close())
  return client
}

const is = (processed, status) => state => state.processed_count === processed && (!status || state.status === status)

function assertGrowing(states) {
  for (let i = 1; i < states.length; i++) {
    assert.ok(states[i].version > states[i - 1].version, `version ${states[i].version} after ${states[i - 1].version}`)
  }
}

for (const mode of ['fast', 'immediate']) {
  test(`[000-05] [000-21] the database is restarted (${mode}): watchers keep their connection and get the newest state`, async t => {
    const [live, ended, quiet] = [await database.session(), await database.session('total_count => 10'), await database.session()]
    // Or that they are new might be told again, to who is watching by then.
    await database.sql('SELECT sync.sync_progress_flush()')
    const client = await watch(t, live)
    const stock = stockClient(t)
    const watchers = [live, ended, quiet].map(session => stock.watch(session))
    for (const watcher of watchers) await watcher.state(() => true, 'anything')
    // Committed, and gone before anybody can have been told.
    await database.sql(`SELECT sync.sync_progress_increment(${live}, 7); SELECT sync.sync_progress_increment(${ended}, 10);
      SELECT sync.sync_session_complete(${ended})`, { user: 'app' })
    await database.stop(mode)
    await bridge.ready(503)
    await database.start()
    await client.message(identifierOf(live), is(7), { ms: 20_000 })
    await watchers[0].state(is(7), 'processed_count 7', { ms: 20_000 })
    const last = await watchers[1].state(is(10, 'completed'), 'status completed', { ms: 20_000 })
    assert.equal(last.progress_percentage, 100)
    await bridge.ready()
    await database.increment(live, 1)
    await client.message(identifierOf(live), is(8))
    await watchers[0].count(8)
    assertGrowing(client.messages(identifierOf(live)))
    assert.equal(stock.sockets.length, 1, 'the stock client never had to reconnect')
    // What did not change was not sent again.
    assert.equal(watchers[2].states.all.length, 1)
    assert.deepEqual(watchers.map(watcher => watcher.subscriptionState), [['connected'], ['connected'], ['connected']])
  })
}

test('what was revoked while the database was away is cut off when it is back', async t => {
  const [kept, deleted] = [await database.session(), await database.session()]
  const client = await watch(t, kept)
  await client.watch(identifierOf(deleted))
  await database.stop()
  await bridge.ready(503)
  // The bridge must not be there when it happens.
  signalProcess(bridge.pid, 'SIGSTOP')
  t.after(() => signalProcess(bridge.pid, 'SIGCONT'))
  await database.start()
  await database.sql(`DELETE FROM sync.sync_sessions WHERE id = ${deleted}`)
  await database.sql('SELECT sync.sync_progress_flush()')
  signalProcess(bridge.pid, 'SIGCONT')
  await client.rejected(identifierOf(deleted))
  await database.increment(kept, 1)
  await client.message(identifierOf(kept), is(1))
})

test('the extension\'s worker is terminated again and again: everything is told', async t => {
  const session = await database.session('total_count => 40')
  const client = await watch(t, session)
  for (let round = 1; round <= 4; round++) {
    await database.sql(`SELECT sync.sync_progress_increment(${session}, 10);
      SELECT pg_terminate_backend(worker_pid) FROM sync.pg_stat_sync_progress WHERE worker_pid IS NOT NULL`)
    await client.message(identifierOf(session), is(round * 10))
  }
  await database.complete(session)
  await client.message(identifierOf(session), is(40, 'completed'))
  assertGrowing(client.messages(identifierOf(session)))
})

test('the bridge\'s own connections are terminated: it comes back by itself', async t => {
  const session = await database.session()
  const client = await watch(t, session)
  for (let round = 1; round <= 2; round++) {
    const ended = await database.sql(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'bridge'`)
    assert.ok(Number(ended) >= 1)
    await database.increment(session, 1)
    await client.message(identifierOf(session), is(round), { ms: 15_000 })
  }
  await bridge.ready()
})

test('a connection to the database that is open but dead is found, and replaced', async t => {
  await database.sql(`ALTER SYSTEM SET sync_progress.heartbeat_interval = '500ms'`)
  await database.sql('SELECT pg_reload_conf()')
  t.after(async () => {
    await database.sql('ALTER SYSTEM RESET sync_progress.heartbeat_interval')
    await database.sql('SELECT pg_reload_conf()')
  })
  const session = await database.session()
  // a bridge of its own, which learns of that interval when it attaches
  const other = await Bridge.start(database.conninfo())
  t.after(() => other.stop())
  await other.ready()
  const client = await watch(t, session, other)
  const [, listener] = /listen: connected .*pid=(\d+)/.exec(other.log)
  const frozen = Number(listener)
  signalProcess(frozen, 'SIGSTOP')
  t.after(() => signalProcess(frozen, 'SIGCONT'))
  await database.increment(session, 1)
  await client.message(identifierOf(session), is(1), { ms: 15_000 })
  assert.notEqual(Number(/listen: connected .*pid=(\d+)(?![^]*listen: connected)/.exec(other.log)[1]), frozen)
})

test('two bridges on one database: both tell everything', async t => {
  const session = await database.session('total_count => 5')
  const other = await Bridge.start(database.conninfo())
  t.after(() => other.stop())
  await other.ready()
  const clients = [await watch(t, session), await watch(t, session, other)]
  for (let count = 1; count <= 5; count++) {
    await database.increment(session, 1)
    for (const client of clients) await client.message(identifierOf(session), is(count))
  }
  assert.equal(await other.stop(), 0)
  await database.complete(session)
  await clients[0].message(identifierOf(session), is(5, 'completed'))
})

test('another channel to notify on, and a schema of another name: the bridge finds both', async t => {
  await database.sql(`ALTER SYSTEM SET sync_progress.channel = 'Another "channel"'`)
  await database.sql('CREATE DATABASE odd', { database: 'postgres' })
  await database.sql('CREATE SCHEMA "Sync Progress"; CREATE EXTENSION sync_progress SCHEMA "Sync Progress"', { database: 'odd' })
  const session = await database.session()
  const client = await watch(t, session)
  await database.restart()
  t.after(async () => {
    await database.sql('ALTER SYSTEM RESET sync_progress.channel')
    await database.restart()
    await bridge.ready()
  })
  await database.increment(session, 1)
  await client.message(identifierOf(session), is(1), { ms: 20_000 })
  await database.increment(session, 1)
  await client.message(identifierOf(session), is(2))
  const other = await Bridge.start(database.conninfo('postgres', 'odd'), ['--auth', 'none'])
  t.after(() => other.stop())
  await other.ready()
  const odd = await database.sql(`SELECT "Sync Progress".sync_session_start('alice', total_count => 5)`, { database: 'odd' })
  const watcher = await watch(t, odd, other)
  await database.sql(`SELECT "Sync Progress".sync_progress_increment(${odd}, 3)`, { database: 'odd' })
  await watcher.message(identifierOf(odd), is(3))
})

test('a backend is killed with kill -9 amid increments: nothing acknowledged is lost, and watchers see it', async t => {
  const session = await database.session('total_count => 1000000')
  const steady = await watch(t, session)
  const workers = Array.from({ length: 4 }, () => {
    const worker = database.psql()
    worker.stdin.end(`SELECT sync.sync_progress_increment(${session});\n`.repeat(50_000))
    return worker
  })
  await steady.message(identifierOf(session), ({ processed_count: count }) => count > 500)
  const victim = await database.sql(`SELECT min(pid) FROM pg_stat_activity WHERE usename = 'app' AND query LIKE '%increment%'`)
  assert.ok(Number(victim) > 0, 'the workers are at work') // 0 would be whoever runs this test
  signalProcess(Number(victim), 'SIGKILL')
  await Promise.all(workers.map(worker => worker.ended))
  const acknowledged = workers.reduce((sum, worker) => sum + worker.stdout.split('\n').filter(Boolean).length, 0)
  assert.ok(acknowledged < 200_000, 'the workers were interrupted')
  // Recovery refuses connections for a while.
  const count = Number(await until(() => database.sql(`SELECT processed_count FROM sync.sync_progress(${session})`).catch(() => null),
    answer => answer !== null, 'the database has recovered'))
  t.diagnostic(`${acknowledged} acknowledged, ${count} counted`)
  assert.ok(count >= acknowledged && count <= acknowledged + workers.length, `${acknowledged} acknowledged, ${count} counted`)
  await steady.message(identifierOf(session), is(count), { ms: 20_000 })
  const reconnected = await watch(t, session)
  await reconnected.message(identifierOf(session), is(count))
  await database.complete(session)
  await steady.message(identifierOf(session), is(count, 'completed'))
  assertGrowing(steady.messages(identifierOf(session)))
})

test('[000-05] the bridge is killed and started again: the stock client comes back to the newest state', async t => {
  const [live, ended] = [await database.session(), await database.session('total_count => 10')]
  const stock = stockClient(t)
  const watchers = [live, ended].map(session => stock.watch(session))
  for (const watcher of watchers) await watcher.state(() => true, 'anything')
  assert.equal(await bridge.stop('SIGKILL'), 'SIGKILL')
  for (const watcher of watchers) assert.equal((await watcher.event('disconnected')).willAttemptReconnect, true)
  await database.increment(live, 42)
  await database.increment(ended, 10)
  await database.complete(ended)
  await bridge.start()
  await watchers[0].state(is(42), 'processed_count 42', { ms: STOCK_RECONNECT_MS })
  await watchers[1].state(is(10, 'completed'), 'status completed', { ms: STOCK_RECONNECT_MS })
  await database.increment(live, 1)
  await watchers[0].count(43)
})

test('[000-05] SIGTERM: told to come again, closed, exit 0; the stock client comes again', async t => {
  const session = await database.session()
  const clients = []
  for (let i = 0; i < 20; i++) clients.push(await watch(t, session))
  const stock = stockClient(t)
  const watcher = stock.watch(session)
  await watcher.state(() => true, 'anything')
  assert.equal(await bridge.stop('SIGTERM'), 0)
  for (const client of clients) {
    assert.deepEqual(await client.end(), { code: 1000, reason: '' })
    const { type, reason, reconnect } = client.frames.all.at(-1)
    assert.deepEqual({ type, reason, reconnect }, { type: 'disconnect', reason: 'server_restart', reconnect: true })
  }
  await database.increment(session, 3)
  await bridge.start()
  await watcher.state(is(3), 'processed_count 3', { ms: STOCK_RECONNECT_MS })
})

test('SIGTERM with a client that does not read: exit 0 all the same', async t => {
  const other = await Bridge.start(database.conninfo())
  t.after(() => other.stop())
  await other.ready()
  const accounts = Array.from({ length: 200 }, (_, i) => ({ name: `Bank ${i} of San José`, total_count: 10_000 }))
  const session = await database.session(`accounts => '${JSON.stringify(accounts)}'`)
  const [slow, quick] = [await watch(t, session, other), await watch(t, session, other)]
  slow.socket.pause()
  for (let count = 1; count <= 60; count++) {
    await database.increment(session, 1)
    await quick.message(identifierOf(session), is(count))
  }
  assert.equal(await other.stop('SIGTERM'), 0)
})

test('SIGTERM and SIGINT with nobody there, and before the database is reached: exit 0', async () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    const idle = await Bridge.start(database.conninfo())
    assert.equal(await idle.stop(signal), 0)
    const lost = await Bridge.start('host=/no/such/directory')
    assert.equal(await lost.stop(signal), 0)
  }
})

test('started while the database is down: serves when it comes, those who waited too', async t => {
  const session = await database.session()
  await database.stop()
  const early = await Bridge.start(database.conninfo())
  t.after(() => early.stop())
  await early.line(/no database, still trying: .*hint: is PostgreSQL running there/)
  assert.equal((await fetch(`${early.origin}/healthz`)).status, 200)
  assert.equal((await fetch(`${early.origin}/readyz`)).status, 503)
  const client = await RawClient.open(early.cable(token))
  t.after(() => client.close())
  client.subscribe(identifierOf(session))
  assert.deepEqual(client.frames.all, [])
  await database.start()
  await client.type('welcome')
  await client.message(identifierOf(session))
  await database.increment(session, 5)
  await client.message(identifierOf(session), is(5))
  await early.ready()
  // the one that was there before finds it again as well
  await bridge.ready()
})

test('a database without the extension: says so, and serves once it is created', async t => {
  await database.sql('CREATE DATABASE bare', { database: 'postgres' })
  const early = await Bridge.start(database.conninfo('postgres', 'bare'), ['--auth', 'none'])
  t.after(() => early.stop())
  await early.line(/the extension is not installed in this database: run CREATE EXTENSION sync_progress in database "bare"/)
  // it has two connections to the database, and this is the other one
  await until(async () => (await fetch(`${early.origin}/readyz`)).text(), text => text.startsWith('not ready: the extension is not installed'), '/readyz says why')
  await database.sql('CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync', { database: 'bare' })
  await early.ready()
  const session = await database.sql(`SELECT sync.sync_session_start('alice', total_count => 5)`, { database: 'bare' })
  const client = await RawClient.welcomed(early.cable())
  t.after(() => client.close())
  await client.watch(identifierOf(session))
  await database.sql(`SELECT sync.sync_progress_increment(${session}, 5)`, { database: 'bare' })
  await client.message(identifierOf(session), is(5))
})

test('a role without the grants: the log names what to do', async t => {
  const denied = await Bridge.start(database.conninfo('app'))
  t.after(() => denied.stop())
  await denied.line(/permission denied.*hint: grant the bridge's role EXECUTE/)
})
