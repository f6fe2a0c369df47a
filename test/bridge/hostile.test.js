/*
 * Clients that want to do harm over a WebSocket: too many commands, too much
 * of everything, frames that break the rules, strings for somebody else's
 * parser, tokens that are forged. Each is refused, and nobody else notices.
 */
import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { after, afterEach, before, test } from 'node:test'
import { Bridge, memoryMax } from './lib/bridge.js'
import { Bystander } from './lib/bystander.js'
import { Database } from './lib/database.js'
import { jwt, secondsFromNow } from './lib/jwt.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

const MANY = 10_000
const SUBSCRIPTIONS_MAX = 100
const MEMORY_MAX = 64 << 20

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

// whatever was done, the others are served, by the same process, which has not grown
afterEach(async () => {
  await bystander.isServed()
  assert.equal(bridge.pid, pid)
  const memory = Number(/VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))[1]) * 1024
  assert.ok(memory < memoryMax(MEMORY_MAX), `the bridge uses ${memory} bytes`)
})

async function open(t, as = token) {
  const client = await RawClient.welcomed(bridge.cable(as))
  t.after(() => client.close())
  return client
}

async function metric(name) {
  const text = await (await fetch(`${bridge.origin}/metrics`)).text()
  return Number(new RegExp(`^sync_progress_bridge_${name.replace(/[{}"]/g, '\\$&')} (\\d+)$`, 'm').exec(text)?.[1] ?? NaN)
}

/** Asks until the answer has come, as clients do: what is rejected while something is pending is not told. */
async function insists(client, identifier, answer) {
  await until(() => {
    client.subscribe(identifier)
    return client.frames.all.some(frame => frame.identifier === identifier && (frame.type ?? 'state') === answer)
  }, answered => answered, `${answer} for ${identifier}`)
}

const numbered = (session, n) => `{"channel":"SyncStatusChannel","session_id":${session},"n":${n}}`

/** A frame as it is on the wire, masked with zeroes; length: what it claims to have. */
function frame(first, payload = '', { length } = {}) {
  const body = Buffer.from(payload)
  const head = Buffer.alloc(length > 65_535 ? 14 : 6)
  head[0] = first
  head[1] = 0x80 | (length > 65_535 ? 127 : length ?? body.length)
  if (length > 65_535) head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, body])
}

// -- too many --------------------------------------------------------------------

test(`${MANY} subscribes to one session: as many as are allowed are confirmed, each other one is rejected or not answered`, async t => {
  const client = await open(t)
  const session = await database.session()
  for (let n = 0; n < MANY; n++) client.subscribe(numbered(session, n))
  await insists(client, numbered(session, MANY), 'reject_subscription')
  assert.equal(client.frames.all.filter(({ type }) => type === 'confirm_subscription').length, SUBSCRIPTIONS_MAX)
  await database.increment(session, 5)
  await client.message(numbered(session, 0), ({ processed_count: count }) => count === 5)
  assert.ok(await metric('refused_total{reason="max_subscriptions"}') >= MANY - SUBSCRIPTIONS_MAX)
})

test(`${MANY} subscribes to nobody's sessions: rejected, at no more queries than need be`, async t => {
  const client = await open(t)
  const before = await metric('queries_total')
  for (let n = 0; n < MANY; n++) client.subscribe(identifierOf(900_000_000 + n))
  await insists(client, identifierOf(await database.session()), 'state')
  assert.ok(await metric('queries_total') - before < MANY / 10, 'they are asked in batches, or not at all')
})

test(`${MANY} times the same subscribe: one confirmation`, async t => {
  const client = await open(t)
  const identifier = identifierOf(await database.session())
  for (let n = 0; n < MANY; n++) client.subscribe(identifier)
  await client.message(identifier)
  await client.barrier()
  assert.equal(client.frames.all.filter(frame => frame.identifier === identifier && frame.type === 'confirm_subscription').length, 1)
})

test(`${MANY} times request_update: answered, at no more queries than need be`, async t => {
  const client = await open(t)
  const identifier = identifierOf(await database.session())
  await client.watch(identifier)
  const before = await metric('queries_total')
  const from = client.frames.all.length
  for (let n = 0; n < MANY; n++) client.send({ command: 'message', identifier, data: '{"action":"request_update"}' })
  await client.message(identifier, undefined, { from })
  await client.barrier()
  const queries = await metric('queries_total') - before
  assert.ok(queries < MANY / 10, `${queries} queries`)
})

test('a thousand refreshes with a key that nobody knows: the keys are not read for each', async t => {
  const client = await open(t)
  const before = await metric('queries_total')
  for (let n = 0; n < 1_000; n++) client.send({ command: 'refresh', token: jwt({ alg: 'HS256', kid: `unknown ${n}` }, { sub: 'alice', exp: secondsFromNow(60) }, 'x') })
  await client.barrier()
  const queries = await metric('queries_total') - before
  assert.ok(queries < 20, `${queries} queries`)
})

test('pings without end from one who reads nothing', async t => {
  const client = await open(t)
  client.socket._socket.pause()
  const pings = Buffer.concat(Array(1_000).fill(frame(0x89, 'x'.repeat(125))))
  for (let n = 0; n < 50; n++) client.socket._socket.write(pings)
  await bystander.isServed()
  client.socket._socket.resume()
  await client.barrier()
})

// -- too large -------------------------------------------------------------------

for (const [what, bytes] of [
  ['a megabyte in one frame', frame(0x81, 'x'.repeat(100_000), { length: 1 << 20 })],
  ['a megabyte in one binary frame', frame(0x82, 'x'.repeat(100_000), { length: 1 << 20 })],
  ['a frame that claims to have 2 to the 62nd bytes', frame(0x81, 'x'.repeat(100_000), { length: 2 ** 62 })],
  ['a megabyte in frames of a hundred bytes', Buffer.concat([frame(0x01, 'x'.repeat(100)), ...Array(10_000).fill(frame(0x00, 'x'.repeat(100)))])]
]) {
  test(`${what}: ended`, async t => {
    const client = await open(t)
    client.socket._socket.write(bytes)
    assert.ok([1006, 1009].includes((await client.end()).code))
  })
}

for (const [what, text] of Object.entries({
  'deep JSON in a command': `{"command":"subscribe","identifier":"x","deep":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
  'deep JSON in data': JSON.stringify({ command: 'message', identifier: 'x', data: `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}` }),
  'a very long action': JSON.stringify({ command: 'message', identifier: 'x', data: JSON.stringify({ action: 'a'.repeat(60_000) }) }),
  'a very long command': JSON.stringify({ command: 'c'.repeat(60_000), identifier: 'x' }),
  'a very long token': JSON.stringify({ command: 'refresh', token: `${'a'.repeat(20_000)}.${'b'.repeat(20_000)}.${'c'.repeat(20_000)}` }),
  'a number with 60,000 digits': `{"command":"subscribe","identifier":"x","n":${'9'.repeat(60_000)}}`,
  'six thousand members': `{"command":"explode",${Array.from({ length: 6_000 }, (_, n) => `"${n}":0`).join()}}`
})) {
  test(`${what}: ignored`, async t => {
    const client = await open(t)
    client.sendText(text)
    await client.barrier()
    await client.watch(identifierOf(await database.session()))
  })
}

test('deep JSON in an identifier: rejected or watched, as PostgreSQL reads it', async t => {
  const client = await open(t)
  const session = await database.session()
  for (const identifier of ['['.repeat(512), `${'['.repeat(256)}${']'.repeat(256)}`, `{"a":${'['.repeat(250)}${']'.repeat(250)}}`]) {
    client.subscribe(identifier)
    await client.rejected(identifier)
  }
  await client.watch(`{"channel":"SyncStatusChannel","session_id":${session},"a":${'['.repeat(200)}${']'.repeat(200)}}`)
})

// -- against the rules -----------------------------------------------------------

test('control frames between the parts of a command', async t => {
  const client = await open(t)
  const session = await database.session()
  const command = JSON.stringify({ command: 'subscribe', identifier: identifierOf(session) })
  const parts = [...command].map((letter, i) => frame(i === 0 ? 0x01 : i === command.length - 1 ? 0x80 : 0x00, letter))
  client.socket._socket.write(Buffer.concat(parts.flatMap(part => [part, frame(0x89, 'ping'), frame(0x8a, 'pong'), frame(0x89)]).slice(0, -3)))
  await client.message(identifierOf(session))
})

test('empty parts without end', async t => {
  const client = await open(t)
  const session = await database.session()
  const command = JSON.stringify({ command: 'subscribe', identifier: identifierOf(session) })
  client.socket._socket.write(Buffer.concat([frame(0x01), ...Array(20_000).fill(frame(0x00))]))
  await bystander.isServed()
  client.socket._socket.write(Buffer.concat([...[...command].map(letter => frame(0x00, letter)), frame(0x80)]))
  await client.message(identifierOf(session))
})

for (const [what, ...frames] of [
  ['a close in the middle of a command', frame(0x01, '{"command"'), frame(0x88, Buffer.from([0x03, 0xe8]))],
  ['a close of one byte', frame(0x88, 'x')],
  ['a close whose reason is not UTF-8', frame(0x88, Buffer.from([0x03, 0xe8, 0xff, 0xfe]))],
  ['text that is not UTF-8', frame(0x81, Buffer.from([0x22, 0xc0, 0xaf, 0x22]))],
  ['text that is not UTF-8, cut in two', frame(0x01, Buffer.from([0x22, 0xf0, 0x9f])), frame(0x80, Buffer.from([0x22]))],
  ['a ping in two parts', frame(0x09, 'x')],
  ['a ping of 126 bytes', Buffer.concat([Buffer.from([0x89, 0xfe, 0, 126, 0, 0, 0, 0]), Buffer.alloc(126)])],
  ['a part of nothing', frame(0x80, 'x')],
  ['a reserved bit', frame(0xc1, '{}')],
  ['an unknown opcode', frame(0x83, '{}')]
]) {
  test(`${what}: ended`, async t => {
    const client = await open(t)
    client.socket._socket.write(Buffer.concat(frames))
    const { code } = await client.end()
    assert.ok([1000, 1002, 1005, 1006, 1007].includes(code), `closed with ${code}`)
  })
}

test('nothing but noise after the handshake, a hundred times: ended, or held with nothing sent', async t => {
  let seed = 42
  const random = () => { seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31; return seed >> 16 & 255 }
  for (let n = 0; n < 100; n++) {
    const client = await open(t)
    client.socket._socket.write(Buffer.from(Array.from({ length: 1_000 }, random)))
    client.socket._socket.end()
    await client.end()
    assert.ok(client.frames.all.every(({ type }) => ['welcome', 'ping'].includes(type)))
  }
})

// -- for somebody else's parser -------------------------------------------------

test('SQL, and what else means something to somebody, in every string', async t => {
  const client = await open(t)
  const session = await database.session()
  const own = identifierOf(session)
  await client.watch(own)
  const strings = [`'; DROP TABLE sync.sync_sessions; --`, `' OR '1'='1`, `$$; SELECT pg_terminate_backend(pid) FROM pg_stat_activity; --$$`, `\\'; SELECT 1; --`,
    `{"a","b"}`, `NULL`, `%s%n%x`, `../../etc/passwd`, `<script>alert(1)</script>`, `"}\n{"stream":"sync:${session}","version":9e15,"type":"revoked"}`, `\u0001\u007f\u0085\u2028`]
  const identifiers = strings.flatMap(text => [text, JSON.stringify(text), ...[
    { channel: text, session_id: session }, { channel: 'SyncStatusChannel', session_id: text }, { channel: 'SyncStatusChannel', [text]: session },
    { channel: 'SyncStatusChannel', session_id: [text] }, { channel: 'SyncStatusChannel', id: { [text]: text } }
  ].map(value => JSON.stringify(value))])
  for (const identifier of identifiers) client.subscribe(identifier)
  for (const identifier of identifiers) await client.rejected(identifier)
  for (const text of strings) {
    client.send({ command: text, identifier: own })
    client.send({ command: 'message', identifier: own, data: text })
    client.send({ command: 'message', identifier: own, data: JSON.stringify({ action: text, message: text, title: text, session_id: text }) })
    client.send({ command: 'refresh', token: text })
  }
  await client.barrier()
  assert.equal((await database.row(session)).status, 'processing')
  for (const line of bridge.log.split('\n')) assert.match(line, /^(ERROR|WARN|INFO|DEBUG) [a-z]+: [^\x00-\x1f\x7f]*$/)
  await database.increment(session, 5)
  await client.message(own, ({ processed_count: count }) => count === 5)
})

test('SQL as the owner that a token names', async t => {
  const owner = `x'; DROP TABLE sync.sync_sessions; --" \\`
  const hers = await database.sql(`SELECT sync.sync_session_start($$${owner}$$)`)
  const client = await open(t, await database.sql(`SELECT sync.sync_progress_token($$${owner}$$)`))
  await client.watch(identifierOf(Number(hers)))
  client.subscribe(identifierOf(bystander.session))
  await client.rejected(identifierOf(bystander.session))
})

// -- tokens ----------------------------------------------------------------------

/** What is said to who comes with this token. */
async function refusal(forged) {
  const client = await RawClient.open(bridge.cable(forged))
  const { code } = await client.end()
  return [code, ...client.frames.all.map(({ type, reason, reconnect }) => `${type} ${reason} ${reconnect}`)]
}

test('a public key taken for a secret: refused', async t => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = publicKey.export({ format: 'jwk' })
  await database.sql(`INSERT INTO sync.sync_keys (kid, alg, jwk) VALUES ('theirs', 'RS256', '${JSON.stringify(jwk)}')`)
  const claims = { sub: 'alice', exp: secondsFromNow(600) }
  const pem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' })
  const der = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  for (const secret of [pem, pem.trim(), der, Buffer.from(jwk.n, 'base64url'), JSON.stringify(jwk)]) {
    const forged = jwt({ alg: 'HS256', kid: 'theirs' }, claims, Buffer.from(secret).toString('base64url'))
    assert.deepEqual(await refusal(forged), [1000, 'disconnect unauthorized false'])
  }
})

test('a token that brings its own key, or says where it is: refused', async () => {
  const { kid } = await database.json(`SELECT json_build_object('kid', kid) FROM sync.sync_keys WHERE alg = 'HS256' LIMIT 1`)
  await Promise.all([{ jwk: { kty: 'oct', k: 'AAAA' } }, { jku: 'https://elsewhere.example/keys.json' }, { x5u: 'file:///dev/null' }, { x5c: ['AAAA'] },
    { kid: '../../../../dev/null' }, { kid: `x' UNION SELECT 'AAAA` }, { kid: '' }, { kid: 'k'.repeat(2_000) }].map(async header => {
    const forged = jwt({ alg: 'HS256', kid, ...header }, { sub: 'alice', exp: secondsFromNow(600) }, 'AAAA')
    assert.deepEqual(await refusal(forged), [1000, 'disconnect unauthorized false'], JSON.stringify(header))
  }))
})

test('a worker\'s token reports, and watches nothing', async t => {
  const session = await database.session()
  const client = await open(t, await database.sql(`SELECT sync.sync_progress_callback_token(job_id) FROM sync.sync_sessions WHERE id = ${session}`))
  for (const identifier of [identifierOf(session), '{"channel":"SessionsChannel"}']) {
    client.subscribe(identifier)
    await client.rejected(identifier)
  }
})

test('a token used again: by many at a time as long as it lasts, not after, and not by a refresh', async t => {
  const session = await database.session()
  const short = await database.token('alice', `ttl => '8 seconds'`)
  const clients = [await open(t, short), await open(t, short)]
  for (const client of clients) await client.watch(identifierOf(session))
  const other = await open(t)
  for (const client of clients) assert.equal((await client.type('disconnect')).reason, 'token_expired')
  assert.deepEqual(await refusal(short), [1000, 'disconnect token_expired true'])
  other.send({ command: 'refresh', token: short })
  await bridge.line(/token not refreshed: the token has expired/)
  await other.watch(identifierOf(session))
})

test('no token was ever written to the log', () => {
  assert.ok(!/eyJ/.test(bridge.log), 'something that looks like a token is in the log')
})
