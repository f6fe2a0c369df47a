/*
 * What browsers do to pages that nobody looks at: the back/forward cache,
 * freezing, hiding.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { World } from './lib/world.js'

let world
before(async () => { world = await World.start() })
after(() => world?.stop())
afterEach(() => world.reset())

/** A run and a tab that shows it. */
async function watched(options) {
  const session = await world.database.session()
  const context = await world.context()
  const viewer = await world.watch(context, session, options)
  await viewer.shows({ count: 0 })
  return { session, context, viewer }
}

test('[000-27] a page that goes to the back/forward cache and comes back shows the newest state, on one socket', async () => {
  const { session, viewer } = await watched()
  await viewer.tab.call(() => { globalThis.loadedOnce = true })
  await viewer.tab.go('about:blank')
  await world.socketsAre(0)
  const newest = await world.count(session, 9)
  await viewer.tab.back()
  assert.ok(await viewer.tab.call(() => globalThis.loadedOnce), 'the page comes from the cache')
  await viewer.shows(newest)
  await viewer.is('live')
  assert.equal(await world.sockets(), 1)
  await viewer.assertSound()
})

test('a frozen page has no socket, and shows the newest state when it is thawed', async () => {
  const { session, context, viewer } = await watched()
  await context.open('about:blank') // what is in front is never frozen
  await viewer.tab.freeze()
  await world.socketsAre(0)
  const newest = await world.count(session, 4)
  await viewer.tab.thaw()
  await viewer.shows(newest)
  assert.equal(await world.sockets(), 1)
  await viewer.assertSound()
})

test('[000-27] a page that nobody sees gives up its socket, if it is told so, and shows the newest state when it is seen', async () => {
  const { session, context, viewer } = await watched({ pauseHiddenAfterMs: 200 })
  await context.open('about:blank')
  await world.socketsAre(0)
  const newest = await world.count(session, 4)
  await viewer.tab.show()
  await viewer.shows(newest)
  assert.equal(await world.sockets(), 1)
  await viewer.assertSound()
})


test('[000-27] two tabs: the socket stays while either is seen, and comes back with the first that is', async () => {
  const { session, context, viewer: behind } = await watched({ pauseHiddenAfterMs: 200 })
  const inFront = await world.watch(context, session, { pauseHiddenAfterMs: 200 })
  await inFront.shows({ count: 0 })
  await behind.is('idle')
  await inFront.shows(await world.count(session, 3))
  assert.equal(await world.sockets(), 1)
  await context.open('about:blank')
  await world.socketsAre(0)
  const newest = await world.count(session, 3)
  for (const viewer of [behind, inFront]) {
    await viewer.tab.show()
    await viewer.shows(newest)
    await world.socketsAre(1)
    await viewer.assertSound()
  }
})
