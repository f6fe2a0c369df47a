/*
 * The demo's page: what surrounds the widget, and what it does to it.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, afterEach, before, test } from 'node:test'
import { launchChromium, openPage, screenshot } from './lib/chromium.js'
import { partShows } from './lib/element_page.js'
import { FakeCable } from './lib/fake_cable.js'
import { servePage } from './lib/page_server.js'
import { payload } from './lib/payloads.js'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const ID = '{"channel":"SyncStatusChannel","session_id":42}'

let cable
let browser
let open
let posted
let refusal
before(async () => {
  cable = await FakeCable.start({ serve: answer })
  browser = await launchChromium()
})
after(async () => {
  await browser?.close()
  await cable?.stop()
})
afterEach(() => open?.close())

async function answer(request, response) {
  if (request.method !== 'POST') return servePage(request, response)
  let body = ''
  for await (const chunk of request) body += chunk
  posted = { url: request.url, token: request.headers.authorization, body: JSON.parse(body) }
  response.writeHead(refusal?.status ?? 200, { 'Content-Type': 'application/json' }).end(JSON.stringify(refusal ?? { result: {}, state: null }))
}

const address = fragment => `${cable.origin}/#${fragment}`

async function watch({ fragment = 'session=42&token=good', ...options } = {}) {
  open = await openPage(browser, address(fragment), options)
  return { ...open, ...await cable.nextWatcher() }
}

const shows = (page, id, text) => page.locator(`#${id}`).filter({ hasText: text, visible: true }).waitFor()
const jwt = claims => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`

test('the widget, the same state as psql says it, and the title', async () => {
  const { page, peer, problems } = await watch()
  peer.message(ID, payload({ title: 'Mail', progress_percentage: 45, processed_count: 450, total_count: 1000 }))
  await partShows(page, 'percent', '45%')
  await shows(page, 'psql-query', 'SELECT * FROM sync.sync_progress(42);')
  await shows(page, 'psql-answer', /^processing   45%  ▓{9}░{11}  450\/1000$/)
  assert.equal(await page.title(), '45% · Mail')
  peer.message(ID, payload({ progress_percentage: null, processed_count: 7, total_count: null }))
  await shows(page, 'psql-answer', /^processing  7$/)
  assert.deepEqual(cable.connections.all.at(-1).commandsNamed('subscribe').length, 1, 'page and widget are one subscription')
  assert.deepEqual(problems, [])
})

test('an address without a session explains itself', async () => {
  open = await openPage(browser, address(''))
  await shows(open.page, 'notice-title', 'Which run?')
  await shows(open.page, 'notice-sql', '#session=42&token=…')
  for (const id of ['tools', 'psql', 'trouble']) assert.equal(await open.page.locator(`#${id}`).isVisible(), false, id)
  assert.deepEqual(open.problems, [])
})

test('no token, a bad one, an expired one', async () => {
  for (const [token, title] of [
    ['', 'A token is needed'],
    ['nonsense', 'This link is not valid'],
    [jwt({ sub: 'José', exp: 4_000_000_000 }), 'This link is not valid'],
    [jwt({ sub: 'alice', exp: 1_600_000_000 }), 'This link has expired']
  ]) {
    open = await openPage(browser, address(`session=42&token=${token}`))
    const peer = await cable.nextConnection()
    peer.disconnect('unauthorized', false)
    await shows(open.page, 'notice-title', title)
    await shows(open.page, 'notice-sql', "SELECT sync.sync_progress_token('owner');")
    assert.deepEqual(open.problems, [])
    await open.close()
  }
})

test('a run that may not be watched', async () => {
  open = await openPage(browser, address('session=42&token=good'))
  const peer = await cable.nextConnection()
  peer.welcome()
  const { identifier } = await peer.nextCommand('subscribe')
  peer.reject(identifier)
  await shows(open.page, 'notice-title', 'You may not watch this run')
  assert.equal(await open.page.title(), 'You may not watch this run')
  assert.deepEqual(open.problems, [])
})

test('another kind is another subscription, and its state another line', async () => {
  const { page, peer, problems } = await watch()
  for (const [kind, channel, id, state, line] of [
    ['mesh', 'MeshProgressChannel', 'bracket', { mesh_id: 'bracket', status: 'processing', progress: 30 }, /^processing   30%  ▓{6}░{14}$/],
    ['batch', 'BatchProgressChannel', 'gearbox', { batch_id: 'gearbox', status: 'processing', progress: 25, total: 24, completed: 5, failed: 1 }, /  6\/24$/],
    ['connection', 'ConnectionSyncChannel', 'crm', { inserted: 1, updated: 2, deleted: 3, kept: 4, skipped: 0, is_complete: false }, /^processing  inserted 1  updated 2  deleted 3  kept 4$/]
  ]) {
    await page.locator(`input[value=${kind}]`).check()
    const { identifier } = await peer.nextCommand('subscribe')
    assert.deepEqual(JSON.parse(identifier), { channel, id })
    peer.confirm(identifier)
    peer.message(identifier, state)
    await shows(page, 'psql-query', `sync.sync_progress_session('${kind}', '${id}')`)
    await shows(page, 'psql-answer', line)
  }
  await page.locator('input[value=sync]').check()
  await partShows(page, 'heading', /./)
  assert.deepEqual(problems, [])
})

test('theme, language and colours of the widget', async () => {
  const { page, peer, problems } = await watch()
  peer.message(ID, payload())
  await partShows(page, 'toggle', 'Pause')
  await page.selectOption('select[name=locale]', 'es')
  await partShows(page, 'toggle', 'Pausar')
  await page.selectOption('select[name=theme]', 'mesh')
  assert.equal(await page.locator('sync-progress').getAttribute('theme'), 'mesh')
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  const light = await ground()
  await page.selectOption('select[name=scheme]', 'dark')
  assert.notEqual(await ground(), light)
  assert.deepEqual(problems, [])
})

test('the job is told to fail, or the refusal is told', async () => {
  const { page, peer, problems } = await watch()
  peer.message(ID, payload())
  await page.click('#fail')
  await shows(page, 'said', 'The job is told to fail.')
  assert.deepEqual(posted, { url: '/sessions/SyncStatusChannel/42/pin', token: 'Bearer good', body: { pinned: true } })
  refusal = { status: 403, error: 'the token does not allow it' }
  await page.click('#fail')
  await shows(page, 'said', 'That was refused: the token does not allow it')
  refusal = null
  assert.deepEqual(problems.filter(problem => !/403/.test(problem)), [])
})

test('the connection is cut, and comes back with the newest state', async () => {
  const { page, peer, problems } = await watch()
  peer.message(ID, payload({ progress_percentage: 10 }))
  await partShows(page, 'percent', '10%')
  await page.click('#cut')
  await peer.closed()
  await partShows(page, 'connection', /./)
  await screenshot(page, 'page-cut')
  const { peer: second } = await cable.nextWatcher(30_000)
  second.message(ID, payload({ progress_percentage: 90 }))
  await partShows(page, 'percent', '90%')
  await partShows(page, 'connection', null)
  assert.deepEqual(problems, [])
})

test('one tab more is the widget alone, of the same run and look', async () => {
  const { page, peer } = await watch()
  peer.message(ID, payload())
  await page.selectOption('select[name=locale]', 'es')
  await page.click('#beside')
  assert.equal(await page.locator('#beside').getAttribute('aria-expanded'), 'true')
  const source = await page.locator('iframe').first().getAttribute('src')
  assert.match(source, /#session=42&token=good&channel=SyncStatusChannel&id=42&theme=teal&locale=es&scheme=&only=1$/)
  assert.equal(await page.locator('iframe').count(), 2)
  await page.click('#beside')
  assert.equal(await page.locator('iframe').count(), 0)
})

test('axe finds nothing: a run, with two more tabs, the widget alone, a notice', async () => {
  for (const [fragment, colorScheme] of [['session=42&token=good', 'light'], ['session=42&token=good&only', 'dark'], ['', 'light']]) {
    // axe writes markup of its own, which the policy of the page forbids
    const options = { colorScheme, reducedMotion: 'reduce', bypassCSP: true }
    if (fragment) {
      const { page, peer } = await watch({ fragment, ...options })
      peer.message(ID, payload({ title: 'Mail of four banks' }))
      await partShows(page, 'age', /Updated/)
      if (colorScheme === 'light') await page.getByRole('button', { name: 'Two more tabs' }).click()
    } else {
      open = await openPage(browser, address(fragment), options)
      await shows(open.page, 'notice-title', 'Which run?')
    }
    await open.page.evaluate(AXE)
    const { violations, passes } = await open.page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
    assert.deepEqual(violations.flatMap(({ id, nodes }) => nodes.map(({ target, any }) => `${fragment}: ${id} ${target} ${any[0]?.message ?? ''}`)), [])
    assert.ok(passes.some(({ id }) => id === 'color-contrast'))
    await open.close()
  }
})

test('on a phone nothing sticks out; by night it is dark', async () => {
  const { page, peer, problems } = await watch({ viewport: { width: 390, height: 844 }, colorScheme: 'dark', deviceScaleFactor: 2 })
  peer.message(ID, payload({ title: 'Mail of four banks' }))
  await partShows(page, 'percent', '45%')
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0)
  await screenshot(page, 'page-phone-dark')
  assert.deepEqual(problems, [])
})
