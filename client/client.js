/*
 * client.js: the client that applications hold.
 *
 * It knows who on this page watches what (streams), and leaves the way to the
 * server to an uplink: the connection that the browser's tabs share where they
 * can find each other, else one of its own (tabs.js).  That reports what a link
 * does (see link.js).  The streams live as long as the client does; only a token
 * with other rights makes them forget.
 *
 * Everything from outside (sockets, clock, randomness, window) can be handed
 * in; nothing is touched before the first connect().
 */
import { ListEvent, StateChangeEvent, SubscriptionEvent, SyncProgressEvent } from './events.js'
import { keyOf } from './identifier.js'
import { createIdentity } from './identity.js'
import { createStream } from './stream.js'
import { createTabs } from './tabs.js'

const systemClock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: timer => clearTimeout(timer)
}

// A change of state that says no more than that.
const NOTHING = { reason: null, retryInMs: null, attempt: 0, transport: null }

const clients = [] // those that static for() gives

export class SyncProgressClient extends EventTarget {
  #options // with what the page has for those that were not given
  #now = { ...NOTHING, state: 'idle' }
  #streams = new Map() // identifier → stream
  #uplink = null
  #cache = null

  constructor(options = {}) {
    super()
    const { url = '/cable', token, owner, host = globalThis, clock = systemClock, WebSocket = host.WebSocket, random = Math.random, transports = ['websocket', 'sse', 'polling'] } = options
    const identity = createIdentity({ token, owner, clock, changed: isFirst => this.#know(isFirst) })
    this.#options = { ...options, url: cableUrl(url, host.location?.href), identity, host, clock, WebSocket, random, transports, wanted: this.#streams, client: this, now: () => this.#now, report: (...args) => this.#hear(...args) }
  }

  /** The one client of this page for the same address, token (the same string or callback) and owner. */
  static for(options) {
    const wanted = new this(options) // does nothing yet
    const known = clients.find(each => ['url', 'token', 'owner'].every(name => each.#options[name] === wanted.#options[name]))
    if (!known) clients.push(wanted)
    return known ?? wanted
  }

  get state() {
    return this.#now.state
  }

  /** What the connection is made of: "websocket", "sse", "polling"; null while there is none. */
  get transport() {
    return this.#now.transport
  }

  /** Whether this tab holds the connection; others may share it. */
  get isLeader() {
    return this.#uplink?.isLeader ?? false
  }

  /** Attempts since the connection was lost. */
  get attempt() {
    return this.#now.attempt
  }

  /**
   * Watches a stream, named by an object like { channel, session_id } or by
   * the identifier string itself; connects if need be.
   */
  subscribe(identifier, callbacks = {}) {
    const key = keyOf(identifier)
    const known = this.#streams.get(key)
    const stream = known ?? this.#createStream(key)
    const subscription = stream.add(callbacks)
    if (!known) {
      this.#uplink?.wish()
      this.#cache?.restore()
    }
    if (this.state === 'idle') this.connect()
    return subscription
  }

  #createStream(key) {
    const stream = createStream(key, {
      perform: (...args) => this.#uplink?.perform(key, ...args),
      act: (...args) => this.#ask('act', key, ...args),
      unwatched: () => {
        this.#streams.delete(key)
        this.#uplink?.wish()
      }
    })
    this.#streams.set(key, stream)
    return stream
  }

  /** The newest payload known for it, undefined while there is none. */
  latest(identifier) {
    return this.#streams.get(keyOf(identifier))?.latest
  }

  /** An authorised request for a path below the bridge's address; its parsed answer, or a RequestError. */
  request(path, options) {
    return this.#ask('requestAs', path, options)
  }

  async #ask(how, ...args) {
    const http = await import('./http.js') // few pages ever ask
    return http[how](this.#options, ...args)
  }

  /** Connects, or tries again now; does nothing while connecting or live. */
  connect() {
    if (this.#options.enabled === false) return
    if (this.#uplink) this.#uplink.open()
    else this.#begin()
  }

  /** Disconnects; the subscriptions wait for a later connect(). */
  close() {
    this.#uplink?.close()
    this.#move({ state: 'closed' })
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
    this.#cache ??= Cache && new Cache(this.#options)
  }

  #know(isFirst) {
    if (!isFirst) this.#begin()
    this.#cache?.restore()
  }

  // Also when a token came with other rights: nothing of the old ones may stay.
  #begin() {
    if (this.#uplink) {
      this.#uplink.close()
      for (const stream of this.#streams.values()) stream.forget()
    }
    this.#useCache()
    this.#uplink = createTabs(this.#options)
    this.#uplink.open()
  }

  // What the uplink reports.
  #hear(what, detail, payload) {
    if (what === 'changed') return this.#move(detail)
    const stream = this.#streams.get(detail)
    if (!stream) return
    if (what === 'received') return this.#deliver(stream, payload)
    if (what === 'rejected') this.#streams.delete(detail)
    // Confirmed again without a break: another tab has taken over, and what it
    // missed of a list nobody knows.
    else if (stream.isConfirmed && stream.isList && !payload) this.#deliver(stream, { type: 'sessions_reloaded' })
    stream[what]()
    this.#dispatch(new SubscriptionEvent(what), { identifier: detail })
  }

  #deliver(stream, payload) {
    const { identifier, isList } = stream
    if (!stream.received(payload)) return
    if (isList) this.#dispatch(new ListEvent('listevent'), { identifier, name: payload.type, data: payload.data ?? null })
    else this.#dispatch(new SyncProgressEvent('progress'), { identifier, payload })
  }

  #dispatch(event, detail) {
    this.dispatchEvent(Object.assign(event, detail))
  }

  #move(detail) {
    const before = this.#now
    const { state, transport } = this.#now = { ...NOTHING, ...detail }
    if (state !== before.state || transport !== before.transport) {
      this.#dispatch(new StateChangeEvent('statechange'), { ...this.#now, previous: before.state })
    }
    if (state === 'live') return
    const willReconnect = state !== 'closed' && state !== 'rejected'
    for (const stream of [...this.#streams.values()]) stream.disconnect({ willReconnect })
  }
}

// "/cable", "https://host/cable" and "wss://host/cable" all name the same.
function cableUrl(url, base) {
  const [address] = new URL(url, base).href.replace(/^http/, 'ws').split('#')
  if (!/^wss?:/.test(address)) throw new TypeError(`not a WebSocket address: ${url}`)
  return address
}
