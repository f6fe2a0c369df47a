/*
 * charts.js: lines over the last five minutes, drawn as SVG.
 *
 * Everything that is seen comes from the style sheet, so that it follows light and
 * dark by itself; here are only shapes.
 */
const SVG = 'http://www.w3.org/2000/svg'
const MARGIN = { left: 46, right: 6, top: 8, bottom: 20 }

export const SECONDS = 300

export function shape(name, attributes = {}, parent = undefined) {
  const node = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value)
  parent?.append(node)
  return node
}

/** The path of these values, with a gap where there is none. */
function path(values, x, y) {
  let text = ''
  let isDown = false
  values.forEach((value, i) => {
    if (value == null) {
      isDown = false
      return
    }
    text += isDown ? `L${x(i).toFixed(1)} ${y(value).toFixed(1)}` : `M${x(i).toFixed(1)} ${y(value).toFixed(1)}h0`
    isDown = true
  })
  return text
}

/** A small line along the bottom of its tile. */
export class Sparkline {
  constructor(svg) {
    this.svg = svg
    svg.setAttribute('preserveAspectRatio', 'none')
    svg.setAttribute('viewBox', `0 0 ${SECONDS - 1} 34`)
    this.area = shape('path', { class: 'area' }, svg)
    this.line = shape('path', { class: 'spark', 'vector-effect': 'non-scaling-stroke' }, svg)
  }

  draw(values) {
    const top = Math.max(...values.map(value => value ?? 0), 1e-9)
    const x = i => SECONDS - values.length + i
    const y = value => 31 - (value / top) * 27
    const line = path(values, x, y)
    this.line.setAttribute('d', line)
    this.area.setAttribute('d', line && !values.includes(null) ? `${line}L${SECONDS - 1} 34L${x(0)} 34Z` : '')
  }
}

/**
 * Several lines with their axes, by powers of ten: what is a thousand times as
 * much as another is on the same chart. range: the first and the last power at
 * least; what is below the first lies at the bottom. show(value) says it in words;
 * limit() is a line of its own, or 0.
 */
export class Chart {
  constructor(figure, { names, range, show, limit = () => 0, filled = false }) {
    Object.assign(this, { figure, names, range, show, limit, filled, series: names.map(() => []) })
    this.svg = shape('svg', { role: 'img' })
    this.readout = document.createElement('div')
    this.readout.className = 'readout'
    figure.append(this.svg, this.readout)
    new ResizeObserver(() => this.draw(this.series)).observe(figure)
    figure.addEventListener('pointermove', event => this.point(event.offsetX))
    figure.addEventListener('pointerleave', () => this.point(-1))
  }

  #ticks() {
    const [low, high] = this.range
    const most = Math.max(...this.series.flat(), low)
    const ticks = [low]
    while (ticks.at(-1) < Math.max(high, most)) ticks.push(ticks.at(-1) * 10)
    return ticks
  }

  draw(series) {
    this.series = series
    const { clientWidth: width, clientHeight: height } = this.figure
    if (!width) return
    const ticks = this.#ticks()
    const [low, high] = [ticks[0], ticks.at(-1)]
    const inner = { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom }
    const part = value => Math.log(Math.min(Math.max(value, low), high) / low) / Math.log(high / low)
    const y = value => MARGIN.top + inner.height * (1 - part(value))
    const count = Math.max(...series.map(values => values.length))
    this.x = i => MARGIN.left + inner.width * ((SECONDS - count + i) / (SECONDS - 1))
    this.count = count

    this.svg.setAttribute('viewBox', `0 0 ${width} ${height}`)
    this.svg.setAttribute('aria-label', this.#words())
    this.svg.replaceChildren()
    for (const tick of ticks) {
      shape('line', { class: 'grid', x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }, this.svg)
      shape('text', { class: 'axis', x: MARGIN.left - 7, y: y(tick) + 3.5, 'text-anchor': 'end' }, this.svg).textContent = this.show(tick)
    }
    for (let minute = 0; minute <= 5; minute += inner.width < 340 ? 2 : 1) {
      const at = MARGIN.left + inner.width * (1 - Math.min(minute * 60, SECONDS - 1) / (SECONDS - 1))
      shape('text', { class: 'axis', x: at, y: height - 4, 'text-anchor': minute === 0 ? 'end' : minute === 5 ? 'start' : 'middle' }, this.svg).textContent =
        minute === 0 ? 'now' : `−${minute} min`
    }
    const limit = this.limit()
    if (limit >= low && limit <= high && limit > 0) shape('line', { class: 'limit-line', x1: MARGIN.left, x2: width - MARGIN.right, y1: y(limit), y2: y(limit) }, this.svg)
    series.forEach((values, i) => {
      const line = path(values, this.x, y)
      if (i === 0 && this.filled && line) shape('path', { class: 'area', d: `${line}L${this.x(count - 1)} ${y(low)}L${this.x(0)} ${y(low)}Z` }, this.svg)
      shape('path', { class: `line s${i + 1}`, d: line }, this.svg)
    })
    this.cursor = shape('line', { class: 'cursor', y1: MARGIN.top, y2: height - MARGIN.bottom, visibility: 'hidden' }, this.svg)
    if (this.at >= 0) this.point(this.at)
  }

  /** What was there, where the pointer is. */
  point(at) {
    this.at = at
    const i = at < 0 || !this.count ? -1 : Math.round((at - this.x(0)) / ((this.x(this.count - 1) - this.x(0)) / Math.max(this.count - 1, 1)))
    const isThere = i >= 0 && i < this.count
    this.cursor?.setAttribute('visibility', isThere ? 'visible' : 'hidden')
    this.readout.textContent = isThere ? `${this.count - 1 - i} s ago: ${this.#values(i)}` : ''
    if (!isThere) return
    this.cursor.setAttribute('x1', this.x(i))
    this.cursor.setAttribute('x2', this.x(i))
  }

  #values(i) {
    return this.names.map((name, k) => `${name} ${this.series[k][i] == null ? '–' : this.show(this.series[k][i])}`).join(' · ')
  }

  #words() {
    return this.count ? `The last five minutes; now ${this.#values(this.count - 1)}` : 'Nothing yet'
  }
}
