import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { until } from '../bridge/lib/recorder.js'
import { launchChromium } from './lib/chromium.js'
import { ElementPages, give, json, partShows } from './lib/element_page.js'
import { payload } from './lib/payloads.js'

const MESH = 'channel="MeshProgressChannel" source-id="42" action-url="/api/v1/meshes/42/{action}" actions="pause resume cancel retry"'

let pages
let browser
let open
before(async () => {
  pages = await ElementPages.start()
  browser = await launchChromium()
})
after(async () => {
  await browser?.close()
  await pages?.stop()
})
afterEach(async () => {
  assert.deepEqual(open?.problems.filter(each => !/status of (409|500)/.test(each)), [])
  await open?.close()
  pages.answers.clear()
  pages.requests.length = 0
})

async function openPage(body, options) {
  open = await pages.open(browser, body, options)
  return open.page
}

/** Collects the element's events as [type, detail]. */
function record(page, ...types) {
  return page.evaluate(types => {
    globalThis.events = []
    for (const type of types) document.addEventListener(type, ({ detail }) => globalThis.events.push([type, detail]))
  }, types)
}

const events = page => page.evaluate(() => globalThis.events)
const button = (page, name) => page.locator('sync-progress').getByRole('button', { name, exact: true })
const focused = page => page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.getAttribute('part') ?? null)

/** An answer that waits for release(). */
function held(status = 200, body = {}) {
  let release
  const released = new Promise(resolve => { release = resolve })
  return { release, answer: async (request, response) => { await released; json(body, status)(request, response) } }
}

test('[002-13] with action-url the application is asked, with the token of its forms', async () => {
  const page = await openPage(`<sync-progress ${MESH}></sync-progress>`)
  await give(page, { mesh_id: 42, status: 'processing', progress: 45 })
  const { release, answer } = held()
  pages.answers.set('POST /api/v1/meshes/42/cancel', answer)
  await record(page, 'sync-progress:action', 'sync-progress:error')
  await button(page, 'Cancel').click()
  await until(() => pages.requests.length, length => length === 1, 'the request')
  const [{ key, headers }] = pages.requests
  assert.equal(key, 'POST /api/v1/meshes/42/cancel')
  assert.equal(headers['x-csrf-token'], 'csrf-42')

  // under way: it says so, keeps the focus, and a second press does nothing
  assert.equal(await button(page, 'Cancel').getAttribute('aria-disabled'), 'true')
  assert.equal(await focused(page), 'button cancel')
  await button(page, 'Cancel').press('Enter')
  release()
  await page.waitForFunction(() => !document.querySelector('sync-progress').shadowRoot.querySelector('[aria-disabled]'))
  assert.equal(pages.requests.length, 1)
  assert.deepEqual(await events(page), [['sync-progress:action', { action: 'cancel' }]])
})

test('an action that is refused is shown, told, and can be tried again', async () => {
  const page = await openPage(`<sync-progress ${MESH}></sync-progress>`)
  await give(page, { mesh_id: 42, status: 'failed', progress: 45, message: 'Out of memory' })
  pages.answers.set('POST /api/v1/meshes/42/retry', json({ error: 'the run is <b>not</b> over', hint: 'wait' }, 409))
  await record(page, 'sync-progress:error')
  await button(page, 'Try again').click()
  await partShows(page, 'problem', 'That did not work: the run is <b>not</b> over')
  assert.deepEqual(await events(page), [['sync-progress:error',
    { action: 'retry', status: 409, error: 'the run is <b>not</b> over', hint: 'wait', current: null }]])
  pages.answers.set('POST /api/v1/meshes/42/retry', (request, response) => response.writeHead(500).end('oops'))
  await button(page, 'Try again').click()
  await partShows(page, 'problem', 'That did not work: HTTP 500')
  pages.answers.set('POST /api/v1/meshes/42/retry', json({}))
  await button(page, 'Try again').click()
  await partShows(page, 'problem', null)
})

test('preventDefault: the page does it itself', async () => {
  const page = await openPage(`<sync-progress ${MESH}></sync-progress>`)
  await give(page, { mesh_id: 42, status: 'processing', progress: 45 })
  await page.evaluate(() => document.addEventListener('sync-progress:action', event => {
    event.preventDefault()
    document.title = event.detail.action
  }))
  await button(page, 'Pause').click()
  await page.waitForFunction(() => document.title === 'pause')
  assert.equal(await button(page, 'Pause').getAttribute('aria-disabled'), null)
  assert.deepEqual(pages.requests, [])
})

test('a keyboard does everything, and never loses its place', async () => {
  const page = await openPage(`<sync-progress session-id="42" token="good" actions="pause resume cancel retry" details-url="/page/0"
    ></sync-progress><button id="after">After</button>`)
  for (const action of ['pause', 'resume', 'cancel', 'retry']) {
    pages.answers.set(`POST /sessions/SyncStatusChannel/42/${action}`, json({ result: {}, state: null }))
  }
  const { peer, identifier } = await pages.watcher('good')
  const told = async (status, text) => {
    peer.message(identifier, payload({ status }))
    await partShows(page, 'status', text)
  }
  const asked = async action => {
    await until(() => pages.requests.some(({ key }) => key.endsWith(`/${action}`)), Boolean, action)
    await page.waitForFunction(() => !document.querySelector('sync-progress').shadowRoot.querySelector('[aria-disabled]'))
  }
  await told('processing', 'Sync in progress')
  await page.keyboard.press('Tab')
  assert.equal(await focused(page), 'button toggle')
  await page.keyboard.press('Enter')
  await asked('pause')
  await told('paused', 'Paused')
  assert.equal(await focused(page), 'button toggle')
  await page.keyboard.press('Space')
  await asked('resume')
  await told('processing', 'Sync in progress')
  await page.keyboard.press('Tab')
  assert.equal(await focused(page), 'button cancel')
  await page.keyboard.press('Enter')
  await asked('cancel')
  await told('cancelled', 'Cancelled')
  assert.equal(await focused(page), 'button retry', 'the focus went on to what can be done now')
  await page.keyboard.press('Enter')
  await asked('retry')
  await told('processing', 'Sync in progress')
  assert.equal(await focused(page), 'button toggle')
  for (const expected of ['button cancel', 'link details']) {
    await page.keyboard.press('Tab')
    assert.equal(await focused(page), expected)
  }
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.id), 'after')
})

test('only the actions that were asked for, where they make sense', async () => {
  const page = await openPage('<sync-progress session-id="42" actions="pause retry"></sync-progress>')
  const visible = () => page.locator('sync-progress').getByRole('button').allTextContents()
  await give(page, payload())
  assert.deepEqual(await visible(), ['Pause'])
  await give(page, payload({ status: 'paused' }))
  assert.deepEqual(await visible(), [])
  await give(page, payload({ status: 'failed' }))
  assert.deepEqual(await visible(), ['Try again'])
  await page.locator('sync-progress').evaluate(element => element.removeAttribute('actions'))
  await page.waitForFunction(() => document.querySelector('sync-progress').shadowRoot.querySelector('[part~=retry]').hidden)
  await give(page, payload())
  assert.deepEqual(await visible(), [])
})

test('[000-12] a start is a form of the application, disabled while it is on its way', async () => {
  const page = await openPage(`<sync-progress session-id="42" start-url="/sync_sessions" lang="es"></sync-progress>`,
    { head: '<meta name="csrf-param" content="authenticity_token">' })
  // an answer without a page: so the page stays as it is, to be looked at
  pages.answers.set('POST /sync_sessions', (request, response) => response.writeHead(204).end())
  await give(page, payload({ status: 'completed' }))
  await button(page, 'Iniciar Sincronización').click()
  await partShows(page, 'start', 'Iniciando...')
  assert.equal(await button(page, 'Iniciando...').getAttribute('aria-disabled'), 'true')
  const [{ headers, body }] = await until(() => pages.requests, ({ length }) => length === 1, 'the form')
  assert.equal(headers['content-type'], 'application/x-www-form-urlencoded')
  assert.equal(body, 'authenticity_token=csrf-42')
})

test('[000-12] for Turbo it is a form in its frame; the button is back when that has been answered', async () => {
  const page = await openPage(`<sync-progress session-id="42" start-url="/sync_sessions"></sync-progress>`)
  await give(page, payload({ status: 'completed' }))
  await page.evaluate(() => document.addEventListener('submit', event => {
    event.preventDefault() // as Turbo does
    globalThis.form = event.target
    globalThis.within = event.target.closest('sync-progress') !== null
  }))
  await button(page, 'Start sync').click()
  await page.waitForFunction(() => globalThis.form)
  assert.equal(await page.evaluate(() => globalThis.within), true)
  await partShows(page, 'start', 'Starting...')
  await page.evaluate(() => globalThis.form.dispatchEvent(new CustomEvent('turbo:submit-end', { bubbles: true })))
  await partShows(page, 'start', 'Start sync')
  assert.equal(await page.locator('form').count(), 0)
})

test('what the page asked over the cable, and was refused, is shown too', async () => {
  const page = await openPage('<sync-progress session-id="42" token="other"></sync-progress>')
  const { peer, identifier } = await pages.watcher('other')
  peer.message(identifier, payload())
  await record(page, 'sync-progress:error')
  await partShows(page, 'percent', '45%')
  await page.evaluate(() => document.querySelector('sync-progress').client.subscribe({ channel: 'SyncStatusChannel', session_id: 42 }).perform('pause'))
  await peer.nextCommand('message')
  peer.message(identifier, { type: 'error', action: 'pause', status: 403, error: 'not yours', hint: 'ask' })
  await partShows(page, 'problem', 'That did not work: not yours')
  assert.equal((await events(page))[0][1].status, 403)
})
