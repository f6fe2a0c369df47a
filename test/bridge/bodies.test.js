/*
 * Bodies of requests: announced right and wrong, late, and never.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { call, raw } from './lib/raw_http.js'
import { until } from './lib/recorder.js'

let database
let bridge
let alice
let session

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--refused-per-minute', '0', '--body-bytes', '4096'])
  await bridge.ready()
  alice = await database.token('alice', "scope => '{read,control}'")
  session = await database.session()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const head = (action, headers) => `POST /sessions/SyncStatusChannel/${session}/${action} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${alice}\r\n${headers}\r\n`
const JSON_TYPE = 'Content-Type: application/json\r\n'
const CLOSE = 'Connection: close\r\n'
const alive = async () => assert.equal((await fetch(`${bridge.origin}/healthz`)).status, 200)

/** A connection that is written to bit by bit. */
async function dialogue() {
  const socket = connect(bridge.port, '127.0.0.1')
  await new Promise(resolve => socket.once('connect', resolve))
  let answer = ''
  socket.setEncoding('utf8').on('data', text => { answer += text }).on('error', () => {})
  const closed = new Promise(resolve => socket.once('close', resolve))
  return { socket, closed, answer: () => answer }
}

test('a POST without a body and without a length is one with an empty body', async () => {
  const { status, answer } = await raw(bridge, head('request_update', ''))
  assert.equal(status, 200, answer)
  assert.match(answer, /^Connection: close\r$/m) // libwebsockets would take the next request for the body
})

test('Content-Length: 0, and the connection goes on', async () => {
  const { socket, answer, closed } = await dialogue()
  socket.write(head('request_update', 'Content-Length: 0\r\n'))
  await until(() => answer(), text => text.startsWith('HTTP/1.1 200') && text.endsWith('}'), 'the first is answered')
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await closed
  assert.deepEqual(answer().match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200'])
})

test('a body in one piece with the head, in many pieces, and several requests on one connection', async () => {
  const body = '{"message":"José"}'
  const length = Buffer.byteLength(body)
  const { socket, answer, closed } = await dialogue()
  for (const [i, action] of ['pause', 'resume', 'pause'].entries()) {
    const text = Buffer.from(head(action, `${JSON_TYPE}Content-Length: ${length}\r\n`) + body)
    if (i === 1) for (const byte of text) socket.write(Buffer.from([byte]))
    else socket.write(text)
    await until(() => answer(), text => text.match(/HTTP\/1\.1 200/g)?.length === i + 1, `${action} is answered`)
  }
  assert.equal((await database.row(session)).message, 'José')
  await call(bridge, 'POST', `/sessions/SyncStatusChannel/${session}/resume`, { token: alice })
  socket.end()
  await closed
})

for (const [what, headers, body, statuses] of [
  ['chunks', `${JSON_TYPE}Transfer-Encoding: chunked\r\n`, '2\r\n{}\r\n0\r\n\r\n', [411]],
  ['broken chunks', `${JSON_TYPE}Transfer-Encoding: chunked\r\n`, 'zz\r\n{}', [411]],
  ['a length and chunks', `${JSON_TYPE}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n`, '0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n', [400]],
  ['two lengths', `${JSON_TYPE}Content-Length: 2\r\nContent-Length: 40\r\n`, '{}', [400]],
  ['a negative length', `${JSON_TYPE}Content-Length: -1\r\n`, '{}', [400]],
  ['a length that is no number', `${JSON_TYPE}Content-Length: 2x\r\n`, '{}', [400]],
  ['a length beyond all numbers', `${JSON_TYPE}Content-Length: ${'9'.repeat(40)}\r\n`, '{}', [400, 413]],
  ['a length over body_bytes', `${JSON_TYPE}Content-Length: 4097\r\n`, 'x'.repeat(4097), [413]],
  ['a length far over body_bytes, and nothing of it', `${JSON_TYPE}Content-Length: 99999999\r\n`, '', [413]]
]) {
  test(`${what}: refused at once, the rest is no request, and nothing hangs`, async () => {
    const { answer, status } = await raw(bridge, head('pause', headers) + body)
    assert.ok(statuses.includes(status), answer)
    assert.equal(answer.match(/HTTP\/1\.1 /g).length, 1, answer)
    assert.match(answer, /^Connection: close\r$/m)
    assert.equal(typeof JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))).error, 'string')
    assert.equal((await database.row(session)).status, 'processing')
    await alive()
  })
}

test('a GET with a body: 400, and the body is no request', async () => {
  const { answer, status } = await raw(bridge, 'GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 36\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n\r\n')
  assert.equal(status, 400)
  assert.equal(answer.match(/HTTP\/1\.1 /g).length, 1)
})

test('a body that is longer than announced: the rest is a request of its own, and a bad one', async () => {
  const { answer } = await raw(bridge, head('request_update', `${JSON_TYPE}Content-Length: 2\r\n`) + '{}garbage\r\n\r\n')
  assert.ok(answer === '' || answer.startsWith('HTTP/1.1 200'), answer)
  await alive()
})

test('a client that closes in the middle of its body', async () => {
  await raw(bridge, head('pause', `${JSON_TYPE}Content-Length: 20\r\n`) + '{"mess', { end: true }).catch(() => {})
  assert.equal((await database.row(session)).status, 'processing')
  await alive()
})

// who pipelines behind a request that waits is hung up on: libwebsockets would turn for ever
test('a client that goes, or sends more, while its answer is awaited, costs nothing', async t => {
  const holder = database.psql('postgres')
  t.after(() => holder.end())
  const waits = async count => until(() => database.sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()"),
    number => Number(number) >= count, 'the action waits')
  // a list is a GET: libwebsockets reads nothing until it is answered
  holder.stdin.write('BEGIN; LOCK TABLE sync.sync_sessions;\n\\echo held\n')
  await until(() => holder.stdout, text => text.includes('held'), 'the table is held')
  const cpu = () => {
    const fields = readFileSync(`/proc/${bridge.pid}/stat`, 'utf8').split(') ')[1].split(' ')
    return Number(fields[11]) + Number(fields[12])
  }
  const gone = await dialogue()
  gone.socket.write(`GET /sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${alice}\r\n\r\n`)
  await waits(1)
  const before = cpu()
  const started = performance.now()
  gone.socket.end()
  await gone.closed // it is not kept until its answer
  // somebody else: one caller has one of the two connections at a time
  const eager = await dialogue()
  eager.socket.write(`GET /sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${await database.token('bob')}\r\n\r\n`)
  await waits(2)
  eager.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  await eager.closed
  const half = await dialogue()
  half.socket.write(head('pause', `${JSON_TYPE}Content-Length: 2\r\n`) + '{}')
  half.socket.end()
  await half.closed
  const ticks = cpu() - before
  assert.ok(ticks * 10 < (performance.now() - started) * 0.5 + 100, `${ticks} ticks of CPU in ${Math.round(performance.now() - started)} ms`)
  holder.stdin.write('ROLLBACK;\n')
  await until(() => call(bridge, 'GET', '/sessions', { token: alice }), ({ status }) => status === 200, 'lists are there again')
})

test('more waits than may: 503 with Retry-After, and all that was taken is answered', async t => {
  const holder = database.psql('postgres')
  t.after(() => holder.end())
  holder.stdin.write('BEGIN; LOCK TABLE sync.sync_sessions;\n\\echo held\n')
  await until(() => holder.stdout, text => text.includes('held'), 'the table is held')
  const asked = Array.from({ length: 320 }, () => call(bridge, 'GET', '/sessions', { token: alice }))
  const refused = await Promise.any(asked.map(async answer => {
    const { status, headers, json } = await answer
    if (json?.error !== 'too much is waiting to be done') throw new Error('another answer')
    return { status, headers }
  }))
  assert.equal(refused.status, 503)
  assert.equal(refused.headers.get('retry-after'), '1')
  await alive() // more wait than libwebsockets has header tables
  holder.stdin.write('ROLLBACK;\n')
  const statuses = (await Promise.all(asked)).map(({ status }) => status)
  assert.ok(statuses.filter(status => status === 200).length >= 128) // one at the database, and half of 256
  assert.ok(statuses.every(status => status === 200 || status === 503))
})
