/*
 * /metrics: what Prometheus takes, and that what is timed is true. What the alert
 * rules and the Grafana dashboard ask of it is in alerts.test.js.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { promtool } from './lib/promtool.js'
import { until } from './lib/recorder.js'
import { RawClient, identifierOf } from './lib/raw_client.js'

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

const read = async (from = bridge) => (await fetch(`${from.origin}/metrics`, { headers: { connection: 'close' } })).text()

test('[000-36] promtool finds nothing to complain of', async () => {
  assert.equal((await promtool(['check', 'metrics'], await read())).trim(), '')
})

test('promtool would: a counter without _total, and a histogram without its help', async () => {
  await assert.rejects(promtool(['check', 'metrics'], '# HELP x_bytes Bytes.\n# TYPE x_bytes counter\nx_bytes 1\n'), /_total/)
})

test('[000-36] each stage from the emission to the socket is timed, and the whole is not less than a part', async t => {
  const session = await database.session()
  const alice = await RawClient.welcomed(bridge.cable(await database.token()))
  t.after(() => alice.close())
  const identifier = identifierOf(session)
  await alice.watch(identifier)
  const told = async () => Number(/delivery_seconds_count (\d+)/.exec(await read())[1])
  const first = await told()
  // not every one: a state that was read from the table has no emission
  for (let i = 1; i <= 30 && await told() < first + 3; i++) {
    await database.increment(session)
    await alice.message(identifier, ({ processed_count: count }) => count === i)
  }
  await until(told, count => count >= first + 3, 'three more were timed')
  const text = await read()
  const sum = (name, label = '') => Number(new RegExp(`^sync_progress_bridge_${name}_sum${label} (\\S+)$`, 'm').exec(text)[1])
  const stages = ['notify', 'hub', 'write'].map(stage => sum('stage_seconds', `\\{stage="${stage}"\\}`))
  for (const [i, seconds] of stages.entries()) assert.ok(seconds > 0, `stage ${i} took ${seconds}`)
  assert.ok(sum('delivery_seconds') > stages[2], 'with all before it')
  assert.ok(sum('delivery_seconds') < 60, 'and in seconds')
})

test('a bucket has all that are below it, and the last has all', async () => {
  const text = await read()
  const buckets = [...text.matchAll(/^sync_progress_bridge_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm)].map(([, le, count]) => [le === '+Inf' ? Infinity : Number(le), Number(count)])
  assert.ok(buckets.length > 10)
  for (let i = 1; i < buckets.length; i++) {
    assert.ok(buckets[i][0] > buckets[i - 1][0])
    assert.ok(buckets[i][1] >= buckets[i - 1][1])
  }
  assert.equal(buckets.at(-1)[1], Number(/event_loop_lag_seconds_count (\d+)/.exec(text)[1]))
})

test('what runs is known: build, start, process, connections, the queue of notifications', async () => {
  const text = await until(read, text => /notify_queue_ratio/.test(text) && /database_connections\{connection="actions"\} [1-9]/.test(text),
    'the database has said how full its queue is, and all connections to it are there')
  assert.match(text, /^sync_progress_bridge_build_info\{version="\d+\.\d+\.\d+",libwebsockets="[\d.]+",libpq="[\d.]+"\} 1$/m)
  const value = name => Number(new RegExp(`^sync_progress_bridge_${name} (\\S+)$`, 'm').exec(text)?.[1] ?? assert.fail(name))
  assert.ok(Math.abs(value('worker_start_time_seconds\\{worker="\\d"\\}') - Date.now() / 1000) < 600)
  assert.ok(value('worker_resident_bytes\\{worker="\\d"\\}') > 1_000_000)
  assert.ok(value('worker_cpu_seconds_total\\{worker="\\d"\\}') > 0)
  for (const connection of ['listen', 'query', 'actions']) assert.ok(value(`database_connections\\{connection="${connection}"\\}`) > 0, connection)
  assert.equal(value('workers'), 1)
  assert.equal(value('workers_ready'), 1)
  assert.ok(value('notify_queue_ratio') <= 1)
})

test('a connection that is lost is counted, for its kind', async () => {
  const before = await bridge.metric('database_reconnects_total{connection="listen"}')
  await database.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'bridge' AND query ~ 'sync_progress_attach|LISTEN'`)
  await until(() => bridge.metric('database_reconnects_total{connection="listen"}'), count => count > before, 'it was lost')
  await until(() => bridge.metric('database_connections{connection="listen"}'), count => count === 1, 'and is back')
})
