/*
 * fake_bridge.js: serves the dashboard's files as the bridge does, and feeds them
 * with what a test or a picture wants to be shown.
 */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'

const FILES = new URL('../../../bridge/dashboard/', import.meta.url)
const TYPES = { html: 'text/html; charset=utf-8', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml' }

export class FakeBridge {
  #server
  #watchers = new Set()
  #history = []
  #now
  #timer

  static async start(port = 0) {
    const fake = new FakeBridge()
    fake.#server = createServer((request, response) => fake.#answer(request, response))
    await new Promise(resolve => fake.#server.listen(port, '127.0.0.1', resolve))
    return fake
  }

  get port() {
    return this.#server.address().port
  }

  get origin() {
    return `http://127.0.0.1:${this.port}`
  }

  /** What was, and what is now, for who comes; who is there gets the second. */
  tell(history, now) {
    this.#history = history
    this.#now = now
    for (const response of this.#watchers) response.write(`event: now\ndata: ${JSON.stringify(now)}\n\n`)
  }

  /** Likewise, and again each half a second, until there is something else to be told. */
  keepTelling(history, now) {
    clearInterval(this.#timer)
    this.tell(history, now())
    this.#timer = setInterval(() => this.tell(history, now()), 500)
  }

  async #answer({ url }, response) {
    if (url === '/dashboard/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' })
      response.write('retry: 200\n\n')
      response.write(`event: history\ndata: ${JSON.stringify(this.#history)}\n\n`)
      if (this.#now) response.write(`event: now\ndata: ${JSON.stringify(this.#now)}\n\n`)
      this.#watchers.add(response)
      response.on('close', () => this.#watchers.delete(response))
      return
    }
    const name = url === '/dashboard' ? 'dashboard.html' : url.replace(/^\/dashboard\//, '')
    const body = await readFile(new URL(name, FILES)).catch(() => null)
    response.writeHead(body ? 200 : 404, { 'Content-Type': TYPES[name.split('.').at(-1)] ?? 'text/plain' })
    response.end(body)
  }

  async stop() {
    clearInterval(this.#timer)
    for (const response of this.#watchers) response.destroy()
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }
}

// -- what a busy bridge would say ----------------------------------------------------

/** A number that looks random and is the same each time. */
function noise(i, seed) {
  const x = Math.sin(i * 12.9898 + seed * 78.233) * 43758.5453
  return x - Math.floor(x)
}

const wave = (i, period, seed) => 1 + 0.22 * Math.sin((i / period) * 2 * Math.PI) + 0.16 * (noise(i, seed) - 0.5)

/** Points of so many seconds: in, out, bytes, conflated, connections, p50, p95, p99. */
export function busyHistory(seconds = 300) {
  return Array.from({ length: seconds }, (_, i) => {
    const peak = 1 + 2.2 * Math.exp(-(((i - 205) / 9) ** 2))
    const received = Math.round(46 * wave(i, 97, 1) * Math.sqrt(peak))
    const told = Math.round(received * 178 * wave(i, 61, 2))
    return [received, told, told * 412, Math.round(told * 0.004 * wave(i, 40, 3) * peak ** 2), Math.round(9_040 + 380 * (i / seconds) + 30 * noise(i, 4)),
      2.1 * wave(i, 80, 5) * peak ** 0.6, 9.4 * wave(i, 70, 6) * peak ** 1.4, 21 * wave(i, 90, 7) * peak ** 1.9].map(value => Number(value.toPrecision(6)))
  })
}

const STREAMS = ['sync:inbox-4711', 'batch:nightly-import', 'mesh:bracket-v3', 'sync:crm-contacts', 'owner:ana@acme.example', 'sync:archive-2019', 'connection:hubspot-eu',
  'batch:invoices-q4', 'mesh:housing-lower', 'sync:calendar-shared']

export function busyNow(history = busyHistory(), { time = Date.now(), ...changes } = {}) {
  const stage = (name, count, p50, p95, p99) => ({ name, count, p50, p95, p99 })
  const kind = (name, total, minute = 0) => ({ name, total, minute })
  return {
    time, version: '1.1.0', ready: true, why: '', limits: { latency_ms: 200, depth: 100, connections: 10_000 }, alarms: { latency: 0, depth: 0, times: 1 },
    point: history.at(-1), connections: 9_412, cables: 8_890, streams: 522, subscriptions: 12_066, dashboards: 1, accepted: 61_204, notifications: 4_180_233,
    states: 741_882_101, events: 1_204_450, bytes: 305_655_425_000, conflated: 2_940_112, actions: 8_133, queries: 91_220, skewed: 0, requests_failed: 0,
    stages: [stage('notify', 2_790, 0.62, 1.9, 4.4), stage('hub', 2_760, 0.07, 0.31, 0.9), stage('write', 488_400, 1.4, 7.1, 17),
      stage('delivery', 488_400, 2.2, 9.6, 22), stage('late', 1_904, 38, 410, 1_900), stage('loop', 1_200, 0.09, 1.2, 6.4)],
    queues: [kind('actions', 0), kind('writes', 31), kind('subscriptions', 4), kind('queries', 1), kind('notifications', 12)],
    refused: [kind('refused_per_minute', 211, 3), kind('token', 1_204, 14), kind('origin', 38), kind('subscribe', 92, 1), kind('max_subscriptions', 6)],
    timed_out: [kind('request', 418, 5), kind('keepalive', 9_902, 120), kind('close', 71)],
    workers: [0, 1].map(worker => ({ worker, pid: 20_411 + worker, started: Math.floor(time / 1000) - 1_021_440, turned: Math.floor(time / 1000), cpu: 88_120.5 + worker * 311,
      resident: 61_300_000 + worker * 1_400_000, connections: 4_720 - worker * 28, subscriptions: 6_040 - worker * 14, states: 370_941_050 + worker * 1_200, ready: true })),
    top_watchers: STREAMS.map((name, i) => [name, Math.round(1_840 / (i + 1) ** 0.9), Number((12 * (0.3 + noise(i, 9))).toPrecision(3))]),
    top_messages: STREAMS.toReversed().map((name, i) => [name, Math.round(640 * (0.1 + noise(i, 11))), Number((2_410 / (i + 1) ** 0.8).toPrecision(4))]),
    database: { listen: true, query: true, actions: 4, actions_wanted: 4, reconnects: 2, server: '17.6', problem: '', missing: '', queue_usage: 0.000011 },
    extension: { pid: 18_127, heard: Math.floor(time / 1000) - 4, silent_ms: 400, interval_ms: 10_000, missed: false,
      stat: { notifications: 4_180_201, suppressed: 80_114_020, increments_folded: 612_009_114, notify_p50_ms: 0.42, notify_p95_ms: 1.2, notify_p99_ms: 2.6, last_fold_ms: 3.1,
        sessions_tracked: 412, max_sessions: 10_000, sessions_waiting: 9, ledger_bytes: 41_900_000, blocked_by: null, last_error: null } },
    ...changes
  }
}
