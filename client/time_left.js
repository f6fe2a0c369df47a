/*
 * time_left.js: an estimate as people read it, in one of three styles.
 *
 *   words  about 2 hours    as Rails says it, and as vague
 *   short  1 hr 35 min      rounded as far as it can be believed
 *   clock  95m 10s          to the second
 */
import { roundEstimate } from './format.js'
import { timeInWords } from './time_in_words.js'

const STYLES = {
  words: (seconds, format, locale) => timeInWords(seconds, locale),
  short: (seconds, format) => format.duration(roundEstimate(seconds)),
  clock: seconds => seconds < 60 ? `${Math.ceil(seconds)}s` : `${Math.floor(seconds / 60)}m ${Math.floor(seconds % 60)}s`
}

/** [seconds], or a range [low, high], whose common words are said once: "2–5 minutes". */
export function timeLeft(range, style, format, locale) {
  const [low, high = low] = range.map(seconds => (STYLES[style] ?? STYLES.words)(seconds, format, locale))
  if (low === high) return low
  const [before, from, after] = low.split(/(\d+)/)
  const [sameBefore, to, sameAfter] = high.split(/(\d+)/)
  const alike = before === sameBefore && after === sameAfter && low.replace(/\d/g, '').length === (before + after).length
  return alike ? `${before}${from}–${to}${after}` : `${low} – ${high}`
}
