/*
 * element_announcer.js: what of all this is worth saying aloud.
 *
 * A screen reader is told of the start, of every change of state, of a lost
 * connection and of each quarter of the way, never of each update.  Failures
 * are not said here: the error is an alert and speaks for itself.  Nor is what
 * had ended before anybody looked.
 */
import { hasEnded } from './payloads.js'

const STEP = 25

export function createAnnouncer(node) {
  let run, lastState, lastStep
  let lastNotice = false

  return ({ record, etaState, say, notice, percentText }) => {
    const told = []
    if (notice !== lastNotice) told.push(notice || say('reconnected'))
    lastNotice = notice
    if (record) {
      const { id, status, percent } = record
      const state = etaState === 'stalled' ? etaState : status
      const step = Math.floor(percent / STEP)
      if (id !== run ? !hasEnded(status) : state !== lastState && state !== 'failed') told.push(say(state), percentText)
      else if (step > lastStep && state === lastState) told.push(percentText)
      run = id
      lastState = state
      lastStep = step
    }
    const text = told.filter(Boolean).join(', ')
    if (text) node.textContent = text
  }
}
