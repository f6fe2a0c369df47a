/*
 * element_source.js: where an element's states come from.
 *
 * A run, by the id that the page gives; or, without one, whatever run of the
 * channel is its reader's newest (element_follow.js, loaded when asked for).
 */
import { SyncProgressClient } from './client.js'

const tokens = new Map() // address → callback: the same one, so that elements share a client

export class ElementSource {
  #attribute
  #handler
  #watched = null
  #stopped = new AbortController()

  /** attribute(name) is what the page says; handler is told state, idle, reset, refused, failed and connection. */
  constructor({ client, attribute, handler }) {
    this.#attribute = attribute
    this.#handler = handler
    this.client = client ?? clientFor(attribute)
    this.subscription = null
  }

  get signal() {
    return this.#stopped.signal
  }

  get channel() {
    return this.#attribute('channel')
  }

  start() {
    const { client, signal } = this
    const id = this.#attribute('session-id') ?? this.#attribute('source-id')
    client.addEventListener('statechange', event => this.#handler.connection(event), { signal })
    this.#handler.connection({ state: client.state })
    if (id && id !== '0') this.watch(id)
    else import('./element_follow.js').then(({ follow }) => signal.aborted || follow(this), () => this.#handler.refused())
  }

  stop() {
    this.#stopped.abort()
    this.subscription?.unsubscribe()
  }

  /** From now on it is this run. */
  watch(id) {
    if (id === this.#watched) return
    this.#watched = id
    this.subscription?.unsubscribe()
    this.subscription = this.client.subscribe(identifierOf(this.channel, id), {
      onProgress: payload => this.#handler.state(payload),
      onRejected: () => this.#handler.refused(),
      onReset: () => this.#handler.reset(),
      onError: refusal => this.#handler.failed(refusal)
    })
    const { latest } = this.subscription
    if (latest !== undefined) this.#handler.state(latest)
  }

  /** There is no run now; the last one ended so many seconds ago, or never (null). */
  rest(last) {
    this.subscription?.unsubscribe()
    this.subscription = this.#watched = null
    this.#handler.idle(last)
  }

  get watched() {
    return this.#watched
  }
}

/** The same for everyone who watches it, so that it is one stream. */
function identifierOf(channel, id) {
  return { channel, [channel === 'SyncStatusChannel' ? 'session_id' : 'id']: /^\d{1,15}$/.test(id) ? Number(id) : id }
}

function clientFor(attribute) {
  const tokenUrl = attribute('token-url') ?? meta('sync-progress-token-url')
  const token = attribute('token') ?? (tokenUrl ? tokenFrom(tokenUrl) : undefined)
  return SyncProgressClient.for({ url: attribute('url') ?? meta('action-cable-url') ?? '/cable', token })
}

function meta(name) {
  return document.querySelector(`meta[name="${name}"]`)?.content
}

function tokenFrom(url) {
  if (!tokens.has(url)) tokens.set(url, () => fetchToken(url))
  return tokens.get(url)
}

// A text, or JSON: "…" or {"token":"…"}.
async function fetchToken(url) {
  const response = await fetch(url, { credentials: 'same-origin', headers: { Accept: 'application/json, text/plain' } })
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  const text = (await response.text()).trim()
  return /^["{]/.test(text) ? JSON.parse(text).token ?? JSON.parse(text) : text
}
