/*
 * react_element.js: <SyncProgress>, the widget as a component.
 *
 * A thin one: it writes the attributes of <sync-progress>, hands it the client,
 * and listens to its events.  React 18 can do none of these for an element of
 * one's own but the attributes, so it is done here, for both alike.
 *
 * The state to begin with is in the markup of a server.  In a browser it is
 * handed over, once for each run: React 19 would hand the markup's text over,
 * too, and the element takes a state there.
 *
 * The element itself is loaded with the first that is mounted.  Until then, and
 * on a server, the tag is there and empty.
 */
import { createElement, forwardRef, useCallback, useEffect, useRef, useState } from 'react'
import { useLatest, useSyncClient } from './react_context.js'

const ATTRIBUTES = {
  channel: 'channel',
  sessionId: 'session-id',
  sourceId: 'source-id',
  url: 'url',
  token: 'token',
  tokenUrl: 'token-url',
  locale: 'locale',
  theme: 'theme',
  heading: 'heading',
  actions: 'actions',
  actionUrl: 'action-url',
  startUrl: 'start-url',
  detailsUrl: 'details-url',
  historyUrl: 'history-url',
  accounts: 'accounts',
  sparkline: 'sparkline',
  times: 'times',
  className: 'class'
}

const EVENTS = {
  onAction: 'action',
  onUpdate: 'update',
  onComplete: 'complete',
  onFailed: 'failed',
  onConnection: 'connection',
  onActionError: 'error'
}

export const SyncProgress = forwardRef(function SyncProgress({ client, initial, texts, ...props }, ref) {
  const ofTree = useSyncClient()
  const ofOwn = props.url ?? props.token ?? props.tokenUrl
  const given = client ?? (ofOwn === undefined ? ofTree : null)
  const run = JSON.stringify([props.channel, props.sessionId, props.sourceId])
  const isMarkup = ofTree === null
  const [payload] = useState(() => isMarkup && initial != null ? JSON.stringify(initial) : undefined)
  const begun = useLatest({ run, initial })
  const own = useRef(null)
  const assigned = useRef(isMarkup ? { run } : {})

  // Not an effect: those come after the element has begun.
  const attach = useCallback(element => {
    own.current = element
    if (element) {
      assign(element, assigned.current, { client: given ?? undefined, texts })
      begin(element, assigned.current, begun.current)
    }
    if (typeof ref === 'function') ref(element)
    else if (ref) ref.current = element
  }, [given, texts, ref, run, begun])

  useEvents(own, props)
  useEffect(() => {
    import('./define.js')
  }, [])

  // What the element makes of itself is none of React's business.
  return createElement('sync-progress', { ...attributesOf(props), payload, ref: attach, suppressHydrationWarning: true })
})

function assign(element, assigned, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (assigned[name] !== value) element[name] = assigned[name] = value
  }
}

// Only what the page had for that run, and never over what came since.
function begin(element, assigned, { run, initial }) {
  if (assigned.run === run) return
  assigned.run = run
  element.removeAttribute('payload')
  if (initial != null) element.payload = initial
}

function useEvents(own, props) {
  const latest = useLatest(props)
  useEffect(() => {
    const listening = new AbortController()
    for (const [prop, name] of Object.entries(EVENTS)) {
      own.current.addEventListener(`sync-progress:${name}`, event => latest.current[prop]?.(event), { signal: listening.signal })
    }
    return () => listening.abort()
  }, [own, latest])
}

function attributesOf(props) {
  const attributes = {}
  for (const [prop, value] of Object.entries(props)) {
    if (prop in EVENTS) continue
    if (prop in ATTRIBUTES) attributes[ATTRIBUTES[prop]] = textOf(prop, value)
    else attributes[prop] = value
  }
  return attributes
}

function textOf(prop, value) {
  if (prop === 'accounts' && value === false) return 'hidden'
  if (value == null || value === false) return undefined
  if (value === true) return ''
  return Array.isArray(value) ? value.join(' ') : String(value)
}
