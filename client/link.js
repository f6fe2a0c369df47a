/*
 * link.js: one link to the server, for as long as it is wanted.
 *
 *   idle → connecting → live → stale → backoff | offline → connecting …
 *                                            ↘ closed | rejected
 *
 * It owns at most one transport and replaces it when it is lost; what is
 * watched stays, so that a reconnect is nothing but a gap between two
 * versions.  That is a WebSocket, or where those do not get through, what
 * fallback.js finds.  "live" is the server's welcome; "stale" says that the connection
 * was given up because nothing was heard, and backoff follows at once;
 * "offline" is a backoff in which the browser says that there is no network: it
 * ends when that is back, and now and then without, for the browser may be wrong;
 * "rejected" is the server's word that trying again is useless, and only open()
 * leaves it.
 *
 * The owner hands in a handler with
 *   changed({ state, reason, retryInMs, attempt, transport }),
 *   confirmed(identifier), rejected(identifier), received(identifier, payload),
 *   lost({ willReconnect }).
 */
import { Backoff } from './backoff.js'
import { Cable } from './cable.js'
import { isList } from './identifier.js'
import { State } from './state.js'

// An outage is over when a connection has held this long.  Were it over at the
// welcome, a server that accepts and drops would be asked again without end.
const HELD_MS = 5_000

// How often to try although the browser says that it is useless.
const OFFLINE_RETRY_MS = 60_000

// So often has a WebSocket to fail without a word from the server before it is
// asked whether the server is there at all; and these are no words of a server.
const FAILURES = 2
const WORDLESS = [null, 'stale', 'unavailable']

// A token that could not be had is asked for again while the old one is good.
const REFRESH_RETRY_MS = 5_000

export class Link {
  #options
  #identity
  #clock
  #handler
  #backoff
  #state = State.IDLE
  #wanted = new Set()
  #transport = null
  #name = null // the transport's, while live
  #rung // the name of the transport to begin with
  #isFallback = false
  #failures = 0
  #liveSince = null
  #timer = null
  #opening = 0

  /** options: url, identity, host, clock, random, WebSocket, handler; transports, maxAttempts. */
  constructor({ transports = ['websocket', 'sse', 'polling'], ...options }) {
    const { identity, clock, random, handler } = this.#options = { transports, ...options }
    const remembered = rememberedRung(options.host)
    this.#rung = transports.includes(remembered) ? remembered : transports[0]
    this.#identity = identity
    this.#clock = clock
    this.#handler = handler
    this.#backoff = new Backoff({ random, now: clock.now })
  }

  /** Where tabs share a link, the one that has it. */
  get isLeader() {
    return true
  }

  subscribe(identifier) {
    this.#wanted.add(identifier)
    this.#transport?.subscribe(identifier)
  }

  unsubscribe(identifier) {
    this.#wanted.delete(identifier)
    this.#transport?.unsubscribe(identifier)
  }

  perform(identifier, action, data) {
    this.#transport?.perform(identifier, action, data)
  }

  /** Connects, or tries again now; does nothing while connecting or live. */
  open() {
    if (this.#state === State.CONNECTING || this.#state === State.LIVE) return
    if (!this.#isWaiting) this.#backoff.reset()
    this.#open()
  }

  /** Disconnects; what is watched waits for a later open(). */
  close() {
    this.#stop(State.CLOSED, null)
  }

  /**
   * The network or the reader is back: waiting any longer helps nobody, and a
   * connection that may have died unnoticed has to show life within graceMs.
   */
  wake(graceMs) {
    this.#transport?.demandLife(graceMs)
    if (!this.#isWaiting) return
    this.#backoff.reset()
    this.#open()
  }

  /** The page is put away: nothing may be open.  resume() goes on. */
  suspend() {
    if (this.#state !== State.CLOSED && this.#state !== State.REJECTED) this.#stop(State.IDLE, null, true)
  }

  resume() {
    if (this.#state === State.IDLE) this.open()
  }

  get #isWaiting() {
    return this.#state === State.BACKOFF || this.#state === State.OFFLINE
  }

  async #open(isFallback = this.#rung !== 'websocket') {
    const opening = ++this.#opening
    this.#isFallback = isFallback
    this.#clock.clearTimeout(this.#timer)
    this.#setState(State.CONNECTING)

    let token
    try {
      token = await this.#identity.renew()
    } catch {
      if (opening === this.#opening) this.#retry('token_unavailable')
      return
    }
    // close(), or another open(), came while the token was on its way.
    if (opening !== this.#opening) return

    const url = new URL(this.#options.url)
    if (token != null) url.searchParams.set('token', token)
    try {
      const Transport = isFallback ? (await import('./fallback.js')).Fallback : Cable
      if (opening !== this.#opening) return
      this.#transport = new Transport({ ...this.#options, url: url.href, rung: this.#rung, Cable, isList, handler: this.#transportHandler() })
    } catch {
      if (opening === this.#opening) this.#lost('unavailable', true)
      return
    }
    for (const identifier of this.#wanted) this.#transport.subscribe(identifier)
  }

  #transportHandler() {
    return {
      welcomed: () => {
        this.#liveSince = this.#clock.now()
        this.#setState(State.LIVE)
      },
      confirmed: identifier => this.#handler.confirmed(identifier),
      rejected: identifier => {
        this.#wanted.delete(identifier)
        this.#handler.rejected(identifier)
      },
      received: (identifier, payload) => this.#handler.received(identifier, payload),
      expiring: () => this.#refresh(this.#transport),
      closed: ({ reason, reconnect }) => this.#lost(reason, reconnect)
    }
  }

  #lost(reason, reconnect) {
    this.#transport = null
    const isWordless = this.#liveSince === null && WORDLESS.includes(reason)
    if (this.#liveSince !== null && this.#clock.now() - this.#liveSince >= HELD_MS) this.#backoff.reset()
    this.#liveSince = null

    // The same string would only be refused again.
    const hopeless = reason === 'token_expired' && !this.#identity.isRenewable
    if (!reconnect || hopeless) {
      this.#stop(State.REJECTED, reason)
      return
    }
    if (!isWordless) this.#failures = 0
    else if (this.#isFallback) this.#rung = this.#options.transports[0]
    else if (++this.#failures >= FAILURES && this.#options.transports[1] && this.#wanted.size) {
      this.#open(true)
      return
    }
    const opening = this.#opening
    if (reason === 'stale') this.#setState(State.STALE, { reason })
    // Unless a listener has closed the link or opened it again.
    if (opening === this.#opening) this.#retry(reason)
    this.#handler.lost({ willReconnect: true })
  }

  // Until the transport that asked for it has one, or is gone: the server ends it in time.
  async #refresh(transport) {
    if (!this.#identity.isRenewable || transport !== this.#transport) return
    const before = this.#identity.token
    const token = await this.#identity.renew().catch(() => before)
    if (transport !== this.#transport) return
    if (token === before) this.#timer = this.#clock.setTimeout(() => this.#refresh(transport), REFRESH_RETRY_MS)
    else transport.refresh(token)
  }

  #retry(reason) {
    if (this.#backoff.attempts >= this.#options.maxAttempts) {
      this.#stop(State.CLOSED, 'max_attempts')
      return
    }
    this.#opening += 1
    this.#clock.clearTimeout(this.#timer)
    const isOffline = this.#options.host.navigator?.onLine === false
    const retryInMs = isOffline ? OFFLINE_RETRY_MS : this.#backoff.next()
    this.#timer = this.#clock.setTimeout(() => this.#open(), retryInMs)
    this.#setState(isOffline ? State.OFFLINE : State.BACKOFF, { reason, retryInMs })
  }

  #stop(state, reason, willReconnect = false) {
    this.#opening += 1
    this.#clock.clearTimeout(this.#timer)
    this.#transport?.close()
    this.#transport = null
    this.#liveSince = null
    this.#setState(state, { reason })
    this.#handler.lost({ willReconnect })
  }

  #setState(state, { reason = null, retryInMs = null } = {}) {
    const transport = state === State.LIVE ? this.#transport.name : null
    if (state === this.#state && transport === this.#name) return
    this.#state = state
    this.#name = transport
    this.#rung = transport ?? this.#rung
    this.#handler.changed({ state, reason, retryInMs, attempt: this.#backoff.attempts, transport })
  }
}

// What fallback.js has come down to in this browser session, as far as storage allows.
function rememberedRung(host) {
  try {
    return host.sessionStorage['sync-progress:transport']
  } catch {
    return undefined
  }
}
