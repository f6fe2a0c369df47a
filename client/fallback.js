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
import { MAX_MINUTES, MINUTE_MS, SOON_MS, TRIAL_MS } from './constants.js'
import { openHttpTransport } from './http_transport.js'

/**
 * options: as for a cable, and identity, host, random, transports; openCable;
 * rung: what it begins with; failures: of WebSockets just before.
 */
export function openFallback(options) {
  const { clock, host, identity, random, rung, failures, transports, openCable, report } = options
  const wanted = new Set()
  let current
  let trial = null
  let confirmed = null // by the trial, from its welcome on
  let tries = failures ? 0 : 1
  let timer = null

  // What the streams by HTTP report, or the WebSocket that has taken over.
  function hear(what, detail, payload) {
    if (what === 'welcomed') arrive()
    else if (what === 'rejected') reject(detail)
    else if (what === 'closed') finish(detail)
    else report(what, detail, payload)
  }

  function arrive() {
    remember(host, current.name)
    report('welcomed')
    if (current.name === 'websocket') plan(null)
    else if (!timer) tryLater()
  }

  function finish(detail) {
    close()
    report('closed', detail)
  }

  function plan(ms, act) {
    clock.clearTimeout(timer)
    timer = ms === null ? null : clock.setTimeout(act, ms)
  }

  function tryLater() {
    dropTrial()
    const ms = tries ? Math.min(2 ** (tries - 1), MAX_MINUTES) * MINUTE_MS : SOON_MS
    tries += 1
    plan((0.5 + random() / 2) * ms, tryNow)
  }

  async function tryNow() {
    dropTrial()
    current.listenAgain()
    plan(TRIAL_MS, tryLater)
    if (transports[0] !== 'websocket') return
    const mine = timer
    try {
      const token = await identity.renew()
      if (mine !== timer) return
      trial = openCable({ ...options, token, report: hearTrial })
    } catch {
      return // until the trial's time is over
    }
    for (const identifier of wanted) trial.subscribe(identifier)
  }

  function hearTrial(what, detail, payload) {
    if (!trial) hear(what, detail, payload) // it has taken over
    else if (what === 'closed') tryLater()
    else if (what === 'welcomed') {
      confirmed = new Set()
      consider()
    } else if (what === 'confirmed') {
      confirmed.add(detail)
      consider()
    } else hear(what, detail, payload)
  }

  function reject(identifier) {
    unsubscribe(identifier)
    report('rejected', identifier)
    consider()
  }

  function consider() {
    if (!confirmed || ![...wanted].every(identifier => confirmed.has(identifier))) return
    current.close()
    current = trial
    trial = confirmed = null
    arrive()
  }

  function dropTrial() {
    trial?.close()
    trial = confirmed = null
  }

  function unsubscribe(identifier) {
    wanted.delete(identifier)
    current.unsubscribe(identifier)
    trial?.unsubscribe(identifier)
  }

  /** Closes without a report. */
  function close() {
    plan(null)
    current.close()
    dropTrial()
  }

  current = openHttpTransport({ ...options, mayListen: rung !== 'polling' && transports.includes('sse'), report: hear })

  return {
    get name() {
      return current.name
    },

    subscribe(identifier) {
      wanted.add(identifier)
      current.subscribe(identifier)
      trial?.subscribe(identifier)
    },

    unsubscribe,
    close,
    perform: (...args) => current.perform(...args),
    refresh: token => current.refresh(token),

    demandLife(graceMs) {
      current.demandLife(graceMs)
      if (graceMs && timer) tryNow()
    }
  }
}

// Without storage the next page begins anew.
function remember(host, name) {
  try {
    host.sessionStorage['sync-progress:transport'] = name
  } catch {}
}
