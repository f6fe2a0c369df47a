/*
 * payloads.js: whatever a channel says, in the one form that is shown.
 *
 * The kinds speak for different clients, so their payloads share few names
 * (doc/protocol.md has them all).  Here they become one record, by name and not
 * by kind: an application's own payload function may use any of the names.  The
 * accounts of a run are records likewise.  null is "not known", and so is what
 * has the wrong type: a payload function is anybody's SQL.  What is only about
 * counts and times is in figures.js.
 *
 * Pure; what is shown of it, and how, is not decided here.
 */
export const COUNTERS = ['inserted', 'updated', 'deleted', 'kept', 'skipped']

export const number = value => Number.isFinite(value) ? value : null
export const text = value => typeof value === 'string' && value ? value : null

/** Whether nothing more is going to happen, unless somebody tries again. */
export const hasEnded = status => /^(completed|failed|cancelled)$/.test(status)

/** The record, or null for what is no payload at all. */
export function normalise(payload) {
  if (!payload || typeof payload !== 'object') return null
  const p = payload
  const status = String(p.status ?? statusOfConnection(p))
  return {
    payload,
    kind: text(p.kind) ?? ('mesh_id' in p ? 'mesh' : 'batch_id' in p ? 'batch' : 'inserted' in p ? 'connection' : 'sync'),
    id: p.session_id ?? p.mesh_id ?? p.batch_id ?? p.job_id ?? p.id,
    status,
    title: text(p.title ?? p.name),
    message: text(p.message),
    error: text(p.error_message) ?? (status === 'failed' ? text(p.error ?? p.message) : null),
    // Less may have been there than was expected, which the counts tell; it is done all the same.
    percent: status === 'completed' ? 100 : number(p.progress_percentage ?? p.progress),
    done: number(p.processed_count ?? ('inserted' in p ? sum(p) : p.completed + p.failed)),
    total: number(p.total_count ?? p.total),
    resultUrl: text(p.result_url),
    version: number(p.version),
    accounts: Array.isArray(p.accounts) ? p.accounts.map(normalise).filter(Boolean) : []
  }
}

// It does not tell waiting and pauses from work.
function statusOfConnection({ is_complete: complete, is_failed: failed, error }) {
  if (complete) return 'completed'
  if (failed) return error === 'cancelled' ? error : 'failed'
  return 'processing'
}

function sum(counts) {
  return COUNTERS.reduce((total, name) => total + (number(counts[name]) ?? 0), 0)
}

/** How far, 0 to 1; null while nobody knows.  The counts are finer than the whole percent. */
export function fractionOf({ status, done, total, percent }) {
  if (status === 'completed') return 1
  const fraction = total > 0 ? done / total : percent === null ? null : percent / 100
  if (fraction === null) return /^p[ar]/.test(status) ? null : 0 // processing, paused
  return Math.min(1, Math.max(0, fraction))
}
