/*
 * fanout.js: a message to all, next to a bare loop of send() over as many.
 *
 * Pairs of short runs, one of each right after the other, in turn the one and
 * the other first.  A ratio is taken within its pair.
 *
 * The bridge also pings every client each 3 s, as its protocol demands, and a
 * ping is a frame like another: CPU time is divided by all frames that came.
 * What it is when pings count as work but not as messages, and when what the
 * bridge uses without messages is subtracted, is printed beside it.
 *
 * Latency is from when the first client has a message, which is when the bridge
 * has read it but for a fraction of a millisecond, until each of them has it; for
 * the loop likewise.  From the stamp in the message, which the worker's payload
 * function sets and the loop right before it begins, it is printed as well: that
 * has the way through PostgreSQL in it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { figure } from '../lib/figures.js'
import { PROTOCOL, SUBSCRIBE } from '../lib/site.js'
import { Load, SendLoop } from '../lib/tools.js'

const SEND_BUFFER = 16384

/**
 * Sends `count` messages, the next one when all have the last and the time has
 * come, so that none overtakes another where the machine is busy.
 */
async function measure(load, { count, everyMs }, send) {
  const idle = await measureIdle(load)
  load.begin()
  const began = performance.now()
  for (let seq = 1; seq <= count; seq++) {
    const all = load.all(seq)
    send(seq)
    await all
    await sleep(Math.max(0, began + seq * everyMs - performance.now()))
  }
  const report = await load.report()
  if (report.skipped || report.backward || report.lost) {
    throw new Error(`fanout: ${report.skipped} skipped, ${report.backward} backward, ${report.lost} lost`)
  }
  return {
    cpuUs: report.server_cpu_s / report.frames * 1e6,
    grossUs: report.server_cpu_s / report.states * 1e6,
    netUs: (report.server_cpu_s - idle * report.seconds) / report.states * 1e6,
    spread: report.spread_ms,
    latency: report.latency_ms,
    states: report.states
  }
}

/** What the server uses when there is nothing to tell, in CPU seconds a second. */
async function measureIdle(load) {
  load.begin()
  await sleep(3000)
  const report = await load.report()
  return report.server_cpu_s / report.seconds
}

async function ofBridge(site, plan) {
  const session = await site.sessions(1, plan.bytes)
  const bridge = await site.bridge(['--auth', 'none'])
  await bridge.ready()
  const load = await Load.start({
    url: bridge.cable(), protocol: PROTOCOL, subscribe: SUBSCRIBE, ids: session.range, connections: plan.connections, sources: 8, pid: bridge.pid
  })
  const result = await measure(load, plan, () => site.increment(session.first))
  await load.end()
  await bridge.stop('SIGKILL')
  return { ...result, id: session.first }
}

async function ofLoop(plan, id) {
  const loop = await SendLoop.start(SEND_BUFFER)
  const load = await Load.start({ url: loop.url, ready: '', connections: plan.connections, sources: 8, pid: loop.pid })
  const identifier = JSON.stringify(`{"channel":"BenchChannel","session_id":${id}}`)
  const result = await measure(load, plan, seq =>
    loop.say(`{"identifier":${identifier},"message":{"seq":${seq},"sent_at":%t,"pad":"${'x'.repeat(plan.bytes - 48)}"}}`))
  await loop.end()
  await load.end()
  return result
}

export default async function fanout(site, plan, note) {
  const pairs = []
  let id = 1
  for (let i = 0; i < plan.pairs; i++) {
    let bridge, loop
    if (i % 2) loop = await ofLoop(plan, id)
    bridge = await ofBridge(site, plan)
    id = bridge.id
    loop ??= await ofLoop(plan, id)
    pairs.push({ bridge, loop })
    note(`pair ${i + 1}: bridge ${bridge.cpuUs.toFixed(2)} µs a frame, p99 ${bridge.spread.p99.toFixed(0)} ms; ` +
      `loop ${loop.cpuUs.toFixed(2)} µs, p99 ${loop.spread.p99.toFixed(0)} ms; ${bridge.states} and ${loop.states} messages`)
  }
  const each = take => pairs.map(take)
  return [
    ['server CPU per message ÷ the loop\'s', '≤ 1.2', figure(each(p => p.bridge.cpuUs / p.loop.cpuUs)),
      `${figure(each(p => p.bridge.cpuUs), ' µs')} and ${figure(each(p => p.loop.cpuUs), ' µs')}; with pings as no messages ` +
      `${figure(each(p => p.bridge.grossUs / p.loop.grossUs))}, less what is used without messages ${figure(each(p => p.bridge.netUs / p.loop.netUs))}`],
    ['p99 from reading to receipt ÷ the loop\'s', '≤ 1.3', figure(each(p => p.bridge.spread.p99 / p.loop.spread.p99)),
      `${figure(each(p => p.bridge.spread.p99), ' ms')} and ${figure(each(p => p.loop.spread.p99), ' ms')}; p50 ${figure(each(p => p.bridge.spread.p50), ' ms')} and ` +
      `${figure(each(p => p.loop.spread.p50), ' ms')}; p99 from the worker ${figure(each(p => p.bridge.latency.p99), ' ms')}, from before the loop ${figure(each(p => p.loop.latency.p99), ' ms')}`]
  ]
}
