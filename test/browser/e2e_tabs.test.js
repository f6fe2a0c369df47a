/*
 * Many tabs of one browser: one socket for all of them, whichever of them goes.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { timeMax } from '../bridge/lib/bridge.js'
import { until } from '../bridge/lib/recorder.js'
import { World } from './lib/world.js'

let world
before(async () => { world = await World.start() })
after(() => world?.stop())
afterEach(() => world.reset())

/** So many tabs that show the same run; the first is in front, and leads. */
async function tabs(count, { lastInNewWindow = false } = {}) {
  const session = await world.database.session('total_count => 100000')
  const context = await world.context()
  const viewers = []
  for (let i = 0; i < count; i++) {
    viewers.push(await world.watch(context, session, {}, { inNewWindow: lastInNewWindow && i === count - 1 }))
    await viewers[i].shows({ count: 0 })
  }
  const [leader, ...others] = viewers
  await leader.tab.show()
  await until(() => leader.isLeader(), Boolean, 'the tab in front leads')
  await world.socketsAre(1)
  return { session, context, viewers, leader, others }
}

function oneLeads(viewers) {
  return until(() => Promise.all(viewers.map(viewer => viewer.isLeader())), answers => answers.filter(Boolean).length === 1, 'one tab leads')
}

/** Adds to a run without rest until done() is called. */
function keepCounting(session) {
  const worker = world.database.psql()
  let over = false
  const add = () => {
    if (!over) worker.stdin.write(`SELECT sync.sync_progress_increment(${session}, 1);\n`, () => setTimeout(add, 10))
  }
  add()
  return async function done() {
    over = true
    worker.stdin.end()
    assert.equal(await worker.ended, 0, worker.log)
  }
}

/** How long it takes, from when it has happened, until another tab is at the server's door. */
async function timeToNextLeader(disaster) {
  const before = world.front.upgradedAt.length
  await disaster()
  const begun = Date.now()
  const [at] = await until(() => world.front.upgradedAt.slice(before), upgrades => upgrades.length > 0, 'another tab connects')
  return Math.max(0, at - begun) // or before the browser has said so
}

/**
 * Tabs while a run counts; something happens to their leader, and the run's
 * status changes amid that.  The others miss nothing, on one socket.
 */
async function withoutLeader(t, { session, leader, others }, disaster, boundMs) {
  const done = keepCounting(session)
  await until(() => others[0].shown(), ({ count }) => count > 5, 'it counts')
  const paused = world.database.sql(`SELECT sync.sync_session_pause(${session})`, { user: 'app' })
  const passed = await timeToNextLeader(() => disaster(leader.tab))
  t.diagnostic(`another tab was at the server's door after ${passed} ms`)
  await paused
  await Promise.all(others.map(other => other.shows({ status: 'paused' })))
  await world.database.sql(`SELECT sync.sync_session_resume(${session})`, { user: 'app' })
  await Promise.all(others.map(other => other.shows({ status: 'processing' })))
  await done()
  await world.database.complete(session)

  await world.allShowNewest(session, others)
  assert.ok(passed <= timeMax(boundMs), `${passed} ms`)
  await oneLeads(others)
  await world.socketsAre(1)
  for (const other of others) {
    const statuses = (await other.assertSound()).map(({ status }) => status)
    assert.deepEqual(statuses.filter((status, i) => status !== statuses[i - 1]), ['processing', 'paused', 'processing', 'completed'])
  }
}

/** A tab that was away shows the newest state, without a socket of its own. */
async function isBack(session, viewer) {
  await world.allShowNewest(session, [viewer], 15_000)
  await world.socketsAre(1)
  await viewer.assertSound()
}

test('five tabs are one socket, and show the same', async () => {
  const { session, viewers } = await tabs(5)
  assert.equal(await world.bridge.metric('subscriptions'), 1)
  assert.equal(world.front.webSockets, 1)
  for (let n = 1; n <= 5; n++) {
    await world.count(session, n)
    await world.allShowNewest(session)
  }
  await world.database.complete(session)
  await world.allShowNewest(session)
  const shown = await Promise.all(viewers.map(async viewer => (await viewer.assertSound()).map(({ version }) => version)))
  assert.equal(await world.sockets(), 1)
  for (const versions of shown) assert.equal(versions.at(-1), shown[0].at(-1))
})

test('the leading tab is closed: another leads within 1 s, and nothing is missed', async t => {
  await withoutLeader(t, await tabs(5), tab => tab.close(), 1_000)
})

test('the leading tab crashes: another leads within 1 s, and nothing is missed', async t => {
  await withoutLeader(t, await tabs(5), tab => tab.crash(), 1_000)
})

test('the leading tab goes to the back/forward cache: another leads within 1 s, and nothing is missed', async t => {
  const all = await tabs(3)
  await withoutLeader(t, all, tab => tab.go('about:blank'), 1_000)
  await all.leader.tab.back()
  await isBack(all.session, all.leader)
})

test('the leading tab is frozen: another leads within 1 s, and nothing is missed', async t => {
  const all = await tabs(3)
  await all.context.open('about:blank') // what is in front is never frozen
  await withoutLeader(t, all, tab => tab.freeze(), 1_000)
  await all.leader.tab.thaw()
  await isBack(all.session, all.leader)
})

test('the leading tab hangs: one that can be seen leads within 4 s, and nothing is missed', async t => {
  const all = await tabs(3, { lastInNewWindow: true })
  await withoutLeader(t, all, tab => { tab.hang(7_000) }, 4_000)
  await isBack(all.session, all.leader)
})

test('the tab in front leads before long, and nobody is told of a disconnection', async () => {
  const { session, viewers, others } = await tabs(3)
  await others[0].tab.show()
  await until(() => others[0].isLeader(), Boolean, 'the tab in front leads')
  await world.count(session, 3)
  await world.allShowNewest(session)
  await world.socketsAre(1)
  for (const viewer of viewers) {
    assert.deepEqual(await viewer.tab.call(() => globalThis.told), ['connected'])
    assert.deepEqual((await viewer.changes()).map(({ state }) => state), ['connecting', 'live'])
    await viewer.assertSound()
  }
})

test('a tab that comes later shows the last state at once, whatever the network does', async t => {
  const { session, context, viewers } = await tabs(2)
  const late = await world.open(context)
  const { count } = await world.count(session, 12)
  await world.allShowNewest(session, viewers)
  world.front.silence()
  await late.begin(session)
  await late.shows({ count })
  const waited = await late.tab.call(() => globalThis.states[0].at - globalThis.begun)
  t.diagnostic(`the state is shown after ${waited} ms`)
  assert.ok(waited <= timeMax(1_000), `${waited} ms`)
  world.front.silence(false)
  await world.allShowNewest(session)
  await world.socketsAre(1)
})

test('[000-05] the bridge is killed and started again: every tab shows the newest state within 3 s, on one socket', async () => {
  const { session, viewers } = await tabs(3)
  await world.bridge.stop('SIGKILL')
  for (const viewer of viewers) await viewer.is('backoff')
  await world.database.increment(session, 7)
  await world.bridge.start()
  const started = Date.now()
  for (const viewer of viewers) {
    const { at } = await viewer.shows({ count: 7 }, 10_000)
    assert.ok(at - started <= timeMax(3_000), `${at - started} ms`)
  }
  await world.socketsAre(1)
  // attempts before it was there have found nobody, however long its start took
  assert.ok(world.front.upgradedAt.filter(at => at >= started).length <= 2)
  for (const viewer of viewers) await viewer.assertSound()
})

test('what only a tab that is closed has watched is watched no longer', async () => {
  const { context, viewers } = await tabs(2)
  const other = await world.database.session()
  const third = await world.watch(context, other)
  await third.shows({ count: 0 })
  assert.equal(await world.bridge.metric('subscriptions'), 2)
  await third.tab.close()
  await until(() => world.bridge.metric('subscriptions'), count => count === 1, 'one subscription is left')
  assert.equal(await world.sockets(), 1)
  for (const viewer of viewers) await viewer.assertSound()
})
