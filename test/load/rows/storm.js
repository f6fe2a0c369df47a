/*
 * storm.js: the bridge dies under all its clients, and all come back.
 *
 * While it is away every session moves on, so what a client gets first is
 * the newest state only if it was asked for anew.  Tokens all differ: no two
 * questions to the database are the same.
 */
import { figure } from '../lib/figures.js'
import { PROTOCOL, SUBSCRIBE } from '../lib/site.js'
import { Load } from '../lib/tools.js'

export default async function storm(site, { connections, rounds, jitter }, note) {
  const sessions = await site.sessions(Math.ceil(connections / 10), 300)
  const tokens = await site.tokens(connections)
  const seconds = []
  const queries = []
  const bridge = await site.bridge()
  await bridge.ready()
  const load = await Load.start({
    url: `${bridge.cable()}?token=%t`, protocol: PROTOCOL, subscribe: SUBSCRIBE, ids: sessions.range, tokens, connections, sources: 8,
    again: jitter, 'at-once': connections
  })
  for (let i = 0; i < rounds; i++) {
    load.begin()
    await bridge.stop('SIGKILL')
    await site.incrementAll(sessions)
    await site.forgetQueries()
    const all = load.all(i + 1)
    await bridge.start()
    await bridge.line(/attached channel=/)
    const back = Date.now() / 1000
    seconds.push((await all).at - back)
    queries.push(await site.queries())
    const report = await load.report()
    if (report.backward) throw new Error(`storm: ${report.backward} states were older than what the client had`)
    note(`round ${i + 1}: ${seconds.at(-1).toFixed(2)} s, ${queries.at(-1)} queries, ${report.lost} cut off, ${report.refused} tries were refused`)
  }
  await load.end()
  await bridge.stop('SIGKILL')
  return [[`${connections} clients cut off at once, back within 0–${jitter} s`, '≤ 4 s, ≤ 100 queries',
    `${figure(seconds, ' s')}, ${figure(queries)} queries`, 'from the listener\'s return until the last has the newest state; every token differs']]
}
