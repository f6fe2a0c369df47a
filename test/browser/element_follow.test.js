import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { until } from '../bridge/lib/recorder.js'
import { launchChromium } from './lib/chromium.js'
import { ElementPages, json, partShows } from './lib/element_page.js'
import { payload } from './lib/payloads.js'

const LIST = '{"channel":"SessionsChannel"}'
const FOLLOW = 'start-url="/sync_sessions"'

let pages
let browser
let open
let tokens = 0
before(async () => {
  pages = await ElementPages.start()
  browser = await launchChromium()
})
after(async () => {
  await browser?.close()
  await pages?.stop()
})
afterEach(async () => {
  assert.deepEqual(open?.problems.filter(each => !/status of (503|403)/.test(each)), [])
  await open?.close()
})

const session = (id, status, changes = {}) => ({ session_id: id, kind: 'sync', source_id: String(id), status, completed_at: null, ...changes })
const lists = (...sessions) => pages.answers.set('GET /sessions', json({ sessions, next: null }))
const asked = () => pages.requests.filter(({ key }) => key === 'GET /sessions').length

/** A page that follows its reader's newest run, with the list's subscription confirmed. */
async function follow(attributes = FOLLOW) {
  const token = `t${++tokens}`
  open = await pages.open(browser, `<sync-progress token="${token}" ${attributes}></sync-progress>`)
  const { peer, identifier } = await pages.watcher(token)
  assert.equal(identifier, LIST)
  const watched = async () => {
    const { identifier } = await peer.nextCommand('subscribe')
    peer.confirm(identifier)
    return identifier
  }
  return { page: open.page, peer, watched, token }
}

test('[000-20] nothing yet: idle, and the first run that is created is followed', async () => {
  lists()
  const { page, peer, watched } = await follow()
  await partShows(page, 'last', 'Start your first sync to import expenses')
  peer.message(LIST, { type: 'session_created', data: { ...session(8, 'pending'), kind: 'mesh' } })
  peer.message(LIST, { type: 'session_created', data: session(7, 'pending') })
  const identifier = await watched()
  assert.equal(identifier, '{"channel":"SyncStatusChannel","session_id":7}')
  peer.message(identifier, payload({ session_id: 7, progress_percentage: 3 }))
  await partShows(page, 'percent', '3%')
  await partShows(page, 'last', null)
})

test('[004-11] a crowd of changes is one look at the list, or two', async () => {
  lists()
  const { page, peer, watched } = await follow()
  await partShows(page, 'last', /./)
  const before = asked()
  lists(session(7, 'processing'))
  for (let i = 0; i < 100; i++) peer.message(LIST, { type: 'sessions_reloaded' })
  await watched()
  assert.ok(asked() - before <= 2, `asked ${asked() - before} times`)
})

test('a list that may not be read is not asked for again', async () => {
  pages.answers.set('GET /sessions', json({ error: 'no' }, 403))
  const { page } = await follow()
  await partShows(page, 'status', 'It does not exist, or you may not see it.')
  const before = asked()
  await page.evaluate(() => new Promise(resolve => setTimeout(resolve, 2_500))) // a retry would come after 2 s
  assert.equal(asked(), before)
})

test('[000-16] the last run is over: idle, with how long ago; the failed one between is another matter', async () => {
  lists(session(9, 'cancelled'), session(8, 'completed', { completed_at: new Date(Date.now() - 5 * 60_000).toISOString() }),
    session(7, 'completed', { completed_at: '2020-01-01T00:00:00Z' }))
  const { page } = await follow()
  await partShows(page, 'last', 'Last sync completed 5 minutes ago')
  await partShows(page, 'start', 'Start sync')
})

test('a run that goes on is followed, and so is one that failed', async () => {
  for (const [status, text] of [['processing', 'Sync in progress'], ['failed', 'Failed']]) {
    lists(session(9, status), session(8, 'completed', { completed_at: '2020-01-01T00:00:00Z' }))
    const { page, peer, watched } = await follow()
    const identifier = await watched()
    assert.equal(identifier, '{"channel":"SyncStatusChannel","session_id":9}')
    peer.message(identifier, payload({ session_id: 9, status }))
    await partShows(page, 'status', text)
    await open.close()
  }
})

test('a run that ends stays, until the next one begins', async () => {
  lists(session(9, 'processing'))
  const { page, peer, watched } = await follow()
  const first = await watched()
  peer.message(first, payload({ session_id: 9 }))
  await partShows(page, 'percent', '45%')
  peer.message(first, payload({ session_id: 9, status: 'completed', progress_percentage: 100 }))
  await partShows(page, 'status', 'Completed')
  // the list is read again, and has nothing newer
  lists(session(9, 'completed', { completed_at: '2020-01-01T00:00:00Z' }))
  const before = asked()
  peer.message(LIST, { type: 'sessions_reloaded' })
  await until(asked, count => count > before, 'the list')
  peer.message(LIST, { type: 'session_created', data: session(10, 'pending') })
  const second = await watched()
  assert.equal(second, '{"channel":"SyncStatusChannel","session_id":10}')
  await partShows(page, 'percent', '100%')
  peer.message(second, payload({ session_id: 10, progress_percentage: 0, processed_count: 0 }))
  await partShows(page, 'percent', '0%')
})

test('another channel follows runs of its own kind', async () => {
  lists(session(9, 'processing'), { ...session(0, 'processing'), kind: 'mesh', source_id: 'part-7' })
  const { page, peer, watched } = await follow('channel="MeshProgressChannel" source-id="0"')
  const identifier = await watched()
  assert.equal(identifier, '{"channel":"MeshProgressChannel","id":"part-7"}')
  peer.message(identifier, { mesh_id: 'part-7', status: 'processing', progress: 5 })
  await partShows(page, 'heading', 'Mesh Generation Progress')
  await partShows(page, 'percent', '5%')
})

test('the list is asked again after a failure, and after the connection was lost', async () => {
  pages.answers.set('GET /sessions', json({ error: 'the database is away' }, 503))
  const before = asked()
  const { page, peer, token } = await follow()
  await until(asked, count => count > before, 'the first question')
  await partShows(page, 'status', 'Loading…')
  lists()
  await partShows(page, 'none', 'No active sync')
  lists(session(12, 'processing'))
  peer.drop()
  const again = await pages.cable.connections.find(each => each.token === token, 'a new connection')
  again.welcome()
  again.confirm(LIST)
  const { identifier } = await again.commands.find(({ identifier }) => /session_id/.test(identifier), 'the run')
  assert.equal(identifier, '{"channel":"SyncStatusChannel","session_id":12}')
})
