/*
 * element_source.js: where an element's states come from.
 *
 * A run, by the id that the page gives; or, without one, whatever run of the
 * channel is its reader's newest (element_follow.js, loaded when asked for).
 */
import { SyncProgressClient } from './client.js'
import { tokenFrom } from './token_url.js'

/**
 * Begins at once.  attribute(name) is what the page says; tell's functions are
 * state, idle, reset, refused, fail and connection.
 */
export function watch(given, attribute, tell) {
  const client = given ?? clientFor(attribute)
  const channel = attribute('channel')
  const id = attribute('session-id') ?? attribute('source-id')
  const stopped = new AbortController()
  const { signal } = stopped
  let watched

  const source = {
    client,
    channel,
    signal,
    subscription: null,

    get watched() {
      return watched
    },

    /** From now on it is this run. */
    watch(id) {
      if (id === watched) return
      watched = id
      source.subscription?.unsubscribe()
      source.subscription = client.subscribe(identifierOf(channel, id), {
        onProgress: tell.state,
        onRejected: tell.refused,
        onReset: tell.reset,
        onError: tell.fail
      })
      if (source.subscription.latest) tell.state(source.subscription.latest)
    },

    /** There is no run now; the last one was completed so many seconds ago, or never (null). */
    rest(seconds) {
      source.subscription?.unsubscribe()
      source.subscription = watched = null
      tell.idle(seconds)
    },

    refuse: tell.refused,

    stop() {
      stopped.abort()
      source.subscription?.unsubscribe()
    }
  }

  client.addEventListener('statechange', tell.connection, { signal })
  tell.connection({ state: client.state })
  if (id && id !== '0') source.watch(id)
  else import('./element_follow.js').then(({ follow }) => signal.aborted || follow(source), tell.refused)
  return source
}

// The same for everyone who watches it, so that it is one stream.
function identifierOf(channel, id) {
  return { channel, [channel === 'SyncStatusChannel' ? 'session_id' : 'id']: /^\d{1,15}$/.test(id) ? Number(id) : id }
}

function clientFor(attribute) {
  const tokenUrl = attribute('token-url') ?? meta('sync-progress-token-url')
  const token = attribute('token') ?? (tokenUrl ? tokenFrom(tokenUrl) : undefined)
  return SyncProgressClient.for({ url: attribute('url') ?? meta('action-cable-url'), token })
}

function meta(name) {
  return document.querySelector(`meta[name="${name}"]`)?.content
}
