/*
 * sync-progress: watch the progress of long-running jobs, live.
 *
 *   const client = new SyncProgressClient({ token })
 *   client.subscribe({ channel: 'SyncStatusChannel', session_id: 42 }, {
 *     onProgress: payload => show(payload)
 *   })
 *
 * Importing does nothing by itself and needs no DOM, so that it is safe on a
 * server.  Read on in client.js.
 */
export { SyncProgressClient } from './client.js'
export { RequestError } from './errors.js'
export { State } from './state.js'
export { StateChangeEvent, SyncProgressEvent, SubscriptionEvent, ListEvent } from './events.js'
export { Subscription } from './stream.js'
export { createFormat } from './format.js'
