/*
 * figures.js: the counts and times of a payload, by all the names that kinds
 * have for them; the other half of payloads.js.
 */
import { COUNTERS, number, text } from './payloads.js'

const time = value => number(Date.parse(value))

export function figuresOf(p) {
  return {
    detected: number(p.detected_count),
    errors: number(p.error_count ?? p.failed),
    counters: COUNTERS.map(name => number((p.counters ?? p)[name])),
    rate: number(p.rate),
    eta: number(p.eta_seconds ?? p.time_remaining ?? p.estimated_remaining),
    etaLow: number(p.eta_low),
    etaHigh: number(p.eta_high),
    etaState: text(p.eta_state),
    startedAt: time(p.started_at),
    completedAt: time(p.completed_at),
    updatedAt: time(p.updated_at)
  }
}
