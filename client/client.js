/*
 * client.js: the client that applications hold.
 *
 * It knows who on this page watches what (streams), and hands the way to the
 * server to an uplink: a Link of its own, or, where the browser lets tabs find
 * each other, the connection that they share (tabs.js).  Both are
 *
 *   open() close() wake(graceMs) suspend() resume()
 *   subscribe(identifier) unsubscribe(identifier) perform(identifier, action, data)
 *
 * and report to one handler (see link.js).  The streams live as long as the
 * client does; only a token with other rights makes them forget.
 *
 * Everything from outside (sockets, clock, randomness, window) can be handed
 * in; nothing is touched before the first connect().
 */
import { keyOf } from './identifier.js'
import { Identity } from './identity.js'
import { Link } from './link.js'
import { ListEvent, State, StateChangeEvent, SubscriptionEvent, SyncProgressEvent } from './state.js'
import { Stream } from './stream.js'
import { openTabs } from './tabs.js'

// After a change of network the next frame may take one ping and a bit.
const ONLINE_GRACE_MS = 4_000

const systemClock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: timer => clearTimeout(timer)
}

const clients = []

const DEFAULT_URL = '/cable'

const identityOf = ({ url = DEFAULT_URL, token, owner }) => [String(url), token, owner]

export class SyncProgressClient extends EventTarget {
  #options // with what the page has for those that were not given
  #state = State.IDLE
  #transport = null
  #attempt = 0
  #streams = new Map() // identifier → Stream
  #uplink = null
  #cache = null
  #listeners = null

  constructor(options = {}) {
    super()
    const { url = DEFAULT_URL, token, owner, host = globalThis, clock = systemClock, WebSocket = host.WebSocket, random = Math.random } = options
    const identity = new Identity({ token, owner, clock, changed: isFirst => this.#know(isFirst) })
    this.#options = { ...options, url: cableUrl(url, host.location?.href), identity, host, clock, WebSocket, random }
  }

  /** The one client of this page for the same address, token (the same string or callback) and owner. */
  static for(options = {}) {
    const wanted = identityOf(options)
    const known = clients.find(each => identityOf(each.options).every((value, index) => value === wanted[index]))
    if (known) return known.client
    const client = new this(options)
    clients.push({ options, client })
    return client
  }

  get state() {
    return this.#state
  }

  /** What the connection is made of: "websocket", "sse", "polling"; null while there is none. */
  get transport() {
    return this.#transport
  }

  /** Whether this tab holds the connection; others may share it. */
  get isLeader() {
    return this.#uplink?.isLeader ?? false
  }

  /** Attempts since the connection was lost. */
  get attempt() {
    return this.#attempt
  }

  /**
   * Watches a stream, named by an object like { channel, session_id } or by
   * the identifier string itself; connects if need be.
   */
  subscribe(identifier, callbacks = {}) {
    const key = keyOf(identifier)
    let stream = this.#streams.get(key)
    const isNew = !stream
    if (isNew) {
      stream = new Stream(key)
      this.#streams.set(key, stream)
    }
    const subscription = stream.add(callbacks, {
      unsubscribe: which => this.#unsubscribe(stream, which),
      perform: (which, action, data) => this.#uplink?.perform(key, action, data),
      request: (action, body) => this.#request(pathOf => `sessions/${pathOf(key)}/${action}`, { method: 'POST', body })
    })
    if (isNew) {
      this.#uplink?.subscribe(key)
      this.#cache?.restore()
    }
    if (this.#state === State.IDLE) this.connect()
    return subscription
  }

  /** The newest payload known for it, undefined while there is none. */
  latest(identifier) {
    return this.#streams.get(keyOf(identifier))?.latest
  }

  /** An authorised request for a path below the bridge's address; its parsed answer, or a RequestError. */
  request(path, options = {}) {
    return this.#request(() => path, options)
  }

  async #request(pathBy, options) {
    const { requestAs } = await import('./http.js') // few pages ever ask
    return requestAs(this.#options, pathBy, options)
  }

  /** Connects, or tries again now; does nothing while connecting or live. */
  connect() {
    if (this.#options.enabled === false || this.#state === State.CONNECTING || this.#state === State.LIVE) return
    this.#listen()
    if (this.#uplink) this.#uplink.open()
    else this.#begin()
  }

  /** Disconnects; the subscriptions wait for a later connect(). */
  close() {
    this.#uplink?.close()
    this.#setState({ state: State.CLOSED })
  }

  /** Disconnects, and nothing of what was seen is left: for a logout. */
  async forget() {
    this.close()
    for (const stream of this.#streams.values()) stream.forget()
    await this.#useCache()
    this.#cache?.clear()
  }

  async #useCache() {
    if (this.#cache || this.#options.cache === false) return
    const { Cache } = await import('./cache.js').catch(() => ({}))
    this.#cache ??= Cache && new Cache({
      ...this.#options,
      client: this,
      streams: this.#streams,
      signal: this.#listeners?.signal,
      show: (stream, payload) => stream.restore(payload) && this.#announce(stream, payload)
    })
  }

  #know(isFirst) {
    if (!isFirst) this.#begin()
    this.#cache?.restore()
  }

  // Also when a token came with other rights: nothing of the old ones may stay.
  #begin() {
    if (this.#uplink) {
      this.#uplink.close()
      this.#listen()
      for (const stream of this.#streams.values()) stream.forget()
    }
    this.#useCache()
    const options = { ...this.#options, handler: this.#handler() }
    this.#uplink = options.shared === false ? new Link(options) : openTabs(options)
    for (const identifier of this.#streams.keys()) this.#uplink.subscribe(identifier)
    this.#uplink.open()
  }

  #handler() {
    return {
      changed: detail => this.#setState(detail),
      lost: detail => {
        for (const stream of [...this.#streams.values()]) stream.disconnect(detail)
      },
      confirmed: (identifier, wasAlready) => this.#answered('confirmed', identifier, stream => {
        // Again without a break: another tab has taken over, and what it missed
        // of a list nobody knows.
        if (!wasAlready && stream.isConfirmed && stream.isList) this.#deliver(stream, { type: 'sessions_reloaded' })
        stream.confirm()
      }),
      rejected: identifier => this.#answered('rejected', identifier, stream => {
        this.#streams.delete(identifier)
        stream.reject()
      }),
      received: (identifier, payload) => this.#deliver(this.#streams.get(identifier), payload)
    }
  }

  #answered(type, identifier, tell) {
    const stream = this.#streams.get(identifier)
    if (!stream) return
    tell(stream)
    this.dispatchEvent(new SubscriptionEvent(type, { identifier }))
  }

  #deliver(stream, payload) {
    if (stream?.deliver(payload)) this.#announce(stream, payload)
  }

  #announce(stream, payload) {
    const { identifier } = stream
    this.dispatchEvent(stream.isList
      ? new ListEvent('listevent', { identifier, name: payload.type, data: payload.data ?? null })
      : new SyncProgressEvent('progress', { identifier, payload }))
  }

  #unsubscribe(stream, subscription) {
    if (!stream.remove(subscription) || !stream.isEmpty) return
    this.#streams.delete(stream.identifier)
    this.#uplink?.unsubscribe(stream.identifier)
  }

  // A page that is put away, perhaps to come back, must have nothing open: the
  // browser would drop it, or keep a connection that nobody serves.
  #listen() {
    if (this.#listeners) return
    this.#listeners = new AbortController()
    const { host, clock, pauseHiddenAfterMs: pauseMs } = this.#options
    const { document } = host
    let timer
    const suspend = () => this.#uplink?.suspend()
    const resume = () => this.#uplink?.resume()
    const wake = () => this.#uplink?.wake(ONLINE_GRACE_MS)
    const visibilitychange = () => {
      clock.clearTimeout(timer)
      if (document.visibilityState === 'visible') {
        resume()
        this.#uplink?.wake()
      } else if (pauseMs != null) timer = clock.setTimeout(suspend, pauseMs)
    }
    const listen = (target, reactions) => {
      for (const [type, react] of Object.entries(reactions)) target?.addEventListener?.(type, react, this.#listeners)
    }
    listen(host, { online: wake, offline: wake, pagehide: suspend, pageshow: resume })
    listen(document, { freeze: suspend, resume, visibilitychange })
  }

  #setState({ state, reason = null, retryInMs = null, attempt = 0, transport = null }) {
    const previous = this.#state
    const hasMoved = transport !== this.#transport
    this.#state = state
    this.#transport = transport
    this.#attempt = attempt
    if (state === State.REJECTED || state === State.CLOSED) {
      this.#listeners?.abort()
      this.#listeners = null
    }
    if (state !== previous) this.dispatchEvent(new StateChangeEvent('statechange', { state, previous, reason, retryInMs, attempt }))
    if (hasMoved) this.dispatchEvent(new Event('transportchange'))
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
