import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { launchChromium, openPage } from './lib/chromium.js'
import { FakeCable } from './lib/fake_cable.js'
import { facts, row } from './lib/fake_list.js'
import { reactSite, serverRenderer } from './lib/react_page.js'

const LIST = '{"channel":"SessionsChannel"}'

let browser
let cable
let open
before(async () => {
  browser = await launchChromium()
  cable = await FakeCable.start({ serve: await reactSite({ answer }) })
})
after(async () => {
  await browser?.close()
  await cable?.stop()
})
afterEach(async () => {
  const { problems, close } = open ?? {}
  open = null
  await close?.()
  assert.deepEqual(problems ?? [], [])
})

let refused = null // the row as it is, where somebody else was quicker

// The list, and edits of it.
function answer({ method, url }, response) {
  if (!url.startsWith('/sessions')) return false
  const say = (status, body) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  if (method === 'GET') say(200, { sessions: [row(2), row(1)], next: null })
  else if (refused) say(409, { error: 'stale', current: refused })
  else say(200, { result: { session_id: 1, lock_version: 1 }, state: null })
  return true
}

/** Tabs of one browser, each with the scene. */
async function tabs(scene, ...all) {
  open = await openPage(browser, cable.origin)
  const pages = [open.page]
  while (pages.length < all.length) {
    const page = await open.page.context().newPage()
    page.on('pageerror', error => open?.problems.push(error.message))
    await page.goto(cable.origin)
    pages.push(page)
  }
  for (const [index, page] of pages.entries()) {
    await page.locator('[data-ready]').waitFor({ state: 'attached' })
    await page.evaluate(([scene, props]) => globalThis.show(scene, props), [scene, all[index]])
    await page.locator('output').waitFor()
  }
  return pages
}

const broadcast = (page, ...args) => page.evaluate(args => globalThis.broadcast(...args), args)
const called = (page, name) => page.evaluate(name => globalThis.called(name), name)

async function hears(page, name, count = 1) {
  await page.waitForFunction(([name, count]) => globalThis.called(name).length >= count, [name, count])
  return called(page, name)
}

test('[004-06] useCrossTabSync in StrictMode: each tab hears each event once, but not its own', async () => {
  const [a, b, c] = await tabs('Tab', {}, {}, {})
  await broadcast(a, 'session_renamed', { chatId: 1, newTitle: 'Inbox' })
  await broadcast(a, 'session_deleted', { chatId: 2 })
  for (const page of [b, c]) {
    assert.deepEqual(await hears(page, 'deleted'), [[2]])
    assert.deepEqual(await called(page, 'renamed'), [['Inbox', 0]])
  }
  await broadcast(b, 'session_deleted', { chatId: 3 })
  assert.deepEqual(await hears(a, 'deleted'), [[3]])
})

test('[004-06] listeners are those of the latest rendering; an unmount takes them away, and a later mount is heard again', async () => {
  const [a, b] = await tabs('Tab', {}, {})
  await b.evaluate(() => globalThis.show('Tab', { turn: 5 }))
  await b.locator('output', { hasText: '5' }).waitFor()
  await broadcast(a, 'session_renamed', { newTitle: 'x' })
  assert.deepEqual(await hears(b, 'renamed'), [['x', 5]])

  await b.evaluate(() => globalThis.leave())
  await broadcast(a, 'session_renamed', { newTitle: 'y' })
  await b.evaluate(() => globalThis.show('Tab', { turn: 6 }))
  await b.locator('output', { hasText: '6' }).waitFor()
  await broadcast(a, 'session_renamed', { newTitle: 'z' })
  assert.deepEqual(await hears(b, 'renamed', 2), [['x', 5], ['z', 6]])
})

test('what a component says after it has gone reaches the others', async () => {
  const [a, b] = await tabs('Tab', {}, {})
  await a.evaluate(() => {
    globalThis.leave()
    return new Promise(resolve => setTimeout(resolve, 1_200))
  })
  await broadcast(a, 'session_deleted', { chatId: 4 })
  assert.deepEqual(await hears(b, 'deleted'), [[4]])
})

test('[004-07] owners of one browser do not hear each other, by the provider or by the hook; [004-10] switched off, nobody does', async () => {
  const [a, b, c, off] = await tabs('Tab',
    { provider: { owner: 'ana' } }, { provider: { owner: 'bruno' } }, { options: { owner: 'ana' } }, { provider: { owner: 'ana', enabled: false } })
  await broadcast(b, 'session_deleted', { chatId: 5 })
  await broadcast(off, 'session_deleted', { chatId: 6 })
  await broadcast(a, 'session_deleted', { chatId: 7 })
  assert.deepEqual(await hears(c, 'deleted'), [[7]])
  await broadcast(b, 'session_deleted', { chatId: 8 })
  await broadcast(c, 'session_deleted', { chatId: 9 })
  assert.deepEqual(await hears(a, 'deleted'), [[9]])
  for (const page of [b, off]) assert.deepEqual(await called(page, 'deleted'), [])
})

const lines = (page, ...expected) => page.waitForFunction(expected =>
  [...document.querySelectorAll('li')].map(each => each.firstChild.textContent).join('\n') === expected, expected.join('\n'))

test('[004-11] useSessionList: the list of the server, live; an edit is shown at once and told, a conflict is told and taken back', async () => {
  open = await openPage(browser, cable.origin)
  const { page } = open
  await page.locator('[data-ready]').waitFor({ state: 'attached' })
  await page.evaluate(() => globalThis.show('List'))
  const { peer, identifier } = await cable.nextWatcher()
  assert.equal(identifier, LIST)
  await lines(page, '2 Mail 2', '1 Mail 1')
  await page.locator('p', { hasText: 'loaded live' }).waitFor()
  assert.equal(peer.commandsNamed('subscribe').length, 1)

  peer.message(LIST, { type: 'session_renamed', data: facts(row(2, { title: 'Facturas', version: row(2).version + 1_000 })) })
  await lines(page, '2 Facturas', '1 Mail 1')

  refused = null
  await page.locator('li', { hasText: 'Mail 1' }).getByRole('button').click()
  await lines(page, '2 Facturas', '1 Recibos')
  assert.deepEqual(await hears(page, 'notice'), [['Conversación renombrada']])

  refused = row(2, { title: 'De otra persona', lock_version: 7, version: row(2).version + 2_000 })
  await page.locator('li', { hasText: 'Facturas' }).getByRole('button').click()
  assert.deepEqual(await hears(page, 'conflict'), [['Conversación modificada en otra pestaña', 'Recargar']])
  await lines(page, '2 De otra persona', '1 Recibos')

  await page.evaluate(() => globalThis.leave())
  assert.equal((await peer.nextCommand('unsubscribe')).identifier, LIST)
  open.problems.splice(0, open.problems.length, ...open.problems.filter(text => !text.includes('409')))
})

test('useSessionList renders on a server: nothing yet', async () => {
  const { render } = await serverRenderer()
  assert.equal(render('List'), '<p>not loaded not live</p><ul></ul>')
})
