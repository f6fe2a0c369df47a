/*
 * http_stream.js: one stream over HTTP.
 *
 * Its state is asked for, which also says what is the matter if anything is.
 * Then it listens to events from there on, if it may and they come through;
 * when they end, or nothing was heard for two heartbeats and a half, the state
 * is asked for again.  The browser's EventSource would come back by itself, but
 * says neither why it ended nor that it has gone silent, so each is used once.
 *
 * Else it asks again and again: every 5 s while the state changes, then 10, 20,
 * 40 and at most 60 s apart; not sooner than the stream's own min_interval_ms,
 * nor than the server allows.
 *
 * Of the owner's list there is no state, its first page stands for it, and that
 * it may have changed is told as an event.
 */
import { FIRST_MS, MAX_POLL_MS, PAUSE_MS, POLL_MS, SILENT_MS, TIMEOUT_MS } from './constants.js'
import { addressOf, send, tokenOf } from './http.js'
import { minIntervalOf, pathOf } from './paths.js'

// A proxy's Retry-After may be a date, or beyond what a timer can wait.
const LONGEST_MS = 3_600_000

/** owner: an HttpTransport's; options: its, and isList, which tells the owner's list. */
export function openHttpStream(identifier, { url, identity, host, clock, random, isList }, owner) {
  const listed = isList(identifier)
  let etag
  let known // of the owner's list
  let pollMs = POLL_MS
  let source = null
  let isHeard = false // the source
  let looking = 0
  let timer

  async function look() {
    const mine = ++looking
    clock.clearTimeout(timer)
    const { status, body, retryAfterMs = 0 } = await ask()
    if (mine !== looking || !owner.judge(identifier, status)) return

    const isNew = status === 200 && take(body)
    pollMs = isNew ? POLL_MS : Math.min(2 * pollMs, MAX_POLL_MS)
    if (source) wait(SILENT_MS)
    else if (owner.hasRoom()) listen()
    else wait(Math.max(pollMs, minIntervalOf(identifier), retryAfterMs))
  }

  // Status 0: no answer, or not one from a bridge.
  async function ask() {
    const token = await tokenOf(identity).catch(() => identity.token)
    const late = new AbortController()
    const timer = clock.setTimeout(() => late.abort(), TIMEOUT_MS)
    try {
      const response = await send(addressOf(url, listed ? 'sessions' : `snapshots/${pathOf(identifier)}`), {
        token,
        fetch: host.fetch,
        signal: late.signal,
        headers: etag && { 'If-None-Match': etag }
      })
      const { status, headers } = response
      const body = status === 304 ? null : await response.json()
      if (response.ok) etag = headers.get('ETag')
      return { status, body, retryAfterMs: Math.min(headers.get('Retry-After') * 1_000 || 0, LONGEST_MS) }
    } catch {
      return { status: 0 }
    } finally {
      clock.clearTimeout(timer)
    }
  }

  // Returns whether it is another one than before.
  function take(body) {
    if (!listed) {
      owner.receive(identifier, body)
      return true
    }
    const before = known
    // without what changes while a run goes on
    known = JSON.stringify(body.sessions.map(({ version: _, ...session }) => session))
    const isNew = before !== undefined && before !== known
    if (isNew) owner.receive(identifier, { type: 'sessions_reloaded' })
    return isNew
  }

  function listen() {
    const { token } = identity
    const address = addressOf(url, `events/${listed ? 'owner' : pathOf(identifier)}`)
    const query = { token, last_event_id: /\d+/.exec(etag), min_interval_ms: minIntervalOf(identifier) }
    for (const [name, value] of Object.entries(query)) if (value) address.searchParams.set(name, value)
    isHeard = false
    wait(FIRST_MS)
    try {
      source = new host.EventSource(address.href, { withCredentials: token == null })
    } catch {
      return end()
    }
    source.onmessage = ({ data }) => hear(data)
    source.onerror = end
  }

  function hear(text) {
    isHeard = true
    wait(SILENT_MS)
    owner.heard()
    const message = JSON.parse(text)
    const { type } = message
    if (type === 'connected') {
      if (listed) look() // what came before it was not heard
    } else if (type === 'token_expiring' || type === 'error') owner.told(identifier, message)
    // "stale": the database is away; the server is not.
    else if (type !== 'heartbeat' && type !== 'stale') owner.receive(identifier, message)
  }

  function end() {
    const isBlocked = !isHeard
    quit()
    wait(random() * PAUSE_MS)
    if (isBlocked) owner.blocked()
  }

  function quit() {
    clock.clearTimeout(timer)
    source?.close()
    source = null
  }

  function wait(ms) {
    clock.clearTimeout(timer)
    timer = clock.setTimeout(() => source ? end() : look(), ms)
  }

  return {
    isListening: () => source !== null,

    /** Asks for the state now, and goes on from there. */
    look,

    /** Asks now, and soon again; nothing that was open is believed. */
    restart() {
      pollMs = POLL_MS
      quit()
      look()
    },

    close() {
      looking += 1
      quit()
    }
  }
}
