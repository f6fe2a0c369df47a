/*
 * wait.js: waiting for something to become true, and saying so if it does not.
 */

/** The promise's value, or an error naming what did not happen in time. */
export async function within(promise, what, ms = 10_000) {
  let timer
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms)
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

  take(what = 'an item') {
    return within(new Promise(resolve => {
      this.#waiting.push(resolve)
      this.#serve()
    }), what)
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
