/*
 * errors.js: what goes wrong where an application asked for something.
 */

/** A request that was refused, or not answered; the fields are those of the answer. */
export class RequestError extends Error {
  constructor(message, { status = 0, hint = null, current = null, retryAfterMs = null } = {}) {
    super(message)
    this.name = 'RequestError'
    Object.assign(this, { status, hint, current, retryAfterMs })
  }
}
