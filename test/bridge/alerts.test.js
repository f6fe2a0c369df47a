/*
 * The alert rules and the Grafana dashboard: what Prometheus takes, that each
 * alert fires when it should and none when all is well, and that all that they ask
 * for is in /metrics.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { guardDirectory } from './lib/programs.js'
import { promtool } from './lib/promtool.js'
import { until } from './lib/recorder.js'

const path = name => fileURLToPath(new URL(`../../bridge/monitoring/${name}`, import.meta.url))
const read = name => readFileSync(path(name), 'utf8')

const RULES = read('alerts.yml')
const GRAFANA = JSON.parse(read('grafana.json'))
const OPERATIONS = readFileSync(fileURLToPath(new URL('../../doc/operations.md', import.meta.url)), 'utf8')
const alerts = RULES.split(/^ {6}- alert: /m).slice(1).map(text => ({ name: /^\w+/.exec(text)[0], text }))

// -- the rules, over series of an hour -------------------------------------------------

const bridge = (name, labels = {}) => `sync_progress_bridge_${name}{${Object.entries({ job: 'sync-progress-bridge', instance: 'a', ...labels }).map(([key, value]) => `${key}="${value}"`).join(', ')}}`
const delivered = le => bridge('delivery_seconds_bucket', { le })
const lag = le => bridge('event_loop_lag_seconds_bucket', { le })

const UP = 'up{job="sync-progress-bridge", instance="a"}'

/** All is well, on two workers: 'n x60' stays, '0+n x60' grows by so much a minute. */
const WELL = {
  [UP]: '1x60',
  [bridge('workers')]: '2x60',
  [bridge('workers_ready')]: '2x60',
  [bridge('connections')]: '5000x60',
  [bridge('max_connections')]: '10000x60',
  [bridge('database_connections', { connection: 'listen' })]: '2x60',
  [bridge('database_connections', { connection: 'query' })]: '2x60',
  [bridge('database_reconnects_total', { connection: 'listen' })]: '1x60',
  [bridge('extension_worker_heartbeat_timestamp_seconds')]: '0+60x60',
  [delivered('0.1')]: '0+1000x60',
  [delivered('0.5')]: '0+1000x60',
  [delivered('+Inf')]: '0+1000x60',
  [lag('0.1')]: '0+600x60',
  [lag('0.5')]: '0+600x60',
  [lag('+Inf')]: '0+600x60',
  [bridge('queue_depth', { queue: 'actions' })]: '3x60',
  [bridge('queue_depth', { queue: 'subscriptions' })]: '0x60',
  [bridge('queue_depth', { queue: 'queries' })]: '1x60',
  [bridge('queue_depth', { queue: 'writes' })]: '200x60',
  [bridge('notify_queue_ratio')]: '0.001x60',
  [bridge('refused_total', { reason: 'token' })]: '0+20x60',
  [bridge('http_answers_total', { class: 'failed' })]: '0+1x60',
  [bridge('clock_skew_clamped_total')]: '0+1x60',
  [bridge('tls_certificate_expiry_timestamp_seconds')]: '7776000x60',
  [bridge('worker_start_time_seconds', { worker: '0' })]: '1000x60'
}

/** What each is for, and nothing else. */
const FIRES = {
  SyncProgressBridgeDown: { [UP]: '0x60' },
  SyncProgressNotReady: { [bridge('workers_ready')]: '1x60' },
  SyncProgressDatabaseLost: { [bridge('database_connections', { connection: 'listen' })]: '1x60' },
  SyncProgressDatabaseFlapping: { [bridge('database_reconnects_total', { connection: 'listen' })]: '0+1x60' },
  SyncProgressWorkerSilent: { [bridge('extension_worker_heartbeat_timestamp_seconds')]: '100x60' },
  SyncProgressSlow: { [delivered('0.1')]: '0+900x60' },
  SyncProgressEventLoopLag: { [lag('0.1')]: '0+500x60' },
  SyncProgressQueueDeep: { [bridge('queue_depth', { queue: 'subscriptions' })]: '101x60' },
  SyncProgressSlowClients: { [bridge('queue_depth', { queue: 'writes' })]: '600x60' },
  SyncProgressNotifyQueueFilling: { [bridge('notify_queue_ratio')]: '0.3x60' },
  SyncProgressConnectionsFull: { [bridge('connections')]: '9100x60' },
  SyncProgressRefusals: { [bridge('refused_total', { reason: 'token' })]: '0+120x60' },
  SyncProgressServerErrors: { [bridge('http_answers_total', { class: 'failed' })]: '0+10x60' },
  SyncProgressClockSkew: { [bridge('clock_skew_clamped_total')]: '0+10x60' },
  SyncProgressCertificateExpires: { [bridge('tls_certificate_expiry_timestamp_seconds')]: '864000x60' },
  SyncProgressWorkersRestart: { [bridge('worker_start_time_seconds', { worker: '0' })]: '1000+100x60' }
}

/** A case for promtool: these series, and which alert then fires. */
const caseOf = (name, series, fired) => ({
  name, interval: '1m',
  input_series: Object.entries(series).map(([series, values]) => ({ series, values })),
  promql_expr_test: [{
    expr: 'count by (alertname) (ALERTS{alertstate="firing"})', eval_time: '45m',
    exp_samples: fired ? [{ labels: `{alertname="${fired}"}`, value: 1 }] : []
  }]
})

/** Has promtool try them; JSON is YAML, too. */
async function tryRules(cases) {
  const dir = mkdtempSync(join(tmpdir(), 'sync-progress-alerts.'))
  const guard = guardDirectory(dir)
  try {
    const file = join(dir, 'cases.yml')
    writeFileSync(file, JSON.stringify({ rule_files: [path('alerts.yml')], evaluation_interval: '1m', tests: cases }))
    return await promtool(['test', 'rules', file])
  } finally {
    await guard.release()
  }
}

test('promtool takes the rules', async () => {
  assert.match(await promtool(['check', 'rules', path('alerts.yml')]), new RegExp(`SUCCESS: ${alerts.length} rules found`))
})

test('each alert says what has happened, what it means, and where it is written what to do', () => {
  assert.ok(alerts.length > 10)
  for (const { name, text } of alerts) {
    assert.match(text, /^ {8}labels: \{severity: (critical|warning)\}$/m, name)
    assert.match(text, /^ {10}summary: \S.{20,}$/m, name)
    assert.match(text, /^ {10}description: \S.{40,}\.'?$/m, name)
    assert.equal(/^ {10}runbook: (.*)$/m.exec(text)?.[1], `doc/operations.md#${name.toLowerCase()}`)
    assert.match(OPERATIONS, new RegExp(`^#+ ${name}$`, 'm'), `${name} has its section`)
  }
})

test('none fires while all is well, and of what each is for it fires alone', async () => {
  assert.deepEqual(alerts.map(({ name }) => name).sort(), Object.keys(FIRES).sort())
  for (const [name, series] of Object.entries(FIRES)) for (const key of Object.keys(series)) assert.ok(key in WELL, `${name}: ${key}`)
  await tryRules([caseOf('all is well', WELL), ...Object.entries(FIRES).map(([name, series]) => caseOf(name, { ...WELL, ...series }, name))])
})

test('these cases would notice a rule that does not fire', async () => {
  await assert.rejects(tryRules([caseOf('all is well', WELL, 'SyncProgressSlow')]), /FAILED/)
})

// -- what they ask for -----------------------------------------------------------------

let database
let running
let metrics

before(async () => {
  database = await Database.start()
  running = await Bridge.start(database.conninfo())
  await running.ready()
  metrics = await until(async () => (await fetch(`${running.origin}/metrics`, { headers: { connection: 'close' } })).text(),
    text => /notify_queue_ratio/.test(text), 'the database has said how full its queue is')
})
after(async () => {
  await running?.stop()
  await database?.destroy()
})

/** Of these expressions: each of our series with its labels, { name, labels }. */
function asked(expressions) {
  const series = expressions.flatMap(text => [...text.matchAll(/\b(sync_progress_bridge_\w+)(?:\{([^}]*)\})?/g)])
  assert.ok(series.length > 10)
  return series.map(([, name, labels = '']) => ({ name, labels: [...labels.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)].map(([, label, how, value]) => ({ label, how, value })) }))
}

/** The series that there are. */
const there = () => metrics.split('\n').filter(line => line && !line.startsWith('#')).map(line => {
  const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? /.exec(line)
  return { name, labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label, value])) }
})

/** Every alternative of every label must be there: queue=~"a|b" asks for a and for b. */
function allAreThere(expressions) {
  const all = there()
  for (const { name, labels } of asked(expressions)) {
    const named = all.filter(series => series.name === name)
    assert.ok(named.length, `${name} is in /metrics`)
    for (const { label, value } of labels.filter(({ label, value }) => !['job', 'instance', 'worker'].includes(label) && !value.startsWith('$'))) {
      for (const one of value.split('|')) assert.ok(named.some(series => series.labels[label] === one), `${name}{${label}="${one}"} is in /metrics`)
    }
  }
}

test('what the rules ask for is in /metrics', () => {
  allAreThere(alerts.map(({ text }) => /^ {8}expr: (.*)$/m.exec(text)[1]))
})

test('what the rules are tried with is in /metrics, too', () => {
  allAreThere(Object.keys(WELL).filter(series => series !== UP))
})

const panels = GRAFANA.panels.filter(({ type }) => type !== 'row')

test('what the Grafana dashboard asks for is in /metrics, by labels that there are', () => {
  const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr))
  allAreThere([...expressions, ...GRAFANA.annotations.list.map(({ expr }) => expr), ...GRAFANA.templating.list.flatMap(({ query }) => query.query ?? [])])
  const all = there()
  for (const { targets } of panels) {
    for (const { expr, legendFormat } of targets) {
      const name = /sync_progress_bridge_\w+/.exec(expr)[0]
      for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
        assert.ok(label === 'instance' || all.some(series => series.name === name && label in series.labels), `${name} has ${label}`)
      }
    }
  }
})

test('Prometheus takes what the Grafana dashboard asks', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-progress-alerts.'))
  const guard = guardDirectory(dir)
  const rules = panels.flatMap(({ id, targets }) => targets.map(({ refId, expr }) => ({ record: `panel_${id}_${refId}`, expr: expr.replaceAll('$__rate_interval', '5m') })))
  writeFileSync(join(dir, 'panels.yml'), JSON.stringify({ groups: [{ name: 'panels', rules }] }))
  assert.match(await promtool(['check', 'rules', join(dir, 'panels.yml')]), new RegExp(`SUCCESS: ${rules.length} rules found`))
  await guard.release()
})

test('its panels have names, do not overlap, and use the data source that is chosen', () => {
  const taken = new Set()
  for (const { title, gridPos: { x, y, w, h }, datasource, type } of GRAFANA.panels) {
    assert.ok(title)
    assert.ok(x + w <= 24)
    for (let i = x; i < x + w; i++) for (let j = y; j < y + h; j++) {
      assert.ok(!taken.has(`${i},${j}`), `${title} overlaps`)
      taken.add(`${i},${j}`)
    }
    if (type !== 'row') assert.equal(datasource.uid, '${datasource}')
  }
  assert.equal(new Set(GRAFANA.panels.map(({ id }) => id)).size, GRAFANA.panels.length)
})

test('what postgres_exporter is to ask works with the rights that it needs, and has each column that is described', async () => {
  const text = read('postgres_exporter.yml')
  const query = /query: \|\n((?: {4}.*\n)+)/.exec(text)[1]
  const described = [...text.matchAll(/^ {4}- (\w+): \{usage: (LABEL|GAUGE|COUNTER), description: \S.*\}$/gm)].map(([, name, usage]) => ({ name, usage }))
  await database.sql(`CREATE ROLE exporter LOGIN; SELECT sync.sync_progress_grant('exporter', 'monitor')`)
  const row = JSON.parse(await database.sql(`SELECT to_json(q) FROM (${query}) AS q`, { user: 'exporter' }))
  assert.deepEqual(Object.keys(row), described.map(({ name }) => name))
  for (const { name, usage } of described) assert.equal(usage === 'COUNTER', name.endsWith('_total'), name)
})
