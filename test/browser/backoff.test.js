import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBackoff } from '../../client/backoff.js'
import { FakeClock } from './lib/fake_clock.js'

function backoff(random) {
  const clock = new FakeClock()
  return { clock, backoff: createBackoff({ random: () => random, now: clock.now }) }
}

const seconds = (count, next) => Array.from({ length: count }, () => next() / 1000)

test('the first retry comes anywhere within two seconds', () => {
  assert.equal(backoff(0).backoff.next(), 0)
  assert.equal(backoff(0.5).backoff.next(), 950)
  assert.equal(backoff(1).backoff.next(), 1_900)
})

/** The waits in seconds, each of them waited for. */
function waited(count, { clock, backoff: waits }) {
  return seconds(count, () => {
    const ms = waits.next()
    clock.advance(ms)
    return ms
  })
}

test('[000-24] in the first minute of an outage a wait is at most as long as the outage was, and never over 5 s', () => {
  assert.deepEqual(waited(5, backoff(1)), [1.9, 2.6, 4.5, 5, 5])
  assert.deepEqual(waited(8, backoff(0)), [0, 1.3, 1.3, 1.3, 1.95, 2.5, 2.5, 2.5])
})

test('[000-24] waits never pass 2^n s', () => {
  const { clock, backoff: waits } = backoff(1)
  waits.next()
  clock.advance(59_000)
  assert.deepEqual(seconds(3, () => waits.next()), [4, 5, 5])
})

test('[000-24] after a minute the cap is 30 s', () => {
  const { clock, backoff: waits } = backoff(1)
  for (let attempt = 0; attempt < 4; attempt++) waits.next()
  clock.advance(59_999)
  assert.equal(waits.next(), 5_000)
  clock.advance(1)
  assert.deepEqual(seconds(3, () => waits.next()), [30, 30, 30])
})

test('an outage that is a minute old but was seldom retried keeps to 2^n', () => {
  const { clock, backoff: waits } = backoff(1)
  waits.next()
  clock.advance(60_000)
  assert.deepEqual(seconds(4, () => waits.next()), [4, 8, 16, 30])
})

test('reset begins a new outage', () => {
  const { clock, backoff: waits } = backoff(1)
  waits.next()
  waits.next()
  clock.advance(70_000)
  assert.equal(waits.attempts, 2)
  waits.reset()
  assert.equal(waits.attempts, 0)
  assert.deepEqual(seconds(3, () => waits.next()), [1.9, 2.6, 2.6])
})

test('thousands of attempts stay finite', () => {
  const { clock, backoff: waits } = backoff(0.5)
  for (let attempt = 0; attempt < 5_000; attempt++) waits.next()
  clock.advance(120_000)
  assert.equal(waits.next(), 22_500)
})
