/*
 * psql_view.js: a state as psql would print it.
 *
 * The counts of a state are the table's, so the same line can be had there; the
 * page draws it from what it was sent.
 */
const CELLS = 20

const NAMES = {
  SyncStatusChannel: ['session_id', null],
  MeshProgressChannel: ['mesh_id', 'mesh'],
  BatchProgressChannel: ['batch_id', 'batch'],
  ConnectionSyncChannel: ['connection_id', 'connection']
}

/** The question, for the run that is watched; null where there is none to ask. */
export function question(channel, id, payload) {
  const kind = NAMES[channel]?.[1]
  // The id is of the page's address, and what is shown here is copied.
  if (kind) return `SELECT * FROM sync.sync_progress(sync.sync_progress_session('${kind}', '${id.replaceAll("'", "''")}'));`
  return Number.isSafeInteger(payload.session_id) ? `SELECT * FROM sync.sync_progress(${payload.session_id});` : null
}

/** The answer: status, percentage, bar and counts, as far as this kind of state has them. */
export function answer(payload) {
  const percent = payload.progress_percentage ?? payload.progress
  const status = payload.status ?? (payload.is_failed ? 'failed' : payload.is_complete ? 'completed' : 'processing')
  const parts = [status]
  if (typeof percent === 'number') parts.push(`${String(percent).padStart(3)}%`, bar(percent))
  parts.push(counts(payload))
  return parts.filter(Boolean).join('  ')
}

function counts({ processed_count: done, total_count: total, completed, failed, total: parts, inserted, updated, deleted, kept }) {
  if (done !== undefined) return total == null ? String(done) : `${done}/${total}`
  if (completed !== undefined) return `${completed + failed}/${parts}`
  if (inserted !== undefined) return `inserted ${inserted}  updated ${updated}  deleted ${deleted}  kept ${kept}`
  return ''
}

function bar(percent) {
  const full = Math.floor(Math.min(100, Math.max(0, percent)) / 100 * CELLS)
  return '▓'.repeat(full) + '░'.repeat(CELLS - full)
}
