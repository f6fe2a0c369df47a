/*
 * The last state always arrives, none older than the one before is sent, and
 * none that the extension's worker has not told: whatever else is going on.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { signalProcess } from './lib/programs.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

let database
let bridge
let token

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--log-level', 'debug'])
  await bridge.ready()
  token = await database.token()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

async function open(t) {
  const client = await RawClient.welcomed(bridge.cable(token))
  t.after(() => client.close())
  return client
}

const counted = count => ({ processed_count: processed }) => processed === count

function assertGrowing(states) {
  for (let i = 1; i < states.length; i++) {
    assert.ok(states[i].version > states[i - 1].version, `version ${states[i].version} after ${states[i - 1].version}`)
    assert.ok(states[i].processed_count >= states[i - 1].processed_count, `${states[i].processed_count} after ${states[i - 1].processed_count}`)
  }
}

const notify = payload => database.sql(`SELECT pg_notify('sync_progress', $forged$${typeof payload === 'string' ? payload : JSON.stringify(payload)}$forged$)`)

const MICROSECONDS_2100 = 4_102_444_800_000_000

test('[002-16] notifications that somebody else sends: their data is never sent on', async t => {
  const session = await database.session()
  const identifier = identifierOf(session)
  const client = await open(t)
  await client.watch(identifier)
  const stream = `sync:${session}`
  const forged = { session_id: session, status: 'completed', processed_count: 666, version: MICROSECONDS_2100 }
  for (const payload of [
    { stream, version: MICROSECONDS_2100, type: 'progress', final: true, owner: 'alice', emitted_at: 1, data: forged },
    { stream, version: MICROSECONDS_2100 + 1, type: 'progress', final: true },
    { stream, version: MICROSECONDS_2100, type: 'revoked', final: true },
    { stream: 'sync:900000000', version: 1, type: 'progress', data: forged },
    { stream, version: 'x', type: 'progress', data: forged },
    { stream, version: 1, type: 'progress', data: 'text' },
    { stream: 'x'.repeat(5_000), version: 1, type: 'progress', data: forged },
    { type: 'heartbeat' },
    { type: 'no such type', stream },
    '', 'nonsense', '[]', '{', `{"stream":"${stream}","stream":"x","version":1,"type":"progress"}`, '['.repeat(7_900)
  ]) await notify(payload)
  // A forged version from the far future must not hold back what is true.
  for (let count = 1; count <= 5; count++) {
    await database.increment(session, 1)
    await client.message(identifier, counted(count))
  }
  await database.complete(session)
  await client.message(identifier, ({ status }) => status === 'completed')
  const states = client.messages(identifier)
  assertGrowing(states)
  assert.ok(!states.some(counted(666)))
  assert.ok(!client.frames.all.some(({ type }) => type === 'reject_subscription'))
})

test('a hint leads to the table: what it says there is sent, though the worker has not told it', async t => {
  const session = await database.session()
  const identifier = identifierOf(session)
  const client = await open(t)
  await client.watch(identifier)
  const worker = await database.freezeWorker()
  t.after(() => signalProcess(worker, 'SIGCONT'))
  await database.sql(`UPDATE sync.sync_sessions SET processed_count = 77 WHERE id = ${session}`)
  assert.ok(!client.messages(identifier).some(counted(77)))
  await notify({ stream: `sync:${session}`, version: 1, type: 'progress', data: { processed_count: 666 } })
  await client.message(identifier, counted(77))
  assertGrowing(client.messages(identifier))
})

test('more than a notification holds: the state of a hundred accounts, read from the table', async t => {
  const accounts = Array.from({ length: 100 }, (_, i) => ({ name: `Bank ${i} of San José`, email: `account${i}@example.com`, total_count: 100 }))
  const session = await database.session(`accounts => '${JSON.stringify(accounts)}'`)
  const ids = await database.json(`SELECT json_agg(id ORDER BY position) FROM sync.sync_session_accounts WHERE sync_session_id = ${session}`)
  const identifier = identifierOf(session)
  const client = await open(t)
  await client.watch(identifier)
  for (let i = 0; i < 5; i++) {
    await database.sql(`SELECT sync.sync_progress_increment(${session}, 10, account_id => ${ids[i * 20]})`)
    await client.message(identifier, counted((i + 1) * 10))
  }
  const last = client.messages(identifier).at(-1)
  assert.equal(last.accounts.length, 100)
  assert.deepEqual(last.accounts.filter(counted(10)).map(({ id }) => id), [0, 20, 40, 60, 80].map(i => ids[i]))
  assert.ok(JSON.stringify(last).length > 7_999)
  await database.complete(session)
  await client.message(identifier, ({ status }) => status === 'completed')
  assertGrowing(client.messages(identifier))
})

test('a database that notifies hints only: the states come all the same', async t => {
  await database.sql('ALTER SYSTEM SET sync_progress.notify = hint')
  await database.sql('SELECT pg_reload_conf()')
  t.after(async () => {
    await database.sql('ALTER SYSTEM RESET sync_progress.notify')
    await database.sql('SELECT pg_reload_conf()')
  })
  const session = await database.session('total_count => 5')
  const identifier = identifierOf(session)
  const client = await open(t)
  await client.watch(identifier)
  for (let count = 1; count <= 5; count++) {
    await database.increment(session, 1)
    await client.message(identifier, counted(count))
  }
  await database.complete(session)
  await client.message(identifier, ({ status }) => status === 'completed')
  assertGrowing(client.messages(identifier))
})

/*
 * A kind whose payload, asked for by the bridge, waits for an advisory lock.
 * The query's snapshot is taken before, so what it answers is as old as the
 * lock was held long.
 */
async function createSlowKind() {
  await database.sql(`
    CREATE SCHEMA app;
    CREATE FUNCTION app.slow_payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json)
    LANGUAGE plpgsql STABLE AS $$
    BEGIN
      IF session_user = 'bridge' THEN
        PERFORM pg_advisory_lock_shared(77);
        PERFORM pg_advisory_unlock_shared(77);
      END IF;
      RETURN QUERY SELECT p.session_id, p.payload FROM sync.sync_payload(session_ids) AS p;
    END $$;
    INSERT INTO sync.sync_kinds (kind, channel, param, every_count, min_interval, every_interval, payload_function, authorize_function)
    VALUES ('slow', 'SlowChannel', 'session_id', 1, '10 milliseconds', '20 milliseconds',
      'app.slow_payload(bigint[])', 'sync.sync_may_watch(bigint,jsonb)')`)
}

async function holdLock(t) {
  const holder = database.psql('postgres')
  t.after(() => holder.end())
  holder.stdin.write('SELECT pg_advisory_lock(77);\n')
  await until(() => database.sql(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND granted`), found => found === '1', 'the lock is held')
  return {
    waitedFor: () => until(() => database.sql(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND NOT granted`),
      found => found === '1', 'the bridge\'s query waits'),
    release: () => holder.stdin.write('SELECT pg_advisory_unlock(77);\n')
  }
}

test('a notification between the query and its answer is not lost', async t => {
  await createSlowKind()
  const marker = await database.session()
  const client = await open(t)
  await client.watch(identifierOf(marker))
  for (const [round, { notice, end }] of [
    // the last one there is
    { notice: 'data', end: true },
    // the same, without the state in it
    { notice: 'hint', end: true },
    // one of many
    { notice: 'data', end: false }
  ].entries()) {
    await database.sql(`ALTER SYSTEM SET sync_progress.notify = ${notice}`)
    await database.sql('SELECT pg_reload_conf()')
    const session = await database.session(`kind => 'slow', total_count => 10`)
    await database.sql('SELECT sync.sync_progress_flush()')
    const identifier = JSON.stringify({ channel: 'SlowChannel', session_id: session })
    const lock = await holdLock(t)
    client.subscribe(identifier)
    await lock.waitedFor()
    await database.increment(session, 10)
    if (end) await database.complete(session)
    await database.sql('SELECT sync.sync_progress_flush()')
    const notified = await database.row(session)
    // Notifications arrive in order: when one with a state has come, so have all those before it.
    await database.sql('ALTER SYSTEM RESET sync_progress.notify')
    await database.sql('SELECT pg_reload_conf()')
    const from = client.frames.all.length
    await until(() => database.increment(marker, 1), () => client.frames.all.slice(from).some(({ message }) => message?.session_id === marker),
      'a later notification arrives')
    assert.equal(client.frames.all.filter(frame => frame.identifier === identifier).length, 0, 'nothing is confirmed before the answer')
    lock.release()
    const state = await client.message(identifier, ({ version }) => version >= notified.version)
    assert.deepEqual([state.processed_count, state.status], [10, end ? 'completed' : 'processing'])
    assertGrowing(client.messages(identifier))
    assert.equal(client.frames.all.find(frame => frame.identifier === identifier).type, 'confirm_subscription')
  }
})

test('rights that end between the query and its answer', async t => {
  const marker = await database.session()
  const client = await open(t)
  await client.watch(identifierOf(marker))
  const session = await database.session(`kind => 'slow', total_count => 10`)
  const identifier = JSON.stringify({ channel: 'SlowChannel', session_id: session })
  await database.sql('SELECT sync.sync_progress_flush()')
  const lock = await holdLock(t)
  client.subscribe(identifier)
  await lock.waitedFor()
  await database.sql(`DELETE FROM sync.sync_sessions WHERE id = ${session}`)
  await database.increment(marker, 1)
  await client.message(identifierOf(marker), counted(1))
  lock.release()
  await client.rejected(identifier)
})

test('a payload that cannot be made now is asked for again, and delays nobody else', async t => {
  await database.sql(`
    CREATE TABLE app.broken AS SELECT true AS yes;
    GRANT SELECT ON app.broken TO PUBLIC;
    CREATE FUNCTION app.broken_payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json)
    LANGUAGE plpgsql STABLE AS $$
    BEGIN
      IF (SELECT yes FROM app.broken) THEN RAISE 'broken'; END IF;
      RETURN QUERY SELECT p.session_id, p.payload FROM sync.sync_payload(session_ids) AS p;
    END $$;
    INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function)
    VALUES ('broken', 'BrokenChannel', 'session_id', 'app.broken_payload(bigint[])', 'sync.sync_may_watch(bigint,jsonb)')`)
  const session = await database.session(`kind => 'broken', total_count => 10`)
  const sound = await database.session()
  const identifier = JSON.stringify({ channel: 'BrokenChannel', session_id: session })
  const client = await open(t)
  client.subscribe(identifier)
  await client.watch(identifierOf(sound))
  await database.increment(sound, 1)
  await client.message(identifierOf(sound), counted(1))
  assert.ok(!client.frames.all.some(frame => frame.identifier === identifier), 'neither confirmed nor rejected')
  await database.sql('UPDATE app.broken SET yes = false')
  await client.message(identifier)
  assert.equal(client.frames.all.find(frame => frame.identifier === identifier).type, 'confirm_subscription')
})

test('a payload that takes for ever delays others only for seconds', async t => {
  const client = await open(t)
  const session = await database.session(`kind => 'slow', total_count => 10`)
  const sound = await database.session()
  const slow = JSON.stringify({ channel: 'SlowChannel', session_id: session })
  const lock = await holdLock(t)
  client.subscribe(slow)
  client.subscribe(identifierOf(sound))
  await client.message(identifierOf(sound), undefined, { ms: 20_000 })
  assert.ok(!client.frames.all.some(frame => frame.identifier === slow), 'neither confirmed nor rejected')
  lock.release()
  await client.message(slow)
})

test('a client that does not read holds up nobody, and wakes to the newest state', async t => {
  const accounts = Array.from({ length: 200 }, (_, i) => ({ name: `Bank ${i} of San José`, email: `account${i}@example.com`, total_count: 10_000 }))
  const session = await database.session(`accounts => '${JSON.stringify(accounts)}'`)
  const identifier = identifierOf(session)
  const slow = await open(t)
  const quick = await open(t)
  await slow.watch(identifier)
  await quick.watch(identifier)
  slow.socket.pause()
  const told = 150
  let slowest = 0
  for (let count = 1; count <= told; count++) {
    await database.increment(session, 1)
    const committed = performance.now()
    await quick.message(identifier, ({ processed_count: processed }) => processed >= count)
    slowest = Math.max(slowest, performance.now() - committed)
  }
  const sent = quick.messages(identifier).length
  const bytes = quick.frames.all.reduce((sum, { text }) => sum + text.length, 0)
  // if it had to wait for the slow one, it would wait for ever
  assert.ok(slowest < 5_000, `the quick one waited ${slowest.toFixed(0)} ms`)
  slow.socket.resume()
  await slow.message(identifier, counted(told))
  const states = slow.messages(identifier)
  assertGrowing(states)
  t.diagnostic(`quick: ${sent} states, ${bytes} bytes; slow: ${states.length} states`)
  // What did not fit into the kernel's buffers was not queued, but left out.
  assert.ok(states.length < sent / 2, `the slow one was sent ${states.length} of ${sent} states`)
  // and it goes on
  await database.complete(session)
  await slow.message(identifier, ({ status }) => status === 'completed')
})

test('while thousands of increments come in, each watcher who comes sees states that only grow', async t => {
  const session = await database.session('total_count => 40000')
  const identifier = identifierOf(session)
  const early = await open(t)
  await early.watch(identifier)
  const workers = Array.from({ length: 4 }, () => {
    const worker = database.psql()
    worker.stdin.end(`SELECT sync.sync_progress_increment(${session});\n`.repeat(2_500))
    return worker
  })
  let ended = false
  const end = Promise.all(workers.map(worker => worker.ended)).then(statuses => {
    ended = true
    return statuses
  })
  const late = []
  while (!ended && late.length < 100) {
    const client = await open(t)
    await client.watch(identifier)
    late.push(client)
  }
  assert.deepEqual(await end, [0, 0, 0, 0])
  await database.complete(session)
  for (const client of [early, ...late]) {
    const last = await client.message(identifier, ({ status }) => status === 'completed')
    assert.equal(last.processed_count, 10_000)
    assertGrowing(client.messages(identifier))
  }
  assert.ok(early.messages(identifier).length > 5, `${early.messages(identifier).length} states`)
})
