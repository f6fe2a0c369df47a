/*
 * watch.js: a page that watches one session, and keeps what it was shown.
 *
 * What to do comes in the fragment, as JSON: { session, …options of the client }.
 * tokenOf: an owner, whose tokens are asked for at /token/<owner>, each time anew.
 * before: such a tab's own number, which survives a reload as storage does not.
 */
import { SyncProgressClient } from './client/index.js'

const { session, tokenOf, ...options } = JSON.parse(decodeURIComponent(location.hash.slice(1)))

/** Milliseconds since 1970, finer than Date. */
const now = () => performance.timeOrigin + performance.now()

globalThis.states = [] // of the session: { at, version, count, status }
globalThis.changes = [] // of the connection: { at, state, reason }
globalThis.transports = []
globalThis.violations = []
globalThis.told = [] // connected, disconnected, rejected

addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
  globalThis.violations.push(`${effectiveDirective} ${blockedURI}`))

async function freshToken() {
  const answer = await fetch(`/token/${encodeURIComponent(tokenOf)}`)
  if (!answer.ok) throw new Error(`no token: ${answer.status}`)
  return answer.text()
}

const client = globalThis.client = new SyncProgressClient({ ...(tokenOf && { token: freshToken }), ...options })
client.addEventListener('statechange', ({ state, reason }) => globalThis.changes.push({ at: now(), state, reason }))
client.addEventListener('transportchange', () => globalThis.transports.push(client.transport))
globalThis.subscription = client.subscribe({ channel: 'SyncStatusChannel', session_id: session }, {
  onConnected: () => globalThis.told.push('connected'),
  onDisconnected: () => globalThis.told.push('disconnected'),
  onRejected: () => globalThis.told.push('rejected'),
  onProgress({ version, processed_count: count, status }) {
    globalThis.states.push({ at: now(), version, count, status })
    document.getElementById('count').textContent = count
    document.getElementById('status').textContent = status
  }
})
