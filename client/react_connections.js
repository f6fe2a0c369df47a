/*
 * react_connections.js: a Map of the connections that are being synced.
 *
 * It follows a list: whatever is syncing there is subscribed to, and stays
 * until its end was seen and shown for a while, whatever the list says
 * meanwhile, since lists are read now and then.  Then it is left alone, until
 * the list has said that it is not syncing, or names another job: an old list
 * must not bring back what is over.  Others can be subscribed to by hand.
 *
 * The Map is a new one when something changed, and so are its values.  No
 * React in here.
 */
import { connectionUpdate } from './connection_update.js'
import { peek, safely, watch } from './react_stream.js'
import { endOf, errorOf, RunEnds } from './run_end.js'

const REMOVE_AFTER_MS = 2_000
const NOT_ALLOWED = 'not found, or not allowed'
const EMPTY = new Map()

export class ConnectionMap {
  #client
  #channel
  #options
  #entries = new Map() // id → Entry
  #ends = new Map() // id → what was told of its ends
  #over = new Map() // id → the jobs, as the list and as the server named it, of a run that was shown to its end
  #map = EMPTY
  #listeners = new Set()

  /** options: a ref whose "current" has the callbacks. */
  constructor(client, channel, options) {
    this.#client = client
    this.#channel = channel
    this.#options = options
    this.actions = {
      subscribe: (id, jobId) => this.#add(id, { jobId }),
      unsubscribe: id => this.#remove(id)
    }
  }

  getServerSnapshot = () => EMPTY

  getSnapshot = () => this.#map

  subscribe = listener => {
    this.#listeners.add(listener)
    if (this.#listeners.size === 1) for (const entry of this.#entries.values()) entry.start()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) for (const entry of this.#entries.values()) entry.stop()
    }
  }

  /** The list as it is now. */
  follow(connections) {
    if (this.#client === null) return
    const { isSyncing = ({ status }) => status === 'syncing' } = this.#options.current
    const listed = new Set()
    for (const connection of connections ?? []) {
      const { id, job_id: jobId = null } = connection
      listed.add(id)
      if (!isSyncing(connection)) this.#over.delete(id)
      else if (!this.#over.get(id)?.includes(jobId)) this.#add(id, { jobId, isListed: true })
    }
    for (const [id, { isListed }] of [...this.#entries]) {
      if (isListed && !listed.has(id)) this.#remove(id)
    }
  }

  #add(id, { jobId = null, isListed = false }) {
    if (this.#client === null || this.#entries.has(id)) return
    const { removeAfterMs = REMOVE_AFTER_MS } = this.#options.current
    if (!this.#ends.has(id)) this.#ends.set(id, new RunEnds({ includeFirst: true }))
    const entry = new Entry({
      id,
      jobId,
      isListed,
      removeAfterMs,
      ends: this.#ends.get(id),
      client: this.#client,
      key: keyOf(this.#channel, id),
      changed: () => this.#publish(),
      call: (name, ...args) => safely(this.#options.current[name], id, ...args),
      remove: () => {
        this.#over.set(id, [jobId, entry.subscription.jobId])
        this.#remove(id)
      },
      // Of another's token nothing stays but the list, which is the page's.
      reset: () => {
        this.#remove(id)
        this.#ends.delete(id)
        if (isListed) this.#add(id, { jobId, isListed })
      }
    })
    this.#entries.set(id, entry)
    if (this.#listeners.size > 0) entry.start()
    this.#publish()
  }

  #remove(id) {
    const entry = this.#entries.get(id)
    if (!entry) return
    this.#entries.delete(id)
    entry.stop()
    this.#publish()
  }

  #publish() {
    this.#map = new Map([...this.#entries].map(([id, { subscription }]) => [id, subscription]))
    for (const listener of [...this.#listeners]) listener()
  }
}

class Entry {
  #props
  #received
  #release = null
  #run = 'waiting' // or "active", or its end
  #timer = null

  constructor(props) {
    this.#props = props
    this.isListed = props.isListed
    this.subscription = { connectionId: props.id, jobId: props.jobId, lastUpdate: null, lastMessageTime: null, status: 'active' }
  }

  start() {
    const { client, key, reset } = this.#props
    this.#release ??= watch(client, key, {
      changed: () => this.#show(),
      received: (payload, isKept) => this.#receive(payload, isKept),
      called: name => {
        if (name === 'onRejected') this.#reject()
      },
      reset
    })
    this.#show()
    this.#removeSoon()
  }

  stop() {
    this.#keep()
    this.#release?.()
    this.#release = null
  }

  #show() {
    const { payload, heardAt } = peek(this.#props.client, this.#props.key)
    const isWaiting = payload === null || (this.#run === 'waiting' && endOf(payload) !== null)
    this.subscription = {
      connectionId: this.#props.id,
      jobId: isWaiting ? this.#props.jobId : payload.job_id ?? this.#props.jobId,
      lastUpdate: isWaiting ? null : updateOf(payload),
      lastMessageTime: heardAt,
      status: this.#isOver ? (this.#run === 'completed' ? 'completed' : 'failed') : 'active'
    }
    this.#props.changed()
  }

  get #isOver() {
    return this.#run !== 'waiting' && this.#run !== 'active'
  }

  #receive(payload, isKept) {
    // Who comes back after a moment is told again what it knows.
    if (payload === this.#received) return
    this.#received = payload
    const { call, ends } = this.#props
    const end = isKept || this.#isBefore(payload) ? null : ends.see(payload)
    if (end) this.#run = end
    else if (!endOf(payload)) this.#run = 'active'
    this.#show()

    const update = updateOf(payload)
    if (this.#run !== 'waiting') call('onProgress', update)
    if (end === 'completed') call('onComplete', update)
    else if (end) call('onError', update.error, update)
    this.#removeSoon()
  }

  // The end of the run before: the one that is awaited has not begun.
  #isBefore(payload) {
    const { jobId } = this.#props
    return this.#run === 'waiting' && endOf(payload) !== null && jobId !== null && payload.job_id != null && payload.job_id !== jobId
  }

  #reject() {
    this.#run = 'failed'
    this.#show()
    this.#props.call('onError', NOT_ALLOWED, null)
    this.#removeSoon()
  }

  #keep() {
    clearTimeout(this.#timer)
    this.#timer = null
  }

  #removeSoon() {
    if (!this.#isOver) this.#keep()
    else this.#timer ??= setTimeout(this.#props.remove, this.#props.removeAfterMs)
  }
}

// Of any kind of state, not only a connection's own.
function updateOf(payload) {
  const end = endOf(payload)
  const isFailed = end === 'failed' || end === 'cancelled'
  const update = connectionUpdate({ ...payload?.counters, ...payload })
  return { ...update, is_complete: end === 'completed', is_failed: isFailed, error: isFailed ? errorOf(payload) : null }
}

// As elements name it, so that they share the stream.
function keyOf(channel, id) {
  const value = /^\d{1,15}$/.test(id) ? Number(id) : id
  return JSON.stringify(channel === 'SyncStatusChannel' ? { channel, session_id: value } : { channel, id: value })
}
