import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Countdown } from '../../client/countdown.js'

test('counts down by itself', () => {
  const countdown = new Countdown()
  assert.equal(countdown.left(0), null)
  countdown.update(100, 1_000)
  assert.equal(countdown.left(1_000), 100)
  assert.equal(countdown.left(31_000), 70)
  assert.equal(countdown.left(200_000), 0)
  countdown.update(null, 200_000)
  assert.equal(countdown.left(200_000), null)
})

test('a new estimate that says almost the same changes nothing', () => {
  const countdown = new Countdown()
  countdown.update(100, 0)
  countdown.left(0)
  countdown.update(95, 10_000) // 90 are left
  assert.equal(countdown.left(10_000), 90)
  countdown.update(82, 10_000)
  assert.equal(countdown.left(10_000), 90)
})

test('one that says something else replaces it, a second after the last replacement', () => {
  const countdown = new Countdown()
  countdown.update(100, 0)
  countdown.left(0)
  countdown.update(50, 400)
  assert.equal(countdown.left(400), 99.6, 'too soon')
  assert.equal(countdown.left(1_000), 49.4, 'it is not forgotten')
  countdown.update(80, 5_000)
  assert.equal(countdown.left(5_000), 80)
})
