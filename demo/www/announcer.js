/*
 * announcer.js: what of all this is worth saying aloud.
 *
 * A screen reader is told of every change of status and of each quarter of the
 * way, never of each update.  Failures are not said here: the error box is an
 * alert and speaks for itself.
 */
const STEP = 25

export class Announcer {
  #node
  #status = null
  #step = null

  constructor(node) {
    this.#node = node
  }

  say(text) {
    this.#node.textContent = text
  }

  progress({ status, progress_percentage: percentage, error_message: error }, statusText) {
    const step = percentage === null ? 0 : Math.floor(percentage / STEP)
    const changed = status !== this.#status
    const passed = this.#step !== null && step > this.#step
    this.#status = status
    this.#step = step
    if (changed && status === 'failed' && error) return
    if (changed) this.say(percentage === null ? statusText : `${statusText}, ${percentage}%`)
    else if (passed) this.say(`${step * STEP}%`)
  }
}
