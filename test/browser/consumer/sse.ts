import { connectionUpdate, getConnectionJobs, subscribeToSyncProgress } from 'sync-progress/sse'

const stop = new AbortController()
const watch = subscribeToSyncProgress('f3a1', {
  onProgress: ({ entities_inserted, inserted }) => entities_inserted - inserted,
  onError: (message, { status, update }) => [message, status, update?.error]
}, { token: () => fetch('/token').then(response => response.text()), signal: stop.signal })
const { jobs, next } = await getConnectionJobs('f3a1', { limit: 5 })
const counts: number = connectionUpdate({ inserted: 1 }).entities_inserted

// @ts-expect-error an id is a text or a number
subscribeToSyncProgress({ id: 1 })
// @ts-expect-error nobody sets it
watch.isClosed = true

export { counts, jobs, next }
