/*
 * Tabs of one browser that share a connection, in a browser that is made up:
 * locks and channels, and a clock for each tab.
 */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { until } from '../bridge/lib/recorder.js'
import { FakeBrowser } from './lib/fake_browser.js'
import { MemoryCable } from './lib/memory_cable.js'
import { ID, LIST, OTHER, Tab, TabsServer } from './lib/tabs_rig.js'

let server
let browser
let tabs
beforeEach(() => {
  server = new TabsServer(new MemoryCable())
  browser = new FakeBrowser()
  tabs = []
})
afterEach(async () => {
  for (const { client, window } of tabs) if (!window.isGone) client.close()
  await until(() => server.open.length, count => count === 0, 'no connection is left')
})

function openTab({ hidden = false, ...options } = {}) {
  const window = browser.open()
  if (hidden) window.show('hidden')
  const tab = new Tab(server, window, options)
  tabs.push(tab)
  return tab
}

/** So many tabs that watch, all live; the first leads. */
async function openTabs(...options) {
  for (const each of options) {
    const tab = openTab(each)
    tab.view = tab.watch()
    await tab.view.sees(server.version)
    await tab.reach('live')
  }
  await tabs[0].leads()
  assert.equal(server.connections.length, 1)
  return tabs
}

/** Lets every tab's time pass, a little at a time, so that they can speak in between. */
async function pass(ms) {
  for (let left = ms; left > 0; left -= 250) {
    server.ping()
    for (const { window } of tabs) if (!window.hangs && !window.isGone) window.clock.advance(Math.min(left, 250))
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  }
}

const leaders = () => tabs.filter(({ client }) => client.isLeader)

test('[000-07] five tabs, one connection, every state in each', async () => {
  await openTabs({}, {}, {}, {}, {})
  assert.equal(server.open.length, 1)
  assert.deepEqual(leaders(), [tabs[0]])
  for (let version = 2; version <= 20; version++) server.push(version)
  for (const { view, states } of tabs) {
    await view.sees(20)
    assert.deepEqual(view.events.all, ['connected', 1, ...Array.from({ length: 19 }, (_, index) => index + 2)])
    assert.deepEqual(states.all, ['connecting', 'live'])
  }
  await server.watches(server.open[0], ID)
})

test('the leader watches what any tab wants, and no more', async () => {
  const [one, two, three] = await openTabs({}, {}, {})
  const peer = await server.only()
  const other = two.watch(OTHER)
  const again = three.watch(OTHER)
  await again.sees('connected')
  await server.watches(peer, ID, OTHER)
  server.push(5, OTHER)
  await other.sees(5)
  await again.sees(5)
  assert.equal(one.client.latest(OTHER), undefined)

  other.subscription.unsubscribe()
  one.view.subscription.unsubscribe()
  two.view.subscription.unsubscribe()
  const late = one.watch(LIST)
  await late.sees('connected')
  await server.watches(peer, ID, LIST, OTHER)
  again.subscription.unsubscribe()
  three.view.subscription.unsubscribe()
  await server.watches(peer, LIST)
})

test('a tab that comes later is told at once, without the server', async () => {
  const [one] = await openTabs({})
  server.push(7)
  await one.view.sees(7)
  const peer = await server.only()
  const late = openTab()
  const { events, sees } = late.watch()
  await sees(7)
  assert.deepEqual(events.all, ['connected', 7])
  assert.equal(late.client.state, 'live')
  assert.equal(peer.commandsNamed('subscribe').length, 1)
})

test('so is another that watches what its own browser watches already', async () => {
  const [one, two] = await openTabs({}, {})
  const theirs = two.watch(OTHER)
  await theirs.sees(1)
  let returned = false
  const seen = []
  one.client.subscribe(OTHER, { onProgress: ({ version }) => seen.push([version, returned]) })
  returned = true
  await until(() => seen.length, Boolean, 'the leader itself is told')
  assert.deepEqual(seen, [[1, true]])
})

test('the leader is closed, or crashes: the next one leads, and nobody is told of a break', async () => {
  const [one, two, three] = await openTabs({}, {}, {})
  one.client.close()
  await two.leads()
  const peer = await server.only()
  await server.watches(peer, ID)
  server.push(8)
  await two.view.sees(8)
  await three.view.sees(8)

  two.window.crash()
  await three.leads()
  await server.watches(await server.only(), ID)
  server.push(9)
  await three.view.sees(9)
  assert.deepEqual(three.view.events.all, ['connected', 1, 8, 9])
  assert.deepEqual(three.states.all, ['connecting', 'live'])
})

test('what a tab wanted goes with it: at once, or within two minutes if it crashed', async () => {
  const [, two, three] = await openTabs({}, {}, {})
  const peer = await server.only()
  const list = three.watch(LIST)
  await list.sees('connected')
  three.client.close()
  await server.watches(peer, ID)

  const view = two.watch(OTHER)
  await view.sees('connected')
  two.window.crash()
  await pass(120_000)
  await server.watches(peer, ID)
})

test('what a tab wants stays for as long as that is', async () => {
  const [one, two] = await openTabs({}, {})
  const peer = await server.only()
  const view = two.watch(OTHER)
  await view.sees(1)
  const commands = peer.commands.all.length
  await pass(300_000)
  assert.equal(peer.commands.all.length, commands)
  server.push(7, OTHER)
  await view.sees(7)
  assert.deepEqual(view.events.all, ['connected', 1, 7])
  assert.deepEqual(one.view.events.all, ['connected', 1])
})

test('a state that was known is no longer told once nobody watched', async () => {
  const [one, two] = await openTabs({}, {})
  const peer = await server.only()
  one.view.subscription.unsubscribe()
  two.view.subscription.unsubscribe()
  await server.watches(peer)
  server.version = 3
  const view = two.watch()
  await view.sees(3)
  assert.deepEqual(view.events.all, ['connected', 3])
})

test('a tab that can be seen takes over from a leader that cannot', async () => {
  const [one, two, three] = await openTabs({}, { hidden: true }, { hidden: true })
  one.window.show('hidden')
  await pass(120_000)
  assert.deepEqual(leaders(), [one], 'nobody is looking')
  three.window.show()
  await pass(1_000)
  assert.deepEqual(leaders(), [one], 'a glance is no reason')
  await pass(2_000)
  await three.leads()
  await until(() => one.client.isLeader, found => !found, 'the other steps down')
  await server.only()
  server.push(30)
  for (const { view, states } of [one, two, three]) {
    await view.sees(30)
    assert.deepEqual(states.all, ['connecting', 'live'])
  }
  await pass(60_000)
  assert.deepEqual(leaders(), [three])
})

test('two that can be seen do not take it from each other', async () => {
  await openTabs({}, {})
  const before = server.connections.length
  await pass(300_000)
  assert.deepEqual(leaders(), [tabs[0]])
  assert.equal(server.connections.length, before)
})

test('a leader that hangs is deposed within 3 s, and steps down when it wakes up', async () => {
  const [one, two, three] = await openTabs({}, {}, { hidden: true })
  one.window.hang()
  await pass(3_000)
  await two.leads()
  await until(() => server.open.length, count => count === 2, 'the new one is connected')
  await server.watches(server.open[1], ID)
  server.open[1].message(ID, { version: 40 })
  await two.view.sees(40)
  await three.view.sees(40)

  // It still believes that it leads, and tells of an older state.
  server.open[0].message(ID, { version: 39 })
  one.window.wakeUp()
  await until(() => one.client.isLeader, found => !found, 'it steps down')
  await server.only()
  await one.view.sees(40)
  assert.deepEqual(three.view.events.all, ['connected', 1, 40])
  await pass(60_000)
  assert.deepEqual(leaders(), [two])
})

test('the slowness of a tab is not held against its leader', async () => {
  const [one, two] = await openTabs({}, {})
  two.window.hang()
  await pass(30_000)
  two.window.clock.sleep(30_000)
  two.window.wakeUp()
  await pass(10_000)
  assert.deepEqual(leaders(), [one])
})

test('a page that is put away leaves, and comes back', async () => {
  const [one, two] = await openTabs({}, {})
  one.window.dispatchEvent(new Event('pagehide'))
  assert.equal(one.client.state, 'idle')
  assert.equal(one.window.channels.size, 0)
  await two.leads()
  await server.only()
  server.push(50)
  await two.view.sees(50)
  assert.deepEqual(one.view.events.all, ['connected', 1, 'disconnected'])

  one.window.dispatchEvent(new Event('pageshow'))
  await one.view.sees(50)
  assert.deepEqual(one.view.events.all, ['connected', 1, 'disconnected', 'reconnected', 50])
  assert.deepEqual(leaders(), [two])
  await server.only()
})

test('a tab that was closed never leads, until it is opened again', async () => {
  const [one, two, three] = await openTabs({}, {}, {})
  two.client.close()
  one.client.close()
  await three.leads()
  assert.deepEqual(leaders(), [three])
  two.client.connect()
  await two.reach('live')
  three.client.close()
  await two.leads()
})

test('the state of the connection is the same in every tab', async () => {
  const [one, two] = await openTabs({}, {})
  server.cable.refuse()
  server.open[0].drop()
  await one.reach('backoff')
  await two.reach('backoff')
  await two.view.sees('disconnected')
  const late = openTab()
  late.watch()
  await late.reach('backoff')

  server.cable.refuse(false)
  two.client.connect() // the leader tries again now
  for (const tab of [one, two, late]) await tab.reach('live')
  await two.view.sees('reconnected')
  await server.only()
})

test('who takes over from a leader without a connection says that it connects', async () => {
  const [one, two] = await openTabs({ random: () => 1 }, {})
  server.cable.refuse()
  server.open[0].drop()
  await two.reach('backoff')
  server.cable.refuse(false)
  server.cable.onConnection = null // it does not say welcome
  one.client.close()
  await two.leads()
  await server.only()
  assert.equal(two.client.state, 'connecting')
  server.open[0].welcome()
  await two.reach('live')
  assert.deepEqual(two.states.all, ['connecting', 'live', 'backoff', 'connecting', 'live'])
})

test('nor need it be a page: a worker has no document', async () => {
  const worker = browser.open({ document: undefined })
  const tab = new Tab(server, worker)
  tabs.push(tab)
  await tab.watch().sees(1)
  assert.equal(worker.channels.size, 1)
  const page = openTab()
  await page.watch().sees(1)
  assert.equal(server.connections.length, 1)
})

test('who is refused for good goes alone: another may have a better token', async () => {
  const [one, two] = await openTabs({}, {})
  server.open[0].disconnect('unauthorized', false)
  await one.reach('rejected')
  await two.leads()
  await server.only()
  assert.deepEqual(two.states.all, ['connecting', 'live'])
  assert.deepEqual(one.view.events.all, ['connected', 1, 'ended'])
})

test('a stream that is refused is refused in every tab', async () => {
  const [one, two] = await openTabs({}, {})
  server.open[0].reject(ID)
  await one.view.sees('rejected')
  await two.view.sees('rejected')
  const again = two.watch()
  await again.sees(1)
  const other = one.watch()
  await other.sees(1)
  assert.deepEqual(other.events.all, ['connected', 1], 'who was refused before is told what another tab watches now')
})

test('an action goes through the leader; its refusal is shown where it was asked for', async () => {
  const [one, two, three] = await openTabs({}, {}, {})
  two.view.subscription.perform('pause', { reason: 'lunch' })
  const { data } = await server.open[0].nextCommand('message')
  assert.deepEqual(JSON.parse(data), { reason: 'lunch', action: 'pause' })
  server.tell({ type: 'error', action: 'pause', status: 403, error: 'no' }, ID)
  server.push(60)
  for (const { view } of [one, two, three]) await view.sees(60)
  assert.deepEqual([one, two, three].map(({ view }) => view.events.all.includes('pause: no')), [false, true, false])

  three.view.subscription.perform('pause')
  await server.open[0].nextCommand('message')
  server.tell({ type: 'error', action: 'pause', status: 403, error: 'nor you' }, ID)
  await three.view.sees('pause: nor you')
  one.view.subscription.perform('cancel')
  await server.open[0].nextCommand('message')
  server.tell({ type: 'error', action: 'cancel', status: 409, error: 'over' }, ID)
  await one.view.sees('cancel: over')
  server.push(61)
  for (const { view } of [one, two, three]) await view.sees(61)
  assert.deepEqual([one, two, three].map(({ view }) => view.events.all.filter(event => /:/.test(event))),
    [['cancel: over'], ['pause: no'], ['pause: nor you']])
})

test('[004-12] the owner\'s list: every event in each tab, none to a latecomer, a reload where one may be missing', async () => {
  const [one, two] = await openTabs({}, {})
  const lists = [one.watch(LIST), two.watch(LIST)]
  for (const { sees } of lists) await sees('connected')
  server.tell({ type: 'session_created', data: {} }, LIST)
  for (const { sees } of lists) await sees('session_created')
  const late = openTab()
  const list = late.watch(LIST)
  await list.sees('connected')
  server.tell({ type: 'session_renamed', data: {} }, LIST)
  await list.sees('session_renamed')
  assert.deepEqual(list.events.all, ['connected', 'session_renamed'])

  one.client.close()
  for (const { events, sees } of [lists[1], list]) {
    await sees('sessions_reloaded')
    assert.equal(events.all.at(-1), 'sessions_reloaded')
  }
})

test('[004-07] two owners in one browser share nothing', async () => {
  await openTabs({}, {})
  const bob = openTab({ owner: 'bob' })
  const { events, sees } = bob.watch()
  await sees(1)
  assert.equal(server.open.length, 2)
  assert.ok(bob.client.isLeader)
  server.open[0].message(ID, { version: 70 })
  await tabs[1].view.sees(70)
  assert.deepEqual(events.all, ['connected', 1])
})

test('nor do two with different rights, nor who asks for a connection of its own, nor who is not known', async () => {
  const token = claims => `h.${btoa(JSON.stringify(claims))}.s`
  for (const options of [{ token: token({ sub: 'ana' }) }, { token: token({ sub: 'ana', sessions: [42] }) },
    { token: token({ sub: 'ana', scope: 'control' }) }, { token: token({ sub: 'ana' }), shared: false },
    { owner: undefined }, { owner: undefined }]) {
    const { sees } = openTab(options).watch()
    await sees('connected')
  }
  assert.equal(server.open.length, 6)
  assert.equal(leaders().length, 6)
})

test('a tab whose token becomes another owner\'s leaves', async () => {
  const tokenOf = sub => `h.${btoa(JSON.stringify({ sub }))}.s`
  let who = 'ana'
  await openTabs({ token: () => tokenOf('ana') }, { token: () => tokenOf(who) })
  const [one, two] = tabs
  who = 'bob'
  await pass(2_000)
  two.window.dispatchEvent(new Event('pagehide'))
  two.window.dispatchEvent(new Event('pageshow'))
  await until(() => server.open.length, count => count === 2, 'two owners, two connections')
  assert.equal(server.open[1].token, tokenOf('bob'))
  await two.leads()
  server.open[0].message(ID, { version: 80 })
  await one.view.sees(80)
  assert.ok(!two.view.events.all.includes(80))
})

test('a token that cannot be had at first: alone, and with the others as soon as it can', async () => {
  const token = `h.${btoa(JSON.stringify({ sub: 'ana' }))}.s`
  await openTabs({ token })
  let fails = true
  const late = openTab({ owner: undefined, random: () => 1, token: async () => {
    if (fails) throw new Error('not now')
    return token
  } })
  const { sees } = late.watch()
  await late.reach('backoff')
  fails = false
  late.window.clock.advance(2_000)
  await sees(1)
  await late.reach('live')
  assert.equal(late.client.isLeader, false)
  await server.only()
})

test('where locks are denied a tab has a connection of its own', async () => {
  const window = browser.open({ navigator: { locks: { request: async () => { throw new DOMException('no', 'SecurityError') } } } })
  const tab = new Tab(server, window)
  tabs.push(tab)
  await tab.watch().sees(1)
  assert.ok(tab.client.isLeader)
  assert.equal(window.channels.size, 0)
})
