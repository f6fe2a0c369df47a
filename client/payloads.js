/*
 * payloads.js: whatever a channel says, in the one form that is shown.
 *
 * The kinds speak for different clients, so their payloads share few names
 * (doc/protocol.md has them all).  Here they become one record, by name and not
 * by kind: an application's own payload function may use any of the names.  The
 * accounts of a run are records likewise.  null is "not known", and so is what
 * has the wrong type: a payload function is anybody's SQL.
 *
 * Pure; what is shown of it, and how, is not decided here.
 */
export const COUNTERS = ['inserted', 'updated', 'deleted', 'kept', 'skipped']

const number = value => Number.isFinite(value) ? value : null
const text = value => typeof value === 'string' && value ? value : null
const time = value => number(Date.parse(value))

/** Whether nothing more is going to happen, unless somebody tries again. */
export const hasEnded = status => /^(completed|failed|cancelled)$/.test(status)

/** The record, or null for what is no payload at all. */
export function normalise(payload) {
  if (!payload || typeof payload !== 'object') return null
  const p = payload
  const status = String(p.status ?? statusOfConnection(p))
  const counters = COUNTERS.map(name => number((p.counters ?? p)[name]))
  return {
    kind: text(p.kind) ?? ('mesh_id' in p ? 'mesh' : 'batch_id' in p ? 'batch' : 'inserted' in p ? 'connection' : 'sync'),
    id: p.session_id ?? p.mesh_id ?? p.batch_id ?? p.job_id ?? p.id,
    status,
    title: text(p.title ?? p.name),
    email: text(p.email),
    message: text(p.message),
    error: text(p.error_message) ?? (status === 'failed' ? text(p.error ?? p.message) : null),
    percent: number(p.progress_percentage ?? p.progress),
    done: number(p.processed_count ?? ('inserted' in p ? sum(counters) : p.completed + p.failed)),
    total: number(p.total_count ?? p.total),
    detected: number(p.detected_count),
    errors: number(p.error_count ?? p.failed),
    counters,
    rate: number(p.rate),
    eta: number(p.eta_seconds ?? p.time_remaining ?? p.estimated_remaining),
    etaLow: number(p.eta_low),
    etaHigh: number(p.eta_high),
    etaState: text(p.eta_state),
    startedAt: time(p.started_at),
    completedAt: time(p.completed_at),
    updatedAt: time(p.updated_at),
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

function sum(numbers) {
  return numbers.reduce((total, each) => total + (each ?? 0), 0)
}

/** How far, 0 to 1; null while nobody knows.  The counts are finer than the whole percent. */
export function fractionOf({ status, done, total, percent }) {
  if (status === 'completed') return 1
  const fraction = total > 0 ? done / total : percent === null ? null : percent / 100
  if (fraction === null) return /^p[ar]/.test(status) ? null : 0 // processing, paused
  return Math.min(1, Math.max(0, fraction))
}
