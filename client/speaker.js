/*
 * speaker.js: what a screen reader is told of a widget that the server rendered.
 *
 * The start, each change of status, each quarter of the way, and that the
 * connection was lost or is back; never each update.  A failure is an alert,
 * once.  What had ended before anybody looked is no news.
 *
 * The regions are looked up each time: a morph of the page may remove them.
 */
import { hasEnded } from './payloads.js'

const STEP = 25

const UNSEEN = { position: 'absolute', width: '1px', height: '1px', overflow: 'hidden', 'clip-path': 'inset(50%)', 'white-space': 'nowrap' }

export class Speaker {
  #element
  #told = {}

  constructor(element) {
    this.#element = element
    // A region that appears together with its text is not heard everywhere.
    this.#region('status')
    this.#region('alert')
  }

  say(text, role = 'status') {
    this.#region(role).textContent = text
  }

  tell({ run, status, percent, text, percentText }) {
    const before = this.#told
    const step = Math.floor((percent ?? 0) / STEP)
    this.#told = { run, status, step }
    if (run !== before.run) {
      if (!hasEnded(status)) this.say(join(text, percentText))
    } else if (status === before.status) {
      if (step > before.step) this.say(percentText)
    } else if (status === 'failed') this.say(text, 'alert')
    else this.say(join(text, percentText))
  }

  #region(role) {
    const known = this.#element.querySelector(`:scope > [data-spoken="${role}"]`)
    if (known) return known
    const region = document.createElement('div')
    region.dataset.spoken = role
    region.setAttribute('role', role)
    region.setAttribute('data-turbo-temporary', '') // not for Turbo's page cache
    for (const [name, value] of Object.entries(UNSEEN)) region.style.setProperty(name, value)
    this.#element.append(region)
    return region
  }
}

function join(...texts) {
  return texts.filter(Boolean).join(', ')
}
