/*
 * element_states.js: every state that the widget can be in, by name.
 *
 * Each is [attributes, what makes it]: a payload to set, or what a client of the
 * page's own says.
 */
import { readFileSync } from 'node:fs'
import { account, payload } from './payloads.js'

const wire = name => JSON.parse(readFileSync(new URL(`../../fixtures/wire/${name}.json`, import.meta.url)))
const ENDED = { completed_at: '2025-11-22T06:03:20+00:00', eta_seconds: null, time_remaining: null, eta_state: 'none' }
const NO_ETA = { eta_seconds: null, eta_low: null, eta_high: null, time_remaining: null }

const ACCOUNTS = [
  account(1, { name: 'BAC San José', email: 'ana@bac.example', status: 'completed', processed_count: 150, total_count: 150, progress_percentage: 100 }),
  account(2, { name: 'Scotia Bank', email: 'ana@scotia.example', status: 'processing', processed_count: 300, total_count: 650, progress_percentage: 46, eta_seconds: 70 }),
  account(3, { name: 'Promerica', email: 'ana.maria.de.los.angeles.rodriguez@promerica.example', status: 'pending', total_count: 200 }),
  account(4, { name: 'Davivienda', email: 'ana@davivienda.example', status: 'failed', processed_count: 0, error_message: 'Password refused' })
]
const BUTTONS = 'actions="pause resume cancel retry" details-url="/sync_sessions/42"'
const START = 'start-url="/sync_sessions" history-url="/sync_sessions"'

export function elementStates() {
  const run = changes => payload({ title: null, accounts: ACCOUNTS, eta_seconds: 600, eta_low: 480, eta_high: 780, ...changes })
  return {
    active: [`session-id="42" sparkline ${BUTTONS}`, { payload: run({ message: 'Reading Scotia Bank', error_count: 2 }) }],
    pending: [`session-id="42" ${BUTTONS}`, { payload: run({ status: 'pending', progress_percentage: 0, processed_count: 0, ...NO_ETA }) }],
    indeterminate: [`session-id="42" ${BUTTONS}`, { payload: payload({ total_count: null, progress_percentage: null, ...NO_ETA }) }],
    stalled: [`session-id="42" ${BUTTONS}`, { payload: payload({ eta_state: 'stalled', rate: 0, ...NO_ETA }) }],
    paused: [`session-id="42" ${BUTTONS}`, { payload: run({ status: 'paused', ...NO_ETA }) }],
    completed: [`session-id="42" ${BUTTONS}`, { payload: run({ status: 'completed', progress_percentage: 100, processed_count: 1000, result_url: '/results/42', ...ENDED }) }],
    failed: [`session-id="42" ${BUTTONS}`, { payload: run({ status: 'failed', error_message: 'The mail server refused the token', ...ENDED }) }],
    cancelled: [`session-id="42" ${BUTTONS}`, { payload: run({ status: 'cancelled', ...ENDED }) }],
    mesh: [`channel="MeshProgressChannel" source-id="202" ${BUTTONS}`, { payload: wire('mesh.processing') }],
    meshFailed: [`channel="MeshProgressChannel" source-id="206" ${BUTTONS}`, { payload: wire('mesh.failed') }],
    batch: ['channel="BatchProgressChannel" source-id="night"', { payload: wire('batch.processing') }],
    connection: ['channel="ConnectionSyncChannel" source-id="7"', { payload: wire('connection.processing') }],
    loading: ['session-id="42"', {}],
    idle: [START, { sessions: [{ kind: 'sync', source_id: '7', status: 'completed', completed_at: new Date(Date.now() - 7_200_000).toISOString() }] }],
    idleFirst: [START, { sessions: [] }],
    idleMesh: [`channel="MeshProgressChannel" ${START}`, { sessions: [] }],
    lost: [`session-id="42" ${BUTTONS}`, { payload: run({}), connection: 'backoff' }],
    notAllowed: ['session-id="42"', { connection: 'rejected' }],
    refused: ['session-id="42"', { refused: true }]
  }
}

/** The elements of all these states, or of one, with ids by their names. */
export function elementsOf(states, attributes = '') {
  return Object.entries(states).map(([name, [own]]) => `<sync-progress id="${name}" ${own} ${attributes}></sync-progress>`).join('\n')
}

/** Brings the elements of a page into their states, and waits until all are drawn. */
export async function enterStates(page, states) {
  await page.evaluate(async states => {
    await customElements.whenDefined('sync-progress')
    for (const [name, [, { payload, sessions, connection = 'live', refused }]] of Object.entries(states)) {
      const client = Object.assign(new EventTarget(), {
        state: connection,
        request: async () => ({ sessions, next: null }),
        subscribe(identifier, callbacks) {
          queueMicrotask(() => {
            if (refused) return callbacks.onRejected()
            if (identifier.channel === 'SessionsChannel') return callbacks.onConnected({ reconnected: false })
            if (payload) callbacks.onProgress(payload)
          })
          return { latest: undefined, unsubscribe() {} }
        }
      })
      document.getElementById(name).client = client
    }
  }, states)
  await page.waitForFunction(states => Object.entries(states).every(([name, [, { payload, sessions, refused }]]) => {
    const root = document.getElementById(name).shadowRoot?.querySelector('[part~=root]')
    if (!root) return false
    if (sessions) return root.part.contains('idle')
    if (refused) return root.part.contains('refused')
    return !payload || (!root.part.contains('loading') && root.querySelector('[part~=age]'))
  }), states)
}
