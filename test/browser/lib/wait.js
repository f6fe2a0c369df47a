/*
 * wait.js: waiting for something to become true, and saying so if it does not.
 */

/** How many times as long as usual everything may take, under a tool that slows programs down. */
const FACTOR = Number(process.env.TEST_TIMEOUT_FACTOR ?? 1)

/** The time in which something has to happen here. */
export const patience = ms => ms * FACTOR

/** The promise's value, or an error naming what did not happen in time. */
export async function within(promise, what, ms = 10_000) {
  const limit = patience(ms)
  let timer
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limit} ms: ${what}`)), limit)
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}

/** A list that can be waited on: take() gives its items in order, each once. */
export class Mailbox {
  all = []
  #taken = 0
  #waiting = []

  put(item) {
    this.all.push(item)
    this.#serve()
  }

  take(what = 'an item', ms = undefined) {
    return within(new Promise(resolve => {
      this.#waiting.push(resolve)
      this.#serve()
    }), what, ms)
  }

  /** The first item not taken yet that passes; those before it are passed over. */
  async find(matches, what = 'a matching item') {
    for (;;) {
      const item = await this.take(what)
      if (matches(item)) return item
    }
  }

  #serve() {
    while (this.#waiting.length && this.#taken < this.all.length) this.#waiting.shift()(this.all[this.#taken++])
  }
}
