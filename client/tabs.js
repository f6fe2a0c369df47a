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
import { ALL, BEAT_MS, LEADER, MISSED_BEATS, ONLINE_GRACE_MS, TERM_BEATS } from './constants.js'
import { createLink } from './link.js'
import { createStream, isRefusal } from './stream.js'

/** options: as for a link; wanted: what this tab watches; now(): the last change of state that it was told; shared: false if alone. */
export function createTabs(options) {
  const { url, identity, host, clock, report, wanted, now, shared, pauseHiddenAfterMs: pauseMs } = options
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

  // While leading.
  let link
  let wishes // tab → a Set of what it wants, and of the term in which it said so
  let streams // identifier → Stream
  let performers // identifier and action → tab

  function post(to, what, ...args) {
    if (to === LEADER && link) serve[what](id, ...args)
    else if (to === id) queueMicrotask(() => report(what, ...args))
    else channel?.postMessage([to, term, id, what, ...args])
  }

  function hear(to, theirs, from, what, ...args) {
    if (to === LEADER) {
      if (link) serve[what]?.(from, ...args)
    } else if (theirs >= term && (to === ALL || to === id)) {
      if (theirs > term) {
        term = theirs
        if (link) queue()
        wish()
      }
      if (what) report(what, ...args)
      else beats = 0
    }
  }

  function wish() {
    post(LEADER, 'want', [...wanted.keys()])
  }

  async function join() {
    const joining = joined = {}
    report('changed', { state: 'connecting' })
    // Whose tab this is may have changed while it was away.
    await identity.renew().catch(() => {})
    if (shared !== false && identity.rights !== null) {
      try {
        const { navigator, BroadcastChannel } = host.navigator?.locks && host.BroadcastChannel
          ? host
          : (await import('./tabs_storage.js')).standIn(host, clock)
        if (joining !== joined) return
        locks = navigator.locks
        name = `sync-progress ${url} ${identity.rights}`
        channel = new BroadcastChannel(name)
      } catch {} // they cannot be found
    }
    if (joining !== joined) return
    if (!channel) return lead()
    channel.onmessage = ({ data }) => hear(...data)
    look()
    wish()
    queue()
  }

  function leave(detail) {
    post(LEADER, 'want', [])
    stepDown()
    joined = null
    clock.clearTimeout(timer)
    channel?.close()
    channel = null
    if (detail.state !== 'idle') {
      attending?.abort()
      attending = null
    }
    report('changed', detail)
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
    wishes = new Map()
    streams = new Map()
    performers = new Map()
    link = createLink({ ...options, wanted: streams, report: relay })
    begin()
    link.wake()
  }

  // A term.
  function begin() {
    for (const [tab, wish] of wishes) if (!wish.has(term)) wishes.delete(tab)
    term += 1 + Math.random()
    beats = 0
    post(ALL)
    wish()
  }

  function stepDown() {
    turn?.abort()
    link?.close()
    link = null
  }

  // What the link reports is reported by every tab.
  function relay(what, detail, payload) {
    if (what === 'changed') {
      const { state } = detail
      // The end is this tab's own: another may have a better token.
      if (state === 'closed' || state === 'rejected') return leave(detail)
      // One connection takes another's place.
      if (state === 'connecting' && now().state === 'live') return
      if (state !== 'live') for (const stream of streams.values()) stream.disconnect()
    }
    streams.get(detail)?.[what](payload)
    if (what === 'rejected') {
      streams.delete(detail)
      for (const wish of wishes.values()) wish.delete(detail)
    }
    const to = isRefusal(payload) ? performers.get(detail + payload.action) : ALL
    post(to, what, detail, payload)
    if (to === ALL) report(what, detail, payload)
  }

  /** What tabs ask of the leader. */
  const serve = {
    // All that it wants from now on.
    want(tab, identifiers) {
      const before = wishes.get(tab)
      wishes.set(tab, new Set([term, ...identifiers]))
      if (tab !== id) post(tab, 'changed', now())
      for (const identifier of identifiers) {
        const stream = streams.get(identifier)
        if (!stream) {
          streams.set(identifier, createStream(identifier))
          link.ask('subscribe', identifier)
        } else if (!before?.has(identifier)) {
          if (stream.isConfirmed) post(tab, 'confirmed', identifier, true)
          if (stream.latest !== undefined) post(tab, 'received', identifier, stream.latest)
        }
      }
      for (const identifier of streams.keys()) {
        if ([...wishes.values()].some(wish => wish.has(identifier))) continue
        streams.delete(identifier)
        link.ask('unsubscribe', identifier)
      }
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
    if (now().state === 'idle') join()
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

    /** What is wanted has changed. */
    wish,

    perform: (...args) => post(LEADER, 'perform', ...args),

    open() {
      if (!attending) attend()
      if (joined) post(LEADER, 'open')
      else join()
    },

    close: () => leave({ state: 'closed' })
  }
}
