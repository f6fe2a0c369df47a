/*
 * stream.js: one identifier, and everyone on this page who watches it.
 *
 * However many watch, the server is asked once.  The stream keeps the latest
 * payload, so that a latecomer starts with it; each subscription keeps the
 * version that it saw last, and is never shown that one or an older one again.
 * Payloads without a version (a channel's own form) pass as they come.
 */
import { isList } from './identifier.js'

/** What subscribe() returns. */
export class Subscription {
  #identifier
  #stream
  #actions

  constructor(identifier, stream, actions) {
    this.#identifier = identifier
    this.#stream = stream
    this.#actions = actions
  }

  get identifier() {
    return this.#identifier
  }

  /** pending, confirmed, rejected or ended. */
  get state() {
    return this.#stream.stateOf(this)
  }

  /** Stops watching; harmless when repeated. */
  unsubscribe() {
    this.#actions.unsubscribe(this)
  }

  /** Asks the server for the state as it is now. */
  requestUpdate() {
    this.perform('request_update')
  }

  /** Sends an action; what is refused comes to onError, nothing else is answered. */
  perform(action, data = {}) {
    if (this.state === 'confirmed') this.#actions.perform(this, action, data)
  }

  /** The newest payload, undefined while there is none. */
  get latest() {
    return this.#stream.latest
  }

  // These ask over HTTP, and so resolve with { result, state }, or reject with a RequestError.

  pause() {
    return this.#actions.request('pause')
  }

  resume() {
    return this.#actions.request('resume')
  }

  cancel(message) {
    return this.#actions.request('cancel', { message })
  }

  /** A new run of the same source; who watches the source follows it. */
  retry() {
    return this.#actions.request('retry')
  }

  rename(title, lockVersion) {
    return this.#actions.request('rename', { title, lock_version: lockVersion })
  }

  pin(pinned, lockVersion) {
    return this.#actions.request('pin', { pinned, lock_version: lockVersion })
  }

  delete(lockVersion) {
    return this.#actions.request('delete', { lock_version: lockVersion })
  }
}

export class Stream {
  #watchers = new Map() // Subscription → { callbacks, version }
  #confirmed = false
  #everConfirmed = false
  #rejected = false
  #latest // undefined until something came
  #kept // what an earlier page was shown, until then

  constructor(identifier) {
    this.identifier = identifier
    this.isList = isList(identifier)
  }

  get latest() {
    return this.#latest ?? this.#kept
  }

  get isConfirmed() {
    return this.#confirmed
  }

  get isEmpty() {
    return this.#watchers.size === 0
  }

  stateOf(subscription) {
    if (this.#rejected) return 'rejected'
    if (!this.#watchers.has(subscription)) return 'ended'
    return this.#confirmed ? 'confirmed' : 'pending'
  }

  add(callbacks, actions) {
    const subscription = new Subscription(this.identifier, this, actions)
    const watcher = { callbacks, version: -1 }
    this.#watchers.set(subscription, watcher)
    if (this.#confirmed) {
      // Not before subscribe() has returned: callbacks may use its result.
      queueMicrotask(() => {
        if (!this.#confirmed || !this.#watchers.has(subscription)) return
        call(callbacks.onConnected, { reconnected: false })
        if (this.#latest !== undefined) show(watcher, this.#latest, subscription)
      })
    }
    return subscription
  }

  /** Returns false if it was not watching. */
  remove(subscription) {
    return this.#watchers.delete(subscription)
  }

  confirm() {
    if (this.#confirmed) return
    const reconnected = this.#everConfirmed
    this.#confirmed = this.#everConfirmed = true
    this.#each(({ callbacks }) => call(callbacks.onConnected, { reconnected }))
  }

  /** The connection is gone; the stream waits for the next one. */
  disconnect(detail) {
    if (!this.#confirmed) return
    this.#confirmed = false
    this.#each(({ callbacks }) => call(callbacks.onDisconnected, detail))
  }

  /** The server refuses, now or after having agreed: nobody watches any more. */
  reject() {
    this.#rejected = true
    this.#confirmed = false
    this.#each(({ callbacks }) => call(callbacks.onRejected))
    this.#watchers.clear()
  }

  /** Returns whether anyone was shown it. */
  deliver(payload) {
    if (this.isList || isRefusal(payload)) return this.#tell(payload)
    const version = versionOf(payload)
    if (version === null || version > (versionOf(this.#latest) ?? -1)) this.#latest = payload
    let shown = false
    this.#each((watcher, subscription) => {
      shown = show(watcher, payload, subscription) || shown
    })
    return shown
  }

  /** Shows what an earlier page was shown; whatever the server says is newer. Returns whether it did. */
  restore(payload) {
    if (this.#confirmed || this.latest !== undefined) return false
    this.#kept = payload
    this.#each(({ callbacks }, subscription) => call(callbacks.onProgress, payload, subscription))
    return true
  }

  /** What is known belongs to somebody else: begin anew. */
  forget() {
    this.#latest = this.#kept = undefined
    this.#everConfirmed = false
    this.#each(watcher => {
      watcher.version = -1
      call(watcher.callbacks.onReset)
    })
  }

  // Neither is a state: they have no version, and latecomers do not get them.
  #tell(payload) {
    const name = isRefusal(payload) ? 'onError' : 'onEvent'
    this.#each(({ callbacks }, subscription) => call(callbacks[name], payload, subscription))
    return name === 'onEvent'
  }

  #each(visit) {
    // A copy: callbacks may subscribe and unsubscribe.
    for (const [subscription, watcher] of [...this.#watchers]) {
      if (this.#watchers.has(subscription)) visit(watcher, subscription)
    }
  }
}

export function isRefusal(payload) {
  return payload?.type === 'error' && 'action' in payload
}

function versionOf(payload) {
  const version = payload?.version
  return typeof version === 'number' ? version : null
}

function show(watcher, payload, subscription) {
  const version = versionOf(payload)
  if (version !== null) {
    if (version <= watcher.version) return false
    watcher.version = version
  }
  call(watcher.callbacks.onProgress, payload, subscription)
  return true
}

// One watcher's mistake is reported as any uncaught error, and harms no other.
function call(callback, ...args) {
  try {
    callback?.(...args)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
