/*
 * HTTP as nobody sound speaks it: refused or hung up on, within its time, and
 * nobody else notices.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { Bridge, timeMax } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { Plain, request, upgrade } from './lib/plain.js'
import { guardDirectory } from './lib/programs.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

const HANDSHAKE_MS = 800
const CLOSE = 'Connection: close'

let database
let bridge
let patient // for what has to be answered, however long this machine takes to send it
let guard
let pids
let token
let bystander
let bystanders

before(async () => {
  const www = mkdtempSync(join(tmpdir(), 'sync-progress-www.'))
  guard = guardDirectory(www)
  writeFileSync(join(www, 'index.html'), 'the page\n')
  writeFileSync(join(www, 'large.css'), '/* large */\n'.repeat(50_000))
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--www', www, '--handshake-timeout-ms', String(HANDSHAKE_MS)])
  patient = await Bridge.start(database.conninfo(), ['--www', www])
  await bridge.ready()
  await patient.ready()
  token = await database.token()
  pids = [bridge.pid, patient.pid]
  bystanders = await database.session('total_count => 1000000')
  bystander = await RawClient.welcomed(bridge.cable(token))
  await bystander.watch(identifierOf(bystanders))
})
after(async () => {
  bystander?.close()
  await bridge?.stop()
  await patient?.stop()
  await database?.destroy()
  await guard?.release()
})

// Whatever somebody sent, another one is still served, and hears of everything in the end.
afterEach(async () => {
  await bystander.barrier()
  assert.equal((await fetch(`${patient.origin}/healthz`, { headers: { connection: 'close' } })).status, 200)
  assert.deepEqual([bridge.pid, patient.pid], pids)
})

/** What this is answered until the bridge hangs up, which it must. */
async function exchange(bytes, to = bridge) {
  const plain = await Plain.open(to)
  try {
    plain.send(bytes)
    await plain.end()
    return plain
  } finally {
    plain.destroy()
  }
}

const REFUSED = [400, 403, 404, 405, 411, 413, 414, 501]

/** Nothing of this is served, in one answer at most. */
async function isRefused(bytes, statuses = REFUSED, by = bridge) {
  const { text, statuses: [first, ...others] } = await exchange(bytes, by)
  assert.ok(text === '' || /^HTTP\/1\.[01] \d/.test(text), text)
  const status = first ?? (text === '' ? undefined : Number(text.split(' ')[1]))
  assert.ok(status === undefined || statuses.includes(status), text)
  assert.deepEqual(others, [], text)
}

const lines = (count, make) => Array.from({ length: count }, (_, i) => make(i))

// -- what is no request ----------------------------------------------------------

for (const [what, bytes] of Object.entries({
  'every byte there is': Buffer.from(lines(5000, i => i % 256)),
  'zeros': Buffer.alloc(20_000),
  'only line ends': '\r\n'.repeat(1000),
  'TLS on a plain port': Buffer.from(`16030100a5010000a10303${'00'.repeat(300)}`, 'hex'),
  'HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'another protocol': 'SSH-2.0-OpenSSH_9.2\r\n',
  'a mail': 'EHLO x\r\nMAIL FROM:<a@b>\r\n\r\n',
  'a word and no more': 'GET\r\n\r\n',
  'line ends without line feeds': 'GET /healthz HTTP/1.1\rHost: x\r\r',
  'HTTP/0.9': 'GET /healthz\r\n'
})) {
  test(`no request: ${what}`, () => isRefused(bytes))
}

for (const method of ['BREW', 'TRACE', 'CONNECT', 'PROPFIND', 'G', 'GETT', '', 'GET GET', 'X'.repeat(5000)]) {
  test(`no method of ours: ${method.slice(0, 10)}`, () => isRefused(request('/', [CLOSE]).replace('GET /', `${method} /`)))
}

// -- too much of it --------------------------------------------------------------

for (const [what, head] of Object.entries({
  'a header of 100 kB': request('/', [`X: ${'y'.repeat(100_000)}`]),
  'a cookie of 20 kB': request('/', [`Cookie: ${'y'.repeat(20_000)}`]),
  'a thousand headers': request('/', lines(1000, i => `X-${i}: y`)),
  'a thousand times the same header': request('/', lines(1000, () => 'Accept: y')),
  'a path of 100 kB': request(`/${'y'.repeat(100_000)}`),
  'arguments of 100 kB': request(`/?${'y=1&'.repeat(25_000)}`),
  'a header\'s name of 100 kB': request('/', [`${'y'.repeat(100_000)}: x`])
})) {
  test(`too much: ${what}`, () => isRefused(head))
}

test('too large headers are counted', async () => {
  const before = await patient.metric('refused_total{reason="header_size"}')
  await isRefused(request('/', [`Cookie: ${'y'.repeat(20_000)}`]), REFUSED, patient)
  assert.equal(await patient.metric('refused_total{reason="header_size"}'), before + 1)
})

test('headers without an end: hung up on when they are too many, not when the client stops', async () => {
  const plain = await Plain.open(bridge)
  plain.send('GET / HTTP/1.1\r\n')
  let ended = false
  plain.closed.then(() => { ended = true })
  for (let sent = 0; !ended && sent < 64 << 20; sent += 10_000) {
    await new Promise(resolve => plain.socket.write(`X-${sent}: ${'y'.repeat(10_000)}\r\n`, resolve))
  }
  await plain.end()
  assert.ok(plain.text === '' || !plain.text.startsWith('HTTP/1.1 2'), plain.text)
})

// -- targets -----------------------------------------------------------------------

for (const target of ['http://127.0.0.1/healthz', 'http://evil.example/../../etc/passwd', 'https://127.0.0.1:1/', '//evil.example/', '*', 'healthz', '?', '#',
  '/he\0althz', '/healthz\0', '/%00', '/healthz%00', '/%', '/%2', '/%zz', '/healthz%', '/%c0%ae%c0%ae/', '/\xff\xfe', '/%ff', '/../healthz/..', '/%2e%2e/x',
  '/%0d%0aSet-Cookie:%20a=b', '/healthz%20', '/healthz/', '/healthz;x', '/./.', '/cable\0/x', '/events/%2f/%2f', '/\\']) {
  test(`a target that is none of ours: ${JSON.stringify(target)}`, async () => {
    const { text } = await exchange(Buffer.from(request(target, [CLOSE]), 'latin1'))
    assert.ok(text === '' || REFUSED.includes(Number(text.split(' ')[1])) || text.includes('the page') || text.endsWith('ok\n'), text)
    assert.ok(!/set-cookie/i.test(text.split('\r\n\r\n')[0]), text)
  })
}

for (const target of ['/%68ealth%7a', '/healthz?', '/healthz?%', '/healthz?%00=%zz&&&==', '/healthz?token=%00']) {
  test(`a target that is one of ours, oddly written: ${target}`, async () => {
    const { text } = await exchange(request(target, [CLOSE]))
    assert.ok(text === '' || /^HTTP\/1\.[01] (200|403) /.test(text), text)
  })
}

// -- where a request ends ------------------------------------------------------------

const SECOND = request('/readyz', [CLOSE])

/** One refusal; what could be taken for a second request is not answered. */
for (const [what, headers, body] of [
  ['two lengths', ['Content-Length: 5', 'Content-Length: 60'], 'hello'],
  ['two equal lengths', ['Content-Length: 5', 'Content-Length: 5'], 'hello'],
  ['a list of lengths', ['Content-Length: 5, 5'], 'hello'],
  ['a length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked'], '0\r\n\r\n'],
  ['chunks and a length', ['Transfer-Encoding: chunked', 'Content-Length: 5'], '0\r\n\r\n'],
  ['chunks', ['Transfer-Encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'],
  ['bad chunks', ['Transfer-Encoding: chunked'], 'zz\r\nhello\r\n0\r\n\r\n'],
  ['a chunk without an end', ['Transfer-Encoding: chunked'], 'fffffffffffffffff\r\nhello'],
  ['chunks of some other kind', ['Transfer-Encoding: xchunked'], '0\r\n\r\n'],
  ['identity', ['Transfer-Encoding: identity'], ''],
  ['chunks behind a blank', ['Transfer-Encoding : chunked'], '0\r\n\r\n'],
  ['chunks behind a tab', ['Transfer-Encoding\t: chunked'], '0\r\n\r\n'],
  ['a length behind a blank', ['Content-Length : 5'], 'hello'],
  ['a negative length', ['Content-Length: -1'], ''],
  ['a length with a sign', ['Content-Length: +5'], 'hello'],
  ['a hexadecimal length', ['Content-Length: 0x5'], 'hello'],
  ['a length beyond all bounds', ['Content-Length: 99999999999999999999999'], 'hello'],
  ['a length beyond most bounds', ['Content-Length: 9223372036854775807'], 'hello'],
  ['a length of letters', ['Content-Length: five'], 'hello']
]) {
  for (const method of ['POST', 'GET']) {
    test(`one request, one end: ${method} with ${what}`, () => isRefused(request(`${method} /callbacks/progress`, headers, body) + SECOND, [...REFUSED, 401]))
  }
}

test('a body that is longer than it says is no second request\'s beginning', async () => {
  const { statuses } = await exchange(request('POST /callbacks/progress', ['Content-Length: 2'], '{}hello') + SECOND)
  assert.ok(!statuses.includes(200), `${statuses}`)
})

// -- pipelining -------------------------------------------------------------------

test('pipelined requests are answered in order, each its own', async () => {
  const paths = lines(40, i => ['/healthz', '/nothing', '/large.css', '/'][i % 4])
  const { text, statuses } = await exchange(paths.map(path => request(path)).join('') + request('/healthz', [CLOSE]), patient)
  assert.deepEqual(statuses, [...paths.map(path => (path === '/nothing' ? 404 : 200)), 200])
  const lengths = [...text.matchAll(/content-length: (\d+)/gi)].map(match => Number(match[1]))
  assert.deepEqual(lengths.slice(0, 4), [3, 15, 600_000, 9])
})

/**
 * Behind a body this is refused.  libwebsockets 4.3 takes it for more of the body:
 * then the answer to that says that it is the last.
 */
async function isLast(first, second) {
  const { text, statuses } = await exchange(first + second, patient)
  if (statuses.length === 1) assert.match(text, /^connection: close\r$/im)
  else assert.deepEqual(statuses.slice(1), [503], `${statuses}`)
}

// libwebsockets 4.1.6 took the headers of such a request for its body, and turned for ever in that
for (const [what, second] of Object.entries({
  'a report': request('POST /callbacks/progress', ['Content-Type: application/json', 'Content-Length: 2'], '{}'),
  'half a report': request('POST /callbacks/progress', ['Content-Type: application/json', 'Content-Length: 9'], '{}'),
  'a report and more': request('POST /callbacks/progress', ['Content-Length: 2'], '{}') + SECOND,
  'a large report': request('POST /callbacks/progress', ['Content-Length: 3000'], 'x'.repeat(3000)),
  'a body of nobody\'s': request('POST /nothing', ['Content-Length: 5'], 'hello'),
  'a GET with a body': request('/healthz', ['Content-Length: 5'], 'hello'),
  'a body without a length': request('POST /callbacks/progress', [], 'hello'),
  'a body in chunks': request('POST /callbacks/progress', ['Transfer-Encoding: chunked'], '2\r\n{}\r\n0\r\n\r\n')
})) {
  test(`pipelined behind another request: ${what}`, async () => {
    for (const first of [request('/healthz'), request('/large.css')]) {
      const { statuses } = await exchange(first + second, patient)
      assert.equal(statuses.length, 2, `${statuses}`)
      assert.equal(statuses[1], 503)
    }
    await isLast(request('POST /callbacks/progress', ['Content-Length: 2'], '{}'), second)
  })
}

test('requests with bodies one after the other on one connection', async () => {
  const plain = await Plain.open(patient)
  const report = request('POST /callbacks/progress', ['Content-Type: application/json', 'Content-Length: 2'], '{}')
  for (let i = 1; i <= 10; i++) {
    plain.send(report)
    await until(() => plain.statuses, statuses => statuses.length === i, 'it is answered')
  }
  plain.destroy()
  assert.deepEqual(plain.statuses, Array(10).fill(401))
})

test('ten thousand pipelined requests do not hold up others', async () => {
  const flood = exchange(request('/healthz').repeat(10_000) + request('/healthz', [CLOSE]), patient)
  for (let i = 0; i < 20; i++) assert.equal((await fetch(`${patient.origin}/healthz`)).status, 200)
  assert.equal((await flood).statuses.length, 10_001)
})

test('requests of every kind on one connection', async () => {
  const { statuses } = await exchange(request('/healthz') + request('HEAD /healthz') + request('HEAD /large.css') + request('POST /healthz', ['Content-Length: 0']) +
    request('/readyz') + request('OPTIONS /healthz') + request('/', [CLOSE]), patient)
  assert.deepEqual(statuses.filter(status => status === 200).length >= 5, true, `${statuses}`)
  assert.equal(statuses.length, 7, `${statuses}`)
})

test('a client that has said all it will say is answered all the same', async () => {
  const plain = await Plain.open(patient, { allowHalfOpen: true })
  plain.socket.end(request('/healthz'))
  await plain.match(/ok\n$/)
  plain.destroy()
})

test('a request behind the handshake is none', async () => {
  const plain = await Plain.open(patient)
  plain.send(upgrade(token) + SECOND)
  await plain.end()
  assert.deepEqual(plain.statuses, [101])
})

// -- time -----------------------------------------------------------------------

/** Sends this bit by bit, for as long as the bridge lets it; how long that was. */
async function drip(start, piece) {
  const plain = await Plain.open(bridge)
  const started = performance.now()
  plain.send(start)
  const timer = setInterval(() => plain.send(piece), 100)
  try {
    await plain.end()
    return { plain, ms: performance.now() - started }
  } finally {
    clearInterval(timer)
    plain.destroy()
  }
}

for (const [what, start, piece] of [
  ['the request line', 'G', 'E'],
  ['headers', 'GET /healthz HTTP/1.1\r\nHost: x\r\n', 'X: y\r\n'],
  ['a handshake', upgrade('').slice(0, 100), 'x'],
  ['a body', request('POST /callbacks/progress', ['Content-Length: 10000']), 'x']
]) {
  test(`${what}, slowly without an end: given up in time`, async () => {
    const { plain, ms } = await drip(start, piece)
    assert.ok(ms < timeMax(3 * HANDSHAKE_MS + 2000), `${ms} ms`)
    assert.ok(!plain.statuses.includes(200))
  })
}

test('two hundred slow ones hold up nobody', async () => {
  const slow = await Promise.all(lines(200, () => Plain.open(bridge)))
  for (const plain of slow) plain.send('GET /healthz HTTP/1.1\r\nHost:')
  for (let i = 0; i < 20; i++) assert.equal((await fetch(`${bridge.origin}/healthz`)).status, 200)
  for (const plain of slow) await plain.end()
  assert.ok(await bridge.metric('timed_out_total{stage="request"}') >= 200)
})

test('who watched all the while is told what changes', async () => {
  await database.increment(bystanders, 7)
  await bystander.message(identifierOf(bystanders), ({ processed_count: count }) => count === 7)
})
