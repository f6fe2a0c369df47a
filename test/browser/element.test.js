import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { until } from '../bridge/lib/recorder.js'
import { launchChromium } from './lib/chromium.js'
import { ElementPages, give, json, partShows } from './lib/element_page.js'
import { account, payload } from './lib/payloads.js'

const ID = '{"channel":"SyncStatusChannel","session_id":42}'
const WATCH = '<sync-progress session-id="42" token="good" actions="pause resume cancel retry"></sync-progress>'

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
  assert.deepEqual(open?.problems ?? [], [])
  await open?.close()
})

async function openPage(body, options) {
  open = await pages.open(browser, body, options)
  return open.page
}

/** A page that watches session 42, and the server's end of its connection. */
async function watch(body = WATCH, options) {
  const page = await openPage(body, options)
  return { page, ...await pages.cable.nextWatcher() }
}

test('[000-03] a tag is all it takes: the run of that id, live', async () => {
  const { page, peer, identifier } = await watch()
  assert.equal(identifier, ID)
  assert.equal(peer.token, 'good')
  peer.message(ID, payload({ progress_percentage: 45, accounts: [account(1, { name: 'BAC San José' })] }))
  await partShows(page, 'percent', '45%')
  await partShows(page, 'counts', '450 of 1,000')
  await partShows(page, 'status', 'Sync in progress')
  await partShows(page, 'account-name', 'BAC San José')
  peer.message(ID, payload({ progress_percentage: 46 }))
  await partShows(page, 'percent', '46%')
})

test('[000-07] elements with the same address and token share a connection, those of one run a stream', async () => {
  const { page, peer } = await watch(`${WATCH}<sync-progress id="second" session-id="42" token="good"></sync-progress>`)
  peer.message(ID, payload())
  await partShows(page, 'percent', '45%')
  await partShows(page, 'percent', '45%', { element: '#second' })
  assert.equal(peer.commandsNamed('subscribe').length, 1)
})

test('[000-12] pause by the bridge, and the button becomes resume without losing the focus', async () => {
  const { page, peer } = await watch()
  pages.answers.set('POST /sessions/SyncStatusChannel/42/pause', json({ result: {}, state: null }))
  peer.message(ID, payload())
  await partShows(page, 'toggle', 'Pause')
  await page.locator('sync-progress').getByRole('button', { name: 'Pause sync' }).press('Enter')
  await until(() => pages.requests.length, count => count > 0, 'the request is made')
  await page.waitForFunction(() => !document.querySelector('sync-progress').shadowRoot.querySelector('[aria-disabled]'))
  assert.equal(pages.requests.at(-1).headers.authorization, 'Bearer good')
  peer.message(ID, payload({ status: 'paused' }))
  await partShows(page, 'toggle', 'Resume')
  assert.equal(await page.evaluate(() => document.querySelector('sync-progress').shadowRoot.activeElement.textContent), 'Resume')
})

test('a state set by hand, without any server', async () => {
  const page = await openPage('<sync-progress session-id="42" lang="es-CR"></sync-progress>')
  await give(page, payload({ detected_count: 31, error_count: 2 }))
  await partShows(page, 'detected', '31 gastos detectados')
  await partShows(page, 'errors', '2 errores')
})
