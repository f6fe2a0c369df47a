#!/usr/bin/env node
/*
 * reconnect.mjs: many clients, a bridge that is killed, and when each is back.
 *
 * All clients are live and have been so for longer than their back-off
 * remembers.  Then the bridge is killed (SIGKILL) and started again, at once or
 * after 15 s.  A client is back when its WebSocket is open again; the peak is
 * the most of those within any tenth of a second.
 *
 * test/bench/client/bench.sh builds what is needed and starts this.
 */
import WebSocket from 'ws'
import { Bridge } from '../../bridge/lib/bridge.js'
import { Database } from '../../bridge/lib/database.js'
import { until } from '../../bridge/lib/recorder.js'
import { figure, table } from '../../load/lib/figures.js'
import { libraries } from './libraries.js'

const ROUNDS = Number(process.env.ROUNDS ?? 5)
const CLIENTS = Number(process.env.CLIENTS ?? 200)
const only = (process.env.ONLY ?? Object.keys(libraries).join(' ')).split(/\s+/)
const OUTAGES = { blip: 0, '15 s': 15_000 }

/** Longer than any of them takes to forget an outage. */
const SETTLED_MS = 8_000
const WINDOW_MS = 100
const PATIENCE_MS = 180_000

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

/** So many clients of a library, and what their WebSockets do. */
class Crowd {
  attempts = 0
  opened = [] // { client, at }
  #stops

  constructor(start, bridge, session) {
    const crowd = this
    class Counted extends WebSocket {
      constructor(url, ...more) {
        super(url, ...more)
        crowd.attempts++
        this.on('open', () => crowd.opened.push({ client: new URL(url).searchParams.get('client'), at: performance.now() }))
        this.on('error', () => {}) // refused connections are what this is about
      }
    }
    this.#stops = Array.from({ length: CLIENTS }, (_, i) => start(`${bridge.cable()}?client=${i}`, session, Counted))
  }

  /** From a moment on: when each client was back, in ascending order. */
  back(since) {
    const first = new Map()
    for (const { client, at } of this.opened) {
      if (at >= since && !first.has(client)) first.set(client, at - since)
    }
    return [...first.values()].sort((a, b) => a - b)
  }

  stop() {
    for (const stop of this.#stops) stop()
  }
}

function peak(times) {
  let first = 0
  return Math.max(...times.map((time, i) => {
    while (time - times[first] >= WINDOW_MS) first++
    return i - first + 1
  }))
}

const quantile = (sorted, part) => sorted[Math.ceil(sorted.length * part) - 1]

async function measure(start, bridge, session, outageMs) {
  const crowd = new Crowd(start, bridge, session)
  await until(() => crowd.back(0).length, count => count === CLIENTS, 'all are connected', PATIENCE_MS)
  await sleep(SETTLED_MS)
  const attempts = crowd.attempts
  const lost = performance.now()
  await bridge.stop('SIGKILL')
  await sleep(outageMs)
  await bridge.start()
  const downMs = performance.now() - lost
  await until(() => crowd.back(lost).length, count => count === CLIENTS, 'all are back', PATIENCE_MS)
  const times = crowd.back(lost)
  const result = { p50: quantile(times, 0.5) / 1_000, p95: quantile(times, 0.95) / 1_000, peak: peak(times), attempts: crowd.attempts - attempts, downMs }
  crowd.stop()
  await until(() => bridge.metric('cable_clients'), count => count === 0, 'all have left')
  return result
}

const database = await Database.start()
const bridge = await Bridge.start(database.conninfo(), ['--auth', 'none'])
try {
  await bridge.ready()
  const session = await database.session()
  const results = Object.fromEntries(only.map(name => [name, Object.fromEntries(Object.keys(OUTAGES).map(outage => [outage, []]))]))
  for (let round = 1; round <= ROUNDS; round++) {
    for (const name of only) {
      for (const [outage, ms] of Object.entries(OUTAGES)) {
        const result = await measure(libraries[name], bridge, session, ms)
        results[name][outage].push(result)
        console.error(`${round}/${ROUNDS} ${name}, ${outage}: ${JSON.stringify(result)}`)
      }
    }
  }
  const cell = (list, key, unit) => figure(list.map(result => result[key]), unit)
  console.log(table([`${CLIENTS} clients`, ...Object.keys(OUTAGES).flatMap(outage => [`${outage}: p50`, 'p95', 'peak', 'attempts'])],
    only.map(name => [name, ...Object.keys(OUTAGES).flatMap(outage => {
      const list = results[name][outage]
      return [cell(list, 'p50', ' s'), cell(list, 'p95', ' s'), cell(list, 'peak'), cell(list, 'attempts')]
    })])))
} finally {
  await bridge.stop()
  await database.destroy()
}
process.exit(0) // whatever timers the libraries have left
