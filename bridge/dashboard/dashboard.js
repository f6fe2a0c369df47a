/*
 * dashboard.js: what the bridge says once a second, shown.
 *
 * "history" comes once, with the charts of the last five minutes; "now" comes
 * each second. When nothing has come for three seconds, what is shown is old, and
 * looks it. Nothing is ever set as HTML, and a table's rows stay where they are.
 */
import { Chart, SECONDS, Sparkline } from './charts.js'

const STALE_MS = 3_000
const DEAD_MS = 12_000
const RETRY_MS = [1_000, 2_000, 5_000]

const POINT = { in: 0, out: 1, bytes: 2, conflated: 3, connections: 4, p50: 5, p95: 6, p99: 7 }

const STAGES = {
  notify: ['Worker → bridge', 'NOTIFY sent, until it was read here; by the clocks of both machines'],
  hub: ['Read → told', 'until everything that came with it was read'],
  write: ['Told → socket', 'until it was written to each watcher, those before it included'],
  delivery: ['The whole way', 'from emission to each watcher’s socket'],
  late: ['Slow watchers', 'states that waited until their client had taken the one before'],
  loop: ['Event loop', 'how late it comes to what is due']
}

const QUEUES = {
  writes: 'clients that take nothing', subscriptions: 'subscriptions to check', queries: 'queries under way',
  actions: 'actions without a connection', notifications: 'notifications kept back'
}

const at = id => document.getElementById(id)

// -- words -------------------------------------------------------------------------

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })

const count = value => (value == null ? '–' : value < 100_000 ? whole.format(value) : short.format(value))
const rate = value => (value == null ? '–' : value === 0 ? '0' : value < 10 ? value.toFixed(1).replace(/\.0$/, '') : count(value))

/** [number, unit], so that the unit can be smaller. */
function milliseconds(ms) {
  if (ms == null) return ['–', '']
  const [value, unit] = ms < 1_000 ? [ms, 'ms'] : [ms / 1_000, 's']
  return [value < 1 ? String(Number(value.toFixed(2))) : value < 9.95 ? String(Number(value.toFixed(1))) : whole.format(value), unit]
}

function bytes(value) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let i = 0
  for (; value >= 1_000 && i < units.length - 1; i++) value /= 1_000
  return [i === 0 || value >= 100 ? whole.format(value) : value.toFixed(value < 10 ? 1 : 0), units[i]]
}

function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds))
  if (s < 60) return `${s} s`
  if (s < 3_600) return `${Math.floor(s / 60)} min ${s % 60} s`
  if (s < 86_400) return `${Math.floor(s / 3_600)} h ${Math.floor((s % 3_600) / 60)} min`
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3_600)} h`
}

const ms = value => milliseconds(value).join(' ').trim()

// -- elements ------------------------------------------------------------------------

function say(node, text) {
  if (node.textContent !== text) node.textContent = text
}

function figure(id, [number, unit = '']) {
  const node = at(id)
  const text = `${number} ${unit}`
  if (node.dataset.text === text) return
  node.dataset.text = text
  node.replaceChildren(number)
  if (!unit) return
  const small = document.createElement('small')
  small.textContent = unit
  node.append(small)
}

/** state: good, warn, bad; each has a sign of its own, too. */
function pill(node, state, text) {
  node.dataset.state = state
  const sign = { good: '✓', warn: '!', bad: '✕', unknown: '…' }[state]
  if (node.dataset.text === sign + text) return
  node.dataset.text = sign + text
  const mark = document.createElement('b')
  mark.ariaHidden = 'true'
  mark.textContent = sign
  const words = document.createElement('span')
  words.textContent = text
  node.replaceChildren(mark, words)
}

/** As many rows as there are items; fill(row, item) says what is in one. */
function rows(table, items, columns, fill, none) {
  const body = table.tBodies[0]
  const wanted = items.length || (none ? 1 : 0)
  if (body.dataset.none !== String(!items.length)) body.replaceChildren()
  body.dataset.none = String(!items.length)
  while (body.rows.length > wanted) body.deleteRow(-1)
  while (body.rows.length < wanted) {
    const row = body.insertRow()
    const cells = items.length ? columns : 1
    for (let i = 0; i < cells; i++) row.insertCell()
    if (!items.length) {
      row.cells[0].colSpan = columns
      row.cells[0].className = 'empty'
      row.cells[0].textContent = none
    }
  }
  items.forEach((item, i) => fill([...body.rows[i].cells], item, body.rows[i]))
}

/** The first cell of a row, with a bar behind it. */
function bar(cell, text, part, state = '') {
  if (!cell.firstChild) cell.append(document.createElement('i'), document.createElement('span'))
  cell.firstChild.style.setProperty('--part', `${Math.round(Math.min(Math.max(part, 0), 1) * 100)}%`)
  say(cell.lastChild, text)
  cell.title = text
  cell.dataset.state = state
}

function number(cell, text, name = '') {
  cell.className = `n ${name}`.trim()
  say(cell, text)
}

/** Pairs of a name and a value; one without a value is left out. */
function list(node, pairs) {
  const shown = pairs.filter(([, value]) => value != null && value !== '')
  while (node.children.length > shown.length * 2) node.lastChild.remove()
  while (node.children.length < shown.length * 2) node.append(document.createElement('dt'), document.createElement('dd'))
  shown.forEach(([name, value], i) => {
    say(node.children[2 * i], name)
    // a number keeps its unit
    say(node.children[2 * i + 1], String(value).replace(/(\d) (?=(?:ms|s|min|h|d|[kMGT]?B)\b)/g, '$1\u00a0'))
  })
}

// -- charts ----------------------------------------------------------------------------

let points = []
let limits = { latency_ms: 0, depth: 0, connections: 0 }

const column = name => points.map(point => point[POINT[name]])

const latency = new Chart(at('latency-chart'), { names: ['p50', 'p95', 'p99'], range: [0.1, 10_000], show: ms, limit: () => limits.latency_ms })
const throughput = new Chart(at('throughput-chart'), { names: ['out', 'in', 'conflated'], range: [1, 100], show: rate, filled: true })
const sparks = ['connections', 'in', 'out', 'p95', 'bytes'].map(name => [name, new Sparkline(at(`spark-${name}`))])

function drawCharts() {
  latency.draw(['p50', 'p95', 'p99'].map(column))
  throughput.draw(['out', 'in', 'conflated'].map(column))
  for (const [name, spark] of sparks) spark.draw(column(name))
  drawTable('latency-table', ['p50', 'p95', 'p99'], ms)
  drawTable('throughput-table', ['out', 'in', 'conflated'], rate)
}

/** What the chart shows, each ten seconds, while somebody has opened it. */
function drawTable(id, names, show) {
  const table = at(id)
  if (!table.closest('details').open) return
  const ago = [0, 10, 20, 30, 40, 50, 60, 120, 180, 240].filter(seconds => seconds < points.length)
  rows(table, ago, names.length + 1, (cells, seconds) => {
    say(cells[0], String(seconds))
    names.forEach((name, i) => say(cells[i + 1], show(points.at(-1 - seconds)[POINT[name]])))
  }, 'nothing yet')
}

// -- sections --------------------------------------------------------------------------

function showTiles(now, point) {
  figure('connections', [count(now.connections)])
  say(at('connections-note'), `${count(now.cables)} cable · ${count(now.streams)} SSE`)
  at('connections').closest('.tile').dataset.state = now.connections >= limits.connections ? 'bad' : ''
  figure('subscriptions', [count(now.subscriptions)])
  say(at('subscriptions-note'), now.connections ? `${rate(now.subscriptions / now.connections)} a connection` : 'nobody is connected')
  figure('in', [rate(point[POINT.in]), '/s'])
  say(at('in-note'), `${count(now.notifications)} in all`)
  figure('out', [rate(point[POINT.out]), '/s'])
  say(at('out-note'), `${count(now.states + now.events)} in all`)
  say(at('conflated-note'), `${count(now.conflated)} conflated so far: a newer state came before they could be sent`)
  figure('bytes', (([value, unit]) => [value, `${unit}/s`])(bytes(point[POINT.bytes])))
  say(at('bytes-note'), `${bytes(now.bytes).join(' ')} in all`)
  const whole = now.stages.find(({ name }) => name === 'delivery')
  figure('p95', milliseconds(whole.p95))
  say(at('p95-note'), whole.count ? `half within ${ms(whole.p50)}` : 'none in a minute')
  at('p95').closest('.tile').dataset.state = now.alarms.latency ? 'bad' : ''
}

/** Where this is on the ruler, from 0.1 ms to 10 s. */
const onRuler = value => `${Math.min(Math.max((Math.log10(Math.max(value, 0.1)) + 1) / 5, 0), 1) * 100}%`

function showRange(cell, stage) {
  if (!cell.firstChild) {
    const range = document.createElement('div')
    range.className = 'range'
    range.ariaHidden = 'true'
    range.append(document.createElement('i'), document.createElement('b'), document.createElement('u'))
    cell.append(range)
  }
  const { style, dataset } = cell.firstChild
  // the alarm is about these: who is slow himself, and the loop alone, are not
  const isLimited = limits.latency_ms > 0 && !['late', 'loop'].includes(stage.name)
  const isOver = isLimited && stage.p95 > limits.latency_ms
  dataset.state = stage.count === 0 ? 'none' : isOver ? 'bad' : ''
  cell.firstChild.lastChild.hidden = !isLimited
  style.setProperty('--limit', onRuler(limits.latency_ms))
  if (stage.count === 0) return
  style.setProperty('--from', onRuler(stage.p50))
  style.setProperty('--to', onRuler(stage.p99))
  style.setProperty('--mark', onRuler(stage.p95))
}

function showStages({ stages }) {
  rows(at('stages'), stages, 6, (cells, stage, row) => {
    const [title, about] = STAGES[stage.name] ?? [stage.name, '']
    row.className = stage.name === 'delivery' ? 'whole' : ''
    if (!cells[0].firstChild) cells[0].append(document.createElement('b'), document.createElement('span'))
    say(cells[0].firstChild, title)
    say(cells[0].lastChild, about)
    number(cells[1], ms(stage.p50))
    number(cells[2], ms(stage.p95))
    number(cells[3], ms(stage.p99))
    number(cells[4], count(stage.count), 'count')
    cells[5].className = 'scale'
    showRange(cells[5], stage)
  })
}

function showTop(id, streams, value) {
  const most = Math.max(...streams.map(value), 1e-9)
  rows(at(id), streams, 3, (cells, stream) => {
    bar(cells[0], stream[0], value(stream) / most)
    number(cells[1], count(stream[1]))
    number(cells[2], rate(stream[2]))
  }, 'none at the moment')
}

function showDatabase(database) {
  const isUp = database.listen && database.query
  const isPart = database.actions < database.actions_wanted || database.missing
  pill(at('database-state'), !isUp ? 'bad' : isPart ? 'warn' : 'good', !isUp ? 'not connected' : isPart ? 'partly' : 'connected')
  list(at('database'), [
    ['LISTEN', database.listen ? 'live' : 'down'],
    ['queries', database.query ? 'connected' : 'down'],
    ['actions', `${database.actions} of ${database.actions_wanted} connections`],
    ['server', database.server && `PostgreSQL ${database.server}`],
    ['reconnects', count(database.reconnects)],
    ['NOTIFY queue', database.queue_usage == null ? null : `${(database.queue_usage * 100).toFixed(database.queue_usage < 0.01 ? 3 : 1)} % full`],
    ['missing rights', database.missing]
  ])
}

function showExtension({ pid, heard, interval_ms: interval, missed, stat }, now) {
  const silent = heard ? now.time / 1_000 - heard : null
  pill(at('extension-state'), !now.database.listen ? 'unknown' : missed || !pid ? 'bad' : 'good',
    !now.database.listen ? 'unknown' : !pid ? 'not running' : missed ? 'silent' : 'alive')
  list(at('extension'), [
    ['process', pid || null],
    ['last heard', silent == null ? 'not yet' : `${duration(silent)} ago (every ${duration(interval / 1_000)})`],
    ...(stat ? [
      ['notified', count(stat.notifications)],
      ['suppressed', count(stat.suppressed)],
      ['increments folded', count(stat.increments_folded)],
      ['due → NOTIFY', stat.notify_p50_ms == null ? null : `${ms(stat.notify_p50_ms)} · p99 ${ms(stat.notify_p99_ms)}`],
      ['fold', stat.fold_p50_ms == null ? ms(stat.last_fold_ms) : `${ms(stat.fold_p50_ms)} · p99 ${ms(stat.fold_p99_ms)}`],
      ['sessions', `${count(stat.sessions_tracked)} of ${count(stat.max_sessions)}, ${count(stat.sessions_waiting)} wait`],
      ['behind by', stat.late_ms ? ms(stat.late_ms) : null],
      ['ledger', stat.ledger_bytes == null ? null : `${bytes(stat.ledger_bytes).join(' ')}${stat.ledger_rows ? `, ${count(stat.ledger_rows)} rows` : ''}`],
      ['blocked by', stat.blocked_by && `process ${stat.blocked_by}`],
      ['last error', stat.last_error]
    ] : [])
  ])
  say(at('extension-note'), stat || !now.database.query ? '' :
    'Its figures are here once the bridge’s role may read them: SELECT sync_progress_grant(role, \'monitor\').')
}

function showQueues(now) {
  const { queues, alarms } = now
  const order = Object.keys(QUEUES)
  const sorted = queues.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name))
  const most = Math.max(limits.depth || 100, ...queues.map(({ total }) => total))
  pill(at('queues-state'), alarms.depth ? 'bad' : 'good', alarms.depth ? `above ${limits.depth}` : 'short')
  rows(at('queues'), sorted, 2, (cells, queue) => {
    bar(cells[0], QUEUES[queue.name] ?? queue.name, queue.total / most, alarms.depth && limits.depth && queue.total > limits.depth ? 'bad' : '')
    number(cells[1], count(queue.total))
  })
}

let before = new Map()

function showWorkers({ workers, time }) {
  rows(at('workers'), workers, 6, (cells, worker) => {
    const last = before.get(worker.pid)
    const seconds = last ? (time - last.time) / 1_000 : 0
    if (!cells[0].firstChild) cells[0].append(document.createElement('b'), document.createElement('span'))
    say(cells[0].firstChild, `${worker.worker}${worker.ready ? '' : ' not ready'}`)
    say(cells[0].lastChild, ` · process ${worker.pid}`)
    cells[0].lastChild.className = 'pid note'
    number(cells[1], count(worker.connections))
    number(cells[2], seconds > 0 ? rate((worker.states - last.states) / seconds) : '–')
    number(cells[3], seconds > 0 ? `${whole.format(Math.max(0, (worker.cpu - last.cpu) / seconds) * 100)} %` : '–')
    number(cells[4], bytes(worker.resident).join(' '))
    number(cells[5], duration(time / 1_000 - worker.started), 'up')
  }, 'none')
  before = new Map(workers.map(worker => [worker.pid, { ...worker, time }]))
}

function showRefused({ refused, timed_out: timedOut, requests_failed: failed }) {
  const inOrder = items => items.filter(({ total }) => total > 0).sort((a, b) => b.minute - a.minute || b.total - a.total)
  const reasons = [...inOrder(refused), ...inOrder(timedOut).map(item => ({ ...item, name: `timed out: ${item.name}` }))]
  const most = Math.max(...reasons.map(({ minute }) => minute), 1)
  rows(at('refused'), reasons, 3, (cells, reason) => {
    bar(cells[0], reason.name.replaceAll('_', ' '), reason.minute / most)
    number(cells[1], count(reason.minute))
    number(cells[2], count(reason.total))
  }, 'none so far')
  say(at('refused-note'), failed ? `${count(failed)} requests failed on our side (5xx).` : '')
}

function showNotices(now) {
  const notices = []
  if (!now.ready) notices.push(['bad', `Not ready: ${now.why}`])
  else if (now.why) notices.push(['warn', now.why])
  if (now.alarms.latency) notices.push(['bad', `Messages are slow: 5 % take longer than ${ms(limits.latency_ms)}. “Where the time goes” has the stage.`])
  if (now.alarms.depth) notices.push(['bad', `Too much is waiting: more than ${limits.depth} in a queue for ten seconds.`])
  if (now.skewed > 0) notices.push(['warn', 'The clocks of the database and of this machine differ: the first stage is counted from below zero, as nothing.'])
  const node = at('notices')
  while (node.children.length > notices.length) node.lastChild.remove()
  while (node.children.length < notices.length) node.append(document.createElement('p'))
  notices.forEach(([state, text], i) => {
    node.children[i].className = 'notice'
    node.children[i].dataset.state = state
    say(node.children[i], text)
  })
}

function showHealth(now) {
  const alarms = now.alarms.latency + now.alarms.depth
  if (!now.ready) pill(at('health'), 'bad', 'not ready')
  else if (alarms) pill(at('health'), 'warn', alarms > 1 ? 'serving, with alarms' : 'serving, with an alarm')
  else pill(at('health'), 'good', 'serving')
  const started = Math.min(...now.workers.map(({ started }) => started))
  say(at('about'), `version ${now.version}${Number.isFinite(started) ? ` · up ${duration(now.time / 1_000 - started)}` : ''}`)
  document.title = `${now.ready ? '' : '✕ '}${count(now.connections)} · ${ms(now.stages.find(({ name }) => name === 'delivery').p95)} · sync-progress`
}

function show(now) {
  const point = now.point ?? new Array(8).fill(null)
  limits = now.limits
  if (now.point) points = [...points, now.point].slice(-SECONDS)
  showNotices(now)
  showHealth(now)
  showTiles(now, point)
  showStages(now)
  showTop('top-watchers', now.top_watchers, stream => stream[1])
  showTop('top-messages', now.top_messages, stream => stream[2])
  showDatabase(now.database)
  showExtension(now.extension, now)
  showQueues(now)
  showWorkers(now)
  showRefused(now)
  drawCharts()
}

// -- the line to the bridge --------------------------------------------------------------

let source
let heard = 0
let retries = 0
let retry

function connect() {
  clearTimeout(retry)
  source?.close()
  source = new EventSource('dashboard/events')
  source.addEventListener('history', event => { points = JSON.parse(event.data).slice(0, -1) })
  source.addEventListener('now', event => {
    heard = performance.now()
    retries = 0
    show(JSON.parse(event.data))
    showAge()
  })
  // an EventSource gives up for good at anything but 200, and at a bridge that is gone
  source.addEventListener('error', () => {
    if (source.readyState !== EventSource.CLOSED) return
    clearTimeout(retry)
    retry = setTimeout(connect, RETRY_MS[Math.min(retries++, RETRY_MS.length - 1)])
  })
}

/** Old data must look old; and a line that is open but silent is made anew. */
function showAge() {
  const age = heard ? performance.now() - heard : null
  const isStale = age != null && age > STALE_MS
  document.body.dataset.link = age == null ? 'waiting' : isStale ? 'stale' : 'live'
  say(at('fresh'), age == null ? 'connecting' : isStale ? `no data for ${duration(age / 1_000)}, trying again` : 'live')
  if (isStale) {
    pill(at('health'), 'unknown', 'not known now')
    document.title = '? sync-progress'
  }
  if (age > DEAD_MS && source.readyState === EventSource.OPEN) connect()
}

connect()
setInterval(showAge, 500)
