/*
 * session_loads.js: when to read a list again.
 *
 * Whoever has a reason says soon() or now(); many reasons are one load, half a
 * second after the last of them, or two seconds after the first if they do not
 * end.  One load runs at a time: what is asked for meanwhile is another one,
 * because nobody knows what the running one has seen.  A load that fails is
 * tried again later and later, whatever else happens meanwhile, unless the
 * server says that it is useless; only now() does not wait for that.
 *
 * Knows nothing of lists: load(signal) is the owner's.
 */
import { createBackoff } from './backoff.js'

const DEBOUNCE_MS = 500
const MAX_WAIT_MS = 2_000

// A timer that is longer than 24 days fires at once.
const LONGEST_MS = 3_600_000

export class Loads {
  #load
  #failed
  #clock
  #debounceMs
  #backoff
  #timer = null
  #since = null // the first reason that is not served yet
  #running = null // an AbortController
  #isRetrying = false // the timer is that of a load that failed

  constructor({ load, failed, clock, random = Math.random, debounceMs = DEBOUNCE_MS }) {
    this.#load = load
    this.#failed = failed
    this.#clock = clock
    this.#debounceMs = debounceMs
    this.#backoff = createBackoff({ random, now: () => clock.now() })
  }

  soon() {
    const now = this.#clock.now()
    this.#since ??= now
    if (this.#running || this.#isRetrying) return
    this.#runIn(Math.min(this.#debounceMs, Math.max(0, this.#since + MAX_WAIT_MS - now)))
  }

  now() {
    this.#since ??= this.#clock.now()
    if (!this.#running) this.#run()
  }

  /** Forgets every reason; a load that runs is given up. */
  cancel() {
    this.#clock.clearTimeout(this.#timer)
    this.#since = null
    this.#running?.abort()
    this.#running = null
    this.#isRetrying = false
    this.#backoff.reset()
  }

  #runIn(ms) {
    this.#clock.clearTimeout(this.#timer)
    this.#timer = this.#clock.setTimeout(() => this.#run(), ms)
  }

  async #run() {
    this.#clock.clearTimeout(this.#timer)
    this.#isRetrying = false
    this.#since = null
    const running = this.#running = new AbortController()
    let error = null
    try {
      await this.#load(running.signal)
    } catch (reason) {
      error = reason
    }
    if (running !== this.#running) return // cancelled
    this.#running = null
    if (error) this.#again(error)
    else {
      this.#backoff.reset()
      if (this.#since !== null) this.soon()
    }
  }

  #again(error) {
    const { status, retryAfterMs } = error
    const isUseless = status >= 400 && status < 500 && status !== 408 && status !== 429
    const retryInMs = isUseless ? null : Math.max(this.#backoff.next(), Math.min(retryAfterMs || 0, LONGEST_MS))
    this.#isRetrying = retryInMs !== null
    if (this.#isRetrying) this.#runIn(retryInMs)
    this.#failed(error, retryInMs)
  }
}
