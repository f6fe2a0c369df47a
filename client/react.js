/*
 * react.js: progress in React, 18 and 19.
 *
 *   const { payload, isComplete, pause } = useSyncProgress({ channel: 'SyncStatusChannel', session_id: 42 })
 *   const { subscriptions } = useSyncProgress({ connections, onComplete: id => refetch(id) })
 *   <SyncProgress sessionId={42} actions="pause resume cancel" />
 *
 * No JSX anywhere: these are the sources that run.
 */
'use client'

export { SyncProvider, useConnectionState, useSyncClient } from './react_context.js'
export { SyncProgress } from './react_element.js'
export { useCrossTabSync, useSessionList } from './react_lists.js'
export { useSyncProgress } from './react_progress.js'
