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
 * Each tab holds a lock of its own, too.  The leader queues for it: when it gets
 * it, that tab is gone, and so is what it wanted.
 *
 * An uplink as a Link is, for client.js.  Where rights are unknown, or tabs
 * cannot find each other, it is nothing but a Link.
 */
import { isRefusal, Stream } from './stream.js'
import { Link } from './link.js'
import { State } from './state.js'

const BEAT_MS = 1_000
const MISSED = 2

// A refusal that comes so long after an action is the answer to it.
const ANSWER_MS = 10_000

// Whom a message is for: the leader, every tab, or the tab of that id.
const LEADER = 0
const ALL = 1

export class Tabs {
  #options
  #id
  #name
  #locks
  #channel = null
  #wanted = new Set()
  #performed = new Map() // identifier and action → when
  #joined = null // an AbortController for as long as this tab takes part
  #suspended = false
  #turn = null // another: a place in the queue, then the lead
  #term = 0
  #missed = 0
  #timer
  #state // what was told last
  #link = null // while leading
  #streams = new Map() // identifier → Stream, with the tabs that want it; while leading
  #tabs = new Set() // while leading

  /** options: as for a Link. */
  constructor(options) {
    this.#options = options
  }

  get isLeader() {
    return this.#link !== null
  }

  subscribe(identifier) {
    this.#wanted.add(identifier)
    this.#post(LEADER, 'subscribe', identifier)
  }

  unsubscribe(identifier) {
    this.#wanted.delete(identifier)
    this.#post(LEADER, 'unsubscribe', identifier)
  }

  perform(identifier, action, data) {
    this.#performed.set(identifier + action, this.#options.clock.now())
    this.#post(LEADER, 'perform', identifier, action, data)
  }

  open() {
    if (this.#joined) this.#post(LEADER, 'open')
    else this.#join()
  }

  close() {
    this.#leave({ state: State.CLOSED }, false)
  }

  wake(graceMs) {
    this.#link?.wake(graceMs)
  }

  suspend() {
    if (!this.#joined) return
    this.#suspended = true
    this.#leave({ state: State.IDLE }, true)
  }

  resume() {
    if (this.#suspended) this.#join()
  }

  async #join() {
    const { url, identity, host } = this.#options
    const { signal } = this.#joined = new AbortController()
    this.#suspended = false
    this.#tell('changed', { state: State.CONNECTING })
    try {
      // Whose tab this is may have changed while it was away.
      await identity.renew().catch(() => {})
      if (identity.rights !== null && !signal.aborted) {
        this.#id = Math.random().toString(36)
        this.#name = `sync-progress ${url} ${identity.rights}`
        this.#locks = host.navigator.locks
        await new Promise((resolve, reject) => this.#hold(this.#name + this.#id, { signal }, signal, resolve).catch(reject))
        this.#channel = new host.BroadcastChannel(this.#name)
      }
    } catch {}
    if (signal.aborted) return
    if (!this.#channel) {
      this.#lead()
      return
    }
    this.#channel.onmessage = ({ data }) => this.#hear(...data)
    host.document?.addEventListener('visibilitychange', () => this.#look(), { signal })
    this.#look()
    this.#greet()
    this.#run()
  }

  #leave(detail, willReconnect) {
    this.#joined?.abort()
    this.#joined = null
    this.#options.clock.clearTimeout(this.#timer)
    this.#stepDown()
    this.#channel?.close()
    this.#channel = null
    this.#tell('changed', detail)
    this.#tell('lost', { willReconnect })
  }

  // Holds a lock until the signal; resolves then, or rejects when it is stolen.
  #hold(name, options, signal, begin) {
    return this.#locks.request(name, options, () => !signal.aborted && new Promise(resolve => {
      signal.onabort = resolve
      begin()
    }))
  }

  /** Queues for the lead, or takes it by force. */
  #run(steal) {
    this.#stepDown()
    const { signal } = this.#turn = new AbortController()
    this.#hold(this.#name, steal ? { steal } : { signal }, signal, () => this.#lead())
      .catch(({ name }) => {
        if (name === 'AbortError' && !signal.aborted) this.#run() // stolen
      })
  }

  #lead() {
    this.#term = Math.max(this.#term, Date.now()) + 1 + Math.random()
    const report = name => (...args) => {
      if (link === this.#link) this.#relay(name, ...args)
    }
    const link = this.#link = new Link({ ...this.#options, handler: new Proxy({}, { get: (_, name) => report(name) }) })
    for (const identifier of this.#wanted) this.subscribe(identifier)
    this.#post(ALL, 'beat')
    link.open()
  }

  #stepDown() {
    this.#turn?.abort()
    const link = this.#link
    this.#link = null
    this.#streams.clear()
    this.#tabs.clear()
    link?.close()
  }

  // Whatever the link reports is reported by every tab.
  #relay(name, ...args) {
    const [detail, payload] = args
    const stream = this.#streams.get(detail)
    switch (name) {
      case 'changed':
        if (detail.state === State.CLOSED || detail.state === State.REJECTED) {
          // That is this tab's own end: another may have a better token.
          this.#leave(detail, false)
          return
        }
        // One connection takes another's place.
        if (detail.state === State.CONNECTING && this.#state.state === State.LIVE) return
        break
      case 'confirmed':
        stream?.confirm()
        break
      case 'rejected':
        this.#streams.delete(detail)
        break
      case 'received':
        stream?.deliver(payload)
        break
      case 'lost':
        for (const each of this.#streams.values()) each.disconnect(detail)
    }
    this.#post(ALL, name, ...args)
    this.#tell(name, ...args)
  }

  // To the client of this tab.
  #tell(name, ...args) {
    const [detail, payload] = args
    const { clock, handler } = this.#options
    if (name === 'changed') this.#state = detail
    if (name === 'rejected') this.#wanted.delete(detail)
    if (isRefusal(payload) && !(clock.now() - this.#performed.get(detail + payload.action) < ANSWER_MS)) return
    handler[name](...args)
  }

  #post(to, name, ...args) {
    if (to === LEADER && this.#link) this.#serve(this.#id, name, ...args)
    else if (to === this.#id) queueMicrotask(() => this.#tell(name, ...args))
    else this.#channel?.postMessage([to, this.#term, this.#id, name, ...args])
  }

  #hear(to, term, from, name, ...args) {
    if (to === LEADER) {
      if (this.#link) this.#serve(from, name, ...args)
      return
    }
    if (term < this.#term || (to !== ALL && to !== this.#id)) return
    if (term > this.#term) {
      this.#term = term
      if (this.#link) this.#run()
      this.#greet()
    }
    if (name === 'beat') this.#missed = 0
    else this.#tell(name, ...args)
  }

  #greet() {
    this.#post(LEADER, 'greet')
    for (const identifier of this.#wanted) this.#post(LEADER, 'subscribe', identifier)
  }

  /** What a tab asks of the leader. */
  #serve(tab, name, identifier, ...args) {
    const stream = this.#streams.get(identifier)
    if (name === 'greet') this.#welcome(tab)
    else if (name === 'subscribe') this.#want(tab, identifier, stream)
    else if (name === 'unsubscribe') this.#unwant(tab, identifier, stream)
    else this.#link[name](identifier, ...args) // perform, open
  }

  #welcome(tab) {
    this.#post(tab, 'changed', this.#state)
    if (this.#tabs.has(tab)) return
    this.#tabs.add(tab)
    const { signal } = this.#turn
    this.#locks.request(this.#name + tab, { signal }, () => {
      this.#tabs.delete(tab)
      for (const [identifier, stream] of this.#streams) this.#unwant(tab, identifier, stream)
    }).catch(() => {})
  }

  #want(tab, identifier, stream) {
    if (!stream) {
      this.#streams.set(identifier, Object.assign(new Stream(identifier), { tabs: new Set([tab]) }))
      this.#link.subscribe(identifier)
    } else if (!stream.tabs.has(tab)) {
      stream.tabs.add(tab)
      if (stream.isConfirmed) this.#post(tab, 'confirmed', identifier, true)
      if (stream.latest !== undefined) this.#post(tab, 'received', identifier, stream.latest)
    }
  }

  #unwant(tab, identifier, stream) {
    if (!stream?.tabs.delete(tab) || stream.tabs.size) return
    this.#streams.delete(identifier)
    this.#link.unsubscribe(identifier)
  }

  get #isSeen() {
    return this.#options.host.document?.visibilityState !== 'hidden'
  }

  // Only who can be seen beats, or listens for beats.
  #look() {
    this.#options.clock.clearTimeout(this.#timer)
    this.#missed = 0
    if (this.#isSeen) this.#tick()
  }

  #tick() {
    this.#timer = this.#options.clock.setTimeout(() => this.#tick(), BEAT_MS)
    if (this.#link) {
      if (this.#tabs.size) this.#post(ALL, 'beat')
    } else if (++this.#missed > MISSED) this.#run(true)
  }
}
