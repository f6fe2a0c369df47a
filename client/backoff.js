/*
 * backoff.js: how long to wait before each attempt to connect.
 *
 * A server that comes back is met by all of its clients at once, so every wait
 * is random.  The first retry of an outage comes within two seconds; the nth
 * waits between half and the whole of 2^n seconds.  In an outage's first minute
 * (most are over by then: a restart, a tunnel) it never waits for longer than
 * the outage has lasted, so that short ones cost little more than they are
 * long, nor for more than 5 s; after that for 30 s at most.  Jitter only ever
 * shortens.
 *
 * The figures are the smallest with which 200 clients, back after whatever
 * time, seldom come to more than 25 in a tenth of a second
 * (test/browser/backoff_herd.test.js).
 *
 * Pure: randomness and clock come from the caller.
 */
const FIRST_RETRY_MS = 1_900
const YOUNG_OUTAGE_MS = 60_000
const LEAST_CAP_MS = 2_600
const YOUNG_CAP_MS = 5_000
const CAP_MS = 30_000

export function createBackoff({ random, now }) {
  let outageSince

  return {
    /** Retries asked for since the last reset. */
    attempts: 0,

    /** The wait before the next attempt, in milliseconds; counts the attempt. */
    next() {
      outageSince ??= now()
      this.attempts += 1
      if (this.attempts === 1) return random() * FIRST_RETRY_MS

      const age = now() - outageSince
      const cap = age < YOUNG_OUTAGE_MS ? Math.min(Math.max(age, LEAST_CAP_MS), YOUNG_CAP_MS) : CAP_MS
      const ceiling = Math.min(2 ** this.attempts * 1_000, cap)
      return (0.5 + random() / 2) * ceiling
    },

    /** The outage is over. */
    reset() {
      this.attempts = 0
      outageSince = undefined
    }
  }
}
