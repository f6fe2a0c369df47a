/*
 * Clients that do not keep to the protocol, or ask for too much: refused in
 * the protocol's own way, and nobody else notices.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { readFile, readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { within } from '../browser/lib/wait.js'
import { Bridge, memoryMax } from './lib/bridge.js'
import { Bystander } from './lib/bystander.js'
import { Database } from './lib/database.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { Recorder, until } from './lib/recorder.js'

const FRAME_MAX = 65_536
const IDENTIFIER_MAX = 512
const SUBSCRIPTIONS_MAX = 100

let database
let bridge
let token
let pid
let bystander

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--log-level', 'debug'])
  await bridge.ready()
  token = await database.token()
  pid = bridge.pid
  bystander = await Bystander.of(database, bridge, token)
})
after(async () => {
  bystander?.close()
  await bridge?.stop()
  await database?.destroy()
})

// Whatever a client did, another one's messages still come.
afterEach(async () => {
  await bystander.isServed()
  assert.equal(bridge.pid, pid)
})

async function open(t) {
  const client = await RawClient.welcomed(bridge.cable(token))
  t.after(() => client.close())
  return client
}

/**
 * The connection still works, and was sent nothing meanwhile; of what it
 * watches a fresher state may have come, for subscribing has it folded.
 */
async function isUnharmed(client, from, watched) {
  const session = await database.session()
  await client.barrier()
  const frames = client.frames.all.slice(from)
    .filter(({ type, identifier, message }) => type !== 'ping' && !(message && identifier === watched))
  assert.deepEqual(frames.map(({ type }) => type), ['reject_subscription'])
  await client.watch(identifierOf(session))
}

const NOT_UNDERSTOOD = {
  'not JSON': 'subscribe',
  'half of an object': '{"command":"subscribe","identifier":"{',
  'an empty frame': '',
  'an array': '[]',
  'null': 'null',
  'no command': '{"identifier":"x"}',
  'a command that is no string': '{"command":7,"identifier":"x"}',
  'an unknown command': '{"command":"explode","identifier":"{\\"channel\\":\\"SyncStatusChannel\\"}"}',
  'subscribe without identifier': '{"command":"subscribe"}',
  'subscribe with an identifier that is no string': '{"command":"subscribe","identifier":{"channel":"SyncStatusChannel"}}',
  'subscribe with an empty identifier': '{"command":"subscribe","identifier":""}',
  'two identifiers': '{"command":"subscribe","identifier":"a","identifier":"b"}',
  'unsubscribe from what was never subscribed': '{"command":"unsubscribe","identifier":"never"}',
  'a message to what was never subscribed': '{"command":"message","identifier":"never","data":"{\\"action\\":\\"request_update\\"}"}',
  'a message without data': '{"command":"message","identifier":"never"}',
  'a refresh without token': '{"command":"refresh"}',
  'sixty thousand brackets': '['.repeat(60_000)
}
for (const [what, text] of Object.entries(NOT_UNDERSTOOD)) {
  test(`not understood, and not answered: ${what}`, async t => {
    const client = await open(t)
    const from = client.frames.all.length
    client.sendText(text, { binary: false })
    await isUnharmed(client, from)
  })
}

test('what is not understood is counted', async t => {
  const unknown = async () => Number(/unknown_commands_total (\d+)/.exec(await (await fetch(`${bridge.origin}/metrics`)).text())[1])
  const client = await open(t)
  const before = await unknown()
  const sent = ['subscribe', '{"command":"explode","identifier":"x"}', '{"command":"message","identifier":"never","data":"{}"}', '{"type":"welcome"}']
  for (const text of sent) client.sendText(text)
  client.sendText(Buffer.from('{}'), { binary: true })
  await client.barrier()
  assert.equal(await unknown() - before, sent.length + 1)
})

test('binary frames are not answered, not even commands', async t => {
  const client = await open(t)
  const from = client.frames.all.length
  const command = JSON.stringify({ command: 'subscribe', identifier: identifierOf(bystander.session) })
  client.sendText(Buffer.from([0, 1, 2, 255]), { binary: true })
  client.sendText(Buffer.from(command), { binary: true })
  client.sendText(Buffer.from(command.slice(0, 9)), { binary: true, fin: false })
  client.sendText(Buffer.from(command.slice(9)), { binary: true, fin: true })
  await isUnharmed(client, from)
})

test('text that is not UTF-8: closed with 1007', async t => {
  const client = await open(t)
  client.sendText(Buffer.from([0x7b, 0xff, 0xfe, 0x22]), { binary: false })
  assert.equal((await client.end()).code, 1007)
})

test('text of more bytes than letters, wherever it is cut on the way', async t => {
  const client = await open(t)
  const session = await database.session()
  for (let indent = 0; indent < 4; indent++) {
    const identifier = `{"channel":"SyncStatusChannel","session_id":${session},"note":"${indent}${'✓é'.repeat(80)}"}`
    client.sendText(' '.repeat(300 + indent) + JSON.stringify({ command: 'subscribe', identifier }))
    await client.confirmed(identifier)
  }
})

test('a message whose data is not JSON, or has no action', async t => {
  const client = await open(t)
  const identifier = identifierOf(await database.session())
  await client.watch(identifier)
  const from = client.frames.all.length
  for (const data of ['nonsense', '{}', '{"action":7}', '{"action":"no_such_action"}', '[]', 7, null, { action: {} }]) {
    client.send({ command: 'message', identifier, data })
  }
  await isUnharmed(client, from, identifier)
})

test('a frame of the largest size is taken, in one piece or in many', async t => {
  const client = await open(t)
  const session = await database.session()
  const command = JSON.stringify({ command: 'subscribe', identifier: identifierOf(session) })
  client.sendText(command.padEnd(FRAME_MAX, ' '))
  await client.confirmed(identifierOf(session))
  const second = JSON.stringify({ command: 'subscribe', identifier: identifierOf(String(session)) })
  for (const [i, letter] of [...second].entries()) client.sendText(letter, { fin: i === second.length - 1 })
  await client.confirmed(identifierOf(String(session)))
})

for (const [what, pieces] of [['at once', 1], ['in pieces', 9]]) {
  test(`a frame too large, ${what}: closed with 1009`, async t => {
    const client = await open(t)
    const piece = 'x'.repeat(Math.ceil((FRAME_MAX + 1) / pieces))
    for (let i = 1; i <= pieces; i++) client.sendText(piece, { fin: i === pieces })
    assert.equal((await client.end()).code, 1009)
  })
}

test('a frame far too large is not even read: closed with 1009', async t => {
  const client = await open(t)
  client.sendText('x'.repeat(32 << 20))
  assert.equal((await client.end()).code, 1009)
  const rss = await memoryOf(pid)
  assert.ok(rss < memoryMax(64 << 20), `the bridge uses ${rss} bytes`)
})

test('an identifier of the largest size is taken, one byte more is rejected as it was sent', async t => {
  const client = await open(t)
  const session = await database.session()
  const sized = bytes => {
    const bare = `{"channel":"SyncStatusChannel","session_id":${session},"note":""}`
    return bare.replace('""', `"${'x'.repeat(bytes - bare.length)}"`)
  }
  await client.watch(sized(IDENTIFIER_MAX))
  client.subscribe(sized(IDENTIFIER_MAX + 1))
  await client.rejected(sized(IDENTIFIER_MAX + 1))
  client.subscribe(sized(60_000))
  await client.rejected(sized(60_000))
})

test('the 101st subscription is rejected, and one given up makes room', async t => {
  const client = await open(t)
  const session = await database.session()
  const numbered = n => `{"channel":"SyncStatusChannel","session_id":${session},"n":${n}}`
  for (let n = 1; n <= SUBSCRIPTIONS_MAX; n++) client.subscribe(numbered(n))
  for (let n = 1; n <= SUBSCRIPTIONS_MAX; n++) await client.confirmed(numbered(n))
  // While states are still on their way out a refusal is left out: clients ask again.
  await until(() => {
    client.subscribe(numbered(101))
    return client.frames.all
  }, frames => frames.some(({ type, identifier }) => type === 'reject_subscription' && identifier === numbered(101)), 'the 101st is rejected')
  client.unsubscribe(numbered(50))
  client.subscribe(numbered(102))
  await client.confirmed(numbered(102))
  await database.increment(session, 5)
  await client.message(numbered(102), ({ processed_count: count }) => count === 5)
  await client.message(numbered(1), ({ processed_count: count }) => count === 5)
  await client.barrier()
  assert.ok(!client.messages(numbered(50)).some(({ processed_count: count }) => count === 5))
})

test('a rejected subscription takes no room', async t => {
  const client = await open(t)
  for (let n = 0; n < 3 * SUBSCRIPTIONS_MAX; n += 50) {
    const unknown = Array.from({ length: 50 }, (_, i) => identifierOf(900_000_000 + n + i))
    for (const identifier of unknown) client.subscribe(identifier)
    for (const identifier of unknown) await client.rejected(identifier)
  }
  await client.watch(identifierOf(await database.session()))
})

test('subscribed and given up a thousand times, faster than the database answers', async t => {
  const client = await open(t)
  const identifier = identifierOf(await database.session())
  for (let i = 0; i < 1000; i++) {
    client.subscribe(identifier)
    client.unsubscribe(identifier)
  }
  await client.barrier()
  const from = client.frames.all.length
  client.subscribe(identifier)
  await client.message(identifier, undefined, { from })
})

test('gone while being asked about', async () => {
  const identifiers = []
  for (let i = 0; i < 20; i++) identifiers.push(identifierOf(await database.session()))
  const clients = await Promise.all(Array.from({ length: 50 }, () => RawClient.welcomed(bridge.cable(token))))
  for (const client of clients) {
    for (const identifier of identifiers) client.subscribe(identifier)
    client.close()
  }
  await Promise.all(clients.map(client => client.end()))
})

test('WebSocket pings are answered, and so is a close', async t => {
  const client = await open(t)
  const pong = new Promise(resolve => client.socket.once('pong', resolve))
  client.socket.ping('are you there')
  assert.equal((await within(pong, 'a pong')).toString(), 'are you there')
  client.socket.close(1000, 'bye')
  assert.equal((await client.end()).code, 1000)
})

test('a handshake that comes byte by byte', async () => {
  const handshake = `GET /cable?token=${token} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: actioncable-v1-json\r\n\r\n'
  const socket = connect(bridge.port, '127.0.0.1')
  const received = new Recorder()
  socket.setNoDelay(true).setEncoding('utf8').on('data', text => received.put(text))
  const all = () => received.all.join('')
  try {
    for (const letter of handshake) await new Promise(resolve => socket.write(letter, resolve))
    await received.find(() => all().includes('{"type":"welcome"}'), 'the welcome')
    assert.match(all(), /^HTTP\/1\.1 101 /)
    assert.match(all(), /sec-websocket-protocol: actioncable-v1-json\r\n/i)
    assert.match(all(), /sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/i)
  } finally {
    socket.destroy()
  }
})

test('a protocol that is not spoken here: refused, or closed at once', async t => {
  await assert.rejects(RawClient.open(bridge.cable(token), { protocols: 'graphql-ws' }), { status: 400 })
  const client = await RawClient.open(bridge.cable(token), { protocols: ['graphql-ws', 'actioncable-v1-json'] })
  t.after(() => client.close())
  assert.equal(client.socket.protocol, 'actioncable-v1-json')
})

test('no protocol at all: actioncable-v1-json is spoken, as Rails does', async t => {
  const client = await RawClient.welcomed(bridge.cable(token), { protocols: [] })
  t.after(() => client.close())
  assert.equal(client.socket.protocol, '')
  const session = await database.session()
  await client.watch(identifierOf(session))
  await database.increment(session, 5)
  await client.message(identifierOf(session), ({ processed_count: count }) => count === 5)
  client.sendText('x'.repeat(FRAME_MAX + 1))
  assert.equal((await client.end()).code, 1009)
})

test('actioncable-unsupported is agreed to, and closed without a word', async () => {
  const client = await RawClient.open(bridge.cable(token), { protocols: ['actioncable-unsupported', 'actioncable-v1-json'] })
  client.subscribe(identifierOf(bystander.session))
  assert.equal((await client.end()).code, 1000)
  assert.deepEqual(client.frames.all, [])
})

test('a WebSocket anywhere but at /cable is refused', async () => {
  for (const path of ['/', '/cable/', '/cables', '/events', '/healthz', '/cable%2f', '/x/../cable/x']) {
    await assert.rejects(RawClient.open(`${bridge.origin.replace('http', 'ws')}${path}?token=${token}`), { status: 404 }, path)
  }
})

/** What comes back on a plain TCP connection that sends this, until it is closed. */
function exchange(bytes) {
  return new Promise((resolve, reject) => {
    const socket = connect(bridge.port, '127.0.0.1', () => socket.write(bytes))
    let answer = ''
    socket.setEncoding('latin1').setTimeout(20_000, () => socket.destroy(new Error(`not closed, after ${answer}`)))
    socket.on('data', text => { answer += text })
    socket.on('error', error => (error.code === 'ECONNRESET' ? resolve(answer) : reject(error)))
    socket.on('close', () => resolve(answer))
  })
}

for (const [what, request] of [
  ['nonsense', 'hello\r\n\r\n'],
  ['TLS', Buffer.from('16030100a5010000a10303000102030405060708090a0b0c0d0e0f', 'hex')],
  ['a header without end', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100_000)}`],
  ['a path without end', `GET /${'y'.repeat(100_000)}`],
  ['an upgrade to something else', 'GET /cable HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'],
  ['an upgrade without a key', 'GET /cable HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: actioncable-v1-json\r\n\r\n']
]) {
  test(`plain TCP: ${what} ends without a welcome`, async () => {
    const answer = await exchange(request)
    assert.ok(!answer.includes('101 Switching'), answer)
    assert.ok(!answer.includes('welcome'), answer)
  })
}

test('an upgrade to HTTP/2, which some clients ask for unasked, is refused with what to do', async () => {
  const answer = await exchange('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n\r\n')
  assert.match(answer, /^HTTP\/1\.1 400 /)
  assert.match(answer, /without Upgrade/)
})

test('a connection that says nothing is ended within ten seconds or so', async () => {
  const started = performance.now()
  assert.equal(await exchange(''), '')
  const seconds = (performance.now() - started) / 1000
  assert.ok(seconds > 5 && seconds < 15, `${seconds} s`)
})

test('what has gone leaves nothing open', async () => {
  // itself, libraries, two connections to the database, the bystander
  await until(async () => (await readdir(`/proc/${pid}/fd`)).length, count => count < 24, 'its descriptors are closed')
  const rss = await memoryOf(pid)
  assert.ok(rss < memoryMax(64 << 20), `the bridge uses ${rss} bytes`)
})

async function memoryOf(process) {
  return Number(/VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${process}/status`, 'utf8'))[1]) * 1024
}
