/*
 * http_stream.js: one stream over HTTP.
 *
 * Its state is asked for, which also says what is the matter if anything is.
 * Then it listens to events from there on, if it may and they come through;
 * when they end, or nothing was heard for two heartbeats and a half, the state
 * is asked for again.  The browser's EventSource would come back by itself, but
 * says neither why it ended nor that it has gone silent, so each is used once.
 *
 * Else it asks again and again: every 5 s while the state changes, then 10, 20,
 * 40 and at most 60 s apart; not sooner than the stream's own min_interval_ms,
 * nor than the server allows.
 *
 * Of the owner's list there is no state, its first page stands for it, and that
 * it may have changed is told as an event.
 */
import { addressOf, send } from './http.js'
import { minIntervalOf, pathOf } from './paths.js'

const TIMEOUT_MS = 10_000
const TOKEN_MARGIN_MS = 30_000
const POLL_MS = 5_000
const MAX_POLL_MS = 60_000
const SILENT_MS = 75_000

// The first event comes at once, or something in between holds it back.
const FIRST_MS = 7_500

// All streams end at once when a server restarts.
const PAUSE_MS = 2_000

export class HttpStream {
  #identifier
  #options
  #owner
  #isList
  #etag
  #known // of the owner's list
  #pollMs = POLL_MS
  #source = null
  #isHeard = false // the source
  #looking = 0
  #timer

  /** owner: an HttpTransport; options: its, and isList, which tells the owner's list. */
  constructor(identifier, options, owner) {
    this.#identifier = identifier
    this.#options = options
    this.#owner = owner
    this.#isList = options.isList(identifier)
  }

  get isListening() {
    return this.#source !== null
  }

  /** Asks for the state now, and goes on from there. */
  async look() {
    const looking = ++this.#looking
    this.#options.clock.clearTimeout(this.#timer)
    const { status, body, retryAfterMs = 0 } = await this.#ask()
    if (looking !== this.#looking || !this.#owner.judge(this.#identifier, status)) return

    const isNew = status === 200 && this.#take(body)
    this.#pollMs = isNew ? POLL_MS : Math.min(2 * this.#pollMs, MAX_POLL_MS)
    if (this.#source) this.#wait(SILENT_MS)
    else if (this.#owner.hasRoom) this.#listen()
    else this.#wait(Math.max(this.#pollMs, minIntervalOf(this.#identifier), retryAfterMs))
  }

  /** Asks now, and soon again; nothing that was open is believed. */
  restart() {
    this.#pollMs = POLL_MS
    this.#quit()
    this.look()
  }

  close() {
    this.#looking += 1
    this.#quit()
  }

  // Status 0: no answer, or not one from a bridge.
  async #ask() {
    const { url, identity, host, clock } = this.#options
    if (identity.expiresInMs < TOKEN_MARGIN_MS) await identity.renew().catch(() => {})
    const late = new AbortController()
    const timer = clock.setTimeout(() => late.abort(), TIMEOUT_MS)
    try {
      const response = await send(addressOf(url, this.#isList ? 'sessions' : `snapshots/${pathOf(this.#identifier)}`), {
        token: identity.token,
        fetch: host.fetch,
        signal: late.signal,
        headers: this.#etag && { 'If-None-Match': this.#etag }
      })
      const { status, headers } = response
      const body = status === 304 ? null : await response.json()
      if (response.ok) this.#etag = headers.get('ETag')
      return { status, body, retryAfterMs: headers.get('Retry-After') * 1_000 }
    } catch {
      return { status: 0 }
    } finally {
      clock.clearTimeout(timer)
    }
  }

  // Returns whether it is another one than before.
  #take(body) {
    if (!this.#isList) {
      this.#owner.received(this.#identifier, body)
      return true
    }
    const before = this.#known
    // without what changes while a run goes on
    this.#known = JSON.stringify(body.sessions.map(({ version: _, ...session }) => session))
    const isNew = before !== undefined && before !== this.#known
    if (isNew) this.#owner.received(this.#identifier, { type: 'sessions_reloaded' })
    return isNew
  }

  #listen() {
    const { url, identity, host } = this.#options
    const address = addressOf(url, this.#isList ? 'events/owner' : `events/${pathOf(this.#identifier)}`)
    const query = { token: identity.token, last_event_id: /\d+/.exec(this.#etag), min_interval_ms: minIntervalOf(this.#identifier) }
    for (const [name, value] of Object.entries(query)) if (value) address.searchParams.set(name, value)
    this.#isHeard = false
    this.#wait(FIRST_MS)
    try {
      this.#source = new host.EventSource(address.href, { withCredentials: identity.token == null })
    } catch {
      this.#end()
      return
    }
    this.#source.onmessage = ({ data }) => this.#hear(data)
    this.#source.onerror = () => this.#end()
  }

  #hear(text) {
    this.#isHeard = true
    this.#wait(SILENT_MS)
    this.#owner.heard()
    const message = JSON.parse(text)
    switch (message.type) {
      case 'connected':
        if (this.#isList) this.look() // what came before it was not heard
        break
      case 'heartbeat':
      case 'stale': // the database is away; the server is not
        break
      case 'token_expiring':
      case 'error':
        this.#owner.told(this.#identifier, message)
        break
      default:
        this.#owner.received(this.#identifier, message)
    }
  }

  #end() {
    const isBlocked = !this.#isHeard
    this.#quit()
    this.#wait(this.#options.random() * PAUSE_MS)
    if (isBlocked) this.#owner.blocked()
  }

  #quit() {
    this.#options.clock.clearTimeout(this.#timer)
    this.#source?.close()
    this.#source = null
  }

  #wait(ms) {
    const { clock } = this.#options
    clock.clearTimeout(this.#timer)
    this.#timer = clock.setTimeout(() => this.#source ? this.#end() : this.look(), ms)
  }
}
