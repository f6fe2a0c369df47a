/*
 * slow.js: some clients stop reading; nobody else may notice, and nothing may
 * pile up.
 *
 * First everybody reads, then the slow ones stop for as long, on the same
 * connections.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { figure } from '../lib/figures.js'
import { PROTOCOL, SUBSCRIBE } from '../lib/site.js'
import { Load } from '../lib/tools.js'

async function publish(site, id, { seconds, rate }) {
  const began = performance.now()
  for (let n = 1; n <= seconds * rate; n++) {
    site.increment(id)
    await sleep(Math.max(0, began + n * 1000 / rate - performance.now()))
  }
}

export default async function slow(site, plan, note) {
  const { connections, slow: nslow, bytes, seconds, rate } = plan
  const session = await site.sessions(1, bytes)
  const bridge = await site.bridge(['--auth', 'none'])
  await bridge.ready()
  const load = await Load.start({
    url: bridge.cable(), protocol: PROTOCOL, subscribe: SUBSCRIBE, ids: session.range, connections, sources: 8, pid: bridge.pid, slow: nslow, rcvbuf: 4096
  })
  await publish(site, session.first, { seconds: 3, rate })
  load.begin()
  await publish(site, session.first, plan)
  const without = await load.report()
  note(`without: p99 ${without.latency_ms.p99.toFixed(1)} ms, ${without.skipped} skipped, RSS ${without.server_rss_kb} KB, ${(without.server_cpu_s / without.seconds * 100).toFixed(0)} % CPU`)
  load.say('stop')
  load.begin()
  await publish(site, session.first, plan)
  const stopped = await load.report()
  note(`stopped: p99 ${stopped.latency_ms.p99.toFixed(1)} ms, ${stopped.skipped} skipped, RSS ${stopped.server_rss_kb} KB, ${(stopped.server_cpu_s / stopped.seconds * 100).toFixed(0)} % CPU`)
  load.say('wake')
  await publish(site, session.first, { seconds: 3, rate })
  await sleep(1000)
  const woken = await load.report()
  await load.end()
  await bridge.stop('SIGKILL')
  const { slow: after } = woken
  const heldKb = Math.max(0, stopped.server_rss_kb - without.server_rss_kb) / nslow
  return [[`${nslow} of ${connections} stopped for ${seconds} s, ${bytes} bytes, ${rate}/s`, '≤ 1 frame held, conflated > 0, ≤ 64 KB old data, p99 ≤ 1.2 ×',
    `${figure(heldKb, ' KB')} held each, ${after.skipped} conflated, ${(after.old_bytes_max / 1024).toFixed(0)} KB old at most, then the newest, ` +
    `p99 ${figure(stopped.latency_ms.p99 / without.latency_ms.p99)} ×`,
    `p99 of the others ${figure(stopped.latency_ms.p99, ' ms')} against ${figure(without.latency_ms.p99, ' ms')}; ${after.behind} of those woken still behind, ${woken.backward} backward, ` +
    `${woken.lost} lost; skipped by the others ${stopped.skipped} and ${without.skipped}`]]
}
