import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFormat, roundEstimate } from '../../client/format.js'

const en = createFormat('en')
const es = createFormat('es')

// ICU changes its mind about kinds of spaces from release to release.
const plain = text => text.replace(/\s/g, ' ')

test('percentages are rounded down: 100 % means all', () => {
  assert.equal(en.percentage(45), '45%')
  assert.equal(en.percentage(99.9), '99%')
  assert.equal(en.percentage(100), '100%')
  assert.equal(plain(es.percentage(45)), '45 %')
})

test('counts with and without a total', () => {
  assert.equal(en.counts(12_345, 60_000), '12,345 of 60,000')
  assert.equal(es.counts(12_345, 60_000), '12.345 de 60.000')
  assert.equal(en.counts(12_345, null), '12,345')
  assert.equal(en.counts(0, 0), '0 of 0')
})

test('a rate below one a second is told by the minute', () => {
  assert.equal(en.rate(1034.4), '1,034/s')
  assert.equal(en.rate(4.62), '4.6/s')
  assert.equal(en.rate(0.2), '12/min')
  assert.equal(en.rate(0), '0/s')
  assert.equal(es.rate(4.62), '4,6/s')
})

test('time remaining is rounded, the more so the longer it is', () => {
  assert.deepEqual([3, 8, 58, 118, 130, 700, 4_000, 90_000].map(en.remaining).map(plain), [
    'Almost done', 'About 10 sec left', 'About 1 min left', 'About 2 min left', 'About 2 min left',
    'About 12 min left', 'About 1 hr 5 min left', 'About 1 day 1 hr left'
  ])
  assert.equal(plain(es.remaining(118)), 'Tiempo restante: unos 2 min')
})

test('an estimate never rounds to nothing', () => {
  assert.equal(roundEstimate(0.1), 5)
  assert.equal(roundEstimate(61), 60)
  assert.equal(roundEstimate(3_599), 3_600)
})

test('durations have their two largest units', () => {
  assert.deepEqual([0, 59.9, 61, 3_600, 3_725, 90_061].map(en.duration).map(plain),
    ['0 sec', '59 sec', '1 min 1 sec', '1 hr', '1 hr 2 min', '1 day 1 hr'])
})

test('ages', () => {
  assert.equal(en.age(0.4), 'just now')
  assert.match(en.age(3), /^3 sec\.? ago$/)
  assert.match(en.age(125), /^2 min\.? ago$/)
  assert.match(plain(es.age(3)), /^hace 3 s$/)
})

test('what is not known is an empty text', () => {
  for (const name of ['count', 'percentage', 'counts', 'rate', 'remaining', 'duration', 'age']) {
    for (const unknown of [null, undefined, NaN, Infinity, 'x']) assert.equal(en[name](unknown), '', name)
  }
})

test('every phrase can be replaced, and a language without phrases speaks English', () => {
  const own = createFormat('es', { remaining: 'faltan {time}' })
  assert.equal(plain(own.remaining(118)), 'faltan 2 min')
  assert.equal(createFormat('de').counts(1_000, 2_000), '1.000 of 2.000')
})
