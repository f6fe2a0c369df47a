import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { connectionStatus, connectionUpdate } from '../../client/connection_update.js'

const wire = name => JSON.parse(readFileSync(new URL(`../fixtures/wire/connection.${name}.json`, import.meta.url)))

test('[003-05] the short names of the wire and the long ones of applications', () => {
  const update = connectionUpdate(wire('processing'))
  assert.deepEqual(update, { job_id: wire('processing').job_id,
    inserted: 120, updated: 30, deleted: 0, kept: 300, skipped: 0,
    entities_inserted: 120, entities_updated: 30, entities_deleted: 0, entities_kept: 300, entities_skipped: 0,
    entities_encountered: { 'Attachment.pdf': 5, Message: 445 }, is_complete: false, is_failed: false, error: null })
  assert.deepEqual(connectionUpdate({ entities_inserted: 7, is_complete: true }), { inserted: 7, updated: 0, deleted: 0, kept: 0, skipped: 0,
    entities_inserted: 7, entities_updated: 0, entities_deleted: 0, entities_kept: 0, entities_skipped: 0,
    entities_encountered: {}, is_complete: true, is_failed: false, error: null })
})

test('[003-06] each state is active, completed or failed', () => {
  const expected = { pending: 'active', processing: 'active', processing_indeterminate: 'active', paused: 'active',
    completed: 'completed', failed: 'failed', cancelled: 'failed' }
  for (const [name, status] of Object.entries(expected)) assert.equal(connectionStatus(connectionUpdate(wire(name))), status, name)
  assert.equal(connectionUpdate(wire('cancelled')).error, 'cancelled')
})

test('what is no state, and counts that are none', () => {
  for (const nothing of [null, undefined, 'text', 5]) assert.equal(connectionUpdate(nothing), null)
  assert.equal(connectionUpdate({ inserted: '<b>' }).entities_inserted, 0)
})

test('the state that came is left as it was', () => {
  const payload = wire('completed')
  connectionUpdate(payload).entities_encountered.Message = 0
  assert.deepEqual(payload, wire('completed'))
})
