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
 * The owner hands in a handler with
 *   welcomed(), confirmed(identifier), rejected(identifier),
 *   received(identifier, message), expiring(), closed({ reason, reconnect }).
 * closed() comes exactly once and last, and never after close().
 */
const PROTOCOL = 'actioncable-v1-json'
const CHECK_MS = 1_000

export const STALE_MS = 7_500

export class Cable {
  name = 'websocket'
  #socket
  #clock
  #handler
  #pending = new Set()
  #welcomed = false
  #over = false
  #heardAt
  #checkedAt
  #doubted = false
  #timer

  constructor({ url, WebSocket, clock, handler }) {
    this.#clock = clock
    this.#handler = handler
    this.#heardAt = this.#checkedAt = clock.now()
    this.#socket = new WebSocket(url, [PROTOCOL])
    this.#socket.onmessage = event => this.#receive(event.data)
    this.#socket.onclose = () => this.#finish(null, true)
    // Says nothing that onclose does not; must be there, because some
    // implementations throw an error that nobody listens for.
    this.#socket.onerror = () => {}
    this.#timer = clock.setTimeout(() => this.#check(), CHECK_MS)
  }

  /** Asks for a stream; repeated until answered, on this connection. */
  subscribe(identifier) {
    this.#pending.add(identifier)
    this.#ask([identifier])
  }

  unsubscribe(identifier) {
    this.#pending.delete(identifier)
    if (this.#welcomed) this.#send({ command: 'unsubscribe', identifier })
  }

  /** Calls an action of the channel; its answer, if any, is a message. */
  perform(identifier, action, data) {
    // The protocol has the data encoded twice.
    this.#send({ command: 'message', identifier, data: JSON.stringify({ ...data, action }) })
  }

  /**
   * Something happened that may have killed the network unnoticed: the next
   * frame must come within graceMs, or at once if the silence is already too
   * long.
   */
  demandLife(graceMs = STALE_MS) {
    const now = this.#clock.now()
    this.#heardAt = Math.min(this.#heardAt, now - STALE_MS + graceMs)
    if (now - this.#heardAt > STALE_MS) this.#finish('stale', true)
  }

  /** Goes on with a newer token of the same rights. */
  refresh(token) {
    this.#send({ command: 'refresh', token })
  }

  /** Closes without telling the handler. */
  close() {
    if (this.#over) return
    this.#over = true
    this.#clock.clearTimeout(this.#timer)
    this.#socket.close()
  }

  // What is asked for before the welcome is asked for at the welcome.
  #ask(identifiers) {
    if (!this.#welcomed) return
    for (const identifier of identifiers) this.#send({ command: 'subscribe', identifier })
  }

  #send(command) {
    if (this.#socket.readyState === 1) this.#socket.send(JSON.stringify(command))
  }

  #receive(text) {
    if (this.#over) return
    this.#heardAt = this.#clock.now()
    this.#doubted = false

    let frame
    try {
      frame = JSON.parse(text)
    } catch {
      return // alive, but not understood
    }
    switch (frame?.type) {
      case 'welcome':
        this.#welcomed = true
        this.#handler.welcomed()
        this.#ask(this.#pending)
        break
      case 'confirm_subscription':
        this.#pending.delete(frame.identifier)
        this.#handler.confirmed(frame.identifier)
        break
      case 'reject_subscription':
        this.#pending.delete(frame.identifier)
        this.#handler.rejected(frame.identifier)
        break
      case 'disconnect':
        this.#finish(frame.reason ?? null, frame.reconnect !== false)
        break
      case 'token_expiring':
        this.#handler.expiring()
        break
      case undefined:
        if (typeof frame?.identifier === 'string') this.#handler.received(frame.identifier, frame.message)
        break
      // 'ping' has done its work; types of later protocols are none of ours.
    }
  }

  #check() {
    const now = this.#clock.now()
    const silent = now - this.#heardAt > STALE_MS

    // A check that comes late itself proves nothing: the machine slept, or the
    // browser throttles a hidden page, and frames may wait behind this timer.
    // The next check decides.
    const late = now - this.#checkedAt > 2 * CHECK_MS
    this.#checkedAt = now
    if (silent && (!late || this.#doubted)) {
      this.#finish('stale', true)
      return
    }
    this.#doubted = silent

    this.#ask(this.#pending)
    this.#timer = this.#clock.setTimeout(() => this.#check(), CHECK_MS)
  }

  #finish(reason, reconnect) {
    if (this.#over) return
    this.close()
    this.#handler.closed({ reason, reconnect })
  }
}
