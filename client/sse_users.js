/*
 * sse_users.js: the progress of one connection by server-sent events, for
 * applications that watch one thing at a time and want no WebSocket.
 *
 *   const watch = subscribeToSyncProgress(connectionId, {
 *     onProgress: update => show(update.entities_inserted),
 *     onComplete: update => refresh()
 *   }, { token: () => fetchToken() })
 *   …
 *   watch.close()     // or abort options.signal
 *
 * It is fetch() that reads the stream, so that the token goes in a header and a
 * refusal can be told from an accident.  A stream that drops, falls silent or
 * ends with its token is opened again, with a new token from the callback and
 * the last id: nothing is missed, and nothing older is shown.  What will not
 * get better by trying again (unknown, forbidden, a token that cannot be
 * replaced) ends it with onError.
 *
 * One connection a call: whoever watches many is better served by the client in
 * index.js, which has one for all of them and for all tabs.
 */
import { createBackoff } from './backoff.js'
import { connectionStatus, connectionUpdate } from './connection_update.js'
import { EventParser } from './event_parser.js'
import { request } from './http.js'
import { createIdentity } from './identity.js'

const EVENTS = '/events/ConnectionSyncChannel/{id}'
const JOBS = '/sessions/ConnectionSyncChannel/{id}'

// A stream that has held this long was no failure when it is lost.
const HELD_MS = 5_000

// Nobody is sent away for longer than this; and a timer of more than 24 days would fire at once.
const LONGEST_MS = 3_600_000

// A proxy's mistake, or a server that is being replaced; all other refusals are meant.
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504])
const REFUSALS = { 401: 'unauthorized', 403: 'unauthorized', 404: 'not found' }

const systemClock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: timer => clearTimeout(timer)
}

export { connectionStatus, connectionUpdate }

/** Watches a connection until its run has ended, or close(). */
export function subscribeToSyncProgress(connectionId, handlers = {}, options = {}) {
  const watch = new Watch(connectionId, handlers, options)
  return {
    close: () => watch.close(),
    get latest() { return watch.latest },
    get isClosed() { return watch.isClosed }
  }
}

/** The connection's runs, newest first: { jobs, next }. */
export async function getConnectionJobs(connectionId, { url = JOBS, token, limit, after, signal, fetch } = {}) {
  const address = addressOf(url, connectionId)
  if (limit != null) address.searchParams.set('limit', limit)
  if (after != null) address.searchParams.set('after', after)
  const answer = await request(address, { token: typeof token === 'function' ? await token() : token, signal, fetch })
  // An application's own path may answer with the rows alone.
  return Array.isArray(answer) ? { jobs: answer, next: null } : { jobs: answer?.sessions ?? [], next: answer?.next ?? null }
}

class Watch {
  #url
  #handlers
  #identity
  #clock
  #fetch
  #host
  #backoff
  #keep
  #silentMs
  #parser = new EventParser()
  #life = new AbortController()
  #stream = null // the AbortController of the stream that is open
  #skipWait = null
  #wasConnected = false
  #isAway = false
  #isRefused = false // the token, a moment ago
  #expiringToken
  #silence = null
  #version = -1
  #endedJob // the run whose end was told
  latest = null

  constructor(id, handlers, { url = EVENTS, token, signal, keepAfterEnd = false, heartbeatMs = 30_000,
    host = globalThis, fetch = host.fetch, clock = systemClock, random = Math.random } = {}) {
    this.#url = addressOf(url, id, host)
    this.#handlers = handlers
    this.#clock = clock
    this.#host = host
    this.#fetch = fetch
    this.#keep = keepAfterEnd
    this.#silentMs = 2.5 * heartbeatMs
    this.#identity = createIdentity({ token, clock, changed: () => this.#forget() })
    this.#backoff = createBackoff({ random, now: clock.now })
    if (signal?.aborted) this.close()
    else this.#begin(signal)
  }

  get isClosed() {
    return this.#life.signal.aborted
  }

  close() {
    this.#life.abort()
    this.#stream?.abort()
    this.#skipWait?.()
  }

  #begin(outer) {
    const { signal } = this.#life
    const on = (target, type, listener) => target?.addEventListener?.(type, listener, { signal })
    on(outer, 'abort', () => this.close())
    on(this.#host, 'online', () => this.#skipWait?.())
    on(this.#host.document, 'visibilitychange', () => {
      if (this.#host.document.visibilityState === 'visible') this.#skipWait?.()
    })
    // A page with an open stream is not kept for the back button.
    on(this.#host, 'pagehide', () => this.#putAway())
    on(this.#host, 'pageshow', () => this.#putAway(false))
    this.#follow()
  }

  #putAway(isAway = true) {
    this.#isAway = isAway
    if (isAway) this.#stream?.abort()
    else this.#skipWait?.()
  }

  async #follow() {
    while (!this.isClosed) {
      const lost = await this.#open()
      if (this.isClosed) return
      if (lost.fatal) {
        this.close()
        this.#call('onError', lost.message, { status: lost.status ?? 0, update: null })
        return
      }
      if (lost.atOnce) continue
      const retryInMs = this.#waitMs(lost)
      if (this.#wasConnected) this.#call('onDisconnected', { reason: lost.message, retryInMs })
      await this.#wait(retryInMs)
    }
  }

  // One stream from its request to its end; says why it ended and what to do.
  async #open() {
    let token
    try {
      token = await this.#identity.renew()
    } catch {
      return { message: 'token_unavailable' }
    }
    if (this.isClosed) return {}
    this.#stream = new AbortController()
    const stream = this.#stream
    const openedAt = this.#clock.now()
    try {
      return await this.#read(token, stream)
    } catch {
      return { message: stream.signal.reason === 'stale' ? 'stale' : 'connection_lost' }
    } finally {
      stream.abort()
      this.#watchSilence(null)
      if (this.#clock.now() - openedAt >= HELD_MS) this.#backoff.reset()
    }
  }

  async #read(token, stream) {
    this.#watchSilence(stream)
    const response = await this.#fetch.call(this.#host, this.#url, {
      signal: stream.signal,
      credentials: 'include',
      cache: 'no-store',
      headers: {
        Accept: 'text/event-stream',
        ...(token != null && { Authorization: `Bearer ${token}` }),
        ...(this.#parser.lastId && { 'Last-Event-ID': this.#parser.lastId })
      }
    })
    if (response.status !== 200) return this.#refused(response)
    // Such as a page to log in, to which the request was redirected.
    if (!/^text\/event-stream\b/.test(response.headers.get('Content-Type'))) return { fatal: true, message: 'not an event stream', status: 200 }
    this.#isRefused = false
    this.#parser.restart()
    const decoder = new TextDecoder()
    const reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return { message: 'ended' }
      this.#watchSilence(stream)
      for (const message of this.#parser.push(decoder.decode(value, { stream: true }))) {
        const end = this.#take(message)
        if (end) return end
        if (this.isClosed) return {}
      }
    }
  }

  #refused({ status, headers }) {
    const message = `the server answered ${status}`
    if (PASSING.has(status)) return { message, retryAfterMs: retryAfterMsOf(headers) }
    // A token that has just expired: the callback has another one, or it is hopeless.
    if (status === 401 && this.#identity.isRenewable && !this.#isRefused) {
      this.#isRefused = true
      return { message, retryAfterMs: 1_000 }
    }
    return { fatal: true, message: REFUSALS[status] ?? message, status }
  }

  /** Returns why the stream is over, if this message says so. */
  #take({ id, data }) {
    let message
    try {
      message = JSON.parse(data)
    } catch {
      return undefined // alive, but not understood
    }
    switch (message?.type) {
      case undefined: return this.#state(id, message)
      case 'connected':
        this.#call('onConnected', { job_id: message.job_id ?? null, reconnected: this.#wasConnected })
        this.#wasConnected = true
        return undefined
      case 'heartbeat': return this.#call('onHeartbeat')
      case 'stale': return this.#call('onStale')
      case 'token_expiring': return this.#expiring()
      case 'error': return this.#error(message)
      // Types of later versions are none of ours.
    }
  }

  // Opened again with the next token, once for each: the callback may have none yet.
  #expiring() {
    const { isRenewable, token } = this.#identity
    if (!isRenewable || token === this.#expiringToken) return undefined
    this.#expiringToken = token
    return { atOnce: true }
  }

  #error({ message, reconnect }) {
    if (message === 'token expired' && this.#identity.isRenewable) return { atOnce: true }
    return reconnect === true ? { message } : { fatal: true, message: String(message) }
  }

  #state(id, payload) {
    const version = Number(id || NaN)
    if (version <= this.#version) return
    if (!Number.isNaN(version)) this.#version = version
    const update = connectionUpdate(payload)
    if (!update) return
    this.latest = update
    this.#call('onProgress', update)
    const status = connectionStatus(update)
    if (status === 'active') this.#endedJob = undefined
    else this.#ended(status, update)
  }

  // Told once a run: what follows may be another's, with the same words.
  #ended(status, update) {
    const job = update.job_id ?? ''
    if (this.#endedJob === job) return
    this.#endedJob = job
    if (!this.#keep) this.close()
    if (status === 'completed') this.#call('onComplete', update)
    else this.#call('onError', update.error ?? 'failed', { status: 0, update })
  }

  // Another owner's token: nothing of the one before may stay.
  #forget() {
    this.#version = -1
    this.#parser = new EventParser()
    this.latest = null
    this.#endedJob = undefined
  }

  // The server says when to come again after a loss; who fails again and again waits longer.
  #waitMs({ retryAfterMs = 0 }) {
    const next = this.#backoff.next()
    const retryMs = this.#backoff.attempts === 1 ? this.#parser.retryMs : null
    return Math.min(Math.max(retryMs ?? next, retryAfterMs), LONGEST_MS)
  }

  #wait(ms) {
    return new Promise(resolve => {
      const timer = this.#isAway ? null : this.#clock.setTimeout(resolve, ms)
      this.#skipWait = () => {
        if (this.#isAway && !this.isClosed) return
        this.#clock.clearTimeout(timer)
        resolve()
      }
    }).finally(() => { this.#skipWait = null })
  }

  // A stream has a heartbeat; one without is dead, whatever TCP says.
  #watchSilence(stream) {
    this.#clock.clearTimeout(this.#silence)
    this.#silence = stream && this.#clock.setTimeout(() => stream.abort('stale'), this.#silentMs)
  }

  // A handler's mistake is reported as any uncaught error, and does not end the watch.
  #call(name, ...args) {
    try {
      this.#handlers[name]?.(...args)
    } catch (error) {
      queueMicrotask(() => { throw error })
    }
  }
}

// Seconds, or a date, by which proxies say it.
function retryAfterMsOf(headers) {
  const value = headers.get('Retry-After') ?? 0
  return Math.max(0, value * 1_000 || Date.parse(value) - Date.now() || 0)
}

// "{id}" in an address of the application's own is the connection's; a URL object has it escaped.
function addressOf(url, id, host = globalThis) {
  if (id == null || id === '') throw new TypeError(`not the id of a connection: ${id}`)
  return new URL(String(url).replace(/\{id\}|%7Bid%7D/i, encodeURIComponent(id)), host.location?.href)
}
