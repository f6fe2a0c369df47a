import assert from 'node:assert/strict'
import { test } from 'node:test'
import { timeInWords } from '../../client/time_in_words.js'

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

test('[000-17] the steps of distance_of_time_in_words', () => {
  // as Action View's own test has them
  for (const [seconds, words] of [
    [0, 'less than a minute'], [29, 'less than a minute'],
    [30, '1 minute'], [89, '1 minute'],
    [90, '2 minutes'], [44 * MINUTE + 29, '44 minutes'],
    [44 * MINUTE + 30, 'about 1 hour'], [89 * MINUTE + 29, 'about 1 hour'],
    [89 * MINUTE + 30, 'about 2 hours'], [23 * HOUR + 59 * MINUTE + 29, 'about 24 hours'],
    [23 * HOUR + 59 * MINUTE + 30, '1 day'], [41 * HOUR + 59 * MINUTE + 29, '1 day'],
    [41 * HOUR + 59 * MINUTE + 30, '2 days'], [59 * HOUR + 59 * MINUTE + 29, '2 days'], [59 * HOUR + 59 * MINUTE + 30, '3 days'],
    [29 * DAY + 23 * HOUR + 59 * MINUTE + 29, '30 days'],
    [29 * DAY + 23 * HOUR + 59 * MINUTE + 30, 'about 1 month'], [44 * DAY + 23 * HOUR + 59 * MINUTE + 29, 'about 1 month'],
    [44 * DAY + 23 * HOUR + 59 * MINUTE + 30, 'about 2 months'], [59 * DAY + 23 * HOUR + 59 * MINUTE + 30, '2 months'],
    [365 * DAY - 31, '12 months'],
    [365 * DAY, 'about 1 year'], [365 * DAY + 92 * DAY, 'over 1 year'], [365 * DAY + 274 * DAY, 'almost 2 years'], [730 * DAY, 'about 2 years']
  ]) assert.equal(timeInWords(seconds), words, `${seconds} s`)
})

test('[000-17] Spanish, and that of Costa Rica', () => {
  assert.deepEqual([10, 60, 120, HOUR, 2 * HOUR, DAY, 3 * DAY].map(seconds => timeInWords(seconds, 'es')),
    ['menos de 1 minuto', '1 minuto', '2 minutos', 'alrededor de 1 hora', 'alrededor de 2 horas', '1 día', '3 días'])
  assert.equal(timeInWords(HOUR, 'es-CR'), 'cerca de 1 hora')
  assert.equal(timeInWords(HOUR, 'es-MX'), 'alrededor de 1 hora')
  for (const tag of ['es_CR', 'es-cr', 'ES-CR']) assert.equal(timeInWords(HOUR, tag), 'cerca de 1 hora', 'as pages have it')
  assert.equal(timeInWords(HOUR, 'es_MX'), 'alrededor de 1 hora')
  assert.equal(timeInWords(400 * DAY, 'es-CR'), 'cerca de 1 año')
})

test('what is not known, and languages that are not there', () => {
  for (const nothing of [null, undefined, NaN, Infinity, '5']) assert.equal(timeInWords(nothing), '')
  for (const tag of ['fr', '', 'constructor', '__proto__']) assert.equal(timeInWords(120, tag), '2 minutes')
  assert.equal(timeInWords(-120), '2 minutes')
})
