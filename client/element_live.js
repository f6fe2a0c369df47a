/*
 * element_live.js: counts, how fast, how long still, how long ago; and what is
 * said aloud of it all.
 *
 * Times of the server are compared among themselves only, since the reader's
 * clock may be wrong; ages are counted from when something came.  Loaded after
 * the first drawing: nobody knows these in the first moment.
 */
import { Countdown } from './countdown.js'
import { createAnnouncer } from './element_announcer.js'
import { adopt, builder, setTexts } from './element_dom.js'
import { lateStyles } from './element_late_styles.js'
import { figuresOf } from './figures.js'
import { createFormat, roundEstimate } from './format.js'
import { COUNTERS, hasEnded } from './payloads.js'
import { timeInWords } from './time_in_words.js'

const EARLY_MS = 3_000
const SPREAD = 1.5 // from here on an estimate is a range

export const texts = {
  remaining: 'Time remaining: {time}',
  'mesh.remaining': 'Est. {time} remaining',
  stalled: 'No progress at the moment',
  stalledFor: 'No progress for {time}',
  detected: '{n} detected',
  errors: '1 error|{n} errors',
  inserted: '{n} inserted',
  updated: '{n} updated',
  deleted: '{n} deleted',
  kept: '{n} kept',
  skipped: '{n} skipped',
  age: 'Updated {time}',
  took: 'Took {time}',
  reconnected: 'Connected again',
  notDone: 'That did not work: {error}'
}

const styles = `
[part~=remaining]{margin-inline-start:auto}
[part=stats]>:not([hidden])~:not([hidden])::before{content:"•";margin-inline-end:.75rem;opacity:.6}
[part=errors]{color:var(--bad)}
`

const STYLES = {
  words: (seconds, { locale }) => timeInWords(seconds, locale),
  short: (seconds, { format }) => format.duration(roundEstimate(seconds)),
  clock: seconds => seconds < 60 ? `${Math.ceil(seconds)}s` : `${Math.floor(seconds / 60)}m ${Math.floor(seconds % 60)}s`
}

export function create(parts, shadow) {
  const h = builder(parts)
  const span = name => h('span', name)
  const announce = createAnnouncer(parts.announcement)
  const countdown = new Countdown()
  let model
  let seen // the record that was shown last
  let advance // { at, known }: when it last got further

  adopt(shadow, lateStyles)
  adopt(shadow, styles)
  parts.header.after(h('p', 'connection'), h('p', 'problem', { role: 'alert' }))
  parts.figures.append(...['stalled', 'eta remaining'].map(span))
  parts.stats.append(...['detected', 'errors', ...COUNTERS, 'rate', 'age'].map(span))

  function show(given) {
    const { record, locale, receivedAt, notice, problem, say } = given
    const figures = record && (record === seen?.record ? seen.figures : figuresOf(record.payload))
    model = { ...given, ...record, ...figures, format: formatFor(locale) }
    if (record && record !== seen?.record) {
      const isSame = seen?.record.id === record.id
      const further = seen?.record.done !== record.done || seen.record.percent !== record.percent
      if (!isSame) countdown.update(null)
      if (!isSame || further) advance = { at: figures.updatedAt, known: isSame }
      countdown.update(estimateOf(model), receivedAt)
    }
    seen = record && { record, figures }
    setTexts(parts, { connection: notice, problem: problem && say('notDone', { error: problem }), ...record && countsOf(model) })
    show.tick(model.now)
    announce(model)
  }

  show.tick = now => {
    if (!model?.record) return
    const { receivedAt, say, format, status, etaState, updatedAt, startedAt, completedAt, rate } = model
    const age = Math.max(0, now - receivedAt) / 1000
    const time = seconds => ({ time: format.duration(seconds) })
    const working = status === 'processing'
    const ended = hasEnded(status)
    setTexts(parts, {
      remaining: ended
        ? startedAt && completedAt && say('took', time((completedAt - startedAt) / 1000))
        : describeLeft(countdown.left(now), model),
      stalled: working && etaState === 'stalled' &&
        (advance.known ? say('stalledFor', time((updatedAt - advance.at) / 1000 + age)) : say('stalled')),
      rate: working && rate > 0 && format.rate(rate),
      age: !ended && say('age', { time: format.age(age) })
    })
  }
  return show
}

function countsOf({ detected, errors, counters, say, format }) {
  const counted = (name, count) => [name, count && say(name, { n: format.count(count) })]
  return Object.fromEntries([
    counted('detected', detected),
    counted('errors', errors),
    ...COUNTERS.map((name, index) => counted(name, counters[index]))
  ])
}

// None before it can be one: the first moments say little.
function estimateOf({ status, eta, etaState, updatedAt, startedAt }) {
  const early = etaState === 'estimating' || (startedAt && updatedAt - startedAt < EARLY_MS)
  return status !== 'processing' || etaState === 'stalled' || early ? null : eta
}

function describeLeft(left, model) {
  if (!left) return null
  const { eta, etaLow, etaHigh, kind } = model
  const style = STYLES[model.attribute('times') ?? (kind === 'mesh' ? 'clock' : 'words')] ?? STYLES.words
  const [low, high] = (etaHigh / etaLow > SPREAD ? [etaLow / eta * left, etaHigh / eta * left] : [left, left])
    .map(seconds => style(seconds, model))
  return model.say('remaining', { time: low === high ? low : range(low, high) })
}

// What both have in common is said once: "2–5 minutes".
function range(low, high) {
  const [before, from, after, ...more] = low.split(/(\d+)/)
  const [sameBefore, to, sameAfter] = high.split(/(\d+)/)
  return before === sameBefore && after === sameAfter && !more.length ? `${before}${from}–${to}${after}` : `${low} – ${high}`
}

const formats = {}

function formatFor(locale) {
  return formats[locale] ??= createFormat(locale)
}
