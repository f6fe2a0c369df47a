import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { launchChromium, openPage, screenshot } from './lib/chromium.js'
import { FakeCable } from './lib/fake_cable.js'
import { payload } from './lib/payloads.js'
import { reactSite, serverRenderer } from './lib/react_page.js'

const STREAM = { channel: 'SyncStatusChannel', session_id: 42 }
const ID = JSON.stringify(STREAM)
const WIDGET = { identifier: STREAM, sessionId: 42, locale: 'en', actions: ['pause', 'cancel'], className: 'mine', id: 'w', 'data-x': 'y', sparkline: true }

let browser
let cable
let open
before(async () => {
  browser = await launchChromium()
})
after(() => browser?.close())
afterEach(async () => {
  const { problems, close } = open ?? {}
  open = null
  await close?.()
  await cable?.stop()
  assert.deepEqual(problems ?? [], [])
})

async function show(props, { version = 19, body, how = 'show' } = {}) {
  cable = await FakeCable.start({ serve: await reactSite({ version, body }) })
  open = await openPage(browser, cable.origin)
  const { page } = open
  await page.locator('[data-ready]').waitFor({ state: 'attached' })
  await page.evaluate(([how, props]) => globalThis[how]('Widget', props), [how, props])
  return page
}

const called = (page, name) => page.evaluate(name => globalThis.called(name), name)
const calledOnce = (page, name) => page.waitForFunction(name => globalThis.called(name).length === 1, name)

/** The widget's own text, inside of its shadow root. */
const widgetShows = (page, text) => page.locator('sync-progress').getByText(text).first().waitFor()

for (const version of [18, 19]) {
  test(`[003-09] React ${version}: the widget and a hook share one subscription of one connection`, async () => {
    const page = await show(WIDGET, { version })
    const { peer, identifier } = await cable.nextWatcher()
    assert.equal(identifier, ID)
    await page.waitForFunction(() => customElements.get('sync-progress'))
    peer.message(ID, payload({ processed_count: 450 }))
    await page.waitForFunction(() => document.querySelector('output').textContent === '450')
    await widgetShows(page, '45%')
    assert.equal(cable.connections.all.length, 1)
    assert.equal(peer.commandsNamed('subscribe').length, 1)

    const attributes = await page.evaluate(() => Object.fromEntries([...document.querySelector('sync-progress').attributes].map(({ name, value }) => [name, value])))
    assert.deepEqual(attributes, { 'session-id': '42', locale: 'en', actions: 'pause cancel', class: 'mine', id: 'w', 'data-x': 'y', sparkline: '' })
    await screenshot(page, `react-${version}-widget`)
  })

  test(`React ${version}: events come to the handlers of the latest rendering, and can be prevented`, async () => {
    const page = await show({ ...WIDGET, preventing: ['onAction'] }, { version })
    const { peer } = await cable.nextWatcher()
    peer.message(ID, payload())
    await page.locator('sync-progress').getByRole('button', { name: /pause/i }).click()
    await calledOnce(page, 'onAction')
    assert.deepEqual(await called(page, 'onAction'), [[{ action: 'pause' }]])
    peer.message(ID, payload({ status: 'completed' }))
    await calledOnce(page, 'onComplete')
    assert.deepEqual(await called(page, 'onActionError'), [])
    await page.evaluate(() => globalThis.leave())
    assert.equal((await peer.nextCommand('unsubscribe')).identifier, ID)
  })

  test(`React ${version}: starts with the state of the server's markup, which is taken over without a warning`, async () => {
    const { render } = await serverRenderer(version)
    const props = { ...WIDGET, initial: payload({ processed_count: 110, progress_percentage: 11 }) }
    const html = render('Widget', props)
    assert.match(html, /<sync-progress session-id="42"/)
    const page = await show(props, { version, body: () => html, how: 'hydrate' })
    await widgetShows(page, '11%')
    const { peer } = await cable.nextWatcher()
    peer.message(ID, payload({ processed_count: 120, progress_percentage: 12 }))
    await widgetShows(page, '12%')
    assert.equal(cable.connections.all.length, 1)
    assert.equal(peer.commandsNamed('subscribe').length, 1)
  })
}

for (const version of [18, 19]) {
  test(`React ${version}: without markup of a server it starts with what it is given, too; each run with its own, once`, async () => {
    const eleven = payload({ progress_percentage: 11, processed_count: 110 })
    const page = await show({ ...WIDGET, initial: eleven }, { version })
    await widgetShows(page, '11%')
    const { peer } = await cable.nextWatcher()
    peer.message(ID, payload({ progress_percentage: 12, processed_count: 120 }))
    await widgetShows(page, '12%')

    // the element is defined by now, and has the property that React 19 looks for
    const other = { channel: 'SyncStatusChannel', session_id: 43 }
    const seven = payload({ session_id: 43, progress_percentage: 7, processed_count: 70 })
    await page.evaluate(props => globalThis.show('Widget', props), { ...WIDGET, sessionId: 43, identifier: other, initial: seven })
    await widgetShows(page, '7%')
    await page.evaluate(props => globalThis.show('Widget', props), { ...WIDGET, sessionId: 43, identifier: other, initial: { ...seven, progress_percentage: 1 } })
    await page.evaluate(() => globalThis.leave())
    await page.evaluate(props => globalThis.show('Widget', props), { ...WIDGET, sessionId: 43, identifier: other, initial: seven })
    await widgetShows(page, '7%')
    assert.deepEqual(await page.evaluate(() => document.querySelector('sync-progress').getAttribute('payload')), null)
  })
}

test('another run in the same widget; a token of its own is another connection', async () => {
  const page = await show(WIDGET)
  const { peer } = await cable.nextWatcher()
  peer.message(ID, payload())
  await widgetShows(page, '45%')
  const other = { channel: 'SyncStatusChannel', session_id: 43 }
  await page.evaluate(props => globalThis.show('Widget', props), { ...WIDGET, sessionId: 43, identifier: other })
  assert.equal((await peer.nextCommand('subscribe')).identifier, JSON.stringify(other))
  peer.confirm(JSON.stringify(other))
  peer.message(JSON.stringify(other), payload({ session_id: 43, progress_percentage: 7 }))
  await widgetShows(page, '7%')

  await page.evaluate(props => globalThis.show('Widget', props), { identifier: null, sessionId: 44, token: 'own', id: 'another' })
  const own = await cable.nextConnection()
  assert.equal(own.token, 'own')
})
