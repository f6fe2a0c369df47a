/*
 * handshakes.js: how quickly strangers become clients: TCP, upgrade, token, welcome.
 *
 * Every connection has a token of its own that was never seen before, so
 * nothing that is remembered helps.
 */
import { figure } from '../lib/figures.js'
import { PROTOCOL } from '../lib/site.js'
import { Load } from '../lib/tools.js'

export default async function handshakes(site, { connections, rounds }, note) {
  const rates = []
  const cpu = []
  const waits = []
  for (let i = 0; i < rounds; i++) {
    const tokens = await site.tokens(connections)
    const bridge = await site.bridge()
    await bridge.ready()
    const load = await Load.start({
      url: `${bridge.cable()}?token=%t`, protocol: PROTOCOL, ready: '"type":"welcome"', tokens, connections, sources: 8, pid: bridge.pid
    })
    const report = await load.report()
    rates.push(connections / load.readyEvent.seconds)
    cpu.push(report.server_cpu_s / connections * 1e6)
    waits.push(report.handshake_ms.p99)
    note(`round ${i + 1}: ${rates.at(-1).toFixed(0)}/s, ${cpu.at(-1).toFixed(0)} µs of the server's CPU each, p99 ${waits.at(-1).toFixed(0)} ms`)
    await load.end()
    await bridge.stop('SIGKILL')
  }
  return [['handshakes a second, 101 and welcome, HS256', '≥ 5,000', figure(rates),
    `${connections} from 200 at a time, ${figure(cpu, ' µs')} of the server's CPU each, p99 ${figure(waits, ' ms')}`]]
}
