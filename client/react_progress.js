/*
 * react_progress.js: useSyncProgress(), for one stream or for all that are
 * being synced.
 *
 * Reads a store (react_stream.js, react_connections.js) through
 * useSyncExternalStore, so that everything which is rendered together shows the
 * same state.  On a server, and while its markup is taken over, it shows what
 * it was given.
 *
 * Callbacks are those of the latest rendering, and may be written inline; they
 * run when the news comes, not when React renders.
 */
import { useEffect, useMemo, useSyncExternalStore } from 'react'
import { keyOf } from './identifier.js'
import { ConnectionMap } from './react_connections.js'
import { useConnectionState, useLatest, useSyncClient } from './react_context.js'
import { StreamView } from './react_stream.js'

const CONNECTIONS = 'ConnectionSyncChannel'

/**
 * Watches one stream: useSyncProgress(identifier, options).  Nothing while the
 * identifier is null, or what it names is not known yet (session_id: undefined).
 *
 * Or many: useSyncProgress({ connections, … }), a Map of those which are being
 * synced.
 */
export function useSyncProgress(target, options = {}) {
  const isMany = isOptions(target)
  const props = isMany ? target : options
  const latest = useLatest(props)
  const ofPage = useSyncClient()
  const isOn = props.enabled !== false
  const client = isOn ? props.client ?? ofPage : null

  const key = isMany ? props.channel ?? CONNECTIONS : isOn && isNamed(target) ? keyOf(target) : null
  const { initial, includeEnded } = props
  const store = useMemo(() => isMany ? new ConnectionMap(client, key, latest) : new StreamView(client, key, latest, { initial, includeEnded }),
    // Not the last two: they say how to begin.
    [isMany, client, key, latest])
  const shown = useSyncExternalStore(store.subscribe, store.getSnapshot, store.getServerSnapshot)
  const connection = useConnectionState(client)

  const list = isMany ? props.connections : null
  useEffect(() => {
    if (isMany) store.follow(list)
  }, [isMany, store, list])

  return useMemo(() => ({ ...store.actions, ...(isMany ? { subscriptions: shown } : shown), connection }),
    [store, isMany, shown, connection])
}

// An identifier has its channel, and a parameter or nothing else; options have
// a list or callbacks.
function isOptions(target) {
  if (!target || typeof target === 'string') return false
  if (typeof target !== 'object' || !target.channel && ('session_id' in target || 'id' in target)) {
    throw new TypeError('useSyncProgress: an identifier names its channel, as in { channel: "SyncStatusChannel", session_id: 42 }')
  }
  return typeof target.channel !== 'string' || 'connections' in target
}

function isNamed(target) {
  return Boolean(target) && (typeof target === 'string' || Object.values(target).every(value => value != null))
}
