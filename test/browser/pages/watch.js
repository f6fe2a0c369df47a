/*
 * watch.js: a page that watches one session, and keeps what it was shown.
 *
 * What to do comes in the fragment, as JSON, or by a call of begin():
 * { session, …options of the client }.  tokenOf: an owner, whose tokens are asked
 * for at /token/<owner>, each time anew, or, with onlyOnce, once, so that the
 * client knows nothing but a string.
 */
import { SyncProgressClient } from './client/index.js'

/** Milliseconds since 1970, finer than Date. */
const now = () => performance.timeOrigin + performance.now()

Object.assign(globalThis, {
  states: [], // of the session: { at, version, count, status }
  changes: [], // of the connection: { at, state, reason }
  transports: [],
  told: [], // connected, disconnected, rejected, reset
  violations: []
})

addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
  globalThis.violations.push(`${effectiveDirective} ${blockedURI}`))

async function tokenFor(owner) {
  const answer = await fetch(`/token/${encodeURIComponent(owner)}`)
  if (!answer.ok) throw new Error(`no token: ${answer.status}`)
  return answer.text()
}

globalThis.begin = async ({ session, tokenOf, onlyOnce, ...options }) => {
  const token = onlyOnce ? await tokenFor(tokenOf) : () => tokenFor(tokenOf)
  const client = globalThis.client = new SyncProgressClient({ token, ...options })
  client.addEventListener('statechange', ({ state, reason }) => globalThis.changes.push({ at: now(), state, reason }))
  client.addEventListener('statechange', ({ transport }) => {
    if (transport !== (globalThis.transports.at(-1) ?? null)) globalThis.transports.push(transport)
  })
  globalThis.begun = now()
  globalThis.subscription = client.subscribe({ channel: 'SyncStatusChannel', session_id: session }, {
    onConnected: () => globalThis.told.push('connected'),
    onDisconnected: () => globalThis.told.push('disconnected'),
    onRejected: () => globalThis.told.push('rejected'),
    onReset: () => {
      globalThis.told.push('reset')
      show('', '')
    },
    onProgress({ version, processed_count: count, status }) {
      globalThis.states.push({ at: now(), version, count, status })
      show(count, status)
    }
  })
}

function show(count, status) {
  document.getElementById('count').textContent = count
  document.getElementById('status').textContent = status
}

if (location.hash) await globalThis.begin(JSON.parse(decodeURIComponent(location.hash.slice(1))))
