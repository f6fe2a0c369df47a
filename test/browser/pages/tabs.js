/*
 * tabs.js: a page that watches one session, and keeps what it was shown and
 * when. The fragment has the options of the client, as JSON, and "without", what
 * this browser is to lack: BroadcastChannel, locks.
 */
import { SyncProgressClient } from '/client/index.js'

const { without = [], ...options } = JSON.parse(decodeURIComponent(location.hash.slice(1)))
if (without.includes('BroadcastChannel')) delete globalThis.BroadcastChannel
if (without.includes('locks')) delete Navigator.prototype.locks

globalThis.violations = []
addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
  globalThis.violations.push(`${effectiveDirective} ${blockedURI}`))

globalThis.began = performance.now()
globalThis.states = [] // { at, version }
globalThis.breaks = []
const client = globalThis.client = new SyncProgressClient(options)
client.subscribe({ channel: 'SyncStatusChannel', session_id: 42 }, {
  onProgress: ({ version }) => globalThis.states.push({ at: performance.now(), version }),
  onDisconnected: detail => globalThis.breaks.push(detail)
})
