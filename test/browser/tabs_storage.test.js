/*
 * Tabs that share a connection without Web Locks, or without a BroadcastChannel
 * either: over a localStorage that is made up.
 */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { until } from '../bridge/lib/recorder.js'
import { FakeBrowser } from './lib/fake_browser.js'
import { FakeStorage } from './lib/fake_storage.js'
import { MemoryCable } from './lib/memory_cable.js'
import { ID, Tab, TabsServer } from './lib/tabs_rig.js'

let server
let browser
let storage
let tabs
let without
beforeEach(() => {
  server = new TabsServer(new MemoryCable())
  browser = new FakeBrowser()
  storage = new FakeStorage()
  tabs = []
  without = { navigator: undefined, BroadcastChannel: undefined }
  mock.timers.enable({ apis: ['Date'], now: 1_763_776_000_000 })
})
afterEach(async () => {
  for (const { client, window } of tabs) if (!window.isGone) client.close()
  await until(() => server.open.length, count => count === 0, 'no connection is left')
  mock.timers.reset()
})

function openTab({ hidden = false, ...options } = {}) {
  const window = storage.attach(browser.open(without))
  if (hidden) window.show('hidden')
  const tab = new Tab(server, window, options)
  tabs.push(tab)
  tab.view = tab.watch()
  return tab
}

/** Lets every tab's time pass, a little at a time, so that they can speak in between. */
async function pass(ms) {
  for (let left = ms; left > 0; left -= 50) {
    server.ping()
    mock.timers.setTime(Date.now() + 50)
    for (const { window } of tabs) if (!window.hangs && !window.isGone) window.clock.advance(50)
    for (let turn = 0; turn < 6; turn++) await new Promise(setImmediate)
  }
}

/** Lets time pass until it is so. */
async function becomes(isSo, ms, what) {
  for (let passed = 0; passed <= ms; passed += 50) {
    if (isSo()) return
    await pass(50)
  }
  assert.fail(`not within ${ms} ms: ${what}`)
}

const leaders = () => tabs.filter(({ client }) => client.isLeader)

async function openTabs(...options) {
  // what is needed is loaded when it is needed
  await import('../../client/tabs_storage.js')
  for (const each of options) {
    const tab = openTab(each)
    await becomes(() => tab.client.state === 'live' && tab.view.events.all.includes(1), 1_000, 'live')
  }
  assert.deepEqual(leaders(), [tabs[0]])
  assert.equal(server.connections.length, 1)
  return tabs
}

for (const [what, lacks] of [
  ['neither locks nor channels', { navigator: undefined, BroadcastChannel: undefined }],
  ['no locks', { navigator: {} }]
]) {
  test(`[004-04] ${what}: three tabs, one connection, every state in each`, async () => {
    without = lacks
    const [one, two, three] = await openTabs({}, {}, {})
    for (let version = 2; version <= 9; version++) server.push(version)
    await becomes(() => three.view.events.all.at(-1) === 9, 500, 'all is there')
    for (const { view } of [one, two, three]) assert.deepEqual(view.events.all, ['connected', 1, 2, 3, 4, 5, 6, 7, 8, 9])
    await pass(70_000)
    assert.deepEqual(leaders(), [one])
    assert.equal(server.connections.length, 1)
  })

  test(`[004-04] ${what}: the leader is closed, crashes, hangs, is hidden: another leads`, async () => {
    without = lacks
    const [one, two, three] = await openTabs({}, {}, {})
    one.client.close()
    await becomes(() => leaders().length === 1 && server.open.length === 1, 1_000, 'another leads')
    const [second] = leaders()
    const [third] = [two, three].filter(tab => tab !== second)
    second.window.crash()
    await becomes(() => third.client.isLeader, 4_000, 'the last one leads')

    one.client.connect()
    await becomes(() => one.client.state === 'live', 1_000, 'back again')
    assert.deepEqual([one.client.isLeader, third.client.isLeader], [false, true])
    third.window.hang()
    await becomes(() => one.client.isLeader, 4_000, 'a leader that hangs is deposed')
    third.window.wakeUp()
    await becomes(() => !third.client.isLeader && server.open.length === 1, 3_000, 'and steps down')

    one.window.show('hidden')
    await becomes(() => third.client.isLeader, 4_000, 'the one that can be seen leads')
    await becomes(() => server.open.length === 1, 1_000, 'one connection')
    server.push(20)
    await becomes(() => one.view.events.all.at(-1) === 20 && third.view.events.all.at(-1) === 20, 500, 'all is there')
    assert.deepEqual(third.states.all, ['connecting', 'live'])
  })
}

test('two tabs that open in the same moment: one leads', async () => {
  await import('../../client/tabs_storage.js')
  const pair = [openTab(), openTab()]
  await becomes(() => pair.every(({ client }) => client.state === 'live'), 2_000, 'live')
  assert.equal(leaders().length, 1)
  assert.equal(server.open.length, 1)
})

test('a hidden leader with slow timers keeps its lease as long as nobody can be seen', async () => {
  const [one, two] = await openTabs({ hidden: true }, { hidden: true })
  one.window.hang()
  await pass(60_000)
  one.window.clock.sleep(60_000)
  one.window.wakeUp()
  await pass(100)
  assert.deepEqual([one.client.isLeader, two.client.isLeader], [true, false])
})

test('a hidden leader that crashes is replaced in the end', async () => {
  const [one, two] = await openTabs({ hidden: true }, { hidden: true })
  one.window.crash()
  await pass(151_000)
  assert.equal(two.client.isLeader, true)
})

test('no storage, a storage that is denied, one without room: a connection of its own', async () => {
  const denied = { get localStorage() { throw new DOMException('denied', 'SecurityError') } }
  for (const host of [{ localStorage: undefined }, denied, storage.attach(new EventTarget())]) {
    const window = browser.open(without)
    Object.defineProperties(window, Object.getOwnPropertyDescriptors(host))
    storage.quota = 0
    const tab = new Tab(server, window)
    tabs.push(tab)
    const { events } = tab.watch()
    await until(() => pass(50).then(() => events.all.includes(1)), Boolean, 'it watches')
    assert.equal(tab.client.isLeader, true)
    assert.equal(window.channels.size, 0)
  }
  assert.equal(server.open.length, 3)
})

test('[004-07] two owners share nothing', async () => {
  await openTabs({}, {})
  const bob = openTab({ owner: 'bob' })
  await becomes(() => bob.view.events.all.includes(1), 1_000, 'live')
  assert.ok(bob.client.isLeader)
  server.open[0].message(ID, { version: 70 })
  await becomes(() => tabs[1].view.events.all.includes(70), 500, 'the other owner is told')
  assert.deepEqual(bob.view.events.all, ['connected', 1])
})

test('whatever else is written there is passed over', async () => {
  const [one, two] = await openTabs({}, {})
  const [lease] = [...storage.items.keys()].filter(key => /lease/.test(key))
  for (const junk of ['{', '7', '[]', 'null']) {
    storage.tab().localStorage.setItem(lease, junk)
    await pass(10_000)
    await becomes(() => leaders().length === 1 && server.open.length === 1, 5_000, 'one leads')
  }
  server.push(90)
  await becomes(() => one.view.events.all.at(-1) === 90 && two.view.events.all.at(-1) === 90, 500, 'it goes on')
})
