/*
 * The controllers in pages that Turbo replaces: frames, visits, the page cache
 * and morphing, with the real Turbo and Stimulus.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { until } from '../bridge/lib/recorder.js'
import { launchChromium } from './lib/chromium.js'
import { payload } from './lib/payloads.js'
import { RailsApp, json, targetShows } from './lib/rails_app.js'
import { meshPage, syncWidget } from './lib/rails_markup.js'

const ID = '{"channel":"SyncStatusChannel","session_id":42}'
const LIST = '{"channel":"SessionsChannel"}'
const OLD = { id: 42, processed: 100, total: 1000, percentage: 10, accounts: [{ id: 1, name: 'BAC San José', total: 150 }] }

let app
let browser
let open
before(async () => {
  app = await RailsApp.start()
  browser = await launchChromium()
})
after(async () => {
  await browser?.close()
  await app?.stop()
})
afterEach(async () => {
  await open?.close()
  app.reset()
})

async function watch(markup = syncWidget({ session: OLD }), options = {}) {
  app.routes.set('GET /sessions', json({ sessions: [], next: null }))
  open = await app.open(browser, markup, { turbo: true, ...options })
  const watcher = await app.nextWatcher()
  // whatever the page shows between two frames that are drawn, oldest first
  await open.page.evaluate(() => {
    globalThis.loadedOnce = true
    globalThis.drawn = []
    const look = () => {
      const text = document.querySelector('[data-sync-widget-target~="progressPercentage"]')?.textContent
      if (text !== globalThis.drawn.at(-1)) globalThis.drawn.push(text)
      requestAnimationFrame(look)
    }
    look()
  })
  return { ...open, ...watcher }
}

const render = (markup, options) => app.page(markup, { turbo: true, ...options })
const loadFrame = page => page.evaluate(() => {
  const frame = document.querySelector('turbo-frame')
  const loaded = new Promise(resolve => frame.addEventListener('turbo:frame-load', resolve, { once: true }))
  document.querySelector('[data-controller]').dataset.old = ''
  if (frame.src) frame.reload()
  else frame.src = '/sync_status'
  return loaded.then(() => document.querySelector('[data-controller]').dataset.old === undefined)
})

/** Nothing more is said to the server: not now, and not after the time for which a place is kept. */
async function oneSubscription(page, peer) {
  await page.evaluate(() => new Promise(resolve => setTimeout(resolve, 1_200)))
  // one that was not answered in time is repeated
  assert.deepEqual([...new Set(peer.commands.all.map(({ command, identifier }) => `${command} ${identifier}`))], [`subscribe ${ID}`])
  assert.ok(await page.evaluate(() => globalThis.loadedOnce), 'the page was never reloaded')
}

test('[000-10] a frame replaced while it is watched: no second subscription, no gap, no older state', async () => {
  const { page, peer } = await watch()
  app.routes.set('GET /sync_status', render(syncWidget({ session: OLD })))
  peer.message(ID, payload({ progress_percentage: 45 }))
  await targetShows(page, 'progressPercentage', '45%')
  for (let percent = 46; percent <= 48; percent++) {
    assert.ok(await loadFrame(page), 'the widget is another one')
    assert.equal(await page.locator('[data-sync-widget-target~="progressPercentage"]').textContent(), `${percent - 1}%`)
    peer.message(ID, payload({ progress_percentage: percent }))
    await targetShows(page, 'progressPercentage', `${percent}%`)
  }
  await oneSubscription(page, peer)
  assert.deepEqual(await page.evaluate(() => globalThis.drawn), ['10%', '45%', '46%', '47%', '48%'])
})

test('[000-20] a run ends: the frame is loaded again, and then there is none', async () => {
  const { page, peer } = await watch()
  app.routes.set('GET /sync_status', render(syncWidget({ lastSync: 'menos de 1 minuto' })))
  await page.clock.install()
  peer.message(ID, payload({ status: 'completed', progress_percentage: 100, processed_count: 1000 }))
  await page.clock.runFor(100)
  await targetShows(page, 'statusText', 'Sincronización completada')
  await page.clock.runFor(5_000)
  await targetShows(page, 'lastSync', 'Última sincronización completada hace menos de 1 minuto')
  await targetShows(page, 'statusText', 'Sin actividad')
  await app.confirmNext(peer, LIST)
  assert.equal(app.asked('GET /sync_status').length, 1)
})

test('[000-20] a run begins: the frame is loaded again, once, and its run is watched', async () => {
  const { page, peer, identifier } = await watch(syncWidget({ lastSync: '2 días' }))
  assert.equal(identifier, LIST)
  app.routes.set('GET /sync_status', render(syncWidget({ session: OLD })))
  const created = { type: 'session_created', data: { session_id: 42, job_id: 'a', kind: 'sync', source_id: '42', status: 'processing' } }
  peer.message(LIST, created)
  await app.confirmNext(peer, ID)
  peer.message(ID, payload({ progress_percentage: 12 }))
  await targetShows(page, 'progressPercentage', '12%')
  assert.equal(app.asked('GET /sync_status').length, 1)
})

test('a server that does not know the run yet is not asked without end', async () => {
  const { page, peer } = await watch(syncWidget())
  app.routes.set('GET /sync_status', render(syncWidget()))
  app.routes.set('GET /sessions', json({ sessions: [{ session_id: 42, job_id: 'a', kind: 'sync', source_id: '42', status: 'processing' }], next: null }))
  peer.message(LIST, { type: 'session_created', data: { session_id: 42, job_id: 'a', kind: 'sync', source_id: '42', status: 'processing' } })
  await app.confirmNext(peer, ID)
  assert.equal(app.asked('GET /sync_status').length, 1)
  assert.equal(await page.evaluate(() => globalThis.controllerOf('sync-widget').sessionIdValue), '42')
})

test('another page and back: the page cache shows nothing older, and the subscription was kept', async () => {
  const { page, peer } = await watch()
  app.routes.set('GET /other', render('<h2>Other</h2>'))
  peer.message(ID, payload({ progress_percentage: 60 }))
  await targetShows(page, 'progressPercentage', '60%')
  await page.evaluate(() => globalThis.Turbo.visit('/other'))
  await page.locator('h2', { hasText: 'Other' }).waitFor()
  peer.message(ID, payload({ progress_percentage: 61 }))
  await page.evaluate(() => history.back())
  await targetShows(page, 'progressPercentage', '61%')
  peer.message(ID, payload({ progress_percentage: 62 }))
  await targetShows(page, 'progressPercentage', '62%')
  assert.equal(await page.locator('[data-spoken=status]').count(), 1)
  await oneSubscription(page, peer)
})

test('away for good: nobody watches any more', async () => {
  const { page, peer } = await watch(syncWidget({ session: OLD }) + meshPage({ id: 7 }))
  const identifier = '{"channel":"MeshProgressChannel","id":7}'
  await app.confirmNext(peer, identifier)
  app.routes.set('GET /other', render('<h2>Other</h2>'))
  await page.evaluate(() => globalThis.Turbo.visit('/other'))
  const left = [(await peer.nextCommand('unsubscribe')).identifier, (await peer.nextCommand('unsubscribe')).identifier]
  assert.deepEqual(left.sort(), [identifier, ID].sort())
})

test('[000-03] a morph that brings an older page does not bring an older state', async () => {
  const head = '<meta name="turbo-refresh-method" content="morph"><meta name="turbo-refresh-scroll" content="preserve">'
  const { page, peer } = await watch(syncWidget({ session: OLD, frame: false }), { head })
  peer.message(ID, payload({ progress_percentage: 70, processed_count: 700 }))
  await targetShows(page, 'progressPercentage', '70%')
  app.routes.set('GET /', render(`${syncWidget({ session: { ...OLD, percentage: 55 }, frame: false })}<p id="fresh">Fresh</p>`, { head }))
  await page.evaluate(() => {
    document.querySelector('[data-controller]').kept = true
    globalThis.Turbo.session.refresh(location.href)
  })
  await page.locator('#fresh').waitFor()
  await targetShows(page, 'progressPercentage', '70%')
  await targetShows(page, 'processedCount', '(700/1000)')
  const { width, kept, active } = await page.evaluate(() => ({
    width: document.querySelector('[data-sync-widget-target~="progressBar"]').style.width,
    kept: document.querySelector('[data-controller]').kept,
    active: globalThis.controllerOf('sync-widget').activeValue
  }))
  assert.deepEqual({ width, kept, active }, { width: '70%', kept: true, active: true })
  peer.message(ID, payload({ progress_percentage: 71 }))
  await targetShows(page, 'progressPercentage', '71%')
  await oneSubscription(page, peer)
  assert.deepEqual(await page.evaluate(() => globalThis.drawn), ['10%', '70%', '71%'])
})

test('a morph that ends the run, and one that begins another', async () => {
  const head = '<meta name="turbo-refresh-method" content="morph">'
  const { page, peer } = await watch(syncWidget({ session: OLD, inactive: true, frame: false }), { head })
  peer.message(ID, payload({ progress_percentage: 70 }))
  await targetShows(page, 'progressPercentage', '70%')
  const refresh = async session => {
    const markup = syncWidget({ session: { ...OLD, ...session }, inactive: true, frame: false, values: { 'session-id': session.id } })
    app.routes.set('GET /', render(markup, { head }))
    await page.evaluate(() => globalThis.Turbo.session.refresh(location.href))
  }
  await refresh({ id: 0 })
  await targetShows(page, 'statusText', 'Sin actividad')
  await app.confirmNext(peer, LIST)
  await refresh({ id: 43 })
  const identifier = '{"channel":"SyncStatusChannel","session_id":43}'
  await app.confirmNext(peer, identifier)
  peer.message(identifier, payload({ progress_percentage: 5 }))
  await targetShows(page, 'progressPercentage', '5%')
})

test('[000-12] a form that Turbo sends: the button says so until the answer is there', async () => {
  const { page } = await watch(syncWidget())
  let answer
  app.routes.set('POST /sync_sessions', (request, response) => {
    answer = () => response.writeHead(422, { 'Content-Type': 'text/html' }).end(render('<h2>Refused</h2>'))
  })
  const button = page.locator('form button')
  await button.click()
  await until(() => button.textContent(), text => text === 'Iniciando...', 'the button says so')
  assert.equal(await button.isDisabled(), true)
  await until(() => answer, Boolean, 'the form is sent')
  answer()
  await page.locator('h2', { hasText: 'Refused' }).waitFor()
})
