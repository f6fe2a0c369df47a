/*
 * fake_clock.js: time that passes only when a test says so.
 */
export class FakeClock {
  #now = 1_000
  #timers = new Map()
  #lastId = 0

  now = () => this.#now

  setTimeout = (callback, ms) => {
    this.#timers.set(++this.#lastId, { callback, at: this.#now + ms })
    return this.#lastId
  }

  clearTimeout = id => {
    this.#timers.delete(id)
  }

  get pending() {
    return this.#timers.size
  }

  /** How many timers were ever set. */
  get set() {
    return this.#lastId
  }

  /** Lets ms pass, running each timer at its own time. */
  advance(ms) {
    const end = this.#now + ms
    for (;;) {
      const [id, timer] = [...this.#timers].reduce((first, each) =>
        (each[1].at <= end && (!first[1] || each[1].at < first[1].at) ? each : first), [])
      if (!timer) break
      this.#timers.delete(id)
      this.#now = Math.max(this.#now, timer.at)
      timer.callback()
    }
    this.#now = end
  }

  /** Lets ms pass with nothing running, as in a sleeping machine; then what is due runs. */
  sleep(ms) {
    this.#now += ms
    this.advance(0)
  }
}
