/*
 * figures.js: medians with quartiles, and how they are printed.
 */

const at = (sorted, part) => {
  const index = (sorted.length - 1) * part
  const below = Math.floor(index)
  return sorted[below] + (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]) * (index - below)
}

/** { median, low, high, n } of the values; low and high are the quartiles. */
export function quartiles(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return { median: at(sorted, 0.5), low: at(sorted, 0.25), high: at(sorted, 0.75), n: sorted.length }
}

const digits = value => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2)

/** "1.08 [1.05–1.12]"; one value stands alone. */
export function figure(values, unit = '') {
  const { median, low, high, n } = quartiles([values].flat())
  const text = value => value.toFixed(digits(median))
  return `${text(median)}${unit}${n > 1 ? ` [${text(low)}–${text(high)}]` : ''}`
}

/** A table in Markdown. */
export function table(head, rows) {
  return [head, head.map(() => '-'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}
