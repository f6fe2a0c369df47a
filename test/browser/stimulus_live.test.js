/*
 * The controllers with the real bridge, a real PostgreSQL, Stimulus and Turbo.
 */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { Bridge } from '../bridge/lib/bridge.js'
import { Database } from '../bridge/lib/database.js'
import { guardDirectory } from '../bridge/lib/programs.js'
import { until } from '../bridge/lib/recorder.js'
import { launchChromium, openPage, screenshot } from './lib/chromium.js'
import { bundle, targetShows } from './lib/rails_app.js'
import { STYLE, meshPage, syncWidget } from './lib/rails_markup.js'

const ROUTES = ['retry', 'cancel'].map(action => `route = POST /api/v1/meshes/:id/${action} -> /sessions/MeshProgressChannel/:id/${action}\n`).join('')

let www
let guard
let database
let bridge
let browser
let open

before(async () => {
  www = mkdtempSync(join(tmpdir(), 'sync-progress-stimulus.'))
  guard = guardDirectory(www)
  chmodSync(www, 0o755)
  writeFileSync(join(www, 'bridge.conf'), ROUTES)
  writeFileSync(join(www, 'app.js'), await bundle())
  writeFileSync(join(www, 'app.css'), STYLE)
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--www', www, '--config', join(www, 'bridge.conf')])
  await bridge.ready()
  browser = await launchChromium()
})
after(async () => {
  await browser?.close()
  await bridge?.stop()
  await database?.destroy()
  await guard?.release()
})
afterEach(() => open?.close())

let pages = 0

/** A page that the bridge serves, whose token comes as a cookie, as a Rails application would set it. */
async function page(markup, { lang = 'es', token }) {
  const name = `page${++pages}.html`
  writeFileSync(join(www, name), `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>App</title><meta name="csrf-token" content="csrf-42">
    <link rel="stylesheet" href="/app.css"><script type="module" src="/app.js"></script></head><body><main><h1>App</h1>${markup}</main></body></html>`)
  const cookie = { name: 'sync_progress_token', value: token, domain: '127.0.0.1', path: '/', expires: -1, httpOnly: true, secure: false, sameSite: 'Lax' }
  open = await openPage(browser, `${bridge.origin}/${name}`, { storageState: { cookies: [cookie], origins: [] } })
  return open
}

const control = () => database.token('alice', "scope => '{read,control}'")

test('[000-03] [000-05] [000-12] sync-widget: a run begins, moves, is paused, goes on through a crash of the bridge, ends', async () => {
  const markup = syncWidget({ session: { id: 0 }, inactive: true, frame: false, values: { 'session-id': 0 } })
  const { page: tab } = await page(markup, { token: await control() })
  await targetShows(tab, 'statusText', 'Sin actividad')
  const session = await database.session(`title => 'Mail', total_count => 1000`)
  await targetShows(tab, 'statusText', 'Sincronización en progreso')
  await database.increment(session, 450)
  await targetShows(tab, 'progressPercentage', '45%')
  await targetShows(tab, 'processedCount', '(450/1000)')

  await tab.locator('[data-sync-widget-target~="pauseButton"]').click()
  await targetShows(tab, 'statusText', 'Sincronización en pausa')
  assert.equal((await database.row(session)).status, 'paused')
  await targetShows(tab, 'pauseButton', 'Reanudar')
  await tab.locator('[data-sync-widget-target~="pauseButton"]').click()
  await targetShows(tab, 'statusText', 'Sincronización en progreso')
  await screenshot(tab, 'stimulus-live')

  await bridge.stop('SIGKILL')
  await targetShows(tab, 'connectionMessage', 'Reconectando...')
  await database.increment(session, 300)
  await bridge.start()
  await targetShows(tab, 'progressPercentage', '75%', { timeout: 20_000 })
  await targetShows(tab, 'connectionWarning', null)
  await database.increment(session, 250)
  await database.complete(session)
  await targetShows(tab, 'statusText', 'Sincronización completada')
  await targetShows(tab, 'statusText', 'Sin actividad', { timeout: 20_000 })
})

test('[000-06] [000-15] sync-widget: accounts, one of which fails', async () => {
  const session = await database.session(`accounts => '[{"name":"BAC San José","total_count":150},{"name":"Scotia Bank","total_count":650}]'`)
  const [first, second] = await database.json(`SELECT json_agg(id ORDER BY position) FROM sync.sync_session_accounts WHERE sync_session_id = ${session}`)
  const rows = [{ id: first, name: 'BAC San José', total: 150 }, { id: second, name: 'Scotia Bank', total: 650 }]
  const { page: tab } = await page(syncWidget({ session: { id: session, total: 800, accounts: rows }, frame: false }), { token: await database.token() })
  const count = id => tab.locator(`[data-account-id="${id}"] [data-sync-widget-target~="accountCount"]`).textContent()
  await database.sql(`SELECT sync.sync_progress_increment(${session}, 75, account_id => ${first})`)
  await until(() => count(first), text => text === '75/150', 'the account is shown')
  await database.sql(`SELECT sync.sync_session_fail(${session}, 'Contraseña incorrecta', ${second})`)
  await tab.locator(`[data-account-id="${second}"] [data-account-error]`, { hasText: 'Contraseña incorrecta' }).waitFor()
  // a token that may only read is told that it may not pause
  await tab.locator('[data-sync-widget-target~="pauseButton"]').click()
  await targetShows(tab, 'connectionMessage', /^No se pudo: /)
  assert.equal((await database.row(session)).status, 'processing')
  await database.sql(`SELECT sync.sync_session_fail(${session}, 'El servidor cerró el buzón')`)
  await targetShows(tab, 'statusText', 'La sincronización falló: El servidor cerró el buzón')
})

test('[002-12] [002-13] mesh-progress: fails, is tried again by the application\'s path, and its result is there', async () => {
  const mesh = (...values) => targetShows(open.page, ...values, { controller: 'mesh-progress' })
  const first = await database.session(`kind => 'mesh', source_id => '42', total_count => 100`)
  const { page: tab, problems } = await page(meshPage(), { lang: 'en', token: await control() })
  await database.sql(`SELECT sync.sync_progress_set(${first}, 30, 100, 'Meshing')`)
  await mesh('status', 'Meshing')
  await mesh('progressBar', '30%')
  await database.sql(`SELECT sync.sync_session_fail(${first}, 'Out of memory')`)
  await mesh('status', 'Failed: Out of memory')
  await tab.locator('[data-mesh-progress-target~="retryButton"]').click()
  await mesh('progressBar', '0%')
  const retried = await until(() => database.sql(`SELECT id FROM sync.sync_sessions WHERE kind = 'mesh' AND source_id = '42' AND id <> ${first}`), Boolean, 'there is a new run')
  await database.sql(`SELECT sync.sync_progress_set(${retried}, 60, 100, 'Again')`)
  await mesh('progressBar', '60%')
  await database.sql(`SELECT sync.sync_session_complete(${retried}, result_url => '/results/42')`)
  await mesh('status', 'Mesh generation completed!')
  await mesh('result', 'View result')
  assert.deepEqual(problems.filter(each => !/style-src/.test(each)), [])
})

test('[002-13] mesh-progress: cancelled by the application\'s path', async () => {
  const mesh = (...values) => targetShows(open.page, ...values, { controller: 'mesh-progress' })
  const session = await database.session(`kind => 'mesh', source_id => '43', total_count => 100`)
  const { page: tab } = await page(meshPage({ id: 43 }), { lang: 'en', token: await control() })
  await mesh('status', 'Initializing...')
  await database.sql(`SELECT sync.sync_progress_set(${session}, 30, 100, 'Meshing')`)
  await mesh('status', 'Meshing')
  await tab.locator('[data-mesh-progress-target~="cancelButton"]').click()
  await mesh('status', 'Cancelled')
  assert.equal((await database.row(session)).status, 'cancelled')
})

test('[003-07] subscribeToSyncProgress() in a page, with the cookie of the application', async () => {
  const session = await database.session(`kind => 'connection', source_id => 'c 1'`)
  const { page: tab, problems } = await page('<p id="shown"></p>', { token: await control() })
  await tab.evaluate(() => {
    const show = text => { document.getElementById('shown').textContent = text }
    globalThis.watch = globalThis.subscribeToSyncProgress('c 1', {
      onProgress: update => show(`${update.entities_inserted} inserted`),
      onComplete: update => show(`${update.entities_inserted} inserted, completed`)
    })
  })
  const shows = text => tab.locator('#shown', { hasText: text }).waitFor()
  await database.sql(`SELECT sync.sync_progress_increment_many(${session}, '{"inserted":3}')`)
  await shows('3 inserted')
  await bridge.stop('SIGTERM')
  await database.sql(`SELECT sync.sync_progress_increment_many(${session}, '{"inserted":4}')`)
  await bridge.start()
  await shows('7 inserted')
  await database.complete(session)
  await shows('7 inserted, completed')
  assert.equal(await tab.evaluate(() => globalThis.watch.isClosed), true)
  assert.deepEqual(problems, [])
})
