import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { figuresOf } from '../../client/figures.js'
import { fractionOf, hasEnded, normalise } from '../../client/payloads.js'

const WIRE = new URL('../fixtures/wire/', import.meta.url)
const wire = name => JSON.parse(readFileSync(new URL(`${name}.json`, WIRE)))
const STATES = readdirSync(WIRE).map(name => name.match(/^(sync|mesh|batch|connection)\.(.+)\.json$/)).filter(Boolean)

// What a connection does not say: it goes on, or it does not.
const TOLD_BY_CONNECTION = { pending: 'processing', paused: 'processing' }

test('every state of every kind', () => {
  assert.equal(STATES.length, 29)
  for (const [, kind, name] of STATES) {
    const record = normalise(wire(`${kind}.${name}`))
    const status = name.replace(/_indeterminate/, '').replace('stalled', 'processing')
    assert.equal(record.kind, kind)
    assert.equal(record.status, kind === 'connection' ? TOLD_BY_CONNECTION[status] ?? status : status, `${kind}.${name}`)
    assert.equal(hasEnded(record.status), ['completed', 'failed', 'cancelled'].includes(status), `${kind}.${name}`)
    assert.notEqual(record.id, undefined)
  }
})

test('[001-03] a session', () => {
  const record = normalise(wire('sync.failed'))
  assert.equal(record.title, 'Email Sync Status')
  assert.equal(record.error, 'Connection refused')
  assert.equal(record.percent, 45)
  assert.equal(record.done, 450)
  assert.equal(record.total, 1000)
  assert.equal(record.version, 1767323065500106)
  assert.deepEqual(record.accounts.map(({ id, title, status, error, done, total }) => [id, title, status, error, done, total]), [
    [9000001061, 'BAC San José', 'completed', null, 150, 150],
    [9000001062, 'Scotia Bank', 'failed', 'Connection refused', 300, 650],
    [9000001063, 'Promerica', 'pending', null, 0, 200]])
  const figures = figuresOf(record.payload)
  assert.equal(figures.detected, 31)
  assert.equal(figures.errors, 2)
  assert.deepEqual(figures.counters, [120, 30, null, 300, null])
  assert.equal(figures.completedAt - figures.startedAt, 20_500)
})

test('[002-03] a mesh: its message is what went wrong, and where the result is', () => {
  assert.equal(normalise(wire('mesh.failed')).error, 'Connection refused')
  assert.equal(normalise(wire('mesh.processing')).error, null)
  assert.equal(normalise(wire('mesh.completed')).resultUrl, '/results/42')
  assert.equal(figuresOf(wire('mesh.processing')).eta, 26)
  assert.equal(fractionOf(normalise(wire('mesh.processing'))), 0.45)
  assert.equal(normalise(wire('mesh.processing')).done, null)
})

test('[002-04] a batch: what failed is done too', () => {
  const record = normalise(wire('batch.processing'))
  assert.equal(record.done, 9)
  assert.equal(record.total, 20)
  assert.equal(record.percent, 45)
  assert.equal(figuresOf(record.payload).errors, 2)
  assert.equal(record.id, 'night-900000302')
})

test('[003-04] a connection: counts, and no total', () => {
  const record = normalise(wire('connection.processing'))
  assert.equal(record.done, 450)
  assert.equal(fractionOf(record), null)
  assert.deepEqual(figuresOf(record.payload).counters, [120, 30, 0, 300, 0])
  assert.equal(normalise(wire('connection.failed')).error, 'Connection refused')
  assert.equal(normalise(wire('connection.cancelled')).error, null)
  assert.equal(fractionOf(normalise(wire('connection.completed'))), 1)
})

test('how far: the counts are finer than the percent, and nothing is more than all', () => {
  assert.equal(fractionOf(normalise({ status: 'processing', processed_count: 1, total_count: 3, progress_percentage: 33 })), 1 / 3)
  assert.equal(fractionOf(normalise({ status: 'processing', processed_count: 5, total_count: 3 })), 1)
  assert.equal(fractionOf(normalise({ status: 'processing', progress_percentage: 140 })), 1)
  assert.equal(fractionOf(normalise({ status: 'processing', processed_count: -5, total_count: 3 })), 0)
  assert.equal(fractionOf(normalise({ status: 'completed', processed_count: 0, total_count: 0 })), 1)
  assert.equal(fractionOf(normalise({ status: 'pending', total_count: null })), 0)
  const less = normalise({ status: 'completed', processed_count: 10, total_count: 100, progress_percentage: 10 })
  assert.deepEqual([fractionOf(less), less.percent, less.done], [1, 100, 10])
  for (const status of ['processing', 'paused']) assert.equal(fractionOf(normalise({ status, total_count: null })), null)
})

test('what has the wrong type is not known', () => {
  for (const nothing of [null, undefined, 'text', 7, true]) assert.equal(normalise(nothing), null)
  const record = normalise({ session_id: 1, status: 'processing', title: { a: 1 }, progress_percentage: '45', processed_count: NaN,
    total_count: '1000', result_url: 7, accounts: [null, 'x', { id: 1 }] })
  assert.equal(record.title, null)
  assert.equal(record.percent, null)
  assert.equal(record.done, null)
  assert.equal(record.total, null)
  assert.equal(record.resultUrl, null)
  assert.equal(record.accounts.length, 1)
  assert.equal(normalise({ accounts: 'no' }).accounts.length, 0)
  assert.equal(normalise([]).status, 'processing')
  const figures = figuresOf({ rate: 'x', eta_seconds: {}, started_at: 'never', counters: 'no' })
  assert.deepEqual([figures.rate, figures.eta, figures.startedAt], [null, null, null])
  assert.deepEqual(figuresOf({ counters: null }).counters, [null, null, null, null, null])
})
