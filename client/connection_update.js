/*
 * connection_update.js: a state of kind "connection", as applications name it.
 *
 * The wire says inserted, kept …; applications that show it know the same
 * counts as entities_inserted, entities_kept … .  An update has both, so that
 * code of either sort reads it; whichever form came, the other is made of it.
 *
 * Pure.  The React adapter and the reader of server-sent events share it.
 */
const COUNTS = ['inserted', 'updated', 'deleted', 'kept', 'skipped']

/** A state → a SyncProgressUpdate; what is no state (null, a text) → null. */
export function connectionUpdate(payload) {
  if (typeof payload !== 'object' || payload === null) return null
  const update = { ...payload }
  for (const name of COUNTS) {
    update[name] = update[`entities_${name}`] = count(payload[name] ?? payload[`entities_${name}`])
  }
  update.entities_encountered = { ...payload.entities_encountered }
  update.is_complete = payload.is_complete === true
  update.is_failed = payload.is_failed === true
  update.error = payload.error ?? null
  return update
}

/** "active", "completed" or "failed"; cancelled is failed, with error "cancelled". */
export function connectionStatus({ is_complete: complete, is_failed: failed }) {
  return failed ? 'failed' : complete ? 'completed' : 'active'
}

function count(value) {
  return Number.isFinite(value) ? value : 0
}
