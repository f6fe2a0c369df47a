/*
 * The operators' dashboard in a browser: on a desk, on a phone, by night; when the
 * line to the bridge is lost; and under the bridge's own content security policy.
 */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { Bridge } from '../bridge/lib/bridge.js'
import { Database } from '../bridge/lib/database.js'
import { launchChromium, openPage, screenshot } from './lib/chromium.js'
import { FakeBridge, busyHistory, busyNow } from './lib/fake_bridge.js'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const PHONE = { viewport: { width: 390, height: 844 } }

let browser
let fake
const history = busyHistory()

before(async () => {
  browser = await launchChromium()
  fake = await FakeBridge.start()
})
after(async () => {
  await browser?.close()
  await fake?.stop()
})

const health = (page, state, text) => page.locator(`#health[data-state=${state}]`, { hasText: text }).waitFor()

/** Opens it, with these things different from a busy bridge that is well. */
async function open(t, changes = {}, options = {}) {
  fake.keepTelling(history, () => busyNow(history, changes))
  const opened = await openPage(browser, `${fake.origin}/dashboard`, options)
  t.after(opened.close)
  await opened.page.locator('body[data-link=live]').waitFor()
  return opened
}

const text = (page, selector) => page.locator(selector).innerText()
const overflow = page => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

/** Tables that are wider than their card, which does not show what sticks out. */
const clipped = page => page.evaluate(() => [...document.querySelectorAll('.card table, .card dl')]
  .filter(({ offsetParent, scrollWidth, parentElement }) => offsetParent && scrollWidth + parseFloat(getComputedStyle(parentElement).paddingLeft) > parentElement.clientWidth)
  .map(({ id, scrollWidth, parentElement }) => `${id}: ${scrollWidth} of ${parentElement.clientWidth}`))

/** What axe complains of. Old data is pale on purpose: on a machine that is too busy to be on time it looks again. */
async function violations(page) {
  for (;;) {
    await page.locator('body[data-link=live]').waitFor()
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
    if (await page.evaluate(() => document.body.dataset.link) !== 'live') continue
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
  }
}

for (const [name, options] of [['desk', {}], ['night', { colorScheme: 'dark' }], ['phone', PHONE], ['small', { viewport: { width: 320, height: 640 } }]]) {
  test(`[000-36] on a screen (${name}): all is there, nothing sticks out, axe finds nothing`, async t => {
    const { page, problems } = await open(t, {}, options)
    await health(page, 'good', 'serving')
    assert.equal(await text(page, '#connections'), '9,412')
    assert.match(await text(page, '#p95'), /^9\.6\s*ms$/)
    assert.equal(await page.locator('#stages tbody tr').count(), 6)
    assert.equal(await page.locator('#top-watchers tbody tr').count(), 10)
    assert.equal(await overflow(page), 0)
    assert.deepEqual(await clipped(page), [])
    await page.addScriptTag({ path: AXE })
    assert.deepEqual(await violations(page), [])
    assert.deepEqual(problems, [])
    await screenshot(page, `dashboard-${name}`)
  })
}

test('the charts have five minutes, say so in words, and are there as a table', async t => {
  const { page } = await open(t)
  const drawn = await page.locator('#latency-chart path.line.s2').getAttribute('d')
  assert.ok(drawn.split('L').length > 250, 'a point a second')
  assert.match(await page.locator('#latency-chart svg').getAttribute('aria-label'), /now p50 [\d.]+ ms · p95 [\d.]+ ms · p99 [\d.]+ ms/)
  await page.locator('#throughput-table').locator('xpath=ancestor::details').locator('summary').click()
  await page.locator('#throughput-table tbody tr').nth(5).waitFor()
  assert.match(await text(page, '#throughput-table tbody tr >> nth=0'), /^0\s+[\d,]+\s+\d+\s+\d+$/)
  await page.locator('#latency-chart').hover()
  assert.match(await text(page, '#latency-chart .readout'), /^\d+ s ago: p50 /)
})

test('what is wrong is said in words, with what it is', async t => {
  const bad = { ready: false, why: 'the extension\'s worker does not beat: nothing was heard from process 4711 for 31 s', alarms: { latency: 1, depth: 1, times: 3 }, skewed: 4 }
  const { page } = await open(t, bad, PHONE)
  await health(page, 'bad', 'not ready')
  const notices = await text(page, '#notices')
  for (const words of [/Not ready: the extension's worker does not beat/, /5 % take longer than 200 ms/, /more than 100 in a queue/, /clocks/]) assert.match(notices, words)
  assert.equal(await overflow(page), 0)
  assert.match(await page.title(), /^✕ /)
  fake.keepTelling(history, () => busyNow(history))
  await health(page, 'good', 'serving')
  assert.equal(await text(page, '#notices'), '')
})

test('[000-36] nothing has been yet: a bridge that has just begun is no empty page', async t => {
  const stages = ['notify', 'hub', 'write', 'delivery', 'late', 'loop'].map(name => ({ name, count: 0, p50: null, p95: null, p99: null }))
  const { page, problems } = await open(t, { stages, point: null, top_watchers: [], top_messages: [], refused: [], timed_out: [], connections: 0,
    extension: { pid: 0, heard: 0, silent_ms: 0, interval_ms: 0, missed: false, stat: null } })
  assert.equal((await text(page, '#p95')).trim(), '–')
  assert.match(await text(page, '#top-watchers tbody'), /none at the moment/)
  assert.match(await text(page, '#refused tbody'), /none so far/)
  assert.match(await text(page, '#extension-note'), /sync_progress_grant/)
  assert.deepEqual(problems, [])
})

test('names of streams are text, whatever they are', async t => {
  const name = 'sync:<img src=x onerror=alert(1)>"\'&'
  const { page, problems } = await open(t, { top_watchers: [[name, 3, 1], ['sync:' + 'x'.repeat(90), 2, 1]] }, PHONE)
  assert.equal(await page.locator('#top-watchers tbody td span').first().textContent(), name)
  assert.equal(await page.locator('main img').count(), 0)
  assert.equal(await overflow(page), 0)
  assert.deepEqual(problems, [])
})

test('[000-36] when the line is lost, what is shown looks old and says for how long; it comes back by itself', async t => {
  const { page } = await open(t)
  const port = fake.port
  await fake.stop()
  await page.locator('body[data-link=stale]').waitFor()
  assert.match(await text(page, '#fresh'), /^no data for \d+ s, trying again$/)
  await health(page, 'unknown', 'not known now')
  assert.match(await page.title(), /^\? /)
  assert.notEqual(await page.locator('main').evaluate(node => getComputedStyle(node).filter), 'none')
  await screenshot(page, 'dashboard-stale')
  fake = await FakeBridge.start(port)
  fake.keepTelling(history, () => busyNow(history, { connections: 77 }))
  await page.locator('body[data-link=live]').waitFor()
  await health(page, 'good', 'serving')
  assert.equal(await text(page, '#connections'), '77')
})

test('[000-36] from the bridge itself: its policy lets the page work, and nothing is in its way', async t => {
  const database = await Database.start()
  t.after(() => database.destroy())
  const bridge = await Bridge.start(database.conninfo())
  t.after(() => bridge.stop())
  await bridge.ready()
  const { page, problems, close } = await openPage(browser, `${bridge.origin}/dashboard`)
  await health(page, 'good', 'serving')
  await page.locator('#workers tbody td', { hasText: `process ${bridge.pid}` }).waitFor()
  await page.locator('#database dd', { hasText: /^PostgreSQL \d+/ }).waitFor()
  await page.locator('#latency-chart svg text').first().waitFor()
  assert.deepEqual(problems, [])
  await close()
})
