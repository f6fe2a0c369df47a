/*
 * Streams through what goes wrong: readers that stop, a database that goes
 * away, keys that are not known yet. The last state always arrives, none older
 * than the one before.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { EventStream, parseBlock } from './lib/event_stream.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'
import { SlowReader } from './lib/slow_reader.js'

let database
let bridge
let token

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--heartbeat-seconds', '1', '--allowed-origin', 'https://page.example'])
  await bridge.ready()
  token = await database.token()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const counted = count => ({ processed_count: processed }) => processed === count
const ended = ({ status }) => status === 'completed'

function openPath(t, path, { at = bridge, ...options } = {}) {
  const stream = EventStream.open(at.port, path, options)
  t.after(() => stream.close())
  return stream
}

const pathOf = session => `/events/SyncStatusChannel/${session}?token=${token}`
const open = (t, session, options) => openPath(t, pathOf(session), options)

async function metric(name) {
  const text = await (await fetch(`${bridge.origin}/metrics`)).text()
  return Number(new RegExp(`^sync_progress_bridge_${name} (\\d+)$`, 'm').exec(text)[1])
}

test('a reader that stops: 64 kB of what was under way, then the newest; nobody else waits', async t => {
  const accounts = Array.from({ length: 100 }, (_, i) => ({ name: `Bank ${i} of San José`, total_count: 10_000 }))
  const session = await database.session(`accounts => '${JSON.stringify(accounts)}'`)
  const other = await database.session()
  const [slow, fast, elsewhere] = [await SlowReader.open(bridge.port, pathOf(session)), open(t, session), open(t, other)]
  t.after(() => slow.close())
  await fast.state()
  await elsewhere.state()
  const spared = await metric('conflated_total')
  const application = database.psql()
  application.stdin.end(`SELECT sync.sync_progress_increment(${session}); SELECT pg_sleep(0.01);\n`.repeat(300))
  assert.equal(await application.ended, 0)
  await database.increment(other, 5)
  await elsewhere.state(counted(5))
  await database.complete(session)
  await fast.state(ended)
  assert.ok(await metric('conflated_total') > spared, 'it was spared what it would not have taken')
  // a heartbeat, which is a message as well, may follow it
  const frame = Buffer.byteLength(fast.blocks.all.findLast(({ json }) => json && json.type === undefined).lines)
  assert.ok(frame > 16_384, 'a state is large')

  slow.goOn()
  await until(() => /"status" ?: ?"completed"[^]*\n\n$/.test(slow.text), arrived => arrived, 'the newest state arrives')
  const blocks = slow.text.slice(slow.text.indexOf('\r\n\r\n') + 4).split('\n\n').filter(Boolean).map(parseBlock)
  const states = blocks.map(({ json }) => json).filter(json => json && !json.type)
  assert.ok(ended(states.at(-1)))
  const old = states.slice(0, -1).reduce((bytes, state) => bytes + Buffer.byteLength(JSON.stringify(state)), 0)
  assert.ok(old <= 65_536, `${old} bytes of old states`)
  for (let i = 1; i < states.length; i++) assert.ok(states[i].version > states[i - 1].version)
  assert.ok(fast.states.length > states.length)
})

test('streams, the cable and a retry, with a slow reader among them, in the order of versions', async t => {
  const session = await database.session()
  const client = await RawClient.welcomed(bridge.cable(token))
  t.after(() => client.close())
  const streams = Array.from({ length: 20 }, () => open(t, session))
  await client.watch(identifierOf(session))
  await Promise.all(streams.map(stream => stream.state()))
  for (const stream of streams.slice(0, 5)) stream.socket.pause()
  for (let i = 1; i <= 20; i++) await database.increment(session)
  await database.complete(session)
  for (const stream of streams.slice(0, 5)) stream.socket.resume()
  const last = await client.message(identifierOf(session), ended)
  for (const stream of streams) {
    assert.deepEqual(await stream.state(ended), last)
    const versions = stream.states.map(({ version }) => version)
    assert.deepEqual(versions, [...new Set(versions)].sort((a, b) => a - b))
  }
})

test('[003-12] the database goes away and comes back: stale once, then only what is new', async t => {
  const [changed, unchanged, gone] = [await database.session(), await database.session(), await database.session()]
  const named = openPath(t, `${pathOf(unchanged)}&named=1`)
  const streams = { changed: open(t, changed), unchanged: open(t, unchanged), gone: open(t, gone) }
  await Promise.all([named, ...Object.values(streams)].map(stream => stream.state()))
  await until(async () => (await database.row(unchanged)).version, version => version === Number(streams.unchanged.lastId) && version === Number(named.lastId), 'it has the last version')
  const known = streams.unchanged.states.length

  await database.stop('immediate')
  for (const stream of [named, ...Object.values(streams)]) await stream.type('stale')
  assert.equal(named.blocks.all.find(({ json }) => json?.type === 'stale').event, 'stale')
  // proxies are kept from cutting the line, without a message
  const said = streams.changed.messages.all.length
  await streams.changed.blocks.find(({ comments }) => comments.length > 0, 'a comment')
  assert.equal(streams.changed.messages.all.length, said)
  const asked = performance.now()
  const late = open(t, changed)
  assert.equal(await late.statusCode(), 200)
  assert.ok(performance.now() - asked < 5_000, 'it is not asked to wait for the database')
  assert.deepEqual(await late.type('stale'), late.messages.all[0])
  const never = open(t, 999_999)
  assert.equal(await never.statusCode(), 200)

  await database.start()
  await database.increment(changed, 9)
  await database.sql(`DELETE FROM sync.sync_sessions WHERE id = ${gone}`)
  await streams.changed.state(counted(9), { ms: 20_000 })
  await late.state(counted(9))
  assert.deepEqual(late.messages.all.slice(0, 2).map(({ type }) => type), ['stale', 'connected'])
  // one that has nothing new is told that it is up to date again
  const stale = streams.unchanged.messages.all.findIndex(({ type }) => type === 'stale')
  await until(() => streams.unchanged.messages.all.slice(stale + 1), messages => messages.some(({ type }) => type === 'heartbeat'), 'a heartbeat')
  for (const stream of [streams.unchanged, named]) {
    assert.equal(stream.messages.all.filter(({ type }) => type === 'stale').length, 1)
    const versions = stream.states.map(({ version }) => version)
    assert.deepEqual(versions, [...new Set(versions)].sort((a, b) => a - b))
  }
  assert.ok(streams.unchanged.states.length <= known + 1, 'its state was not repeated')
  for (const stream of [streams.gone, never]) {
    assert.equal(await stream.end(), 'end')
    assert.deepEqual(stream.messages.all.at(-1), { type: 'error', message: 'not found, or no longer allowed' })
  }
  // 200 where the database took more than a second to say so
  assert.equal(await until(() => open(t, gone).statusCode(), status => status !== 200, 'an answer of the database'), 404)
})

test('a token whose key cannot be read yet is no reason to send an EventSource away for good', async t => {
  const other = await Bridge.start('host=/no/such/directory')
  t.after(() => other.stop())
  const stream = open(t, 1, { at: other })
  assert.equal(await stream.end(20_000), 'end')
  assert.equal(stream.status, 200)
  assert.equal(stream.messages.all.length, 0)
  assert.ok(stream.blocks.all.at(-1).retry >= 1_000)
})

test('pages of an allowed origin may read a stream, others are told nothing', async t => {
  const session = await database.session()
  const allowed = open(t, session, { headers: { Origin: 'https://page.example' } })
  await allowed.state()
  assert.equal(allowed.headers['access-control-allow-origin'], 'https://page.example')
  assert.equal(allowed.headers['access-control-allow-credentials'], 'true')
  assert.match(allowed.headers.vary, /Origin/)
  const other = open(t, session, { headers: { Origin: 'https://elsewhere.example' } })
  await other.statusCode()
  assert.equal(other.headers['access-control-allow-origin'], undefined)
})

test('a cookie is enough for the bridge\'s own pages, and for nobody else\'s', async t => {
  const path = `/events/SyncStatusChannel/${await database.session()}`
  const cookie = { Cookie: `sync_progress_token=${token}` }
  assert.equal(await openPath(t, path, { headers: { ...cookie, Origin: bridge.origin } }).statusCode(), 200)
  assert.equal(await openPath(t, path, { headers: { ...cookie, Origin: 'https://elsewhere.example' } }).statusCode(), 403)
})

test('a connection that was used for something else before becomes a stream', async t => {
  const session = await database.session()
  const stream = openPath(t, '/healthz', { headers: { Connection: 'keep-alive' } })
  assert.equal(await stream.statusCode(), 200)
  stream.socket.write(`GET ${pathOf(session)} HTTP/1.1\r\nHost: x\r\n\r\n`)
  await until(() => stream.text, text => /"type" ?: ?"connected"/.test(text) && new RegExp(`"session_id" ?: ?${session}\\b`).test(text), 'the stream')
})
