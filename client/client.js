/*
 * client.js: the client that applications hold.
 *
 *   idle → connecting → live → stale → backoff → connecting …
 *                                            ↘ closed | rejected
 *
 * It owns at most one Connection and replaces it when it is lost; the streams
 * live as long as the client does, so that a reconnect is nothing but a gap
 * between two versions.  "live" is the server's welcome; "stale" says that the
 * connection was given up because nothing was heard, and backoff follows at
 * once; "rejected" is the server's word that trying again is useless, and only
 * connect() leaves it.
 *
 * Everything from outside (sockets, clock, randomness, window) can be handed
 * in; nothing is touched before the first connect().
 */
import { Backoff } from './backoff.js'
import { Connection } from './connection.js'
import { Stream } from './stream.js'

export const State = Object.freeze({
  IDLE: 'idle',
  CONNECTING: 'connecting',
  LIVE: 'live',
  STALE: 'stale',
  BACKOFF: 'backoff',
  CLOSED: 'closed',
  REJECTED: 'rejected'
})

// An outage is over when a connection has held this long.  Were it over at the
// welcome, a server that accepts and drops would be asked again without end.
const HELD_MS = 5_000

// After a change of network the next frame may take one ping and a bit.
const ONLINE_GRACE_MS = 4_000

const TOKEN_TIMEOUT_MS = 15_000

const systemClock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: timer => clearTimeout(timer)
}

/** The state of the connection has changed. */
export class StateChangeEvent extends Event {
  constructor(detail) {
    super('statechange')
    Object.assign(this, detail)
  }
}

/** Something newer came for a stream. */
export class SyncProgressEvent extends Event {
  constructor(identifier, payload) {
    super('progress')
    this.identifier = identifier
    this.payload = payload
  }
}

/** The server has answered a subscribe: "confirmed" or "rejected". */
export class SubscriptionEvent extends Event {
  constructor(type, identifier) {
    super(type)
    this.identifier = identifier
  }
}

export class SyncProgressClient extends EventTarget {
  #url
  #token
  #host
  #clock
  #backoff
  #WebSocket
  #state = State.IDLE
  #streams = new Map() // identifier → Stream
  #connection = null
  #liveSince = null
  #timer = null
  #opening = 0
  #listeners = null

  constructor({ url = '/cable', token, host = globalThis, WebSocket, clock = systemClock, random = Math.random } = {}) {
    super()
    this.#url = cableUrl(url, host.location?.href)
    this.#token = token
    this.#host = host
    this.#clock = clock
    this.#WebSocket = WebSocket
    this.#backoff = new Backoff({ random, now: clock.now })
  }

  get state() {
    return this.#state
  }

  /**
   * Watches a stream, named by an object like { channel, session_id } or by
   * the identifier string itself; connects if need be.
   */
  subscribe(identifier, callbacks = {}) {
    const key = typeof identifier === 'string' ? identifier : JSON.stringify(identifier)
    let stream = this.#streams.get(key)
    const isNew = !stream
    if (isNew) {
      stream = new Stream(key)
      this.#streams.set(key, stream)
    }
    const subscription = stream.add(callbacks, {
      unsubscribe: which => this.#unsubscribe(stream, which),
      perform: (which, action, data) => this.#connection?.perform(key, action, data)
    })
    if (isNew) this.#connection?.subscribe(key)
    if (this.#state === State.IDLE) this.connect()
    return subscription
  }

  /** Connects, or tries again now; does nothing while connecting or live. */
  connect() {
    if (this.#state === State.CONNECTING || this.#state === State.LIVE) return
    if (this.#state !== State.BACKOFF) this.#backoff.reset()
    this.#listen()
    this.#open()
  }

  /** Disconnects; the subscriptions wait for a later connect(). */
  close() {
    this.#stop(State.CLOSED, null)
  }

  async #open() {
    const opening = ++this.#opening
    this.#clock.clearTimeout(this.#timer)
    this.#setState(State.CONNECTING)

    let token
    try {
      token = await this.#currentToken(opening)
    } catch {
      if (opening === this.#opening) this.#retry('token_unavailable')
      return
    }
    // close(), or another open(), came while the token was on its way.
    if (opening !== this.#opening) return
    this.#clock.clearTimeout(this.#timer)

    const url = new URL(this.#url)
    if (token != null) url.searchParams.set('token', token)
    try {
      this.#connection = new Connection({
        url: url.href,
        WebSocket: this.#WebSocket ?? this.#host.WebSocket,
        clock: this.#clock,
        handler: this.#handler()
      })
    } catch {
      this.#retry('unavailable')
      return
    }
    for (const identifier of this.#streams.keys()) this.#connection.subscribe(identifier)
  }

  // A callback is asked at every open, so that an expired token is replaced;
  // one that never answers must not hold the client for ever.
  #currentToken(opening) {
    if (typeof this.#token !== 'function') return this.#token
    this.#timer = this.#clock.setTimeout(() => {
      if (opening === this.#opening) this.#retry('token_unavailable')
    }, TOKEN_TIMEOUT_MS)
    return this.#token()
  }

  #handler() {
    return {
      welcomed: () => {
        this.#liveSince = this.#clock.now()
        this.#setState(State.LIVE)
      },
      confirmed: identifier => {
        const stream = this.#streams.get(identifier)
        if (!stream) return
        stream.confirm()
        this.dispatchEvent(new SubscriptionEvent('confirmed', identifier))
      },
      rejected: identifier => {
        const stream = this.#streams.get(identifier)
        if (!stream) return
        this.#streams.delete(identifier)
        stream.reject()
        this.dispatchEvent(new SubscriptionEvent('rejected', identifier))
      },
      received: (identifier, payload) => {
        if (this.#streams.get(identifier)?.deliver(payload)) {
          this.dispatchEvent(new SyncProgressEvent(identifier, payload))
        }
      },
      closed: ({ reason, reconnect }) => this.#lost(reason, reconnect)
    }
  }

  #lost(reason, reconnect) {
    this.#connection = null
    if (this.#liveSince !== null && this.#clock.now() - this.#liveSince >= HELD_MS) this.#backoff.reset()
    this.#liveSince = null

    // The same string would only be refused again.
    const hopeless = reason === 'token_expired' && typeof this.#token !== 'function'
    if (!reconnect || hopeless) {
      this.#stop(State.REJECTED, reason)
      return
    }
    const opening = this.#opening
    if (reason === 'stale') this.#setState(State.STALE, { reason })
    // Unless a listener has closed the client or connected it again.
    if (opening === this.#opening) this.#retry(reason)
    this.#disconnectStreams(true)
  }

  #retry(reason) {
    this.#opening += 1
    this.#clock.clearTimeout(this.#timer)
    const retryInMs = this.#backoff.next()
    this.#timer = this.#clock.setTimeout(() => this.#open(), retryInMs)
    this.#setState(State.BACKOFF, { reason, retryInMs, attempt: this.#backoff.attempts })
  }

  #stop(state, reason) {
    this.#opening += 1
    this.#clock.clearTimeout(this.#timer)
    this.#listeners?.abort()
    this.#listeners = null
    this.#connection?.close()
    this.#connection = null
    this.#liveSince = null
    this.#setState(state, { reason })
    this.#disconnectStreams(false)
  }

  #disconnectStreams(willReconnect) {
    for (const stream of [...this.#streams.values()]) stream.disconnect({ willReconnect })
  }

  #unsubscribe(stream, subscription) {
    if (!stream.remove(subscription) || !stream.isEmpty) return
    this.#streams.delete(stream.identifier)
    this.#connection?.unsubscribe(stream.identifier)
  }

  // The network or the reader is back: waiting any longer helps nobody.
  #listen() {
    if (this.#listeners) return
    this.#listeners = new AbortController()
    const { signal } = this.#listeners
    const { document } = this.#host
    this.#host.addEventListener?.('online', () => this.#wake(ONLINE_GRACE_MS), { signal })
    document?.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.#wake()
    }, { signal })
  }

  #wake(graceMs) {
    if (this.#state !== State.BACKOFF) {
      this.#connection?.demandLife(graceMs)
      if (this.#state !== State.BACKOFF) return
    }
    this.#backoff.reset()
    this.#open()
  }

  #setState(state, { reason = null, retryInMs = null, attempt = this.#backoff.attempts } = {}) {
    if (state === this.#state) return
    const previous = this.#state
    this.#state = state
    this.dispatchEvent(new StateChangeEvent({ state, previous, reason, retryInMs, attempt }))
  }
}

// "/cable", "https://host/cable" and "wss://host/cable" all name the same.
function cableUrl(url, base) {
  const absolute = new URL(url, base)
  absolute.protocol = absolute.protocol.replace(/^http/, 'ws')
  absolute.hash = ''
  if (!/^wss?:$/.test(absolute.protocol)) throw new TypeError(`not a WebSocket address: ${url}`)
  return absolute.href
}
