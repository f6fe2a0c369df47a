/*
 * connection_view.js: whether what is shown is still live, and when the next
 * attempt comes if it is not.
 */
import { setData, setHidden, setIcon, setText } from './dom.js'

const ICONS = { connecting: 'processing', live: 'live', stale: 'lost', backoff: 'lost', offline: 'lost', closed: 'cancelled', rejected: 'lock' }

export class ConnectionView {
  #page
  #node
  #text
  #icon
  #announcer
  #state = 'idle'
  #wasLive = false
  #lost = false
  #retryAt = null

  constructor(page, { connection, 'connection-text': text }, announcer) {
    this.#page = page
    this.#node = connection
    this.#text = text
    this.#icon = connection.querySelector('svg')
    this.#announcer = announcer
  }

  render({ state, retryInMs }) {
    this.#state = state
    this.#retryAt = retryInMs === null ? null : performance.now() + retryInMs
    if (state === 'live') {
      if (this.#lost) this.#announcer.say('Connected again')
      this.#wasLive = true
      this.#lost = false
    } else if (retryInMs !== null && !this.#lost) {
      this.#lost = true
      this.#announcer.say('Connection lost, reconnecting')
    }
    setData(this.#page, 'connection', state)
    setData(this.#node, 'state', state)
    setHidden(this.#node, state === 'rejected' || state === 'closed')
    setIcon(this.#icon, ICONS[state] ?? 'processing')
    this.tick(performance.now())
  }

  tick(now) {
    setText(this.#text, this.#describe(now))
  }

  #describe(now) {
    if (this.#state === 'live') return 'Live'
    if (this.#state === 'offline') return 'No network'
    if (this.#state === 'backoff') {
      const seconds = Math.ceil((this.#retryAt - now) / 1000)
      return seconds > 0 ? `Reconnecting… next try in ${seconds} s` : 'Reconnecting…'
    }
    return this.#wasLive || this.#lost ? 'Reconnecting…' : 'Connecting…'
  }
}
