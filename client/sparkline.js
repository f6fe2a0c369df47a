/*
 * sparkline.js: the rate of the last minute or so, as one line.
 *
 * Decoration: the figure beside it says how fast it is now.
 */
import { set } from './element_dom.js'

const SAMPLES = 60
const EVERY_MS = 1_000
const HEIGHT = 20

export class Sparkline {
  #path
  #rates = []
  #sampledAt = -EVERY_MS

  constructor(svg) {
    set(svg, 'viewBox', `0 0 ${SAMPLES - 1} ${HEIGHT}`)
    set(svg, 'preserveAspectRatio', 'none')
    this.#path = svg.firstChild
  }

  /** One more, if it is time for one. */
  add(rate, now) {
    if (rate === null || now - this.#sampledAt < EVERY_MS) return
    this.#sampledAt = now
    this.#rates = [...this.#rates, rate].slice(-SAMPLES)
    const most = Math.max(...this.#rates, Number.MIN_VALUE)
    const first = SAMPLES - this.#rates.length
    const points = this.#rates.map((each, index) => `${first + index} ${(1 + (HEIGHT - 2) * (1 - each / most)).toFixed(1)}`)
    set(this.#path, 'd', `M${points.join('L')}`)
  }

  clear() {
    this.#rates = []
    this.#sampledAt = -EVERY_MS
    set(this.#path, 'd', null)
  }
}
