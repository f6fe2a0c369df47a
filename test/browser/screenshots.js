/*
 * screenshots.js: the pictures of the README, made of the real page and states
 * as the server sends them.  "make screenshots" runs this.
 *
 *   node test/browser/screenshots.js DIRECTORY
 */
import { join } from 'node:path'
import { launchChromium, openPage } from './lib/chromium.js'
import { FakeBridge, busyHistory, busyNow } from './lib/fake_bridge.js'
import { FakeCable } from './lib/fake_cable.js'
import { servePage } from './lib/page_server.js'
import { account, payload } from './lib/payloads.js'

const MAIL = { channel: 'SyncStatusChannel', id: '42' }
const CRM = { channel: 'ConnectionSyncChannel', id: 'crm' }
const MESH = { channel: 'MeshProgressChannel', id: 'bracket' }

// Rates of the last minute: the sparkline is drawn from what was received.
const RATES = [31, 34, 33, 38, 41, 39, 44, 47, 42, 45, 49, 46, 43, 48, 51, 47, 44, 46, 50, 46]

const running = () => payload({
  title: 'Mail of four banks', message: 'Reading Scotia Bank', progress_percentage: 45, processed_count: 5_610, total_count: 12_340,
  detected_count: 331, error_count: 2, rate: 46, eta_seconds: 146, eta_low: 118, eta_high: 171, time_remaining: 150,
  accounts: [
    account(1, { name: 'BAC San José', email: 'ana@bac.example', status: 'completed', progress_percentage: 100, processed_count: 3_150, total_count: 3_150 }),
    account(2, { name: 'Scotia Bank', email: 'ana@scotia.example', status: 'processing', progress_percentage: 46, processed_count: 2_300, total_count: 4_950, eta_seconds: 95 }),
    account(3, { name: 'Promerica', email: 'ana@promerica.example', total_count: 2_440 }),
    account(4, { name: 'Davivienda', email: 'ana@davivienda.example', status: 'failed', progress_percentage: 8, processed_count: 160, total_count: 1_800, error_count: 2, error_message: 'The server refused the password' })
  ]
})

const failed = () => ({
  ...running(), status: 'failed', message: null, error_message: 'The mail server of Scotia Bank closed the connection', rate: 0,
  eta_seconds: null, eta_low: null, eta_high: null, eta_state: 'none', time_remaining: null, completed_at: '2025-11-22T06:03:12.000000+00:00'
})

const indeterminate = () => ({
  job_id: '6f1d3c1e-3a53-4c57-9f4e-0c2b6b1f3a10', inserted: 1_059, updated: 392, deleted: 41, kept: 2_150, skipped: 0,
  entities_encountered: { Contact: 2_890, Deal: 752 }, is_complete: false, is_failed: false, error: null
})

const meshing = () => ({ mesh_id: 'bracket', status: 'processing', progress: 62, message: 'Smoothing', updated_at: '2025-11-22T06:01:38.000000+00:00', estimated_remaining: 74 })

const PHONE = { viewport: { width: 390, height: 844 } }

const PICTURES = [
  { name: 'demo', state: running, whole: true, rates: RATES },
  { name: 'light', state: running, rates: RATES },
  { name: 'dark', state: running, rates: RATES, colorScheme: 'dark' },
  { name: 'phone', state: running, ...PHONE },
  { name: 'es', state: running, look: { locale: 'es' }, rates: RATES },
  { name: 'failed', state: failed, look: { theme: '' } },
  { name: 'indeterminate', state: indeterminate, run: CRM, look: { theme: '' } },
  { name: 'mesh', state: meshing, run: MESH, look: { theme: 'mesh' } }
]

/** The operators' page. */
const DASHBOARDS = [
  { name: 'dashboard', viewport: { width: 1360, height: 900 } },
  { name: 'dashboard-phone', viewport: { width: 390, height: 1290 }, colorScheme: 'dark' }
]

const directory = process.argv[2]
if (!directory) throw new Error('usage: node screenshots.js DIRECTORY')

const cable = await FakeCable.start({ serve: servePage })
const browser = await launchChromium()
for (const picture of PICTURES) await take(picture)
for (const picture of DASHBOARDS) await takeDashboard(picture)
await browser.close()
await cable.stop()

async function take({ name, state, run = MAIL, look = {}, rates = [], whole = false, viewport = { width: 820, height: 900 }, colorScheme }) {
  const fragment = new URLSearchParams({ session: '42', token: 'x', ...run, ...look, ...(!whole && { only: '1' }) })
  const { page, close } = await openPage(browser, `${cable.origin}/#${fragment}`, { viewport, colorScheme, deviceScaleFactor: 1.25, reducedMotion: 'reduce' })
  const { peer, identifier } = await cable.nextWatcher()
  const widget = page.locator('sync-progress')
  if (rates.length) await page.clock.install()
  for (const rate of [...rates, undefined]) {
    const next = { ...state(), ...(rate && { rate, processed_count: rate }) }
    peer.message(identifier, next)
    await page.waitForFunction(wanted => document.querySelector('sync-progress').client.latest(wanted.identifier)?.version === wanted.version, { identifier, version: next.version }, { polling: 20 })
    if (rates.length) await page.clock.runFor(1_000)
  }
  await widget.locator('[part~=root]:not([part~=loading])').waitFor()
  await page.evaluate(() => document.activeElement?.blur())
  await page.waitForFunction(() => document.getAnimations().every(({ playState, effect }) => playState !== 'running' || effect.getTiming().iterations === Infinity))
  await (whole ? page : widget).screenshot({ path: join(directory, `${name}.png`), ...(whole && { fullPage: true }) })
  await close()
}

/** What workers use is a difference of two messages, so it takes two. */
async function takeDashboard({ name, viewport, colorScheme }) {
  const fake = await FakeBridge.start()
  const history = busyHistory()
  const time = Date.now()
  const now = busyNow(history, { time })
  fake.tell(history, now)
  const { page, close } = await openPage(browser, `${fake.origin}/dashboard`, { viewport, colorScheme, deviceScaleFactor: viewport.width > 500 ? 1 : 1.25 })
  await page.locator('#health[data-state=good]').waitFor()
  const workers = now.workers.map(({ cpu, states, ...worker }) => ({ ...worker, cpu: cpu + 0.34 + worker.worker * 0.05, states: states + 4_100 + worker.worker * 330 }))
  fake.tell(history, { ...busyNow(history, { time: time + 1_000 }), workers })
  await page.locator('#workers td', { hasText: '34 %' }).waitFor({ state: 'attached' })
  await page.screenshot({ path: join(directory, `${name}.png`), fullPage: viewport.width > 500 })
  await close()
  await fake.stop()
}
