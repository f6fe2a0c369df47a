/*
 * One tab, from PostgreSQL to the page, through what happens to runs and to
 * bridges.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { timeMax } from '../bridge/lib/bridge.js'
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

test('[000-03] what SQL counts is in the page, without a reload', async () => {
  const { session, viewer } = await watched()
  await viewer.tab.call(() => { globalThis.loadedOnce = true })
  for (let n = 1; n <= 10; n++) await viewer.shows(await world.count(session, n))
  await world.database.complete(session)
  await viewer.shows(await world.newest(session))
  assert.deepEqual(await viewer.texts(), { count: '55', status: 'completed' })
  assert.ok(await viewer.tab.call(() => globalThis.loadedOnce))
  await viewer.assertSound()
})

test('each status of a run is shown, in order', async () => {
  const { session, viewer } = await watched()
  const statuses = ['paused', 'processing', 'paused', 'processing', 'failed', 'pending']
  for (const [i, action] of ['pause', 'resume', 'pause', 'resume', 'fail', 'retry'].entries()) {
    await world.database.sql(`SELECT sync.sync_session_${action}(${session}${action === 'fail' ? ", 'no'" : ''})`, { user: 'app' })
    await viewer.shows({ status: statuses[i] })
  }
  const shown = (await viewer.assertSound()).map(({ status }) => status)
  assert.deepEqual(shown.filter((status, i) => status !== shown[i - 1]), ['processing', ...statuses])
})

test('[000-05] the bridge is killed and started again: the newest state within 3 s', async () => {
  const { session, viewer } = await watched()
  await world.bridge.stop('SIGKILL')
  await viewer.is('backoff')
  await world.database.increment(session, 7)
  await world.bridge.start()
  const started = Date.now()
  const { at } = await viewer.shows({ count: 7 }, 10_000)
  assert.ok(at - started <= timeMax(3_000), `${at - started} ms`)
  await viewer.assertSound()
})

test('[000-27] by default a hidden page follows as others do', async () => {
  const { session, context, viewer } = await watched()
  await context.open('about:blank')
  await viewer.tab.until(() => document.visibilityState, state => state === 'hidden', 'the page is hidden')
  for (let n = 1; n <= 5; n++) await viewer.shows(await world.count(session, n))
  assert.equal((await viewer.changes()).length, 2)
  await viewer.assertSound()
})

test('1,000 changes a second: the page is told the newest again and again, never an older one, and the last', async () => {
  const { session, viewer } = await watched()
  const worker = world.database.psql()
  worker.stdin.end(`SELECT sync.sync_progress_increment(${session}, 1);\n`.repeat(3_000) + `SELECT sync.sync_session_complete(${session});\n`)
  assert.equal(await worker.ended, 0, worker.log)
  await viewer.shows({ count: 3_000, status: 'completed' })
  const states = await viewer.assertSound()
  assert.ok(states.length >= 5, `${states.length} states`)
  assert.deepEqual(states.map(({ count }) => count), states.map(({ count }) => count).toSorted((a, b) => a - b))
})
