/*
 * Connections on which nothing can be done for now: they cost nothing.
 * libwebsockets 4.1.6 by itself would turn for ever about what it has read of
 * them and cannot hand out yet.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { Bridge } from './lib/bridge.js'
import { Certificate } from './lib/certificate.js'
import { Database } from './lib/database.js'
import { request } from './lib/plain.js'
import { guardDirectory } from './lib/programs.js'
import { until } from './lib/recorder.js'

/** More than the kernels of both sides take while nobody reads. */
const LARGE = 4_000_000
const CLOSE = 'Connection: close'
const WATCHED_MS = 1_500
const TICKS_MAX = 30
const skip = process.env.MEMCHECK_PROGRAM && 'time says nothing under such a tool'

let certificate
let database
let guard
let plain
let secure

before(async () => {
  const www = mkdtempSync(join(tmpdir(), 'sync-progress-www.'))
  guard = guardDirectory(www)
  writeFileSync(join(www, 'large.css'), 'x'.repeat(LARGE))
  certificate = await Certificate.make()
  database = await Database.start()
  plain = await Bridge.start(database.conninfo(), ['--www', www])
  secure = await Bridge.start(database.conninfo(), ['--www', www, ...certificate.flags])
})
after(async () => {
  await plain?.stop()
  await secure?.stop()
  await database?.destroy()
  await certificate?.destroy()
  await guard?.release()
})

/** Sends this, all at once, and reads nothing until it is told to. */
async function send(t, bridge, bytes, options) {
  const socket = bridge === secure ? connectTls({ port: bridge.port, host: '127.0.0.1', ...certificate.trust, ...options }) : connect({ port: bridge.port, host: '127.0.0.1', ...options })
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  await new Promise(resolve => socket.once(bridge === secure ? 'secureConnect' : 'connect', resolve))
  socket.write(bytes)
  return socket
}

/** Everything that comes until the bridge hangs up. */
async function read(socket) {
  const pieces = []
  socket.on('data', piece => pieces.push(piece))
  await until(() => socket.closed, closed => closed, 'the bridge hangs up')
  return Buffer.concat(pieces).toString('latin1')
}

const statuses = text => [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(match => Number(match[1]))

/** It has seen to what came before. */
async function settled(bridge) {
  if (bridge === secure) await certificate.fetch(bridge, '/healthz')
  else await (await fetch(`${bridge.origin}/healthz`, { headers: { Connection: 'close' } })).text()
}

function ticks(bridge) {
  const fields = readFileSync(`/proc/${bridge.pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ')
  return Number(fields[11]) + Number(fields[12])
}

/** What the bridge uses while nothing happens. */
async function ticksAtRest(bridge) {
  await settled(bridge)
  const before = ticks(bridge)
  await new Promise(resolve => setTimeout(resolve, WATCHED_MS))
  return ticks(bridge) - before
}

async function rests(bridge) {
  const used = await ticksAtRest(bridge)
  assert.ok(used <= TICKS_MAX, `${used} ticks of CPU in ${WATCHED_MS} ms`)
}

for (const [kind, bridgeOf] of [['plain', () => plain], ['TLS', () => secure]]) {
  for (const [what, more] of Object.entries({
    'a reader that stops': '',
    'a reader that stops, and has asked for more': request('/healthz'),
    'a reader that stops, and has asked for much more': request('/healthz').repeat(20),
    'a reader that stops, and has asked for half of more': request('/healthz').slice(0, 20)
  })) {
    test(`${kind}: ${what}`, { skip }, async t => {
      const sockets = await Promise.all(Array.from({ length: 5 }, () => send(t, bridgeOf(), request('/large.css') + more)))
      await rests(bridgeOf())
      for (const socket of sockets) socket.destroy()
    })
  }
}

test('a reader that goes on is given all that it has asked for', async t => {
  const socket = await send(t, plain, request('/large.css') + request('/healthz') + request('/large.css') + request('/nothing', [CLOSE]))
  await settled(plain)
  const text = await read(socket)
  assert.deepEqual(statuses(text), [200, 200, 200, 404])
  assert.equal(text.split('x'.repeat(LARGE)).length, 3)
})

test('a reader that stops time and again is given all that it has asked for', async t => {
  const socket = await send(t, plain, request('/large.css') + request('/healthz', [CLOSE]))
  let length = 0
  socket.on('data', piece => {
    length += piece.length
    socket.pause()
    setImmediate(() => socket.resume())
  })
  await until(() => socket.closed, closed => closed, 'the bridge hangs up')
  assert.ok(length > LARGE, `${length}`)
})

test('a reader that stops, has asked for more, and goes, is gone', async t => {
  const socket = await send(t, plain, request('/large.css') + request('/healthz'))
  await settled(plain)
  socket.resetAndDestroy()
  await until(() => plain.metric('connections'), count => count === 1, 'it is gone')
})

const REFUSED = {
  'chunks': request('/healthz', ['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'),
  'half of the chunks': request('/healthz', ['Transfer-Encoding: chunked'], '5\r\nhe'),
  'many chunks': request('/healthz', ['Transfer-Encoding: chunked'], '5\r\nhello\r\n'.repeat(1_000)),
  'a body with a length': request('/healthz', ['Content-Length: 50'], 'hello'),
  'a body without a length': request('POST /callbacks/progress', [], 'hello')
}

for (const [kind, bridgeOf] of [['plain', () => plain], ['TLS', () => secure]]) {
  test(`${kind}: refused bodies, and more behind them`, { skip }, async t => {
    await Promise.all(Object.entries(REFUSED).map(async ([what, bytes]) => {
      const socket = await send(t, bridgeOf(), bytes + request('/healthz'), { allowHalfOpen: true })
      let text = ''
      socket.setEncoding('latin1').on('data', piece => { text += piece })
      await until(() => text, text => text.length > 0, `an answer to ${what}`)
      assert.ok(!text.includes('ok\n'), text)
      assert.equal(statuses(text).length, 1)
    }))
    await rests(bridgeOf())
  })
}

test('a refused body in chunks, sent all the while, takes the answer away from nobody', async t => {
  const socket = connect({ port: plain.port, host: '127.0.0.1', allowHalfOpen: true })
  t.after(() => socket.destroy())
  let text = ''
  let error
  socket.setEncoding('latin1').on('data', piece => { text += piece }).on('error', reason => { error = reason })
  socket.write(request('/healthz', ['Transfer-Encoding: chunked']))
  for (let i = 0; i < 50; i++) await new Promise(resolve => socket.write(`2710\r\n${'y'.repeat(10_000)}\r\n`, resolve))
  await until(() => text, text => text.includes('chunks'), 'an answer')
  assert.equal(error, undefined)
  assert.deepEqual(statuses(text), [411])
})
