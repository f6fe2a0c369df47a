/*
 * cross_tab.js: a page that hears other tabs, and keeps when it heard what. The
 * fragment has the options of CrossTabSync, as JSON, and "without", what this
 * browser is to lack: BroadcastChannel, storage events.
 */
import { CrossTabSync, SYNC_EVENTS } from '/client/cross_tab.js'

const { without = [], ...options } = JSON.parse(decodeURIComponent(location.hash.slice(1)))

if (without.includes('BroadcastChannel')) delete globalThis.BroadcastChannel
if (without.includes('storage events')) addEventListener('storage', event => event.stopImmediatePropagation())

/** Milliseconds since 1970, finer than Date. */
globalThis.now = () => performance.timeOrigin + performance.now()
globalThis.told = [] // { at, type, payload }
globalThis.violations = []
addEventListener('securitypolicyviolation', ({ effectiveDirective }) => globalThis.violations.push(effectiveDirective))
globalThis.wasKept = false // by the back/forward cache
addEventListener('pageshow', ({ persisted }) => { globalThis.wasKept = persisted })

globalThis.sync = new CrossTabSync(options)
for (const type of SYNC_EVENTS) globalThis.sync.on(type, payload => globalThis.told.push({ at: globalThis.now(), type, payload }))
