/*
 * memory.js: what connections that only wait cost, in memory and in CPU time.
 *
 * Each has its own user's token and one subscription; ten watch a session.
 * Memory is what the process has grown by, so what the handshakes left behind
 * counts as well.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { figure } from '../lib/figures.js'
import { PROTOCOL, SUBSCRIBE } from '../lib/site.js'
import { Load, rssKb } from '../lib/tools.js'

export default async function memory(site, { connections, rounds, seconds }, note) {
  const sessions = await site.sessions(Math.ceil(connections / 10), 300)
  const tokens = await site.tokens(connections)
  const kb = []
  const cpu = []
  for (let i = 0; i < rounds; i++) {
    const bridge = await site.bridge()
    await bridge.ready()
    const empty = rssKb(bridge.pid)
    const load = await Load.start({
      url: `${bridge.cable()}?token=%t`, protocol: PROTOCOL, subscribe: SUBSCRIBE, ids: sessions.range, tokens, connections, sources: 8, pid: bridge.pid
    })
    await sleep(2000)
    load.begin()
    await sleep(seconds * 1000)
    const report = await load.report()
    if (report.lost || report.frames < connections * Math.floor(seconds / 3.2)) {
      throw new Error(`memory: ${report.lost} connections were lost, and ${report.frames} pings came to ${connections} in ${seconds} s`)
    }
    kb.push((report.server_rss_kb - empty) / connections)
    cpu.push(report.server_cpu_s / report.seconds * 100)
    note(`round ${i + 1}: ${empty} KB before, ${report.server_rss_kb} KB with ${connections}; ${cpu.at(-1).toFixed(1)} % CPU, ${report.frames} pings`)
    await load.end()
    await bridge.stop('SIGKILL')
  }
  return [
    ['memory per idle connection with one subscription', '≤ 2.5 KB', figure(kb, ' KB'), `RSS, ${connections} connections, each with a token of its own`],
    ['idle CPU, stock pings', '≤ 8 %', figure(cpu, ' %'), `of a core, ${connections} connections, ${seconds} s`]
  ]
}
