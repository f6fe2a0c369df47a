/*
 * react_context.js: which client the components of a tree have.
 *
 * That of the nearest provider, else the page's.  None on a server, nor while
 * its markup is taken over: what is rendered then must not depend on a browser.
 */
import { createContext, createElement, useContext, useEffect, useInsertionEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import { ClientSource, pageSource } from './react_client.js'

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

/** What the nearest provider was given. */
export function useClientSource() {
  return useContext(Source)
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
export function useLatest(value) {
  const latest = useRef(value)
  useInsertionEffect(() => {
    latest.current = value
  })
  return latest
}

export const subscribeToNothing = () => () => {}
const getNull = () => null
const getIdle = () => 'idle'
