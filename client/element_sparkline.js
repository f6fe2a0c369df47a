/*
 * element_sparkline.js: the rate of the last minute, as one line.
 *
 * Decoration: the figure beside it says how fast it is now.  Loaded by elements
 * with the attribute sparkline.
 */
import { adopt, builder, icon, set } from './element_dom.js'
import { hasEnded, number } from './payloads.js'

const SAMPLES = 60
const EVERY_MS = 1_000
const HEIGHT = 20

const styles = `
[part=sparkline]{width:5em;height:1.25em;color:var(--run);stroke-width:1.5}
[part=sparkline-path]{vector-effect:non-scaling-stroke}
`

export function create({ age }, shadow) {
  let rates = []
  let run, sampledAt
  const svg = icon(builder({}), 'sparkline', `0 0 ${SAMPLES - 1} ${HEIGHT}`)
  set(svg, 'preserveAspectRatio', 'none')
  adopt(shadow, styles)
  age.before(svg)

  return ({ record, now, attribute }) => {
    if (record?.id !== run) rates = []
    set(svg, 'hidden', rates.length < 2 || attribute('sparkline') === null || hasEnded(record?.status))
    const rate = number(record?.payload.rate)
    if (rate === null || (rates.length && now - sampledAt < EVERY_MS)) return
    run = record.id
    sampledAt = now
    rates = [...rates, rate].slice(-SAMPLES)
    set(svg.firstChild, 'd', line(rates))
  }
}

function line(rates) {
  const most = Math.max(...rates, Number.MIN_VALUE)
  const first = SAMPLES - rates.length
  return `M${rates.map((rate, index) => `${first + index} ${(1 + (HEIGHT - 2) * (1 - rate / most)).toFixed(1)}`).join('L')}`
}
