/*
 * Those who watch through an outage: what each is told, and that it ends with
 * the newest state, or with being cut off.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { EventStream } from './lib/event_stream.js'
import { Middle } from './lib/middle.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

let database
let middle
let bridge
let token

before(async () => {
  database = await Database.start()
  middle = await Middle.start(database)
  bridge = await Bridge.start(middle.conninfo())
  await bridge.ready()
  token = await database.token('alice')
})
after(async () => {
  await bridge?.stop()
  middle?.close()
  await database?.destroy()
})

const is = processed => state => state.processed_count === processed

test('server-sent events are told stale at once, and go on; the cable keeps its pings; who lost the right is cut off', async t => {
  const [moved, quiet, revoked] = [await database.session(), await database.session(), await database.session()]
  await database.sql('SELECT sync.sync_progress_flush()')
  const streams = [moved, quiet, revoked].map(session => EventStream.open(bridge.port, `/events/SyncStatusChannel/${session}?token=${token}`))
  t.after(() => streams.forEach(stream => stream.close()))
  for (const stream of streams) await stream.state()
  const client = await RawClient.welcomed(bridge.cable(token))
  t.after(() => client.close())
  for (const session of [moved, quiet, revoked]) await client.watch(identifierOf(session))
  const before = streams[1].states.length

  middle.play = socket => socket.destroy()
  middle.cut()
  for (const stream of streams) await stream.type('stale')
  const answer = await fetch(`${bridge.origin}/readyz`)
  assert.equal(answer.status, 503)
  assert.match(await answer.text(), /server closed the connection unexpectedly/)
  assert.equal((await fetch(`${bridge.origin}/healthz`)).status, 200)
  const pings = client.frames.all.filter(({ type }) => type === 'ping').length
  const late = EventStream.open(bridge.port, `/events/SyncStatusChannel/${moved}?token=${token}`)
  t.after(() => late.close())
  await database.increment(moved, 7)
  await database.sql(`DELETE FROM sync.sync_sessions WHERE id = ${revoked}`)
  await database.sql('SELECT sync.sync_progress_flush()')
  await until(() => client.frames.all.filter(({ type }) => type === 'ping').length, count => count > pings, 'the next ping')
  assert.ok(!client.frames.all.some(({ message }) => message?.processed_count === 7))

  middle.play = null
  await streams[0].state(is(7), { ms: 20_000 })
  await client.message(identifierOf(moved), is(7), { ms: 20_000 })
  await late.state(is(7))
  await client.rejected(identifierOf(revoked))
  await streams[2].end()
  await bridge.ready()
  for (const stream of streams) assert.equal(stream.messages.all.filter(({ type }) => type === 'stale').length, 1)
  assert.equal(streams[1].states.length, before, 'what did not change is not sent again')
  // and all of it a second time
  middle.cut()
  await until(() => streams[0].messages.all.filter(({ type }) => type === 'stale').length, count => count === 2, 'it is told again')
  await database.increment(moved, 1)
  await streams[0].state(is(8), { ms: 20_000 })
  await client.message(identifierOf(moved), is(8), { ms: 20_000 })
})
