/*
 * Many at once: all who come back, all who are asked about again, and more
 * notifications than anybody needs.  Few questions, bounded memory, and the
 * last state arrives.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { Bridge, memoryMax } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

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

const is = processed => state => state.processed_count === processed

/** One of the bridge's own numbers. */
async function metric(name) {
  const text = await (await fetch(`${bridge.origin}/metrics`)).text()
  return Number(new RegExp(`^sync_progress_bridge_${name} (\\d+)`, 'm').exec(text)[1])
}

/** How often the bridge has asked the database anything, a sign of life every five seconds included. */
const asked = () => metric('queries_total')

async function sessions(count) {
  const ids = await database.sql(`SELECT sync.sync_session_start('alice', total_count => 1000) FROM generate_series(1, ${count})`, { user: 'app' })
  await database.sql('SELECT sync.sync_progress_flush()')
  return ids.split('\n').map(Number)
}

async function clientsOf(t, count, on = bridge) {
  const clients = await Promise.all(Array.from({ length: count }, () => RawClient.welcomed(on.cable(token))))
  t.after(() => clients.forEach(client => client.close()))
  return clients
}

const frames = clients => clients.reduce((sum, client) => sum + client.frames.all.filter(({ message, identifier }) => message && identifier).length, 0)

test('six hundred subscriptions after an outage: asked for again in batches, and only the change is sent', async t => {
  const ids = await sessions(600)
  const clients = await clientsOf(t, 10)
  await Promise.all(ids.map((id, i) => clients[i % 10].watch(identifierOf(id))))
  const [before, sent] = [await asked(), frames(clients)]
  const began = performance.now()
  await database.stop()
  await bridge.ready(503)
  await database.start()
  await bridge.ready()
  await database.increment(ids[0], 1)
  await clients[0].message(identifierOf(ids[0]), is(1), { ms: 20_000 })
  const questions = await asked() - before
  t.diagnostic(`${questions} questions`)
  // 256 in each, twice if the worker came up after the bridge; the keys, the change, signs of life
  const signs = Math.ceil((performance.now() - began) / 5_000)
  assert.ok(questions <= 2 * 3 + 4 + signs, `${questions} questions, ${signs} signs of life among them`)
  // What is asked last is answered last, and is sent in any case.
  await Promise.all(clients.map(async (client, i) => {
    const from = client.frames.all.length
    client.send({ command: 'message', identifier: identifierOf(ids[i]), data: JSON.stringify({ action: 'request_update' }) })
    await client.frames.find(({ message, identifier }) => message && identifier === identifierOf(ids[i]), 'what was asked for', { from })
  }))
  assert.equal(frames(clients), sent + 1 + clients.length, 'nothing that is not new')
})

test('six hundred who come one after the other: few questions, none waits for long', async t => {
  const ids = await sessions(600)
  const clients = await clientsOf(t, 10)
  const before = await asked()
  const began = performance.now()
  const waits = []
  for (const [i, id] of ids.entries()) {
    const at = performance.now()
    waits.push(clients[i % 10].watch(identifierOf(id)).then(() => performance.now() - at))
    // a turn of the bridge's loop each, or nearly
    await new Promise(resolve => setImmediate(resolve))
  }
  await Promise.all(waits)
  const seconds = (performance.now() - began) / 1000
  const questions = await asked() - before
  const slowest = Math.max(...await Promise.all(waits))
  t.diagnostic(`${questions} questions in ${seconds.toFixed(2)} s, the slowest took ${Math.round(slowest)} ms`)
  assert.ok(questions <= 10 + 13 * seconds, `${questions} questions in ${seconds} s`)
})

test('questions that take too long are asked again in halves, and answered when they can be', async t => {
  const ids = await sessions(40)
  const [client] = await clientsOf(t, 1)
  const holder = database.psql('postgres')
  t.after(() => holder.end())
  holder.stdin.write('BEGIN;\nLOCK sync.sync_sessions IN ACCESS EXCLUSIVE MODE;\n')
  await until(() => database.sql(`SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'sync.sync_sessions'::regclass`),
    count => count === '1', 'the table is locked')
  for (const id of ids) client.subscribe(identifierOf(id))
  await bridge.line(/sync_progress_subscribe failed: canceling statement due to statement timeout/)
  assert.equal((await fetch(`${bridge.origin}/readyz`)).status, 200, 'slow is not away')
  assert.ok(!client.frames.all.some(({ identifier }) => identifier), 'neither confirmed nor rejected')
  holder.stdin.write('COMMIT;\n')
  for (const id of ids) await client.message(identifierOf(id), undefined, { ms: 30_000 })
})

test('a slow authorize function delays others only for seconds', async t => {
  await database.sql(`
    CREATE SCHEMA app;
    CREATE FUNCTION app.slow_authorize(session_id bigint, claims jsonb) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
    BEGIN
      PERFORM pg_sleep(60);
      RETURN true;
    END $$;
    INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function)
    VALUES ('slow', 'SlowChannel', 'session_id', 'sync.sync_payload(bigint[])', 'app.slow_authorize(bigint,jsonb)')`)
  const slow = await database.session(`kind => 'slow'`)
  const sound = await sessions(20)
  const [client] = await clientsOf(t, 1)
  client.subscribe(JSON.stringify({ channel: 'SlowChannel', session_id: slow }))
  for (const id of sound) client.subscribe(identifierOf(id))
  const began = performance.now()
  for (const id of sound) await client.message(identifierOf(id), undefined, { ms: 20_000 })
  t.diagnostic(`${Math.round(performance.now() - began)} ms`)
  await client.rejected(JSON.stringify({ channel: 'SlowChannel', session_id: slow }))
})

const memoryKb = pid => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1])

const notifications = () => metric('notifications_total')

test('a flood of forged notifications: they cost memory for none, and what is true arrives', async t => {
  const [watched, other] = await sessions(2)
  const [client] = await clientsOf(t, 1)
  await client.watch(identifierOf(watched))
  const flood = async round => {
    await database.sql(`SELECT count(pg_notify('sync_progress', json_build_object('stream', CASE WHEN i % 100 = 0 THEN 'sync:${watched}' ELSE 'sync:x' || i END,
        'version', ${round} + i, 'type', CASE WHEN i % 1000 = 0 THEN 'revoked' ELSE 'progress' END, 'final', true, 'data', json_build_object('processed_count', 666, 'filler', repeat('x', 200)))::text))
      FROM generate_series(${round} * 10000 + 1, ${round} * 10000 + 10000) AS i`)
  }
  await flood(0)
  const before = memoryKb(bridge.pid)
  const from = await notifications()
  const began = performance.now()
  let count = 0
  for (let round = 1; round <= 5; round++) {
    await flood(round)
    // somebody subscribes meanwhile, so that notifications are kept by name
    client.subscribe(identifierOf(other))
    await database.increment(watched, 1)
    await client.message(identifierOf(watched), is(++count), { ms: 20_000 })
    await client.message(identifierOf(other))
    client.unsubscribe(identifierOf(other))
    client.frames.all = client.frames.all.filter(({ identifier }) => identifier !== identifierOf(other))
  }
  const total = await until(notifications, now => now - from >= 50_000, 'all of them have come')
  const seconds = (performance.now() - began) / 1000
  const grown = memoryKb(bridge.pid) - before
  t.diagnostic(`${total - from} in ${seconds.toFixed(1)} s; memory grew by ${grown} kB`)
  assert.ok(grown < memoryMax(16_384), `memory grew by ${grown} kB`)
  assert.ok(!client.messages(identifierOf(watched)).some(is(666)))
  assert.ok(!client.frames.all.some(({ type }) => type === 'reject_subscription'))
})
