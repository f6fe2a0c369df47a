/*
 * Networks that go away, servers that fall silent, tokens that end.  Most of it
 * is waiting, so all of it waits at once, each test behind a front of its own.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { timeMax } from '../bridge/lib/bridge.js'
import { until } from '../bridge/lib/recorder.js'
import { Front } from './lib/front.js'
import { World } from './lib/world.js'

let world
let opening = Promise.resolve()
before(async () => { world = await World.start() })
after(() => world?.stop())

/** A run of an owner's, and a tab in a browser of its own, with a front of its own, that shows it. */
async function watched(t, { owner = 'alice', newToken = () => world.database.token(owner), ...options } = {}) {
  const front = await Front.start(world.bridge, newToken)
  t.after(() => front.close())
  const session = await world.database.session('total_count => 1000', owner)
  // all at once they would be a storm
  const viewer = await (opening = opening.then(async () => world.watch(await world.context(), session, { tokenOf: owner, ...options }, { front })))
  await viewer.shows({ count: 0 })
  return { front, session, viewer }
}

const ttl = seconds => world.database.token('alice', `ttl => '${seconds} seconds'`)

describe('at once', { concurrency: 20 }, () => {
  test('[000-05] 30 s without a network: back within 2 s after the browser says that it is there again', async t => {
    // minted before: what psql takes for one is not what is measured
    const { session, viewer } = await watched(t, { newToken: () => world.token('alice') })
    const begun = Date.now()
    await viewer.tab.network(false)
    await viewer.tab.until(() => globalThis.changes.some(({ state }) => state === 'stale'), Boolean, 'the connection is given up', 15_000)
    await world.database.increment(session, 5)
    await until(() => Date.now() - begun, passed => passed >= 30_000, '30 s are over', 40_000)
    assert.equal((await viewer.shown()).count, 0)
    const online = Date.now()
    await viewer.tab.network(true)
    const { at } = await viewer.shows({ count: 5 })
    assert.ok(at - online <= timeMax(2_000), `${at - online} ms`)
    await viewer.assertSound()
  })

  test('2 s without a network cost nothing but the wait', async t => {
    const { front, session, viewer } = await watched(t)
    const begun = Date.now()
    await viewer.tab.network(false)
    await world.database.increment(session, 5)
    await until(() => Date.now() - begun, passed => passed >= 2_000, '2 s are over')
    await viewer.tab.network(true)
    await viewer.shows({ count: 5 }, 10_000)
    await viewer.is('live')
    assert.ok(front.asked.filter(path => path === 'UPGRADE /cable').length <= 2)
    await viewer.assertSound()
  })

  test('a server that falls silent is given up within 9 s, and the next attempt shows the newest state', async t => {
    const { front, session, viewer } = await watched(t)
    front.silence()
    const silent = Date.now()
    await world.database.increment(session, 3)
    await viewer.tab.until(() => globalThis.changes.find(({ state }) => state === 'stale')?.at ?? null,
      at => at !== null && at - silent <= timeMax(9_000), 'the connection is given up', 12_000)
    front.silence(false)
    await viewer.shows({ count: 3 }, 10_000)
    await viewer.is('live')
    await viewer.assertSound()
  })

  test('connections that are cut, again and again: each time the newest state', async t => {
    const { front, session, viewer } = await watched(t)
    for (let n = 1; n <= 3; n++) {
      await front.cut()
      await viewer.is('backoff')
      await world.database.increment(session)
      await front.open()
      await viewer.shows({ count: n }, 10_000)
    }
    await viewer.assertSound()
  })

  test('a token that ends while it is in use is replaced, and nobody sees it', async t => {
    let asked = 0
    const { front, session, viewer } = await watched(t, { newToken: () => ttl(asked++ ? 3600 : 12) })
    const begun = Date.now()
    await until(() => Date.now() - begun, passed => passed >= 14_000, 'the first token is over')
    await viewer.shows(await world.count(session, 2))
    assert.deepEqual((await viewer.changes()).map(({ state }) => state), ['connecting', 'live'])
    assert.equal(front.asked.filter(path => path === 'UPGRADE /cable').length, 1)
    assert.equal(asked, 2)
    await viewer.assertSound()
  })

  test('a token that ends while an event stream uses it is replaced, and nobody sees it', async t => {
    let asked = 0
    const { session, viewer } = await watched(t, { newToken: () => ttl(asked++ ? 3600 : 12), transports: ['sse'] })
    const begun = Date.now()
    await until(() => Date.now() - begun, passed => passed >= 14_000, 'the first token is over')
    await viewer.shows(await world.count(session, 2))
    assert.deepEqual((await viewer.changes()).map(({ state }) => state), ['connecting', 'live'])
    assert.deepEqual(await viewer.tab.call(() => globalThis.told), ['connected'])
    await viewer.assertSound()
  })

  test('a token that ends and cannot be replaced: the page is told, and knows it for good', async t => {
    const { front, viewer } = await watched(t, { newToken: () => ttl(8), onlyOnce: true })
    await viewer.is('rejected', 20_000)
    assert.equal(front.asked.filter(path => path === 'UPGRADE /cable').length, 1)
    assert.deepEqual(await viewer.tab.call(() => globalThis.told), ['connected', 'disconnected'])
    await viewer.assertSound()
  })

  test('who may watch no longer is told so, and sees nothing more', async t => {
    const { session, viewer } = await watched(t)
    await viewer.shows(await world.count(session, 2))
    await world.database.sql(`UPDATE sync.sync_sessions SET owner_id = 'bob' WHERE id = ${session}`)
    await viewer.isTold('rejected')
    await world.count(session, 3)
    assert.equal((await viewer.shown()).count, 2)
    await viewer.assertSound()
  })

  test('an administrator ends the connections of one owner: who is sent away stays away, who is asked back comes back', async t => {
    const [bob, carol, dave] = await Promise.all(['bob', 'carol', 'dave'].map(owner => watched(t, { owner })))
    await world.database.sql(`SELECT sync.sync_progress_disconnect('bob', false), sync.sync_progress_disconnect('carol', true)`)
    await bob.viewer.is('rejected')
    await carol.viewer.tab.until(() => globalThis.changes.map(({ state }) => state), states => states.length > 2, 'carol is disconnected')
    await carol.viewer.is('live')
    await carol.viewer.shows(await world.count(carol.session, 4))
    const upgrades = [bob, carol, dave].map(({ front }) => front.asked.filter(path => path === 'UPGRADE /cable').length)
    assert.deepEqual(upgrades, [1, 2, 1])
    for (const { viewer } of [bob, carol, dave]) await viewer.assertSound()
  })
})
