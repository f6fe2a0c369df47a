/*
 * recorder.js: everything that has happened, and waiting for what has not yet.
 */
import { patience, within } from '../../browser/lib/wait.js'

export class Recorder {
  all = []
  #waiting = new Set()

  put(item) {
    this.all.push(item)
    for (const look of [...this.#waiting]) look()
  }

  /** The first item, from index on, that passes; what has been recorded already counts. */
  async find(passes, what, { from = 0, ms = 20_000 } = {}) {
    let next = from
    let look
    const found = new Promise(resolve => {
      look = () => {
        for (; next < this.all.length; next++) {
          if (passes(this.all[next])) {
            resolve(this.all[next])
            return
          }
        }
      }
      this.#waiting.add(look)
      look()
    })
    try {
      return await within(found, what, ms)
    } finally {
      this.#waiting.delete(look)
    }
  }
}

/** Asks again and again until the answer passes; returns it. */
export async function until(ask, passes, what, ms = 20_000) {
  const limit = patience(ms)
  const end = performance.now() + limit
  for (;;) {
    const answer = await ask()
    if (passes(answer)) return answer
    if (performance.now() > end) throw new Error(`not within ${limit} ms: ${what}; it is ${JSON.stringify(answer)}`)
    await new Promise(resolve => setTimeout(resolve, 25))
  }
}
