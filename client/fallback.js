/*
 * fallback.js: what to do where WebSockets do not get through.
 *
 * Streams by HTTP, and now and then a WebSocket beside them: soon, for the
 * server may just have come back, then after 1, 2, 4 … 30 minutes, and when
 * the network changes.  When that is welcomed and has confirmed everything it
 * takes over; until then the streams go on, and versions decide between what
 * both bring.  What was found is remembered for this browser session.
 *
 * In an outage nothing answers over HTTP either, and this is closed, so that
 * nobody is pushed down by one.  A server that comes back has met each client's
 * WebSocket before, so nobody asks it twice.
 *
 * To its owner all this is one transport, like a Cable, that is welcomed again
 * when its name has changed.
 */
import { HttpTransport } from './http_transport.js'

const SOON_MS = 5_000
const MINUTE_MS = 60_000
const MAX_MINUTES = 30
const TRIAL_MS = 20_000

export class Fallback {
  #options
  #handler
  #wanted = new Set()
  #confirmed = null // by the trial, from its welcome on
  #current
  #trial = null
  #tries
  #timer = null

  /** options: as for a Cable, and identity, host, random, transports; Cable; rung: what it begins with. */
  constructor(options) {
    const { rung, transports, handler } = this.#options = options
    this.#handler = handler
    this.#tries = rung === 'websocket' ? 0 : 1
    this.#current = new HttpTransport({
      ...options,
      mayListen: rung !== 'polling' && transports.includes('sse'),
      handler: {
        ...handler,
        welcomed: () => this.#arrived(),
        rejected: identifier => this.#reject(identifier),
        closed: detail => this.#finish(detail)
      }
    })
  }

  get name() {
    return this.#current.name
  }

  subscribe(identifier) {
    this.#wanted.add(identifier)
    this.#current.subscribe(identifier)
    this.#trial?.subscribe(identifier)
  }

  unsubscribe(identifier) {
    this.#wanted.delete(identifier)
    this.#current.unsubscribe(identifier)
    this.#trial?.unsubscribe(identifier)
  }

  perform(identifier, action, data) {
    this.#current.perform(identifier, action, data)
  }

  refresh(token) {
    this.#current.refresh(token)
  }

  demandLife(graceMs) {
    this.#current.demandLife(graceMs)
    if (graceMs && this.#timer) this.#try()
  }

  /** Closes without telling the handler. */
  close() {
    this.#plan(null)
    this.#current.close()
    this.#dropTrial()
  }

  #arrived() {
    remember(this.#options.host, this.name)
    this.#handler.welcomed()
    if (this.name === 'websocket') this.#plan(null)
    else if (!this.#timer) this.#tryLater()
  }

  #finish(detail) {
    this.close()
    this.#handler.closed(detail)
  }

  #plan(ms, act) {
    const { clock } = this.#options
    clock.clearTimeout(this.#timer)
    this.#timer = ms === null ? null : clock.setTimeout(act, ms)
  }

  #tryLater() {
    this.#dropTrial()
    const ms = this.#tries ? Math.min(2 ** (this.#tries - 1), MAX_MINUTES) * MINUTE_MS : SOON_MS
    this.#tries += 1
    this.#plan((0.5 + this.#options.random() / 2) * ms, () => this.#try())
  }

  async #try() {
    const { transports, identity, Cable } = this.#options
    this.#dropTrial()
    this.#current.listenAgain()
    this.#plan(TRIAL_MS, () => this.#tryLater())
    if (transports[0] !== 'websocket') return
    const timer = this.#timer
    try {
      const token = await identity.renew()
      if (timer !== this.#timer) return
      const url = new URL(this.#options.url)
      if (token != null) url.searchParams.set('token', token)
      this.#trial = new Cable({ ...this.#options, url: url.href, handler: this.#trialHandler() })
    } catch {
      return // until the trial's time is over
    }
    for (const identifier of this.#wanted) this.#trial.subscribe(identifier)
  }

  #trialHandler() {
    const isCurrent = () => this.name === 'websocket'
    return {
      ...this.#handler,
      welcomed: () => {
        this.#confirmed = new Set()
        this.#consider()
      },
      confirmed: identifier => {
        this.#confirmed.add(identifier)
        if (isCurrent()) this.#handler.confirmed(identifier)
        else this.#consider()
      },
      rejected: identifier => this.#reject(identifier),
      closed: detail => {
        if (isCurrent()) this.#finish(detail)
        else this.#tryLater()
      }
    }
  }

  #reject(identifier) {
    this.unsubscribe(identifier)
    this.#handler.rejected(identifier)
    this.#consider()
  }

  #consider() {
    if (!this.#trial || !this.#confirmed || ![...this.#wanted].every(identifier => this.#confirmed.has(identifier))) return
    this.#current.close()
    this.#current = this.#trial
    this.#trial = null
    this.#arrived()
  }

  #dropTrial() {
    this.#trial?.close()
    this.#trial = this.#confirmed = null
  }
}

// Without storage the next page begins anew.
function remember(host, name) {
  try {
    host.sessionStorage['sync-progress:transport'] = name
  } catch {}
}
