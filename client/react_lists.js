/*
 * react_lists.js: lists that are the same in every tab: the server's own, and
 * those whose rows are the application's.
 *
 *   const { sessions, rename } = useSessionList({ onConflict: ({ text }) => toast(text) })
 *   const { broadcast } = useCrossTabSync({ session_renamed: ({ chatId, newTitle }) => rename(chatId, newTitle) })
 *
 * Of the latter an instance is held while a component is there, and a second longer: what is
 * said after an answer has come, by a component that is gone by then, must
 * reach the others too.
 */
import { useEffect, useMemo, useSyncExternalStore } from 'react'
import { getSyncInstance } from './cross_tab.js'
import { subscribeToNothing, useClientSource, useLatest, useSyncClient } from './react_context.js'
import { EMPTY_SNAPSHOT, SessionList } from './sessions.js'

const GRACE_MS = 1_000

const getEmpty = () => EMPTY_SNAPSHOT

/** The owner's runs, and what may be done to them.  Who asks first says with which options they are read. */
export function useSessionList({ client, onNotice, onConflict, ...options } = {}) {
  const ofTree = useSyncClient()
  const ofList = client ?? ofTree
  const latest = useLatest({ onNotice, onConflict })
  const first = useMemo(() => options, []) // what comes later says nothing new
  const list = useMemo(() => ofList && SessionList.for(ofList, first), [ofList, first])
  const shown = useSyncExternalStore(list?.subscribe ?? subscribeToNothing, list?.snapshot ?? getEmpty, getEmpty)

  useEffect(() => {
    const listening = new AbortController()
    list?.addEventListener('notice', event => latest.current.onNotice?.(event), { signal: listening.signal })
    list?.addEventListener('conflict', event => latest.current.onConflict?.(event), { signal: listening.signal })
    return () => listening.abort()
  }, [list, latest])

  const edits = useMemo(() => editsOf(list), [list])
  return useMemo(() => ({ ...shown, ...edits }), [shown, edits])
}

const EDITS = ['rename', 'pin', 'delete', 'reload', 'loadMore']

function editsOf(list) {
  return Object.fromEntries(EDITS.map(name => [name, (...args) => list ? list[name](...args) : Promise.resolve(false)]))
}

/**
 * Tells the other tabs, and is told: listeners by type, or on() for effects of
 * one's own.  The owner is the provider's unless options name another.
 */
export function useCrossTabSync(listeners = {}, options = {}) {
  const source = useClientSource()
  const { owner = source.owner, name, enabled = source.enabled } = options
  const latest = useLatest({ listeners, options })
  const sync = useMemo(() => new HeldSync({ ...latest.current.options, owner, name, enabled }), [latest, owner, name, enabled])

  useEffect(() => sync.hold(), [sync])
  const types = Object.keys(listeners).sort().join('\n')
  useEffect(() => {
    const off = (types ? types.split('\n') : []).map(type =>
      sync.on(type, (...args) => latest.current.listeners[type]?.(...args)))
    return () => off.forEach(stop => stop())
  }, [sync, types, latest])

  return sync.api
}

class HeldSync {
  #options
  #instance = null
  #holders = 0
  #timer

  constructor(options) {
    this.#options = options
    const broadcast = (type, payload) => this.#acquire().broadcast(type, payload)
    this.api = { broadcast, on: this.on }
  }

  on = (type, listener) => this.#acquire().on(type, listener)

  hold() {
    this.#holders += 1
    this.#acquire()
    return () => {
      this.#holders -= 1
      this.#acquire()
    }
  }

  // Of those that nobody holds, too: a child's effects run before its parent's.
  #acquire() {
    clearTimeout(this.#timer)
    if (this.#holders === 0) this.#timer = setTimeout(() => this.#release(), GRACE_MS)
    return (this.#instance ??= getSyncInstance(this.#options))
  }

  #release() {
    this.#instance.cleanup()
    this.#instance = null
  }
}
