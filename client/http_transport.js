/*
 * http_transport.js: streams without a WebSocket, by server-sent events or, where
 * those do not come through, by polling.
 *
 * Same contract as a Cable (see there).  There is no welcome: the first answer
 * to a request stands for it, and until it is there, one stream asks for all.
 * A browser has six connections to a host that speaks HTTP/1.1, for everything
 * and for all tabs: at most four streams listen, further ones are polled.
 */
import { MAX_LISTENING } from './constants.js'
import { answerTo } from './http.js'
import { openHttpStream } from './http_stream.js'

/** options: url, identity, host, clock, random, transports, isList, report; mayListen: whether to begin with events. */
export function openHttpTransport(options) {
  const { transports, report } = options
  const streams = new Map() // identifier → stream
  const confirmed = new Set()
  let { mayListen } = options
  let toldName // at the last welcome
  let isOver = false

  const first = () => streams.values().next().value

  function unsubscribe(identifier) {
    streams.get(identifier)?.close()
    streams.delete(identifier)
    confirmed.delete(identifier)
    if (!toldName) first()?.look()
  }

  function receive(identifier, message) {
    if (!isOver) report('received', identifier, message)
  }

  function confirm(identifier) {
    welcome()
    if (!isOver && !confirmed.has(identifier)) {
      confirmed.add(identifier)
      report('confirmed', identifier)
    }
    return !isOver
  }

  function reject(identifier) {
    welcome()
    unsubscribe(identifier)
    report('rejected', identifier)
  }

  function welcome() {
    const { name } = transport
    if (isOver || toldName === name) return
    const isFirst = !toldName
    toldName = name
    report('welcomed')
    if (isFirst) for (const stream of [...streams.values()].slice(1)) stream.look()
  }

  function finish(reason, reconnect) {
    if (isOver) return
    transport.close()
    report('closed', { reason, reconnect })
  }

  // What streams ask and tell.
  const owner = {
    receive,

    /** Whether another one may hold a connection. */
    hasRoom: () => mayListen && [...streams.values()].filter(stream => stream.isListening()).length < MAX_LISTENING,

    /** "token_expiring", or the "error" that ends a stream. */
    told(identifier, { type, message, reconnect }) {
      if (type === 'token_expiring') report('expiring')
      else if (/^token/.test(message)) finish('token_expired', true)
      else if (/^not/.test(message)) reject(identifier)
      else finish('remote', reconnect !== false)
    },

    /** What the answer to a request means; returns whether the stream goes on. */
    judge(identifier, status) {
      if (status === 404) reject(identifier)
      else if (status === 401 || status === 403) finish(toldName ? 'token_expired' : 'unauthorized', !!toldName)
      else if (status === 200 || status === 304) return confirm(identifier)
      else if (toldName && (status === 429 || status === 503)) return true
      else finish(null, true)
      return false
    },

    /** Requests are answered, but no events came. */
    blocked() {
      mayListen = false
      if (transports.includes('polling')) welcome()
      else finish(null, true)
    },

    heard() {
      mayListen = true
      welcome()
    }
  }

  /** Whether anything of the connections is left is seen by making new ones. */
  function demandLife() {
    for (const stream of streams.values()) stream.restart()
  }

  const transport = {
    get name() {
      return mayListen ? 'sse' : 'polling'
    },

    subscribe(identifier) {
      if (streams.has(identifier)) return
      const stream = openHttpStream(identifier, options, owner)
      streams.set(identifier, stream)
      if (toldName || stream === first()) stream.look()
    },

    unsubscribe,

    /** Calls an action of the channel; the state that it leads to, or its refusal, is a message. */
    async perform(identifier, action, data) {
      if (action === 'request_update') return streams.get(identifier)?.look()
      const answer = await answerTo(options, identifier, action, data)
      if (answer) receive(identifier, answer)
    },

    demandLife,

    /** Everything goes on with the newest token. */
    refresh: demandLife,

    /** Events may come through by now. */
    listenAgain() {
      if (mayListen || !transports.includes('sse')) return
      mayListen = true
      demandLife()
    },

    /** Closes without a report. */
    close() {
      isOver = true
      for (const stream of streams.values()) stream.close()
    }
  }
  return transport
}
