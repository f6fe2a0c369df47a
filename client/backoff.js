/*
 * backoff.js: how long to wait before each attempt to connect.
 *
 * A server that comes back is met by all of its clients at once, so every wait
 * is random.  The first retry of an outage comes within two seconds; the nth
 * waits between half and the whole of 2^n seconds, capped at 5 s while the
 * outage is younger than a minute (most are: a restart, a tunnel) and at 30 s
 * after that.  Jitter only ever shortens.
 *
 * Pure: randomness and clock come from the caller.
 */
const FIRST_RETRY_MS = 2_000
const YOUNG_OUTAGE_MS = 60_000
const YOUNG_CAP_MS = 5_000
const CAP_MS = 30_000

export class Backoff {
  #random
  #now
  #attempts = 0
  #outageSince = null

  constructor({ random, now }) {
    this.#random = random
    this.#now = now
  }

  /** Retries asked for since the last reset. */
  get attempts() {
    return this.#attempts
  }

  /** The wait before the next attempt, in milliseconds; counts the attempt. */
  next() {
    this.#outageSince ??= this.#now()
    this.#attempts += 1
    if (this.#attempts === 1) return this.#random() * FIRST_RETRY_MS

    const young = this.#now() - this.#outageSince < YOUNG_OUTAGE_MS
    const ceiling = Math.min(2 ** this.#attempts * 1_000, young ? YOUNG_CAP_MS : CAP_MS)
    return (0.5 + this.#random() / 2) * ceiling
  }

  /** The outage is over. */
  reset() {
    this.#attempts = 0
    this.#outageSince = null
  }
}
