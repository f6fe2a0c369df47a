/*
 * react_scenes.js: small components that use each part of the adapter, for
 * browsers and servers alike.  What they are told goes to record().
 */
import { createElement as h, useEffect, useLayoutEffect, useState } from 'react'
import {
  SyncProgress, SyncProvider, useConnectionState, useCrossTabSync, useSessionList, useSyncClient, useSyncProgress
} from '../../../client/react.js'

export const calls = []
const record = name => (...args) => calls.push([name, ...args])

const callbacks = () => Object.fromEntries(['onProgress', 'onComplete', 'onError', 'onCancelled', 'onRejected', 'onReset', 'onActionError']
  .map(name => [name, record(name)]))

/** One stream: its state as text, and buttons. */
function One({ identifier, id = 'one', ...options }) {
  const progress = useSyncProgress(identifier, { ...callbacks(), ...options })
  const { payload, subscription, connection, isActive, isComplete, isFailed, isCancelled, error } = progress
  const flags = Object.entries({ isActive, isComplete, isFailed, isCancelled }).filter(([, on]) => on).map(([name]) => name).join()
  return h('section', { id },
    h('output', null, payload ? `${payload.processed_count} ${payload.status}` : 'nothing'),
    h('p', null, `${subscription} ${connection} ${flags} ${error ?? ''}`.trim()),
    h('button', { onClick: () => progress.pause().then(record('paused'), record('refused')) }, 'pause'),
    h('button', { onClick: () => progress.requestUpdate() }, 'update'))
}

function Two(props) {
  return [h(One, { key: 1, id: 'first', ...props }), h(One, { key: 2, id: 'second', ...props })]
}

/** Many connections: one line each. */
function Many(options) {
  const { subscriptions, subscribe, unsubscribe } = useSyncProgress({ ...callbacks(), ...options })
  globalThis.byHand = { subscribe, unsubscribe }
  globalThis.subscriptions = subscriptions
  return h('ul', null, [...subscriptions.values()].map(({ connectionId, jobId, lastUpdate, status }) =>
    h('li', { key: connectionId, id: `c-${connectionId}` }, `${connectionId} ${jobId} ${lastUpdate?.entities_inserted} ${status}`)))
}

function Connection() {
  const client = useSyncClient()
  const state = useConnectionState()
  useEffect(() => {
    client?.connect()
  }, [client])
  return h('output', null, client === null ? 'no client' : state)
}

/** Renders again whenever it is told to, always with another token callback. */
function InlineToken({ token, ...props }) {
  const [turn, setTurn] = useState(0)
  globalThis.renderAgain = () => setTurn(each => each + 1)
  return h(SyncProvider, { token: () => `${token}-${turn}` }, h('b', null, turn), h(One, props))
}

function Stripe({ identifier, busyMs }) {
  const { payload } = useSyncProgress(identifier)
  const until = performance.now() + busyMs
  while (performance.now() < until);
  return h('i', null, payload?.processed_count ?? '-')
}

/** Slow components side by side: whatever is committed must be of one state. */
function Stripes({ identifier, count = 20, busyMs = 1, turn = 0 }) {
  useLayoutEffect(() => {
    const shown = new Set([...document.querySelectorAll('i')].map(each => each.textContent))
    calls.push(['committed', turn, [...shown]])
  })
  return Array.from({ length: count }, (_, index) => h(Stripe, { key: index, identifier, busyMs }))
}

/** The widget beside a hook that watches the same. */
function Widget({ identifier, preventing = [], ...props }) {
  const { payload } = useSyncProgress(identifier)
  const handlers = Object.fromEntries(['onAction', 'onUpdate', 'onComplete', 'onFailed', 'onConnection', 'onActionError'].map(name => [name, event => {
    calls.push([name, event.detail])
    if (preventing.includes(name)) event.preventDefault()
  }]))
  return [h('output', { key: 1 }, payload?.processed_count ?? '-'), h(SyncProgress, { key: 2, ...handlers, ...props })]
}

/** What this tab has heard, and a button that tells the others. */
function Tab({ options, turn = 0 }) {
  const { broadcast, on } = useCrossTabSync({
    session_renamed: ({ newTitle }) => calls.push(['renamed', newTitle, turn])
  }, options)
  useEffect(() => on('session_deleted', ({ chatId }) => calls.push(['deleted', chatId])), [on])
  globalThis.broadcast = broadcast
  return h('output', null, turn)
}

/** The owner's list: a line each, and a button that renames. */
function List() {
  const { sessions, isLoaded, isLive, rename } = useSessionList({
    locale: 'es',
    onNotice: ({ text }) => calls.push(['notice', text]),
    onConflict: ({ text, actionText }) => calls.push(['conflict', text, actionText])
  })
  return [h('p', { key: 1 }, `${isLoaded ? 'loaded' : 'not loaded'} ${isLive ? 'live' : 'not live'}`),
    h('ul', { key: 2 }, sessions.map(({ session_id: id, title }) => h('li', { key: id }, `${id} ${title}`,
      h('button', { onClick: () => rename(id, 'Recibos') }, 'rename'))))]
}

export const scenes = { List, Tab, Widget, One, Two, Many, Connection, InlineToken, Stripes }

/** An element of that scene, in a provider. */
export function sceneOf(name, { provider = {}, ...props } = {}) {
  return h(SyncProvider, provider, h(scenes[name], props))
}
