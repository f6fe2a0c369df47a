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
 * Where rights are unknown, or tabs cannot find each other, or shall not share,
 * each leads itself alone.
 *
 * A page that is put away, perhaps to come back, must have nothing open: the
 * browser would drop it, or keep a connection that nobody serves.
 */
import { createLink } from './link.js'
import { createStream, isRefusal } from './stream.js'

const BEAT_MS = 1_000
const MISSED_BEATS = 2
const TERM_BEATS = 60

// After a change of network the next frame may take one ping and a bit.
const ONLINE_GRACE_MS = 4_000

// Whom a message is for: the leader, every tab, or the tab of that id.
const LEADER = 0
const ALL = 1

/** options: as for a link; wanted: what this tab watches; shared: false if alone. */
export function createTabs(options) {
  const { url, identity, host, clock, report, wanted, shared, pauseHiddenAfterMs: pauseMs } = options
  const { document } = host
  const id = Math.random()
  let name
  let locks
  let channel
  let attending // an AbortController for as long as this page matters
  let joined // an object of its own each time that this tab takes part, else null
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
    report(what, detail, payload)
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
    for (const identifier of wanted.keys()) post(LEADER, 'subscribe', identifier)
  }

  async function join() {
    const joining = joined = {}
    tell('changed', { state: 'connecting' })
    // Whose tab this is may have changed while it was away.
    await identity.renew().catch(() => {})
    if (shared !== false && identity.rights !== null) await findOthers(joining).catch(() => {})
    if (joining !== joined) return
    if (!channel) return lead()
    channel.onmessage = ({ data }) => hear(...data)
    look()
    greet()
    queue()
  }

  async function findOthers(joining) {
    const { navigator, BroadcastChannel } = host.navigator?.locks && host.BroadcastChannel
      ? host
      : (await import('./tabs_storage.js')).standIn(host, clock)
    locks = navigator.locks
    name = `sync-progress ${url} ${identity.rights}`
    if (joining === joined) channel = new BroadcastChannel(name)
  }

  function leave(detail) {
    for (const identifier of wanted.keys()) post(LEADER, 'unsubscribe', identifier)
    stepDown()
    joined = null
    clock.clearTimeout(timer)
    channel?.close()
    channel = null
    if (detail.state !== 'idle') {
      attending?.abort()
      attending = null
    }
    tell('changed', detail)
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
    const mine = link = createLink({
      ...options,
      wanted: streams,
      report: (...args) => link === mine && relay(...args)
    })
    begin()
    link.wake()
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
      const { state } = detail
      // The end is this tab's own: another may have a better token.
      if (state === 'closed' || state === 'rejected') return leave(detail)
      // One connection takes another's place.
      if (state === 'connecting' && told.state === 'live') return
      if (state !== 'live') for (const stream of streams.values()) stream.disconnect()
    }
    streams.get(detail)?.[what](payload)
    if (what === 'rejected') streams.delete(detail)
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
        streams.set(identifier, stream = createStream(identifier, { tabs: new Map() }))
        link.ask('subscribe', identifier)
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
      link.ask('unsubscribe', identifier)
    },

    perform(tab, identifier, action, data) {
      performers.set(identifier + action, tab)
      link.ask('perform', identifier, action, data)
    },

    open: () => link.wake()
  }

  function attend() {
    attending = new AbortController()
    const wake = () => link?.wake(ONLINE_GRACE_MS)
    const listen = (target, reactions) => {
      for (const [type, react] of Object.entries(reactions)) target?.addEventListener?.(type, react, attending)
    }
    listen(host, { online: wake, offline: wake, pagehide: suspend, pageshow: resume })
    listen(document, { freeze: suspend, resume, visibilitychange: look })
  }

  function suspend() {
    if (joined) leave({ state: 'idle' })
  }

  function resume() {
    if (told.state === 'idle') join()
  }

  // Only who can be seen beats, or listens for beats.
  function look() {
    clock.clearTimeout(timer)
    beats = 0
    if (document?.visibilityState !== 'hidden') {
      resume()
      link?.wake()
      if (channel) beat()
    } else if (pauseMs != null) timer = clock.setTimeout(suspend, pauseMs)
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

    /** subscribe identifier, unsubscribe identifier, perform identifier action data: of whoever leads. */
    ask: (...args) => post(LEADER, ...args),

    open() {
      if (!attending) attend()
      if (joined) post(LEADER, 'open')
      else join()
    },

    close: () => leave({ state: 'closed' })
  }
}
