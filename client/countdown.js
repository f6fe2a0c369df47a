/*
 * countdown.js: a time remaining that does not fidget.
 *
 * Estimates come as often as updates do, each a little different.  What is
 * shown counts down by itself; a new estimate replaces it only if it differs
 * by more than a tenth, and not within a second of the last replacement.
 */
const TOLERANCE = 0.1
const HOLD_MS = 1_000

export class Countdown {
  #given = null // { seconds, at }: the newest estimate
  #shown = null // { seconds, at }: the one that counts down

  /** null: there is none. */
  update(seconds, now) {
    this.#given = seconds === null ? null : { seconds, at: now }
    if (seconds === null) this.#shown = null
  }

  /** Seconds left by now, or null. */
  left(now) {
    const given = rest(this.#given, now)
    const shown = rest(this.#shown, now)
    const replace = given !== null && (shown === null ||
      (Math.abs(given - shown) > TOLERANCE * shown && now - this.#shown.at >= HOLD_MS))
    if (replace) this.#shown = { seconds: given, at: now }
    return replace ? given : shown
  }
}

function rest(estimate, now) {
  return estimate && Math.max(0, estimate.seconds - (now - estimate.at) / 1000)
}
