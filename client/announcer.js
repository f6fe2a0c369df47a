/*
 * announcer.js: what of all this is worth saying aloud.
 *
 * A screen reader is told of the start, of every change of state and of each
 * quarter of the way, never of each update.  Failures are not said here: the
 * error is an alert and speaks for itself.
 */
const STEP = 25

export class Announcer {
  #node
  #run
  #state
  #step

  constructor(node) {
    this.#node = node
  }

  say(text) {
    this.#node.textContent = text
  }

  /** What has ended before anybody looked is no news. */
  progress({ run, state, isOver, percent, stateText, percentText }) {
    const step = Math.floor(percent / STEP)
    const isNew = run !== this.#run
    const changed = isNew || state !== this.#state
    const passed = step > this.#step
    this.#run = run
    this.#state = state
    this.#step = step
    if (isNew && isOver || state === 'failed') return
    if (changed) this.say(percentText ? `${stateText}, ${percentText}` : stateText)
    else if (passed) this.say(percentText)
  }
}
