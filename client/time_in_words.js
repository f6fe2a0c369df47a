/*
 * time_in_words.js: "about 2 hours", in the words that Rails has for it.
 *
 * A page whose server says distance_of_time_in_words must not change its
 * wording when the browser takes over.  The steps are those of Action View,
 * the words those of Rails (en) and of rails-i18n (es, es-CR).  Only leap days
 * are not counted, which Rails does for spans of years.
 *
 * Pure; "not known" (null) answers ''.
 */
const WORDS = {
  __proto__: null,
  en: {
    underMinute: 'less than a minute',
    minute: ['{n} minute', '{n} minutes'],
    hour: ['about {n} hour', 'about {n} hours'],
    day: ['{n} day', '{n} days'],
    aboutMonth: ['about {n} month', 'about {n} months'],
    month: ['{n} month', '{n} months'],
    aboutYear: ['about {n} year', 'about {n} years'],
    overYear: ['over {n} year', 'over {n} years'],
    almostYear: ['almost {n} year', 'almost {n} years']
  },
  es: spanish('alrededor de'),
  'es-cr': spanish('cerca de')
}

const HOUR = 60
const DAY = 24 * HOUR
const MONTH = 30 * DAY
const YEAR = 365 * DAY

// Minutes up to (not including) which a step counts, in what it counts, and how.
const STEPS = [
  [45, 'minute', minutes => minutes],
  [90, 'hour', () => 1],
  [DAY, 'hour', minutes => Math.round(minutes / HOUR)],
  [1.75 * DAY, 'day', () => 1],
  [MONTH, 'day', minutes => Math.round(minutes / DAY)],
  [2 * MONTH, 'aboutMonth', minutes => Math.round(minutes / MONTH)],
  [YEAR, 'month', minutes => Math.round(minutes / MONTH)]
]

/** Seconds in the words of that language; those it has not, in English. */
export function timeInWords(seconds, locale = 'en') {
  if (!Number.isFinite(seconds)) return ''
  const tag = locale.toLowerCase().replaceAll('_', '-') // as a page's lang may have it
  const words = WORDS[tag] ?? WORDS[tag.split('-')[0]] ?? WORDS.en
  const minutes = Math.round(Math.abs(seconds) / 60)
  if (minutes === 0) return words.underMinute
  const [, unit, count] = STEPS.find(([end]) => minutes < end) ?? yearStep(minutes)
  const number = count(minutes)
  return words[unit][number === 1 ? 0 : 1].replace('{n}', number)
}

// The quarter of a year after which a year is "over", and before which "almost".
function yearStep(minutes) {
  const years = Math.floor(minutes / YEAR)
  const rest = minutes % YEAR
  if (rest < YEAR / 4) return [Infinity, 'aboutYear', () => years]
  if (rest < YEAR * 3 / 4) return [Infinity, 'overYear', () => years]
  return [Infinity, 'almostYear', () => years + 1]
}

function spanish(about) {
  return {
    underMinute: 'menos de 1 minuto',
    minute: ['{n} minuto', '{n} minutos'],
    hour: [`${about} {n} hora`, `${about} {n} horas`],
    day: ['{n} día', '{n} días'],
    aboutMonth: [`${about} {n} mes`, `${about} {n} meses`],
    month: ['{n} mes', '{n} meses'],
    aboutYear: [`${about} {n} año`, `${about} {n} años`],
    overYear: ['más de {n} año', 'más de {n} años'],
    almostYear: ['casi {n} año', 'casi {n} años']
  }
}
