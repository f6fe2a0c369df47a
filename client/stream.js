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
  #stream

  constructor(stream) {
    this.#stream = stream
  }

  get identifier() {
    return this.#stream.identifier
  }

  /** pending, confirmed, rejected or ended. */
  get state() {
    return this.#stream.stateOf(this)
  }

  /** The newest payload, undefined while there is none. */
  get latest() {
    return this.#stream.latest
  }

  /** Stops watching; harmless when repeated. */
  unsubscribe() {
    this.#stream.remove(this)
  }

  /** Asks the server for the state as it is now. */
  requestUpdate() {
    this.perform('request_update')
  }

  /** Sends an action; what is refused comes to onError, nothing else is answered. */
  perform(action, data = {}) {
    if (this.state === 'confirmed') this.#stream.perform(action, data)
  }

  // These ask over HTTP, with what http.js says that they take, and so resolve
  // with { result, state }, or reject with a RequestError.

  pause() {
    return this.#stream.act('pause')
  }

  resume() {
    return this.#stream.act('resume')
  }

  cancel(...args) {
    return this.#stream.act('cancel', ...args)
  }

  /** A new run of the same source; who watches the source follows it. */
  retry() {
    return this.#stream.act('retry')
  }

  rename(...args) {
    return this.#stream.act('rename', ...args)
  }

  pin(...args) {
    return this.#stream.act('pin', ...args)
  }

  delete(...args) {
    return this.#stream.act('delete', ...args)
  }
}

/**
 * own: what its owner hangs on it; for those who watch by subscriptions
 * perform(action, data), act(action, ...args) and unwatched(), when nobody does any more.
 */
export function createStream(identifier, own) {
  const watchers = new Map() // Subscription → { callbacks, version }
  const listed = isList(identifier)
  const newest = {} // the version that came last
  let isConfirmed = false
  let wasConfirmed = false
  let isRejected = false
  let latest // undefined until something came
  let kept // what an earlier page was shown, until then

  function each(visit) {
    // A copy: callbacks may subscribe and unsubscribe.
    for (const [subscription, watcher] of [...watchers]) {
      if (watchers.has(subscription)) visit(watcher, subscription)
    }
  }

  function tell(what, detail) {
    each(({ callbacks }, subscription) => call(callbacks[what], detail, subscription))
  }

  return {
    ...own,
    identifier,
    isList: listed,

    get latest() {
      return latest ?? kept
    },

    get isConfirmed() {
      return isConfirmed
    },

    stateOf(subscription) {
      if (isRejected) return 'rejected'
      if (!watchers.has(subscription)) return 'ended'
      return isConfirmed ? 'confirmed' : 'pending'
    },

    add(callbacks) {
      const subscription = new Subscription(this)
      const watcher = { callbacks }
      watchers.set(subscription, watcher)
      if (isConfirmed) {
        // Not before subscribe() has returned: callbacks may use its result.
        queueMicrotask(() => {
          if (!isConfirmed || !watchers.has(subscription)) return
          call(callbacks.onConnected, { reconnected: false })
          if (latest !== undefined) show(watcher, latest, subscription)
        })
      }
      return subscription
    },

    remove(subscription) {
      if (watchers.delete(subscription) && !watchers.size) own.unwatched()
    },

    confirmed() {
      if (isConfirmed) return
      const reconnected = wasConfirmed
      isConfirmed = wasConfirmed = true
      tell('onConnected', { reconnected })
    },

    /** The connection is gone; the stream waits for the next one. */
    disconnect(detail) {
      if (!isConfirmed) return
      isConfirmed = false
      tell('onDisconnected', detail)
    },

    /** The server refuses, now or after having agreed: nobody watches any more. */
    rejected() {
      isRejected = true
      isConfirmed = false
      tell('onRejected')
      watchers.clear()
    },

    /** Returns whether anyone was shown it. */
    received(payload) {
      // Neither is a state: they have no version, and latecomers do not get them.
      const isError = isRefusal(payload)
      if (isError || listed) {
        tell(isError ? 'onError' : 'onEvent', payload)
        return !isError
      }
      if (isNewer(payload, newest)) latest = payload
      let shown = false
      each((watcher, subscription) => {
        shown = show(watcher, payload, subscription) || shown
      })
      return shown
    },

    /** Shows what an earlier page was shown; whatever the server says is newer. Returns whether it did. */
    restore(payload) {
      if (isConfirmed || this.latest !== undefined) return false
      kept = payload
      tell('onProgress', payload)
      return true
    },

    /** What is known belongs to somebody else: begin anew. */
    forget() {
      latest = kept = newest.version = undefined
      wasConfirmed = false
      each(watcher => {
        watcher.version = undefined
        call(watcher.callbacks.onReset)
      })
    }
  }
}

export function isRefusal(payload) {
  return payload?.type === 'error' && 'action' in payload
}

// Notes its version where the newest is noted.
function isNewer(payload, seen) {
  const version = payload?.version
  if (typeof version !== 'number') return true
  if (version <= seen.version) return false
  seen.version = version
  return true
}

function show(watcher, payload, subscription) {
  const isNews = isNewer(payload, watcher)
  if (isNews) call(watcher.callbacks.onProgress, payload, subscription)
  return isNews
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
