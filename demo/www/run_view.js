/*
 * run_view.js: one payload becomes the page.
 *
 * render() shows a new payload; tick() lets time pass between two of them: the
 * estimate counts down, the age of the last update grows.  Times of the server
 * are compared among themselves only, since the reader's clock may be wrong.
 */
import { setAttribute, setData, setFill, setHidden, setIcon, setOptional, setText } from './dom.js'

const STATUS = {
  pending: 'Pending',
  processing: 'In progress',
  paused: 'Paused',
  completed: 'Completed',
  failed: 'Failed',
  cancelled: 'Cancelled'
}
const ENDED = new Set(['completed', 'failed', 'cancelled'])
const BAR_CELLS = 20

// A rate of the first moments says little, and "almost done" at 20 % is a joke.
const ESTIMATE_AFTER_S = 3
const NEARLY_PERCENT = 95
const SHORT_S = 5

export function statusText(status) {
  return STATUS[status] ?? String(status)
}

export function hasEnded(status) {
  return ENDED.has(status)
}

export class RunView {
  #page
  #fields
  #format
  #payload = null
  #receivedAt = 0
  #stopped = false

  constructor(page, fields, format) {
    this.#page = page
    this.#fields = fields
    this.#format = format
  }

  render(payload, receivedAt) {
    this.#payload = payload
    this.#receivedAt = receivedAt
    const { title, session_id: id, status, message, error_message: error } = payload
    const fields = this.#fields

    setData(this.#page, 'state', status)
    setText(fields.title, title || `Session ${id}`)
    setOptional(fields.message, message)
    setOptional(fields.error, error)
    this.#renderStatus(status)
    this.#renderBar(payload)
    this.#renderStats(payload)
    this.#renderResult(payload)
    this.#renderPsql(payload)
    this.tick(receivedAt)
  }

  tick(now) {
    if (!this.#payload) return
    const age = Math.max(0, (now - this.#receivedAt) / 1000)
    setText(this.#fields.remaining, this.#describeRemaining(age))
    setText(this.#fields.elapsed, this.#format.duration(this.#elapsed(age)) || '–')
    setText(this.#fields.updated, this.#describeAge(age))
  }

  /** Nothing newer will come: no estimate holds any more, only the age grows. */
  stop() {
    this.#stopped = true
    this.tick(this.#receivedAt)
  }

  #renderStatus(status) {
    const { status: badge, 'status-text': text } = this.#fields
    setHidden(badge, false)
    setData(badge, 'state', status)
    setIcon(badge.firstElementChild, STATUS[status] ? status : 'pending')
    setText(text, statusText(status))
  }

  #renderBar(payload) {
    const { percentage, counts, bar, fill } = this.#fields
    const { status, processed_count: done, total_count: total, progress_percentage: percent } = payload
    const indeterminate = percent === null
    const moving = indeterminate && !ENDED.has(status)

    setText(percentage, indeterminate ? this.#format.count(done) : this.#format.percentage(percent))
    setText(counts, indeterminate
      ? (moving ? 'so far, total not known yet' : 'in all')
      : this.#format.counts(done, total))
    setData(this.#page, 'indeterminate', String(moving))
    setAttribute(bar, 'aria-valuenow', indeterminate ? null : String(percent))
    setFill(fill, fractionOf(payload, moving))
  }

  #renderStats(payload) {
    const fields = this.#fields
    const ended = ENDED.has(payload.status)
    setText(fields.rate, this.#format.rate(ended ? this.#averageRate(payload) : payload.rate) || '–')
    setText(fields['rate-label'], ended ? 'Average rate' : 'Rate')
    setText(fields.detected, this.#format.count(payload.detected_count))
    setText(fields.errors, this.#format.count(payload.error_count))
    setData(fields['errors-tile'], 'any', String(payload.error_count > 0))
    setText(fields['elapsed-label'], ended ? 'Took' : 'Elapsed')
  }

  // Only a page of this same site: the address comes from a job.
  #renderResult({ result_url: address }) {
    const { result } = this.#fields
    const url = address ? parseUrl(address) : null
    const allowed = url !== null && url.origin === location.origin
    setHidden(result, !allowed)
    if (allowed) setAttribute(result, 'href', url.href)
  }

  #renderPsql({ session_id: id, status, progress_percentage: percent, processed_count: done, total_count: total }) {
    const { psql, 'psql-query': query, 'psql-answer': answer } = this.#fields
    setHidden(psql, !Number.isSafeInteger(id))
    if (psql.hidden) return
    setText(query, `SELECT * FROM sync.sync_progress(${id});`)
    setText(answer, percent === null
      ? `${status}  ${done}`
      : `${status}  ${String(percent).padStart(3)}%  ${textBar(percent)}  ${done}/${total}`)
  }

  #elapsed(age) {
    const { status, started_at: started, completed_at: completed, updated_at: updated } = this.#payload
    const from = Date.parse(started ?? '')
    const to = Date.parse((ENDED.has(status) ? completed ?? updated : updated) ?? '')
    const since = (to - from) / 1000
    if (Number.isNaN(since)) return null
    return status === 'processing' && !this.#stopped ? since + age : since
  }

  #averageRate({ processed_count: done }) {
    const seconds = this.#elapsed(0)
    return seconds > 0 ? done / seconds : null
  }

  #describeRemaining(age) {
    const { status, eta_state: etaState, eta_seconds: eta, time_remaining: classic, total_count: total,
      progress_percentage: percent } = this.#payload
    if (status === 'pending') return 'Waiting to start'
    if (status !== 'processing' || this.#stopped) return ''
    if (etaState === 'stalled') return 'No progress at the moment'
    const seconds = eta ?? classic
    if (seconds === null) return total === null ? '' : 'Estimating…'
    const left = Math.max(0, seconds - age)
    if (percent === null || percent >= NEARLY_PERCENT) return this.#format.remaining(left)
    return this.#elapsed(0) < ESTIMATE_AFTER_S || left === 0
      ? 'Estimating…'
      : this.#format.remaining(Math.max(SHORT_S, left))
  }

  #describeAge(age) {
    const { status, completed_at: completed } = this.#payload
    if (ENDED.has(status) && completed) {
      const when = new Date(completed)
      return `${status === 'completed' ? 'Finished' : 'Ended'} ${when.toLocaleString('en', { dateStyle: 'medium', timeStyle: 'medium' })}`
    }
    return `Updated ${this.#format.age(age)}`
  }
}

// The counts are finer than the whole percent, and the bar may as well move.
function fractionOf({ status, processed_count: done, total_count: total, progress_percentage: percent }, moving) {
  if (moving) return null
  if (status === 'completed') return 1
  if (total > 0) return done / total
  return percent === null ? 0 : percent / 100
}

function textBar(percent) {
  const full = Math.floor(percent / 100 * BAR_CELLS)
  return '▓'.repeat(full) + '░'.repeat(BAR_CELLS - full)
}

function parseUrl(address) {
  try {
    return new URL(address, location.href)
  } catch {
    return null
  }
}
