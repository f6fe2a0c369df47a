#!/usr/bin/env node
/*
 * The bridge's figures; test/load/bench.sh builds what is measured and starts this.
 */
import { table } from './lib/figures.js'
import { Site } from './lib/site.js'

const number = (name, preset) => {
  const value = Number(process.env[name] ?? preset)
  if (!(value > 0)) throw new Error(`${name} must be a number above 0, not "${process.env[name]}"`)
  return value
}

const connections = number('CONNECTIONS', 10_000)
const rounds = number('ROUNDS', 5)
const plans = {
  fanout: { connections, pairs: number('PAIRS', 7), count: number('MESSAGES', 24), everyMs: number('EVERY_MS', 300), bytes: 300 },
  memory: { connections, rounds: Math.min(rounds, 3), seconds: number('IDLE_SECONDS', 20) },
  handshakes: { connections, rounds },
  sessions: { sessions: Math.ceil(connections / 10), watchers: 5, seconds: number('SESSIONS_SECONDS', 300) },
  storm: { connections, rounds: Math.min(rounds, 3), jitter: 2 },
  slow: { connections, slow: Math.ceil(connections / 20), bytes: 8192, seconds: number('SLOW_SECONDS', 60), rate: 10 }
}

const only = (process.env.ONLY || Object.keys(plans).join(' ')).split(/\s+/)
const unknown = only.filter(name => !(name in plans))
if (unknown.length) {
  console.error(`ONLY knows ${Object.keys(plans).join(', ')}, not ${unknown.join(', ')}`)
  process.exit(2)
}

const rows = []
const site = await Site.start(process.argv[2])
try {
  for (const name of only) {
    const note = text => console.error(`${name}: ${text}`)
    const { default: measure } = await import(`./rows/${name}.js`)
    rows.push(...await measure(site, plans[name], note))
  }
} finally {
  await site.stop()
}
console.log(table(['', 'at least', 'here', ''], rows))
