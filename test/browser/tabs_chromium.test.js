/*
 * Tabs of Chromium that share a connection to a scripted server: its own locks
 * and channels, tabs that are hidden, frozen, hung, closed and crashed.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, afterEach, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from '../bridge/lib/recorder.js'
import { Browser } from './lib/devtools.js'
import { FakeCable } from './lib/fake_cable.js'
import { servePage } from './lib/page_server.js'
import { ID, TabsServer } from './lib/tabs_rig.js'
import { patience } from './lib/wait.js'

const PAGES = fileURLToPath(new URL('pages', import.meta.url))

let server
let browser
let context
before(async () => {
  server = new TabsServer(await FakeCable.start({ serve }))
  browser = await Browser.launch()
})
after(async () => {
  await browser?.close()
  await server?.cable.stop()
})
afterEach(async () => {
  await context?.close()
  await until(() => server.open.length, count => count === 0, 'no connection is left')
})

async function serve(request, response) {
  const { pathname } = new URL(request.url, 'http://localhost')
  if (!/^\/tabs\.(html|js)$/.test(pathname)) return servePage(request, response)
  const type = pathname.endsWith('html') ? 'text/html' : 'text/javascript'
  response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': "default-src 'self'; require-trusted-types-for 'script'" })
  response.end(await readFile(PAGES + pathname))
}

async function openTab(options = {}, where = {}) {
  const fragment = encodeURIComponent(JSON.stringify({ owner: 'ana', ...options }))
  const tab = await context.open(`${server.cable.origin}/tabs.html#${fragment}`, where)
  tab.versions = () => tab.call(() => globalThis.states.map(({ version }) => version))
  tab.sees = (version, ms) => tab.until(() => globalThis.states.at(-1)?.version, shown => shown === version, `a tab shows ${version}`, ms)
  tab.leads = () => tab.call(() => globalThis.client.isLeader)
  return tab
}

/** So many tabs in windows of their own, so that each is visible; the first leads. */
async function openTabs(count, where = { inNewWindow: true }, options = {}) {
  context = await browser.context()
  server.version = 1
  const tabs = []
  for (let i = 0; i < count; i++) {
    tabs.push(await openTab(options, where))
    await tabs[i].sees(1)
  }
  assert.equal(await tabs[0].leads(), true)
  return tabs
}

/** Counts on, until one of these tabs leads and all of them follow; how long that took, in ms. */
async function follow(tabs) {
  const began = performance.now()
  await until(() => Promise.all(tabs.map(tab => tab.leads())), leads => leads.includes(true), 'one of them leads')
  const version = server.version + 1
  await until(async () => {
    server.push(server.version + 1)
    return Promise.all(tabs.map(tab => tab.call(() => globalThis.states.at(-1).version)))
  }, shown => shown.every(each => each >= version), 'the tabs follow')
  const took = performance.now() - began
  await Promise.all(tabs.map(tab => tab.sees(server.version)))
  return took
}

async function areSound(tabs) {
  for (const tab of tabs) {
    const versions = await tab.versions()
    assert.deepEqual(versions, [...new Set(versions)].sort((a, b) => a - b))
    assert.deepEqual(await tab.call(() => globalThis.breaks), [], 'nobody is told of a break')
    assert.deepEqual([...tab.problems, ...await tab.call(() => globalThis.violations)], [])
  }
}

test('[000-07] five tabs, one connection; who comes later is told within 100 ms what they know', async () => {
  const tabs = await openTabs(5)
  const before = server.connections.length
  assert.equal(server.open.length, 1)
  server.push(2)
  for (const tab of tabs) await tab.sees(2)
  // The quickest of some: what else this machine does is not what is asked.
  const late = []
  const waited = []
  for (let i = 0; i < 5; i++) {
    late.push(await openTab({}, { inNewWindow: true }))
    await late[i].sees(2)
    waited.push(await late[i].call(() => globalThis.states[0].at - globalThis.began))
  }
  assert.equal(server.connections.length, before)
  assert.deepEqual(server.watched(server.open[0]), [ID])
  assert.ok(Math.min(...waited) < patience(100), `${waited} ms`)
  await areSound([...tabs, ...late])
})

for (const [how, limit] of [['close', 1_000], ['crash', 1_000], ['freeze', 1_000], ['hang', 4_000]]) {
  test(`the leader meets its end (${how}): another leads within ${limit} ms, and nobody notices`, async () => {
    const [one, two, three] = await openTabs(3)
    await one[how](30_000)
    const took = await follow([two, three])
    assert.ok(took < patience(limit), `${took} ms`)
    assert.deepEqual((await Promise.all([two.leads(), three.leads()])).sort(), [false, true])
    if (how !== 'hang') await server.only()
    await areSound([two, three])
  })
}

test('a leader that wakes up again is one of the others', async () => {
  const [one, two] = await openTabs(2)
  one.hang(4_000)
  await follow([two])
  await one.sees(server.version)
  await server.only()
  assert.deepEqual([await one.leads(), await two.leads()], [false, true])
  await one.freeze()
  await one.thaw()
  await follow([one, two])
  await server.only()
  await two.freeze()
  await follow([one])
  assert.equal(await one.leads(), true)
  await two.thaw()
  await follow([one, two])
  await server.only()
})

test('the tab in front leads', async () => {
  const [one, two] = await openTabs(2, {})
  await two.until(() => globalThis.client.isLeader, leads => leads, 'the tab in front leads')
  await server.only()
  await follow([one, two])
  await one.show()
  await one.until(() => globalThis.client.isLeader, leads => leads, 'the tab in front leads')
  await server.only()
  await follow([one, two])
  await areSound([one, two])
})

for (const without of [['locks'], ['locks', 'BroadcastChannel']]) {
  test(`[004-04] without ${without.join(' and ')}: one connection all the same, handed over`, async () => {
    const [one, two, three] = await openTabs(3, { inNewWindow: true }, { without })
    assert.equal(server.open.length, 1)
    server.push(2)
    for (const tab of [one, two, three]) await tab.sees(2)
    await one.close()
    await follow([two, three])
    await server.only()
    await areSound([two, three])
  })
}
