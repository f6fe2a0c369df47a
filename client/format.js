/*
 * format.js: numbers and times as people read them.
 *
 * Everything that Intl knows is left to Intl; what remains are a few phrases,
 * here in English and Spanish, and any of them can be replaced:
 *
 *   const format = createFormat('es-CR', { remaining: 'faltan unos {time}' })
 *   format.remaining(95)
 *
 * Estimates are rounded, and the more so the longer they are: a time remaining
 * that shows seconds for an hour promises what nobody knows, and flickers.
 *
 * Pure, and every function takes null for "not known" and answers ''.
 */
const PHRASES = {
  en: {
    counts: '{done} of {total}',
    remaining: 'About {time} left',
    almostDone: 'Almost done',
    rate: '{count}/{unit}',
    second: 's',
    minute: 'min',
    justNow: 'just now'
  },
  es: {
    counts: '{done} de {total}',
    remaining: 'Tiempo restante: unos {time}',
    almostDone: 'Casi listo',
    rate: '{count}/{unit}',
    second: 's',
    minute: 'min',
    justNow: 'ahora mismo'
  }
}

const MINUTE = 60
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const UNITS = [['day', DAY], ['hour', HOUR], ['minute', MINUTE], ['second', 1]]

export function createFormat(locale = 'en', overrides = {}) {
  const language = new Intl.Locale(locale).language
  const phrases = { ...PHRASES.en, ...PHRASES[language], ...overrides }

  const integers = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
  const decimals = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 })
  const percents = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 0 })
  const list = new Intl.ListFormat(locale, { type: 'unit', style: 'narrow' })
  const ago = new Intl.RelativeTimeFormat(locale, { style: 'short' })
  const units = Object.fromEntries(UNITS.map(([unit]) =>
    [unit, new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short' })]))

  /** Whole seconds in their two largest units: "1 hr 20 min". */
  function duration(seconds) {
    if (!isKnown(seconds)) return ''
    const whole = Math.max(0, Math.floor(seconds))
    const first = Math.max(0, UNITS.findIndex(([, size]) => whole >= size))
    if (whole === 0) return units.second.format(0)

    const parts = []
    let rest = whole
    for (const [unit, size] of UNITS.slice(first, first + 2)) {
      const count = Math.floor(rest / size)
      rest %= size
      if (count > 0) parts.push(units[unit].format(count))
    }
    return list.format(parts)
  }

  return {
    count: number => isKnown(number) ? integers.format(number) : '',

    /** 45 → "45%"; never rounded up, so that 100 % means all. */
    percentage: percent => isKnown(percent) ? percents.format(Math.floor(percent) / 100) : '',

    /** "12,345 of 60,000", or only the first while the total is not known. */
    counts(done, total) {
      if (!isKnown(done)) return ''
      if (!isKnown(total)) return integers.format(done)
      return fill(phrases.counts, { done: integers.format(done), total: integers.format(total) })
    },

    /** "1,034/s"; slow ones by the minute. */
    rate(perSecond) {
      if (!isKnown(perSecond) || perSecond < 0) return ''
      const slow = perSecond > 0 && perSecond < 1
      const value = slow ? perSecond * MINUTE : perSecond
      const count = (value < 10 ? decimals : integers).format(value)
      return fill(phrases.rate, { count, unit: slow ? phrases.minute : phrases.second })
    },

    /** "About 2 min left". */
    remaining(seconds) {
      if (!isKnown(seconds)) return ''
      if (seconds < 5) return phrases.almostDone
      return fill(phrases.remaining, { time: duration(roundEstimate(seconds)) })
    },

    duration,

    /** "3 sec. ago". */
    age(seconds) {
      if (!isKnown(seconds)) return ''
      const whole = Math.max(0, Math.floor(seconds))
      if (whole < 1) return phrases.justNow
      const [unit, size] = UNITS.find(([, size]) => whole >= size)
      return ago.format(-Math.floor(whole / size), unit)
    }
  }
}

/** Seconds rounded as far as an estimate of that length can be believed. */
export function roundEstimate(seconds) {
  const step = seconds < MINUTE ? 5
    : seconds < 10 * MINUTE ? 30
      : seconds < HOUR ? MINUTE
        : seconds < DAY ? 5 * MINUTE : HOUR
  return Math.max(step, Math.round(seconds / step) * step)
}

function isKnown(number) {
  return typeof number === 'number' && Number.isFinite(number)
}

function fill(phrase, values) {
  return phrase.replace(/\{(\w+)\}/g, (_, name) => values[name])
}
