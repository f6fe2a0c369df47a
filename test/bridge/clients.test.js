/*
 * The clients that people already have, as they come from npm or with the
 * system: whoever speaks Action Cable or SSE needs nothing of ours.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import actioncable8 from '@rails/actioncable'
import actioncable72 from 'actioncable7'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { AnyCableClient } from './lib/anycable_client.js'
import { StockClient } from './lib/stock_client.js'

// a release that looks for the window when it is loaded
globalThis.self ??= globalThis
const { default: actioncable70 } = await import('actioncable70')

let database
let bridge
let token

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo())
  await bridge.ready()
  token = await database.token()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const CABLES = {
  // this one counts only pings and welcomes as signs of life
  '@rails/actioncable 7.0': token => new StockClient(bridge, token, actioncable70),
  '@rails/actioncable 7.2': token => new StockClient(bridge, token, actioncable72),
  '@rails/actioncable 8.1': token => new StockClient(bridge, token, actioncable8),
  '@anycable/core': token => new AnyCableClient(bridge, token)
}

/** Each is a test of its own, and they run side by side. */
const eachCable = (what, play) => describe(what, { concurrency: true }, () => {
  for (const [name, open] of Object.entries(CABLES)) {
    test(`${what}: ${name}`, t => play(t, (as = token) => {
      const client = open(as)
      t.after(() => client.close())
      return client
    }))
  }
})

eachCable('[000-03] subscribes, is confirmed, and sees the state and what follows', async (t, open) => {
  const session = await database.session(`title => 'Mail', total_count => 100`)
  await database.increment(session, 40)
  const watcher = open().watch(session)
  await watcher.event('connected')
  await watcher.count(40)
  await database.increment(session, 2)
  const state = await watcher.count(42)
  assert.deepEqual([state.title, state.progress_percentage], ['Mail', 42])
  await database.complete(session)
  await watcher.states.find(({ status }) => status === 'completed', 'its end')
})

eachCable('[000-35] is rejected where it may not watch, and watches on elsewhere', async (t, open) => {
  const client = open()
  const own = client.watch(await database.session())
  await client.watch(await database.session('total_count => 1', 'bob')).event('rejected')
  await own.event('connected')
})

eachCable('[002-02] performs an action', async (t, open) => {
  const watcher = open().watch(await database.session())
  await watcher.event('connected')
  await watcher.count(0)
  const from = watcher.states.all.length
  watcher.perform('request_update')
  await watcher.count(0, { from })
  watcher.perform('no_such_action', { a: 1 })
  watcher.perform('request_update')
  await watcher.states.find(() => watcher.states.all.length >= from + 2, 'a second answer')
})

eachCable('knows nothing of token_expiring, and goes on', async (t, open) => {
  const session = await database.session()
  const client = open(await database.token('alice', `ttl => '29 seconds'`))
  const watcher = client.watch(session)
  await watcher.event('connected')
  await client.frames.find(({ frame }) => frame.type === 'token_expiring', 'the warning')
  await database.increment(session, 7)
  await watcher.count(7)
  assert.ok(watcher.states.all.every(state => state.session_id === session), 'no frame without identifier was taken for a state')
})

test('[000-05] the bridge is restarted: each comes again by itself, and gets the newest state', async t => {
  const session = await database.session('total_count => 1000')
  const watchers = Object.entries(CABLES).map(([name, open]) => {
    const client = open(token)
    t.after(() => client.close())
    return { name, watcher: client.watch(session) }
  })
  for (const { watcher } of watchers) await watcher.event('connected')
  await bridge.stop()
  for (const { watcher } of watchers) await watcher.event('disconnected')
  await database.increment(session, 333)
  await bridge.start()
  await Promise.all(watchers.map(async ({ name, watcher }) => {
    await watcher.event('connected', 2, 40_000).catch(error => { throw new Error(`${name}: ${error.message}`) })
    await watcher.count(333)
  }))
  await database.increment(session, 1)
  for (const { watcher } of watchers) await watcher.count(334)
})
