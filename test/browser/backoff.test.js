import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Backoff } from '../../client/backoff.js'
import { FakeClock } from './lib/fake_clock.js'

function backoff(random) {
  const clock = new FakeClock()
  return { clock, backoff: new Backoff({ random: () => random, now: clock.now }) }
}

const seconds = (count, next) => Array.from({ length: count }, () => next() / 1000)

test('the first retry comes anywhere within two seconds', () => {
  assert.equal(backoff(0).backoff.next(), 0)
  assert.equal(backoff(0.5).backoff.next(), 1_000)
  assert.equal(backoff(1).backoff.next(), 2_000)
})

test('[000-24] waits never pass 2^n s, nor 5 s in the first minute of an outage', () => {
  const { backoff: longest } = backoff(1)
  assert.deepEqual(seconds(5, () => longest.next()), [2, 4, 5, 5, 5])
  const { backoff: shortest } = backoff(0)
  assert.deepEqual(seconds(5, () => shortest.next()), [0, 2, 2.5, 2.5, 2.5])
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
  assert.deepEqual(seconds(3, () => waits.next()), [2, 4, 5])
})

test('thousands of attempts stay finite', () => {
  const { clock, backoff: waits } = backoff(0.5)
  for (let attempt = 0; attempt < 5_000; attempt++) waits.next()
  clock.advance(120_000)
  assert.equal(waits.next(), 22_500)
})
