#!/usr/bin/env node
// How good the estimates of the time remaining are, over the traces of
// test/fixtures/eta: a Markdown table, or with --tap a test. Exits with 1 when
// a target is missed. "make bench-eta" runs it.
//
//   SEEDS=20  traces of each family and length    BASE=1  other traces
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'

const path = name => fileURLToPath(new URL(name, import.meta.url))
const tap = process.argv.includes('--tap')
const { SEEDS = tap ? '2' : '20', BASE = '1' } = process.env

// Means over the ten families, in percent.
const TARGETS = [
  ['error', 'mean absolute error', (x) => x <= 28, 'at most 28'],
  ['within', 'within 25 % of the truth', (x) => x >= 71, 'at least 71'],
  ['jitter', 'jitter a second', (x) => x <= 1, 'at most 1'],
  ['held', 'the range holds the truth', (x) => x >= 75, 'at least 75']
]
const FEEDS = { '1s': 'reports each second', '5s': 'reports each 5 s', throttle: 'reports as the throttle has them' }

async function judge() {
  const traces = spawn(process.execPath, [path('../../fixtures/eta/traces.mjs'), SEEDS, BASE], { stdio: ['ignore', 'pipe', 'inherit'] })
  const judge = spawn(path('../../../build/judge-eta'), { stdio: ['pipe', 'pipe', 'inherit'] })
  const output = judge.stdout.toArray()
  for await (const line of createInterface({ input: traces.stdout })) {
    const { family, T, bounds = [], n } = JSON.parse(line)
    if (!judge.stdin.write([family, T, bounds.length, ...bounds, ...n].join(' ') + '\n')) await once(judge.stdin, 'drain')
  }
  judge.stdin.end()
  return Buffer.concat(await output).toString().trim().split('\n').map((line) => {
    const [feed, estimator, family, ...numbers] = line.split(' ')
    const [estimates, error, within, steps, jitter, held, width, missing] = numbers.map(Number)
    return {
      feed, estimator, family,
      error: 100 * error / estimates, within: 100 * within / estimates, jitter: 100 * jitter / steps,
      held: 100 * held / estimates, width: width / estimates, missing: 100 * missing / (estimates + missing)
    }
  })
}

const mean = (rows, key) => rows.reduce((sum, row) => sum + row[key], 0) / rows.length

/** Ours: with the totals of parts where the trace has parts. */
function select(rows, feed, estimator) {
  const of = (name) => rows.filter((row) => row.feed === feed && row.estimator === name)
  if (estimator !== 'ours') return of(estimator)
  const parts = of('parts')
  return of('whole').filter((row) => !parts.some((part) => part.family === row.family)).concat(parts)
}

function table(rows, feed) {
  const ours = select(rows, feed, 'ours')
  const lines = ours.map((row) => {
    const same = (name) => rows.find((other) => other.feed === feed && other.estimator === name && other.family === row.family)
    return [row.family, row.error, row.within, row.jitter, row.held, row.width, row.missing, same('whole').error, same('classic').error, same('classic').within]
  })
  lines.push(['**mean**', ...['error', 'within', 'jitter', 'held', 'width', 'missing'].map((key) => mean(ours, key)),
    mean(select(rows, feed, 'whole'), 'error'), mean(select(rows, feed, 'classic'), 'error'), mean(select(rows, feed, 'classic'), 'within')])
  console.log(`\n### ${FEEDS[feed]}\n`)
  console.log('| family | error % | within ±25 % | jitter % | range holds % | ln(high/low) | no estimate % | error % without parts | classic: error % | within ±25 % |')
  console.log('|---|---|---|---|---|---|---|---|---|---|')
  for (const [name, ...numbers] of lines) console.log(`| ${name} | ${numbers.map((x, i) => x.toFixed(i === 2 || i === 4 ? 2 : 1)).join(' | ')} |`)
}

const rows = await judge()
const checks = []
for (const feed of Object.keys(FEEDS)) {
  const ours = select(rows, feed, 'ours')
  if (ours.length !== 10) throw new Error(`${ours.length} families instead of ten`)
  if (!tap) table(rows, feed)
  for (const [key, what, holds, wanted] of TARGETS) {
    const value = mean(ours, key)
    checks.push([holds(value), `${FEEDS[feed]}: ${what}: ${value.toFixed(2)} %, ${wanted}`])
  }
  const worst = select(rows, feed, 'classic').map((classic) =>
    [ours.find((row) => row.family === classic.family).error - classic.error, classic.family]).sort((a, b) => b[0] - a[0])[0]
  checks.push([worst[0] <= 3, `${FEEDS[feed]}: nowhere more than 3 points worse than the classic formula: ${worst[1]} ${worst[0].toFixed(1)}`])
  const phases = (estimator) => select(rows, feed, estimator).find((row) => row.family === 'phases').error
  checks.push([phases('parts') <= phases('whole'),
    `${FEEDS[feed]}: parts' totals help where speeds differ: ${phases('parts').toFixed(1)} %, without ${phases('whole').toFixed(1)} %`])
}

if (tap) {
  checks.forEach(([ok, what], i) => console.log(`${ok ? 'ok' : 'not ok'} ${i + 1} - [001-06] ${what}`))
  console.log(`1..${checks.length}`)
} else {
  console.log(`\n${SEEDS} seeds of each family and length, BASE=${BASE}\n`)
  for (const [ok, what] of checks) console.log(`- ${ok ? 'pass' : '**FAIL**'}: ${what}`)
}
process.exitCode = checks.every(([ok]) => ok) ? 0 : 1
