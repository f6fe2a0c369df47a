/*
 * sessions.js: the everyday load: many sessions, a few watchers each, a
 * message a second, for minutes.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { figure } from '../lib/figures.js'
import { PROTOCOL, SUBSCRIBE } from '../lib/site.js'
import { Load } from '../lib/tools.js'

const STEPS = 100

/** Counts one on every session in the course of a second, a few at a time. */
async function second(site, { first, last }, began, n) {
  const count = last - first + 1
  for (let step = 0; step < STEPS; step++) {
    const from = first + Math.floor(step * count / STEPS)
    const to = first + Math.floor((step + 1) * count / STEPS) - 1
    if (to >= from) site.incrementRange(from, to)
    await sleep(Math.max(0, began + n * 1000 + (step + 1) * 1000 / STEPS - performance.now()))
  }
}

export default async function sessions(site, { sessions: count, watchers, seconds }, note) {
  const range = await site.sessions(count, 300)
  const bridge = await site.bridge(['--auth', 'none'])
  await bridge.ready()
  const load = await Load.start({
    url: bridge.cable(), protocol: PROTOCOL, subscribe: SUBSCRIBE, ids: range.range, connections: count * watchers, sources: 8, pid: bridge.pid
  })
  const rss = []
  load.begin()
  const began = performance.now()
  for (let n = 0; n < seconds; n++) {
    await second(site, range, began, n)
    if ((n + 1) % Math.max(1, Math.floor(seconds / 10)) === 0) {
      const { server_rss_kb: kb, latency_ms: latency } = await load.report()
      rss.push(kb)
      note(`${n + 1} s: RSS ${kb} KB, p99 ${latency.p99.toFixed(1)} ms`)
    }
  }
  await load.all(seconds)
  const report = await load.report()
  await load.end()
  await bridge.stop('SIGKILL')
  const missing = count * watchers * seconds - report.states
  return [[`${count} sessions × ${watchers} watchers × 1 message/s, ${seconds} s`, 'none missing, p99 ≤ 50 ms, RSS flat',
    `${missing} missing, p99 ${figure(report.latency_ms.p99, ' ms')}, RSS ${rss[1] ?? rss[0]} → ${rss.at(-1)} KB`,
    `${report.states} states, ${report.backward} backward, ${report.repeated} twice, p50 ${figure(report.latency_ms.p50, ' ms')}, max ${figure(report.latency_ms.max, ' ms')} ` +
    `from the worker; ${(report.server_cpu_s / report.seconds * 100).toFixed(1)} % CPU`]]
}
