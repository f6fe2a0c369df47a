/*
 * What the waits of backoff.js do to a server that comes back to 200 clients:
 * simulated, over many seeds that are always the same.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBackoff } from '../../client/backoff.js'

const CLIENTS = 200
const RUNS = 200
const WINDOW_MS = 100

/** mulberry32: numbers that look random, the same for the same seed. */
function seeded(seed) {
  let state = seed
  return () => {
    state = (state + 0x6D2B79F5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}

/** When a client is back, from the loss of its connection, in an outage of so long. */
function backAfter(outageMs, random) {
  let now = 0
  const backoff = createBackoff({ random, now: () => now })
  do now += backoff.next(); while (now < outageMs)
  return now
}

/** The most of them within any tenth of a second. */
function peak(times) {
  let first = 0
  return Math.max(...times.map((time, i) => {
    while (time - times[first] >= WINDOW_MS) first++
    return i - first + 1
  }))
}

function outage(outageMs, seed) {
  const random = seeded(seed)
  const times = Array.from({ length: CLIENTS }, () => backAfter(outageMs, random)).sort((a, b) => a - b)
  return { p50: times[CLIENTS / 2 - 1], p95: times[CLIENTS * 0.95 - 1], last: times.at(-1), peak: peak(times) }
}

/** Of many runs of an outage: what all but so many in a hundred stay below. */
function outages(outageMs) {
  const runs = Array.from({ length: RUNS }, (_, i) => outage(outageMs, i + 1))
  return (name, except = 0) => runs.map(run => run[name]).sort((a, b) => a - b).at(Math.floor(RUNS * (1 - except / 100)) - 1)
}

test('200 clients after a blip: half are back in 1.2 s, 95 in a hundred in 2.1 s, at most 25 in a tenth of a second', () => {
  const blip = outages(20)
  assert.ok(blip('p50') <= 1_200, `p50 ${blip('p50')}`)
  assert.ok(blip('p95') <= 2_100, `p95 ${blip('p95')}`)
  assert.ok(blip('peak', 1) <= 25, `peak ${blip('peak', 1)}`)
})

test('200 clients after 15 s: half are back in 18 s, and there is no herd', () => {
  const long = outages(15_000)
  assert.ok(long('p50') <= 18_000, `p50 ${long('p50')}`)
  assert.ok(long('peak') <= 25, `peak ${long('peak')}`)
})

for (const seconds of [0.1, 0.3, 0.6, 1, 1.5, 2, 3, 5, 8, 30, 59]) {
  test(`200 clients after ${seconds} s: no herd`, () => {
    const each = outages(seconds * 1_000)
    assert.ok(each('peak', 50) <= 22, `peak in the median ${each('peak', 50)}`)
    assert.ok(each('peak') <= 32, `peak ever ${each('peak')}`)
  })
}

test('[000-05] from a restart of up to 2.5 s everybody is back within 2.7 s, later within 5', () => {
  for (const seconds of [0.02, 0.1, 0.3, 0.6, 1, 1.5, 2, 2.5]) {
    assert.ok(outages(seconds * 1_000)('last') - seconds * 1_000 <= 2_700, `after ${seconds} s`)
  }
  for (const seconds of [3, 5, 8, 15, 30, 55]) {
    const wait = outages(seconds * 1_000)('last') - seconds * 1_000
    assert.ok(wait <= Math.min(5, seconds + 0.1) * 1_000, `after ${seconds} s: ${wait}`)
  }
})
