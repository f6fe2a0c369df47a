import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { launchChromium, openPage } from './lib/chromium.js'
import { FakeCable } from './lib/fake_cable.js'
import { payload } from './lib/payloads.js'
import { reactSite, serverRenderer } from './lib/react_page.js'

const STREAM = { channel: 'SyncStatusChannel', session_id: 42 }
const ID = JSON.stringify(STREAM)

let browser
let cable
let open
before(async () => {
  browser = await launchChromium()
})
after(() => browser?.close())
afterEach(async () => {
  await open?.close()
  await cable?.stop()
})

/** Renders, with everything that React complains of. */
function rendered({ render }, ...args) {
  const complaints = []
  const { error, warn } = console
  console.error = console.warn = (...all) => complaints.push(all)
  try {
    return { html: render(...args), complaints }
  } finally {
    Object.assign(console, { error, warn })
  }
}

for (const version of [18, 19]) {
  test(`React ${version}: renders on a server, where there is no window, and opens nothing`, async () => {
    const server = await serverRenderer(version)
    assert.equal(globalThis.document, undefined)

    const one = rendered(server, 'One', { identifier: STREAM, provider: { token: 'good' } })
    assert.match(one.html, /<output>nothing<\/output><p>pending idle<\/p>/)
    const many = rendered(server, 'Many', { connections: [{ id: 'a', status: 'syncing' }] })
    assert.equal(many.html, '<ul></ul>')
    const connection = rendered(server, 'Connection')
    assert.equal(connection.html, '<output>no client</output>')
    assert.deepEqual([...one.complaints, ...many.complaints, ...connection.complaints], [])
  })

  test(`React ${version}: what the server rendered is taken over without a warning, shown, and updated`, async () => {
    const server = await serverRenderer(version)
    const props = { identifier: STREAM, initial: payload({ processed_count: 11 }) }
    const { html, complaints } = rendered(server, 'One', props)
    assert.match(html, /<output>11 processing<\/output>/)
    assert.deepEqual(complaints, [])

    cable = await FakeCable.start({ serve: await reactSite({ version, body: () => html }) })
    open = await openPage(browser, cable.origin)
    const { page, problems } = open
    await page.locator('[data-ready]').waitFor({ state: 'attached' })
    const marked = await page.evaluate(([name, props]) => {
      document.querySelector('output').marked = true
      globalThis.hydrate(name, props)
    }, ['One', props])
    assert.equal(marked, undefined)

    const { peer } = await cable.nextWatcher()
    peer.message(ID, payload({ processed_count: 12, status: 'completed' }))
    await page.waitForFunction(() => document.querySelector('output').textContent === '12 completed')
    assert.ok(await page.evaluate(() => document.querySelector('output').marked), 'the node is still the one of the server')
    assert.equal(await page.evaluate(() => globalThis.called('onComplete').length), 1)
    assert.equal(peer.commandsNamed('subscribe').length, 1)
    assert.deepEqual(problems, [])
  })
}

test('a state that the page was rendered with is never followed by an older one', async () => {
  cable = await FakeCable.start({ serve: await reactSite() })
  open = await openPage(browser, cable.origin)
  const { page, problems } = open
  const older = payload({ processed_count: 1 })
  const initial = payload({ processed_count: 2 })
  await page.locator('[data-ready]').waitFor({ state: 'attached' })
  await page.evaluate(props => globalThis.show('One', props), { identifier: STREAM, initial })
  const { peer } = await cable.nextWatcher()
  await page.waitForFunction(() => document.querySelector('p').textContent === 'confirmed live isActive')
  peer.message(ID, older)
  peer.message(ID, payload({ processed_count: 3 }))
  await page.waitForFunction(() => document.querySelector('output').textContent === '3 processing')
  const told = await page.evaluate(() => globalThis.called('onProgress').map(([{ processed_count }]) => processed_count))
  assert.deepEqual(told, [3])
  assert.deepEqual(problems, [])
})
