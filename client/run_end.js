/*
 * run_end.js: has a run ended, how, and was that said already?
 *
 * Reads every form of state that the server sends: "status" of sessions,
 * meshes and batches, "is_complete" and "is_failed" of connections.  A run is
 * told by its job_id; where a form has none, by a state in between that is no
 * end.
 *
 * Pure.
 */
const ENDS = ['completed', 'failed', 'cancelled']

/** "completed", "failed" or "cancelled"; null while it goes on. */
export function endOf(payload) {
  if (payload?.is_failed) return payload.error === 'cancelled' ? 'cancelled' : 'failed'
  if (payload?.is_complete) return 'completed'
  return ENDS.includes(payload?.status) ? payload.status : null
}

/** What went wrong, in the server's words; a payload of an application's own may have anything there. */
export function errorOf(payload) {
  return [payload?.error_message, payload?.error, payload?.message].find(each => typeof each === 'string' && each) ?? endOf(payload)
}

/** Tells each end once. */
export class RunEnds {
  #includeFirst
  #seen = false
  #told = null

  /** includeFirst: also that of a run which was over when it was first seen. */
  constructor({ includeFirst = false } = {}) {
    this.#includeFirst = includeFirst
  }

  /** The end that this state brings, null if it brings none or that has been told. */
  see(payload) {
    const end = endOf(payload)
    const told = end && `${payload.job_id ?? ''} ${end}`
    const isNews = told !== null && told !== this.#told && (this.#seen || this.#includeFirst)
    this.#seen = true
    this.#told = told
    return isNews ? end : null
  }
}
