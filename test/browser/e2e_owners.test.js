/*
 * Two people, one browser: nothing of the one is ever shown to the other.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { until } from '../bridge/lib/recorder.js'
import { World } from './lib/world.js'

let world
before(async () => { world = await World.start() })
after(() => world?.stop())
afterEach(() => world.reset())

/** A tab of alice's that has shown her run's count 11; and a run of bob's, with count 2. */
async function aliceAndBobsRun() {
  const context = await world.context()
  const hers = await world.database.session()
  const his = await world.database.session('total_count => 10', 'bob')
  await world.count(his, 2)
  const alice = await world.watch(context, hers)
  const { count } = await world.count(hers, 11)
  await alice.shows({ count })
  return { context, hers, his, alice }
}

const counts = viewer => viewer.tab.call(() => globalThis.states.map(({ count }) => count))

async function isRefused(viewer) {
  await viewer.isTold('rejected')
  assert.deepEqual(await counts(viewer), [])
}

test('two tabs at once: two sockets, and each sees its own', async () => {
  const { context, hers, his, alice } = await aliceAndBobsRun()
  const bob = await world.watch(context, his, { tokenOf: 'bob' })
  await bob.shows({ count: 2 })
  await world.socketsAre(2)
  await isRefused(await world.watch(context, hers, { tokenOf: 'bob' }))
  await isRefused(await world.watch(context, his))
  assert.equal(await world.sockets(), 2)
  await world.count(hers, 1)
  await world.count(his, 1)
  await alice.shows({ count: 12 })
  await bob.shows({ count: 3 })
  assert.deepEqual(await counts(bob), [2, 3])
  for (const viewer of [alice, bob]) await viewer.assertSound()
})

test('alice logs out, bob logs in in the same tab: nothing that was stored is his', async () => {
  const { hers, his, alice: tab } = await aliceAndBobsRun()
  await tab.tab.go(world.front.page({ session: his, tokenOf: 'bob' }))
  await tab.tab.reload()
  await tab.shows({ count: 2 })
  assert.deepEqual([...new Set(await counts(tab))], [2])
  await tab.tab.go('about:blank')
  await tab.tab.go(world.front.page({ session: hers, tokenOf: 'bob' }))
  await isRefused(tab)
  await tab.assertSound()
})

test('the same page has another\'s token from now on: what was shown is taken away at once', async () => {
  const { hers, alice: tab } = await aliceAndBobsRun()
  // a token that was given a moment ago is used again
  const asked = await tab.tab.call(() => globalThis.begun)
  await until(() => Date.now() - asked, passed => passed > 1_500, 'the token is not that new')
  world.front.token = () => world.token('bob')
  await tab.tab.call(() => { globalThis.states = [] })
  await world.front.cut()
  await world.front.open()
  await tab.isTold('reset')
  await isRefused(tab)
  await world.count(hers, 1)
  assert.deepEqual(await tab.texts(), { count: '', status: '' })
})

test('a tab that is a copy of alice\'s, storage and all, is bob\'s: it shows nothing of hers', async () => {
  const { context, hers, alice } = await aliceAndBobsRun()
  const copy = await context.opened(alice.tab, world.front.page({ session: hers, tokenOf: 'bob' }))
  const bob = world.viewer(copy)
  assert.ok(await copy.call(() => globalThis.opener !== null))
  await isRefused(bob)
  await world.socketsAre(2)
  await alice.shows(await world.count(hers, 1))
  assert.deepEqual(await counts(bob), [])
})
