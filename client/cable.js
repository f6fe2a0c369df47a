/*
 * cable.js: one Action Cable WebSocket, from open to close.
 *
 * Used once: it never reopens, its owner makes a new one.  It speaks the
 * protocol (actioncable-v1-json), repeats a subscribe until it is confirmed or
 * rejected, and notices when the other side has gone silent: the server pings
 * every 3 s, so a connection on which nothing was heard for 7.5 s is dead,
 * whatever TCP says.  Any frame counts as life, not only pings: under load,
 * data may be all that gets through.
 *
 * It reports to its owner, as report(what, …):
 *   'welcomed', 'confirmed' identifier, 'rejected' identifier,
 *   'received' identifier message, 'expiring', 'closed' { reason, reconnect }.
 * The last comes exactly once and last, and never after close().
 */
const CHECK_MS = 1_000

const STALE_MS = 7_500

/** url, token: where, and who asks; null where the page's cookies say that. */
export function openCable({ url, token, WebSocket, clock, report }) {
  const pending = new Set()
  let isWelcomed = false
  let heardAt = clock.now()
  let checkedAt = heardAt
  let isDoubted = false

  const address = new URL(url)
  if (token != null) address.searchParams.set('token', token)
  const socket = new WebSocket(address.href, ['actioncable-v1-json'])
  socket.onmessage = ({ data }) => receive(data)
  socket.onclose = () => finish(null, true)
  // Says nothing that onclose does not; must be there, because some
  // implementations throw an error that nobody listens for.
  socket.onerror = () => {}
  let timer = clock.setTimeout(check, CHECK_MS)

  function ask() {
    for (const identifier of pending) send('subscribe', identifier)
  }

  // What is asked for before the welcome is asked for at the welcome.
  function send(command, identifier, details) {
    if (isWelcomed && socket.readyState === 1) socket.send(JSON.stringify({ command, identifier, ...details }))
  }

  function receive(text) {
    heardAt = clock.now()
    isDoubted = false

    let frame
    try {
      frame = JSON.parse(text)
    } catch {
      return // alive, but not understood
    }
    const { type, identifier, message } = frame ?? {}
    if (type === 'welcome') {
      isWelcomed = true
      report('welcomed')
      ask()
    } else if (type === 'confirm_subscription') answer('confirmed', identifier)
    else if (type === 'reject_subscription') answer('rejected', identifier)
    else if (type === 'disconnect') finish(frame.reason ?? null, frame.reconnect !== false)
    else if (type === 'token_expiring') report('expiring')
    else if (type === undefined && typeof identifier === 'string') report('received', identifier, message)
    // 'ping' has done its work; types of later protocols are none of ours.
  }

  function answer(what, identifier) {
    pending.delete(identifier)
    report(what, identifier)
  }

  function check() {
    const now = clock.now()
    const isSilent = now - heardAt > STALE_MS

    // A check that comes late itself proves nothing: the machine slept, or the
    // browser throttles a hidden page, and frames may wait behind this timer.
    // The next check decides.
    const isLate = now - checkedAt > 2 * CHECK_MS
    checkedAt = now
    if (isSilent && (!isLate || isDoubted)) return finish('stale', true)
    isDoubted = isSilent

    ask()
    timer = clock.setTimeout(check, CHECK_MS)
  }

  /** Closes without a report. */
  function close() {
    socket.onmessage = socket.onclose = null
    clock.clearTimeout(timer)
    socket.close()
  }

  function finish(reason, reconnect) {
    close()
    report('closed', { reason, reconnect })
  }

  return {
    name: 'websocket',
    close,

    /** Asks for a stream; repeated until answered, on this connection. */
    subscribe(identifier) {
      pending.add(identifier)
      send('subscribe', identifier)
    },

    unsubscribe(identifier) {
      pending.delete(identifier)
      send('unsubscribe', identifier)
    },

    /** Calls an action of the channel; its answer, if any, is a message. */
    perform(identifier, action, data) {
      // The protocol has the data encoded twice.
      send('message', identifier, { data: JSON.stringify({ ...data, action }) })
    },

    /**
     * Something happened that may have killed the network unnoticed: the next
     * frame must come within graceMs, or at once if the silence is already too
     * long.
     */
    demandLife(graceMs = STALE_MS) {
      const now = clock.now()
      heardAt = Math.min(heardAt, now - STALE_MS + graceMs)
      if (now - heardAt > STALE_MS) finish('stale', true)
    },

    /** Goes on with a newer token of the same rights. */
    refresh: token => send('refresh', undefined, { token })
  }
}
