/*
 * link.js: one link to the server, for as long as it is wanted.
 *
 *   idle → connecting → live → stale → backoff | offline → connecting …
 *                                            ↘ closed | rejected
 *
 * It owns at most one transport and replaces it when it is lost; what is
 * watched stays, so that a reconnect is nothing but a gap between two
 * versions.  That is a WebSocket, or where those do not get through, what
 * fallback.js finds.  "live" is the server's welcome; "stale" says that the connection
 * was given up because nothing was heard, and backoff follows at once;
 * "offline" is a backoff in which the browser says that there is no network: it
 * ends when that is back, and now and then without, for the browser may be wrong;
 * "rejected" is the server's word that trying again is useless.  Of a link that
 * is closed or rejected nothing more is heard; its owner opens another.
 *
 * It reports to its owner, as report(what, …):
 *   'changed' { state, reason, retryInMs, attempt, transport },
 *   'confirmed' identifier, 'rejected' identifier, 'received' identifier payload.
 */
import { createBackoff } from './backoff.js'
import { openCable } from './cable.js'
import { FAILURES, HELD_MS, OFFLINE_RETRY_MS, REFRESH_RETRY_MS } from './constants.js'
import { isList } from './identifier.js'

// Reasons that are no words of a server.
const WORDLESS = [null, 'stale', 'unavailable']

/**
 * options: url, identity, host, clock, random, WebSocket, report; transports, maxAttempts;
 * wanted: what is watched, as the keys of a Map that its owner keeps, and says each change of.
 */
export function createLink(options) {
  const { identity, clock, host, random, report, transports, wanted } = options
  const backoff = createBackoff({ random, now: clock.now })
  let state = 'idle'
  let transport = null
  let rung = transports[0] // the name of the transport to begin with
  try {
    // What fallback.js has come down to in this browser session.
    const found = host.sessionStorage['sync-progress:transport']
    if (transports.includes(found)) rung = found
  } catch {} // storage may be denied
  let failures = 0
  let liveSince // undefined unless welcomed, and then no time has passed since
  let timer
  let opening = 0

  function move(to, detail) {
    state = to
    report('changed', { state, attempt: backoff.attempts, ...detail })
  }

  // Whatever was to come next does not.
  function halt() {
    clock.clearTimeout(timer)
    opening++
  }

  async function open() {
    halt()
    const mine = opening
    move('connecting')

    let reason = 'token_unavailable'
    try {
      const token = await identity.renew()
      // close(), or another open(), came while the token was on its way.
      if (mine !== opening) return
      reason = 'unavailable'
      const openTransport = rung === 'websocket' ? openCable : (await import('./fallback.js')).openFallback
      if (mine !== opening) return
      transport = openTransport({ ...options, token, rung, failures, openCable, isList, report: hear })
      for (const identifier of wanted.keys()) transport.subscribe(identifier)
    } catch {
      if (mine === opening) lose(reason, true)
    }
  }

  // What the transport reports; its streams are the owner's business.
  function hear(what, detail, payload) {
    if (what === 'welcomed') {
      liveSince = clock.now()
      rung = transport.name
      move('live', { transport: rung })
    } else if (what === 'expiring') refresh(transport)
    else if (what === 'closed') lose(detail.reason, detail.reconnect)
    else report(what, detail, payload)
  }

  function lose(reason, reconnect) {
    transport = null
    const isWordless = liveSince === undefined && WORDLESS.includes(reason)
    if (clock.now() - liveSince >= HELD_MS) backoff.reset()
    liveSince = undefined

    // The same string would only be refused again.
    if (!reconnect || (reason === 'token_expired' && !identity.isRenewable)) return stop('rejected', reason)
    if (!isWordless) failures = 0
    else if (rung !== 'websocket') rung = transports[0]
    else if (++failures >= FAILURES && transports[1] && wanted.size) {
      rung = transports[1]
      return open()
    }

    const mine = opening
    if (reason === 'stale') move('stale', { reason })
    // Unless a listener has closed the link or opened it again.
    if (mine === opening) retry(reason)
  }

  // Until the transport that asked for it has one, or is gone: the server ends it in time.
  async function refresh(asking) {
    const before = identity.token
    const token = await identity.renew().catch(() => before)
    if (asking !== transport) return
    if (token !== before) asking.refresh(token)
    else if (identity.isRenewable) timer = clock.setTimeout(() => refresh(asking), REFRESH_RETRY_MS)
  }

  function retry(reason) {
    if (backoff.attempts >= options.maxAttempts) return stop('closed', 'max_attempts')
    halt()
    const isOffline = host.navigator?.onLine === false
    const retryInMs = isOffline ? OFFLINE_RETRY_MS : backoff.next()
    timer = clock.setTimeout(() => open(), retryInMs)
    move(isOffline ? 'offline' : 'backoff', { reason, retryInMs })
  }

  function stop(to, reason) {
    close()
    move(to, { reason })
  }

  /** Closes without a report. */
  function close() {
    halt()
    transport?.close()
    transport = null
  }

  return {
    /** subscribe identifier, unsubscribe identifier, perform identifier action data: of the transport, if there is one. */
    ask: (what, ...args) => transport?.[what](...args),

    close,

    /**
     * Connects: somebody asks for it, or the network or the reader is back, and
     * waiting any longer helps nobody.  A connection that may have died unnoticed
     * has to show life within graceMs.
     */
    wake(graceMs) {
      transport?.demandLife(graceMs)
      if (state === 'connecting' || state === 'live') return
      backoff.reset()
      open()
    }
  }
}
