/*
 * Streams whose client has gone, in whatever way: they end at once, and cost
 * nothing. libwebsockets 4.1.6 by itself would neither notice nor rest.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { within } from '../browser/lib/wait.js'
import { Bridge } from './lib/bridge.js'
import { Certificate } from './lib/certificate.js'
import { Database } from './lib/database.js'
import { EventStream } from './lib/event_stream.js'
import { until } from './lib/recorder.js'

const STREAMS = 10
const TICKS_PER_SECOND = 100

/** Before anything else could have ended them: a heartbeat, keepalive, a timeout. */
const AT_ONCE = 5_000

let certificate
let database
let plain
let secure
let token
let session

before(async () => {
  certificate = await Certificate.make()
  database = await Database.start()
  plain = await Bridge.start(database.conninfo())
  secure = await Bridge.start(database.conninfo(), certificate.flags)
  await plain.ready()
  await until(() => metrics(secure, 'connections'), count => count === 1, 'it answers')
  token = await database.token()
  session = await database.session()
})
after(async () => {
  await plain?.stop()
  await secure?.stop()
  await database?.destroy()
  await certificate?.destroy()
})

async function metrics(bridge, name) {
  const text = bridge === secure ? (await certificate.fetch(bridge, '/metrics')).body : await (await fetch(`${bridge.origin}/metrics`, { headers: { Connection: 'close' } })).text()
  return Number(new RegExp(`^sync_progress_bridge_${name} (\\d+)$`, 'm').exec(text)[1])
}

/** Connections, without the one that asks. */
const connections = async bridge => await metrics(bridge, 'connections') - 1

function open(t, bridge, { of = session, ...options } = {}) {
  const stream = EventStream.open(bridge.port, `/events/SyncStatusChannel/${of}?token=${token}`, { tls: bridge === secure ? certificate.trust : undefined, ...options })
  t.after(() => stream.close())
  return stream
}

/** Seconds of CPU that a process has used. */
function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/**
 * The share of a processor that it uses while nothing happens.  What turns in
 * vain never stops, so the least of three counts: on a machine that does other
 * work, too, a wink may be booked to whom it does not belong.
 */
async function cpuAtRest(bridge, ms) {
  let least = Infinity
  for (let i = 0; i < 3 && least > 0.01; i++) {
    const [before, began] = [cpu(bridge.pid), performance.now()]
    await new Promise(resolve => setTimeout(resolve, ms))
    least = Math.min(least, (cpu(bridge.pid) - before) * 1_000 / (performance.now() - began))
  }
  return least
}

const ENDS = {
  'a client that closes in order': stream => stream.socket.end(),
  'a client that closes without a word': stream => stream.socket.destroy(),
  'a client that resets the connection': stream => stream.reset(),
  'a client that sends a byte': stream => stream.socket.write('x'),
  'a client that sends another request': stream => stream.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'),
  'a client that sends a flood': stream => { for (let i = 0; i < 100; i++) stream.socket.write(Buffer.alloc(10_000, 'x')) }
}

for (const [kind, bridgeOf] of [['plain', () => plain], ['TLS', () => secure]]) {
  for (const [what, end] of Object.entries(ENDS)) {
    test(`[003-12] ${kind}: ${what} is gone at once`, async t => {
      const bridge = bridgeOf()
      const others = await until(() => connections(bridge), count => count === 0, 'those before are gone')
      const streams = Array.from({ length: STREAMS }, () => open(t, bridge))
      await Promise.all(streams.map(stream => stream.state()))
      assert.equal(await metrics(bridge, 'stream_clients'), STREAMS)
      for (const stream of streams) end(stream)
      await until(() => connections(bridge), count => count === others, 'all are gone', AT_ONCE)
      assert.equal(await metrics(bridge, 'stream_clients'), 0)
    })
  }

  test(`${kind}: more than the request in one piece is the end too`, async t => {
    const bridge = bridgeOf()
    for (const more of ['x', 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n', 'x'.repeat(3_000), 'x'.repeat(14_000)]) {
      const streams = Array.from({ length: STREAMS }, () => open(t, bridge, { more }))
      await Promise.all(streams.map(stream => stream.end()))
      assert.ok(streams.every(stream => !stream.text.includes('ok\n')))
    }
    await until(() => connections(bridge), count => count === 0, 'all are gone')
  })

  test(`${kind}: gone before the database has answered, and while it is asked for a refusal`, async t => {
    const bridge = bridgeOf()
    const blocker = database.psql('postgres')
    blocker.stdin.write('BEGIN; LOCK TABLE sync.sync_sessions IN ACCESS EXCLUSIVE MODE;\n\\warn locked\n')
    await blocker.lines.find(line => line === 'locked', 'the table is locked')
    const streams = Array.from({ length: STREAMS }, () => open(t, bridge))
    const refused = open(t, bridge, { of: 999_999 })
    await until(() => connections(bridge), count => count >= STREAMS + 1, 'all have come')
    for (const stream of [...streams, refused]) stream.close()
    await until(() => connections(bridge), count => count === 0, 'all are gone', AT_ONCE)
    blocker.stdin.end('ROLLBACK;\n')
    await blocker.ended
    await open(t, bridge).state()
  })

  const skip = process.env.MEMCHECK_PROGRAM && 'time says nothing under such a tool'
  test(`${kind}: at most 1 % of a processor, with streams open and after all that has gone`, { skip }, async t => {
    const bridge = bridgeOf()
    await until(() => connections(bridge), count => count === 0, 'those before are gone')
    assert.ok(await cpuAtRest(bridge, 2_000) <= 0.01, 'after all have gone')
    const streams = Array.from({ length: 50 }, () => open(t, bridge))
    await Promise.all(streams.map(stream => stream.state()))
    await within(until(() => database.sql(`SELECT count(*) FROM pg_stat_activity WHERE usename = 'bridge' AND state = 'active'`), count => count === '0', 'the bridge rests'), 'it rests')
    const share = await cpuAtRest(bridge, 3_000)
    assert.ok(share <= 0.01, `${share * 100} %`)
    assert.ok(streams.every(stream => stream.messages.all.length >= 2))
  })
}
