/*
 * tabs.js: one connection for all tabs of a browser that watch with the same
 * rights.
 *
 * The tabs are those that share a channel, named by address and rights.  One of
 * them leads: it holds the lock of that name, runs the Link, watches what any
 * tab wants, and passes on whatever the link reports, so that each tab tells its
 * own client the same.  It keeps the latest payload of each stream: a tab that
 * comes later is answered at once.
 *
 * Who leads:
 *  - Web Locks queue the tabs.  A leader that closes, crashes or is put away
 *    frees the lock, and the next in line leads within milliseconds.
 *  - A leader beats each second while it can be seen.  A tab that can be seen
 *    and misses three beats steals the lock, be the leader hidden (its timers
 *    are throttled, it may be frozen) or hung.  Each second counts once however
 *    late its timer comes, so that a tab's own slowness is not held against the
 *    leader.
 *  - Each leader has a greater term than any that it has heard of.  What is said
 *    in an older one is passed over, and a leader that hears a greater one steps
 *    down, as it does when its lock is stolen.
 *
 * A new leader subscribes everything anew and the versions decide, so nothing is
 * lost between two leaders and nobody is told of a disconnection, unless the new
 * link fails.
 *
 * Whoever hears of a new term says again what it wants.  A leader begins one each
 * minute, and forgets what was not said again since the last: the wishes of tabs
 * that crashed.
 *
 * An uplink as a Link is, for client.js.  Where rights are unknown, or tabs
 * cannot find each other, it is nothing but a Link.
 */
import { Link } from './link.js'
import { State } from './state.js'
import { isRefusal, Stream } from './stream.js'

const BEAT_MS = 1_000
const MISSED_BEATS = 2
const TERM_BEATS = 60

// Whom a message is for: the leader, every tab, or the tab of that id.
const LEADER = 0
const ALL = 1

/** options: as for a Link. */
export function openTabs(options) {
  const { url, identity, host, clock, handler } = options
  const wanted = new Set()
  const id = Math.random()
  let name
  let locks
  let channel
  let joined // an AbortController for as long as this tab takes part
  let turn // another: a place in the queue, then the lead
  let term = 0
  let beats // since the leader was heard, or since the term began
  let timer
  let told = {} // the last change of state

  // While leading.
  let link
  let streams // identifier → Stream, with the term in which each tab wanted it last
  let performers // identifier and action → tab

  // To the client of this tab.
  function tell(what, detail, payload) {
    if (what === 'changed') told = detail
    if (what === 'rejected') wanted.delete(detail)
    handler[what](detail, payload)
  }

  function post(to, what, ...args) {
    if (to === LEADER && link) serve[what](id, ...args)
    else if (to === id) queueMicrotask(() => tell(what, ...args))
    else channel?.postMessage([to, term, id, what, ...args])
  }

  function hear(to, theirs, from, what, ...args) {
    if (to === LEADER) {
      if (link) serve[what]?.(from, ...args)
    } else if (theirs >= term && (to === ALL || to === id)) {
      if (theirs > term) {
        term = theirs
        if (link) queue()
        greet()
      }
      if (what) tell(what, ...args)
      else beats = 0
    }
  }

  function greet() {
    post(LEADER, 'greet')
    for (const identifier of wanted) post(LEADER, 'subscribe', identifier)
  }

  async function join() {
    const { signal } = joined = new AbortController()
    tell('changed', { state: State.CONNECTING })
    // Whose tab this is may have changed while it was away.
    await identity.renew().catch(() => {})
    try {
      const { navigator, BroadcastChannel } = host.navigator?.locks && host.BroadcastChannel
        ? host
        : (await import('./tabs_storage.js')).standIn(host, clock)
      locks = navigator.locks
      name = `sync-progress ${url} ${identity.rights}`
      if (identity.rights !== null && !signal.aborted) channel = new BroadcastChannel(name)
    } catch {}
    if (signal.aborted) return
    if (!channel) return lead()
    channel.onmessage = ({ data }) => hear(...data)
    host.document?.addEventListener('visibilitychange', look, { signal })
    look()
    greet()
    queue()
  }

  function leave(detail, willReconnect) {
    for (const identifier of wanted) post(LEADER, 'unsubscribe', identifier)
    stepDown()
    joined?.abort()
    joined = null
    clock.clearTimeout(timer)
    channel?.close()
    channel = null
    tell('changed', detail)
    tell('lost', { willReconnect })
  }

  /** Waits for the lead, or takes it by force. */
  function queue(steal) {
    stepDown()
    const { signal } = turn = new AbortController()
    locks.request(name, steal ? { steal } : { signal }, () => !signal.aborted && new Promise(resolve => {
      signal.onabort = resolve
      lead()
    })).catch(error => {
      if (signal.aborted) return
      if (error.name === 'AbortError') return queue() // stolen
      channel.close() // there are no locks here
      channel = null
      lead()
    })
  }

  function lead() {
    term = Math.max(term, Date.now())
    streams = new Map()
    performers = new Map()
    const mine = link = new Link({
      ...options,
      handler: new Proxy({}, { get: (_, what) => (...args) => link === mine && relay(what, ...args) })
    })
    begin()
    link.open()
  }

  // A term.
  function begin() {
    for (const [identifier, { tabs }] of streams) {
      for (const [tab, since] of tabs) if (since < term) serve.unsubscribe(tab, identifier)
    }
    term += 1 + Math.random()
    beats = 0
    post(ALL)
    greet()
  }

  function stepDown() {
    turn?.abort()
    const mine = link
    link = null
    mine?.close()
  }

  // What the link reports is reported by every tab.
  function relay(what, detail, payload) {
    if (what === 'changed') {
      // The end is this tab's own: another may have a better token.
      if (detail.state === State.CLOSED || detail.state === State.REJECTED) return leave(detail, false)
      // One connection takes another's place.
      if (detail.state === State.CONNECTING && told.state === State.LIVE) return
    }
    const known = streams.get(detail)
    if (what === 'confirmed') known?.confirm()
    if (what === 'received') known?.deliver(payload)
    if (what === 'rejected') streams.delete(detail)
    if (what === 'lost') for (const stream of streams.values()) stream.disconnect(detail)
    const to = isRefusal(payload) ? performers.get(detail + payload.action) : ALL
    post(to, what, detail, payload)
    if (to === ALL) tell(what, detail, payload)
  }

  /** What tabs ask of the leader. */
  const serve = {
    greet(tab) {
      if (tab !== id) post(tab, 'changed', told)
    },

    subscribe(tab, identifier) {
      let stream = streams.get(identifier)
      if (!stream) {
        streams.set(identifier, stream = new Stream(identifier))
        stream.tabs = new Map()
        link.subscribe(identifier)
      }
      const { tabs, isConfirmed, latest } = stream
      if (!tabs.has(tab)) {
        if (isConfirmed) post(tab, 'confirmed', identifier, true)
        if (latest !== undefined) post(tab, 'received', identifier, latest)
      }
      tabs.set(tab, term)
    },

    unsubscribe(tab, identifier) {
      const tabs = streams.get(identifier)?.tabs
      if (!tabs?.delete(tab) || tabs.size) return
      streams.delete(identifier)
      link.unsubscribe(identifier)
    },

    perform(tab, identifier, action, data) {
      performers.set(identifier + action, tab)
      link.perform(identifier, action, data)
    },

    open: () => link.open()
  }

  // Only who can be seen beats, or listens for beats.
  function look() {
    clock.clearTimeout(timer)
    beats = 0
    if (host.document?.visibilityState !== 'hidden') beat()
  }

  function beat() {
    timer = clock.setTimeout(beat, BEAT_MS)
    beats++
    if (!link) {
      if (beats > MISSED_BEATS) queue(true)
    } else if (beats < TERM_BEATS) post(ALL)
    else begin()
  }

  return {
    get isLeader() {
      return !!link
    },

    subscribe(identifier) {
      wanted.add(identifier)
      post(LEADER, 'subscribe', identifier)
    },

    unsubscribe(identifier) {
      wanted.delete(identifier)
      post(LEADER, 'unsubscribe', identifier)
    },

    perform: (...args) => post(LEADER, 'perform', ...args),
    open: () => joined ? post(LEADER, 'open') : join(),
    close: () => leave({ state: State.CLOSED }, false),
    wake: graceMs => link?.wake(graceMs),

    suspend() {
      if (joined) leave({ state: State.IDLE }, true)
    },

    resume() {
      if (told.state === State.IDLE) join()
    }
  }
}
