/*
 * The primary is gone and a standby takes its place, which may lack what was
 * told last: watchers end up with what the new primary says, by versions that
 * only grow.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

let primary
let standby
let bridge
let token

before(async () => {
  primary = await Database.start()
  standby = await primary.standby()
  bridge = await Bridge.start(primary.conninfo().replace(primary.host, `${primary.host},${standby.host}`))
  await bridge.ready()
  token = await primary.token('alice')
})
after(async () => {
  await bridge?.stop()
  await standby?.destroy()
  await primary?.destroy()
})

const is = (processed, status) => state => state.processed_count === processed && (!status || state.status === status)

function assertGrowing(states) {
  for (let i = 1; i < states.length; i++) {
    assert.ok(states[i].version > states[i - 1].version, `version ${states[i].version} after ${states[i - 1].version}`)
  }
}

/** Everything that the primary has committed so far is on the standby. */
async function caughtUp() {
  const lsn = await primary.sql('SELECT pg_current_wal_flush_lsn()')
  await until(() => standby.sql(`SELECT pg_last_wal_replay_lsn() >= '${lsn}'`), answer => answer === 't', 'the standby has caught up')
}

test('--db names a standby alone: the log and /readyz say so', async t => {
  const lost = await Bridge.start(standby.conninfo())
  t.after(() => lost.stop())
  await lost.line(/listen: no database.*hint: this is a standby/)
  await lost.line(/query: no database.*hint: this is a standby/)
  const answer = await fetch(`${lost.origin}/readyz`)
  assert.equal(answer.status, 503)
  assert.match(await answer.text(), /standby.*name the primary, or all hosts, in --db/)
})

test('--db names a standby first: the primary behind it is found', async t => {
  const found = await Bridge.start(primary.conninfo().replace(primary.host, `${standby.host},${primary.host}`))
  t.after(() => found.stop())
  await found.ready()
  assert.ok(!/no database/.test(found.log), found.log)
})

test('a primary is killed, a standby that lacks the last folds is promoted: watchers end with its truth', async t => {
  const [live, ended, quiet] = [await primary.session(), await primary.session('total_count => 10'), await primary.session()]
  const client = await RawClient.welcomed(bridge.cable(token))
  t.after(() => client.close())
  for (const session of [live, ended, quiet]) await client.watch(identifierOf(session))
  await primary.increment(live, 20)
  await primary.increment(ended, 4)
  await client.message(identifierOf(live), is(20))
  await client.message(identifierOf(ended), is(4))
  await caughtUp()

  // What comes now has been told, and then it has never happened.
  await standby.cutOff()
  const lost = await primary.session()
  await client.watch(identifierOf(lost))
  await primary.increment(live, 30)
  await client.message(identifierOf(live), is(50))
  await primary.increment(ended, 6)
  await primary.complete(ended)
  const told = await client.message(identifierOf(ended), is(10, 'completed'))
  const from = client.frames.all.length

  await primary.stop('immediate')
  await bridge.ready(503)
  await standby.promote()
  const after = (session, passes) => client.frames.find(({ identifier, message }) => identifier === identifierOf(session) && message && passes(message),
    `the new primary's state of ${session}`, { from, ms: 20_000 })
  await after(live, is(20))
  const back = await after(ended, is(4, 'processing'))
  assert.ok(back.message.version > told.version, 'newer by its version, though older by what it says')
  assert.ok((await standby.row(ended)).version > told.version)
  await client.rejected(identifierOf(lost))

  // And it goes on from there.
  await bridge.ready()
  await standby.increment(live, 1)
  await after(live, is(21))
  await standby.increment(ended, 6)
  await standby.complete(ended)
  await after(ended, is(10, 'completed'))
  for (const session of [live, ended, quiet]) assertGrowing(client.messages(identifierOf(session)))
  assert.ok(client.messages(identifierOf(quiet)).every(is(0)))
  assert.equal(client.frames.all.filter(({ type }) => type === 'welcome').length, 1, 'on one connection')
})
