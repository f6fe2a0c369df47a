/*
 * react.js: progress in React, 18 and 19.
 *
 *   const { payload, isComplete, pause } = useSyncProgress({ channel: 'SyncStatusChannel', session_id: 42 })
 *   const { subscriptions } = useSyncProgress({ connections, onComplete: id => refetch(id) })
 *
 * The hooks read stores (react_stream.js, react_connections.js) through
 * useSyncExternalStore, so that everything which is rendered together shows the
 * same state.  On a server, and while its markup is taken over, they show what
 * they were given and touch nothing of a browser.
 *
 * Callbacks are those of the latest rendering, and may be written inline; they
 * run when the news comes, not when React renders.
 *
 * No JSX: this is the source that runs.
 */
'use client'

import {
  createContext, createElement, useContext, useEffect, useInsertionEffect, useMemo, useRef, useSyncExternalStore
} from 'react'
import { keyOf } from './identifier.js'
import { ClientSource, pageSource } from './react_client.js'
import { ConnectionMap } from './react_connections.js'
import { StreamView } from './react_stream.js'

const CONNECTIONS = 'ConnectionSyncChannel'

const Source = createContext(pageSource)

/**
 * Gives the components below it their client: props.client, or one made of the
 * options of SyncProgressClient.  Without it they have the page's.
 */
export function SyncProvider({ children = null, client, ...options }) {
  const source = useSource(client, options)
  useEffect(() => source.hold(), [source])
  return createElement(Source.Provider, { value: source }, children)
}

/** The client; null on a server, and until its markup is taken over. */
export function useSyncClient() {
  const source = useContext(Source)
  return useSyncExternalStore(subscribeToNothing, source.get, getNull)
}

/** The state of the connection: "live", "backoff" … */
export function useConnectionState(client) {
  const ofPage = useSyncClient()
  const watched = client === undefined ? ofPage : client
  const subscribe = useMemo(() => listener => {
    const listening = new AbortController()
    watched?.addEventListener('statechange', listener, { signal: listening.signal })
    return () => listening.abort()
  }, [watched])
  return useSyncExternalStore(subscribe, () => watched?.state ?? 'idle', getIdle)
}

/**
 * Watches one stream: useSyncProgress(identifier, options).  Nothing while the
 * identifier is null.
 *
 * Or many: useSyncProgress({ connections, … }), a Map of those which are being
 * synced.
 */
export function useSyncProgress(target, options = {}) {
  const isMany = typeof target === 'object' && target !== null && !isIdentifier(target)
  const props = isMany ? target : options
  const latest = useLatest(props)
  const ofPage = useSyncClient()
  const isOn = props.enabled !== false
  const client = isOn ? props.client ?? ofPage : null

  const key = isMany ? props.channel ?? CONNECTIONS : target && isOn ? keyOf(target) : null
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
function isIdentifier(target) {
  return typeof target.channel === 'string' && !('connections' in target)
}

// A client is made anew only for what makes it another's, not because a
// callback was written inline.
function useSource(client, options) {
  const latest = useLatest(options)
  const { token, url = '', host, WebSocket, clock, random, ...plain } = options
  const mark = JSON.stringify({ url: String(url), ...plain })
  const isCallback = typeof token === 'function'
  return useMemo(() => new ClientSource({
    ...options,
    client,
    token: isCallback ? () => latest.current.token() : token
    // "mark" stands for the options.
  }), [client, mark, isCallback || token])
}

// Set when the rendering is committed: one that is thrown away changes nothing.
function useLatest(value) {
  const latest = useRef(value)
  useInsertionEffect(() => {
    latest.current = value
  })
  return latest
}

const subscribeToNothing = () => () => {}
const getNull = () => null
const getIdle = () => 'idle'
