/*
 * Every stage of a connection ends: whoever says nothing, reads nothing or does
 * not take leave is given up in its time, and counted by stage.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Bridge, memoryMax, timeMax } from './lib/bridge.js'
import { Certificate } from './lib/certificate.js'
import { Database } from './lib/database.js'
import { Plain, request, upgrade } from './lib/plain.js'
import { guardDirectory } from './lib/programs.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

/** Shorter than any default, and than what libwebsockets would take by itself. */
const SHORT = 1000
const LEEWAY = timeMax(3000)

const MANY = process.env.CHECK_TOOL ? 2000 : 20_000

let database
let bridge
let guard
let www

before(async () => {
  www = mkdtempSync(join(tmpdir(), 'sync-progress-www.'))
  guard = guardDirectory(www)
  writeFileSync(join(www, 'large.css'), '/* large */\n'.repeat(300_000))
  writeFileSync(join(www, 'medium.css'), '/* medium */\n'.repeat(22_000))
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--www', www, '--send-buffer-bytes', '4096',
    '--handshake-timeout-ms', String(SHORT), '--reply-timeout-ms', String(SHORT), '--keepalive-timeout-ms', String(SHORT), '--stalled-timeout-ms', String(SHORT)])
  await bridge.ready()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
  await guard?.release()
})

const timedOut = stage => bridge.metric(`timed_out_total{stage="${stage}"}`)

/** The stage that this connection is given up in, how soon, and what it was answered. */
async function givenUp(t, stage, bytes, ms = SHORT) {
  const before = await timedOut(stage)
  const plain = await Plain.open(bridge)
  t.after(() => plain.destroy())
  const started = performance.now()
  if (bytes) plain.send(bytes)
  await plain.end()
  const took = performance.now() - started
  assert.ok(took > ms - 200 && took < ms + LEEWAY, `${took} ms`)
  assert.ok(await timedOut(stage) > before, stage)
  return plain
}

test('a connection that says nothing', t => givenUp(t, 'request', ''))

test('half a request', t => givenUp(t, 'request', 'GET /healthz HTTP/1.1\r\nHost: x\r\n'))

test('half a handshake', t => givenUp(t, 'request', upgrade('x').slice(0, -4)))

test('half a body', t => givenUp(t, 'body', request('POST /callbacks/progress', ['Content-Length: 100'], '{')))

// libwebsockets ended them after ten seconds, whatever was set
test('a stage may take longer than libwebsockets would let it', async t => {
  const SET = 12_000
  const patient = await Bridge.start(database.conninfo(), ['--handshake-timeout-ms', String(SET)])
  t.after(() => patient.stop())
  await Promise.all(['GET /healthz HTT', request('POST /callbacks/progress', ['Content-Length: 100'], '{')].map(async half => {
    const plain = await Plain.open(patient)
    t.after(() => plain.destroy())
    const started = performance.now()
    plain.send(half)
    await plain.end(SET + 3000)
    const took = performance.now() - started
    assert.ok(took > SET - 200, `${took} ms`)
  }))
})

test('a connection that is kept, and not used again', async t => {
  const plain = await givenUp(t, 'keepalive', request('/healthz'))
  assert.deepEqual(plain.statuses, [200])
})

test('a connection that is kept, and then used by half', async t => {
  const plain = await givenUp(t, 'keepalive', request('/healthz') + 'GET /healthz HTT')
  assert.deepEqual(plain.statuses, [200])
})

test('a reader that stops in the middle of an answer', async t => {
  // where the kernel does not give it up first
  const patient = await Bridge.start(database.conninfo(), ['--www', www, '--send-buffer-bytes', '4096', '--reply-timeout-ms', String(SHORT)])
  t.after(() => patient.stop())
  const plain = await Plain.open(patient)
  t.after(() => plain.destroy())
  plain.socket.pause()
  plain.send(request('/medium.css'))
  const started = performance.now()
  await until(() => patient.metric('timed_out_total{stage="reply"}'), count => count === 1, 'it is given up')
  // a second, and one more for each 64 kB of it
  const took = performance.now() - started
  assert.ok(took > 4 * SHORT - 200 && took < 6 * SHORT + LEEWAY, `${took} ms`)
})

test('a reader that stops is given up by the kernel too, when it has taken nothing for so long', async t => {
  await until(() => bridge.metric('connections'), count => count === 1, 'those before are gone')
  const accepted = await bridge.metric('accepted_total')
  const plain = await Plain.open(bridge)
  t.after(() => plain.destroy())
  plain.socket.pause()
  plain.send(request('/large.css'))
  assert.equal(await bridge.metric('accepted_total'), accepted + 2, 'it was there, before who asks')
  await until(() => bridge.metric('connections'), count => count === 1, 'it is given up')
})

test('a WebSocket whose reader stops is given up when it has taken nothing for so long', async t => {
  const client = await RawClient.welcomed(bridge.cable(await database.token()))
  t.after(() => client.close())
  const session = await database.session("total_count => 100000, title => repeat('x', 400), accounts => (SELECT jsonb_agg(jsonb_build_object('name', repeat('y', 190))) FROM generate_series(1, 100))")
  await client.watch(identifierOf(session))
  const cables = await bridge.metric('cable_clients')
  client.socket.pause()
  let count = 0
  await until(async () => {
    if (count < 400) await database.increment(session, ++count)
    return bridge.metric('cable_clients')
  }, now => now < cables, 'the client is given up', 30_000)
})

test('a WebSocket that is told to go and does not', async t => {
  const plain = await Plain.open(bridge)
  t.after(() => plain.destroy())
  const before = await timedOut('close')
  plain.send(upgrade('bad'))
  await plain.match(/"reason":"unauthorized"/)
  const told = performance.now()
  await plain.end(4 * SHORT + 3000)
  assert.ok(performance.now() - told > 4 * SHORT - 500)
  assert.equal(await timedOut('close'), before + 1)
})

test('a cable that is idle stays, and keepalive asks whether its client lives', async t => {
  const client = await RawClient.welcomed(bridge.cable(await database.token()))
  t.after(() => client.close())
  await client.type('ping')
  // a timer of kind 2 in the kernel's table of connections, due in 20 s at most
  const port = bridge.port.toString(16).toUpperCase().padStart(4, '0')
  const timers = () => {
    const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n').map(line => line.trim().split(/\s+/))
    return rows.filter(row => row[1]?.endsWith(`:${port}`) && row[3] === '01').map(row => row[5].split(':'))
  }
  // for a moment after the ping its timer is that for sending it again
  const all = await until(timers, rows => rows.every(([kind]) => kind === '02'), 'every timer is that of keepalive')
  assert.ok(all.length >= 1)
  for (const [, due] of all) assert.ok(parseInt(due, 16) <= 2000, due)
})

test('TLS that is not begun, or begun by half', async t => {
  const certificate = await Certificate.make()
  t.after(() => certificate.destroy())
  const secure = await Bridge.start(database.conninfo(), [...certificate.flags, '--handshake-timeout-ms', String(SHORT)])
  t.after(() => secure.stop())
  for (const bytes of ['', Buffer.from('16030100a5010000a10303', 'hex'), 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n']) {
    const started = performance.now()
    assert.ok(!(await Plain.exchange(secure, bytes)).includes('200'))
    const took = performance.now() - started
    assert.ok(took < SHORT + LEEWAY, `${took} ms`)
  }
})

test('twenty thousand come and go, in every way: nothing of them is left', async t => {
  // of so many some are late to ask, wherever this process is
  const bridge = await Bridge.start(database.conninfo(), ['--www', www, '--send-buffer-bytes', '4096'])
  t.after(() => bridge.stop())
  await bridge.ready()
  const of = file => readFileSync(`/proc/${bridge.pid}/${file}`, 'utf8')
  const rss = () => Number(/VmRSS:\s+(\d+) kB/.exec(of('status'))[1])
  const token = await database.token()
  const ways = [
    async plain => plain.destroy(),
    async plain => plain.reset(),
    async plain => { plain.send('GET /heal'); plain.reset() },
    async plain => { plain.send(upgrade(token)); plain.destroy() },
    async plain => { plain.send(upgrade(token)); await plain.match(/welcome/); plain.reset() },
    async plain => { plain.send(request('/large.css')); plain.reset() },
    async plain => { plain.send(request('/healthz', ['Connection: close'])); await plain.end(); plain.destroy() }
  ]
  const rounds = async count => {
    let next = 0
    const one = async () => { while (next < count) await ways[next++ % ways.length](await Plain.open(bridge)) }
    await Promise.all(Array.from({ length: 50 }, one))
    await until(() => bridge.metric('connections'), left => left <= 1, 'all have gone', 30_000)
  }
  await rounds(MANY / 5)
  const [before, accepted] = [rss(), await bridge.metric('accepted_total')]
  await rounds(MANY)
  assert.ok(await bridge.metric('accepted_total') - accepted >= MANY)
  assert.ok(rss() - before < memoryMax(2048), `${before} kB grew to ${rss()} kB`)
  assert.equal(await bridge.metric('cable_clients'), 0)
  assert.equal(await bridge.metric('subscriptions'), 0)
})
