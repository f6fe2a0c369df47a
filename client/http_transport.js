/*
 * http_transport.js: streams without a WebSocket, by server-sent events or, where
 * those do not come through, by polling.
 *
 * Same contract as a Cable (see there).  There is no welcome: the first answer
 * to a request stands for it, and until it is there, one stream asks for all.
 * A browser has six connections to a host that speaks HTTP/1.1, for everything
 * and for all tabs: at most four streams listen, further ones are polled.
 */
import { requestAs } from './http.js'
import { HttpStream } from './http_stream.js'

const MAX_LISTENING = 4

export class HttpTransport {
  #options
  #handler
  #streams = new Map() // identifier → HttpStream
  #confirmed = new Set()
  #mayListen
  #toldName = null // at the last welcome
  #over = false

  /** options: url, identity, host, clock, random, transports, handler; mayListen: whether to begin with events. */
  constructor(options) {
    this.#options = options
    this.#handler = options.handler
    this.#mayListen = options.mayListen
  }

  get name() {
    return this.#mayListen ? 'sse' : 'polling'
  }

  subscribe(identifier) {
    if (this.#streams.has(identifier)) return
    const stream = new HttpStream(identifier, this.#options, this)
    this.#streams.set(identifier, stream)
    if (this.#toldName || stream === this.#first) stream.look()
  }

  unsubscribe(identifier) {
    this.#streams.get(identifier)?.close()
    this.#streams.delete(identifier)
    this.#confirmed.delete(identifier)
    if (!this.#toldName) this.#first?.look()
  }

  /** Calls an action of the channel; the state that it leads to, or its refusal, is a message. */
  async perform(identifier, action, data) {
    if (action === 'request_update') {
      this.#streams.get(identifier)?.look()
      return
    }
    try {
      const { state } = await requestAs(this.#options, pathOf => `sessions/${pathOf(identifier)}/${action}`, { method: 'POST', body: data })
      if (state) this.received(identifier, state)
    } catch ({ status, message: error, hint, current }) {
      this.received(identifier, { type: 'error', action, status, error, hint, current })
    }
  }

  /** Everything goes on with the newest token. */
  refresh() {
    this.demandLife()
  }

  /** Whether anything of the connections is left is seen by making new ones. */
  demandLife() {
    for (const stream of this.#streams.values()) stream.restart()
  }

  /** Events may come through by now. */
  listenAgain() {
    if (this.#mayListen || !this.#options.transports.includes('sse')) return
    this.#mayListen = true
    this.demandLife()
  }

  /** Closes without telling the handler. */
  close() {
    this.#over = true
    for (const stream of this.#streams.values()) stream.close()
  }

  // What streams ask and tell.

  /** Whether another one may hold a connection. */
  get hasRoom() {
    return this.#mayListen && [...this.#streams.values()].filter(stream => stream.isListening).length < MAX_LISTENING
  }

  received(identifier, message) {
    if (!this.#over) this.#handler.received(identifier, message)
  }

  /** "token_expiring", or the "error" that ends a stream. */
  told(identifier, { type, message, reconnect }) {
    if (type === 'token_expiring') this.#handler.expiring()
    else if (/^token/.test(message)) this.#finish('token_expired', true)
    else if (/^not/.test(message)) this.#reject(identifier)
    else this.#finish('remote', reconnect !== false)
  }

  /** What the answer to a request means; returns whether the stream goes on. */
  judge(identifier, status) {
    if (status === 404) this.#reject(identifier)
    else if (status === 401 || status === 403) this.#finish(this.#toldName ? 'token_expired' : 'unauthorized', !!this.#toldName)
    else if (status === 200 || status === 304) return this.#confirm(identifier)
    else if (this.#toldName && (status === 429 || status === 503)) return true
    else this.#finish(null, true)
    return false
  }

  /** Requests are answered, but no events came. */
  blocked() {
    this.#mayListen = false
    if (this.#options.transports.includes('polling')) this.#welcome()
    else this.#finish(null, true)
  }

  heard() {
    this.#mayListen = true
    this.#welcome()
  }

  get #first() {
    return this.#streams.values().next().value
  }

  #confirm(identifier) {
    this.#welcome()
    if (!this.#over && !this.#confirmed.has(identifier)) {
      this.#confirmed.add(identifier)
      this.#handler.confirmed(identifier)
    }
    return !this.#over
  }

  #reject(identifier) {
    this.#welcome()
    this.unsubscribe(identifier)
    this.#handler.rejected(identifier)
  }

  #welcome() {
    if (this.#over || this.#toldName === this.name) return
    const isFirst = !this.#toldName
    this.#toldName = this.name
    this.#handler.welcomed()
    if (isFirst) for (const stream of [...this.#streams.values()].slice(1)) stream.look()
  }

  #finish(reason, reconnect) {
    if (this.#over) return
    this.close()
    this.#handler.closed({ reason, reconnect })
  }
}
