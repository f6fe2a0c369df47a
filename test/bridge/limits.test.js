/*
 * How much a client may have and how often it may be refused: each limit at its
 * bound, what a client is told beyond it, and that others do not notice.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { within } from '../browser/lib/wait.js'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { jwt, secondsFromNow } from './lib/jwt.js'
import { Plain, request, upgrade } from './lib/plain.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

const PER_MINUTE = 10

let database
let key

before(async () => {
  database = await Database.start()
  key = JSON.parse(await database.sql("SELECT json_build_object('kid', kid, 'secret', jwk::json ->> 'k') FROM sync.sync_progress_keys() LIMIT 1"))
})
after(() => database?.destroy())

async function start(t, args = []) {
  const bridge = await Bridge.start(database.conninfo(), args)
  t.after(() => bridge.stop())
  await bridge.ready()
  return bridge
}

/** One that refuses as an installation does. */
const strict = (t, ...args) => start(t, ['--refused-per-minute', String(PER_MINUTE), ...args])

async function open(t, bridge, token, options) {
  const client = await RawClient.open(bridge.cable(token), options)
  t.after(() => client.close())
  return client
}

async function welcomed(t, bridge, token, options) {
  const client = await open(t, bridge, token, options)
  await client.type('welcome')
  return client
}

/**
 * Of what was refused one is given back every six seconds. What took longer than
 * that, because this machine did, says nothing: it is played again, on another bridge.
 */
const soon = play => async t => {
  for (let left = 3; ; left--) {
    const began = performance.now()
    try {
      return await play(t)
    } catch (error) {
      if (left === 0 || performance.now() - began < 6_000) throw error
      t.diagnostic(`played again: ${error.message}`)
    }
  }
}

/** What an upgrade is answered from this address, in words and with its Retry-After. */
async function handshake(bridge, token, { from, headers } = {}) {
  const plain = await Plain.open(bridge, { from })
  try {
    plain.send(upgrade(token, headers))
    await plain.match(/\r\n\r\n/)
    const status = plain.statuses[0]
    if (status === 101) await plain.match(/"type":"(welcome|disconnect)"/)
    return {
      status,
      retryAfter: Number(/retry-after: (\d+)/i.exec(plain.text)?.[1]),
      frame: /\{"type".*\}/.exec(plain.text)?.[0]
    }
  } finally {
    plain.destroy()
  }
}

const UNAUTHORIZED = '{"type":"disconnect","reason":"unauthorized","reconnect":false}'
const EXPIRED = '{"type":"disconnect","reason":"token_expired","reconnect":true}'

async function useUp(bridge, options) {
  for (let i = 0; i < PER_MINUTE; i++) {
    assert.deepEqual(await handshake(bridge, `bad${i}`, options), { status: 101, retryAfter: NaN, frame: UNAUTHORIZED })
  }
}

function isTooOften({ status, retryAfter }) {
  assert.equal(status, 429)
  assert.ok(retryAfter >= 1 && retryAfter <= 6, `Retry-After: ${retryAfter}`)
}

// -- refusals ----------------------------------------------------------------------

test('[000-35] ten handshakes without a good token a minute, then 429; who has one comes in all the same', soon(async t => {
  const bridge = await strict(t)
  await useUp(bridge)
  isTooOften(await handshake(bridge, 'bad'))
  isTooOften(await handshake(bridge))
  assert.equal(await bridge.metric('refused_total{reason="refused_per_minute"}'), 2)
  assert.equal(await bridge.metric('refused_total{reason="token"}'), PER_MINUTE + 2)
  for (let i = 0; i < 3 * PER_MINUTE; i++) await welcomed(t, bridge, await database.token())
  assert.equal((await handshake(bridge, 'bad', { from: '127.0.0.2' })).frame, UNAUTHORIZED)
}))

test('[000-35] ten refused subscribes a minute, then nothing more is asked for that subject, wherever it is', soon(async t => {
  const bridge = await strict(t)
  const token = await database.token('alice')
  const [first, second] = [await welcomed(t, bridge, token), await welcomed(t, bridge, token)]
  const [watched, other] = [await database.session(), await database.session()]
  await first.watch(identifierOf(watched))
  for (let i = 0; i < PER_MINUTE; i++) {
    first.subscribe(identifierOf(900_000 + i))
    await first.rejected(identifierOf(900_000 + i))
  }
  const asked = await bridge.metric('queries_total')
  for (const client of [first, second]) {
    client.subscribe(identifierOf(910_000))
    await client.rejected(identifierOf(910_000))
    client.subscribe(identifierOf(other))
    await client.rejected(identifierOf(other))
  }
  // each of those would have been one, had it been asked; a sign of life may have been sent
  assert.ok(await bridge.metric('queries_total') - asked < 4)
  assert.equal(await bridge.metric('refused_total{reason="refused_per_minute"}'), 4)
  assert.equal(await bridge.metric('refused_total{reason="subscribe"}'), PER_MINUTE)

  // what it watches goes on, and nobody else is meant
  await database.increment(watched, 5)
  await first.message(identifierOf(watched), ({ processed_count: count }) => count === 5)
  first.subscribe(identifierOf(watched))
  const bob = await welcomed(t, bridge, await database.token('bob'))
  await bob.watch(identifierOf(await database.session('total_count => 1', 'bob')))
}))

test('[000-35] what was refused is asked for again, by reconnects and resends: it costs nothing', async t => {
  const bridge = await strict(t)
  const token = await database.token('alice')
  const unknown = Array.from({ length: PER_MINUTE - 1 }, (_, i) => identifierOf(920_000 + i))
  for (let i = 0; i < 5; i++) {
    const client = await welcomed(t, bridge, token)
    for (const identifier of unknown) client.subscribe(identifier)
    for (const identifier of unknown) await client.rejected(identifier)
    client.close()
  }
  const client = await welcomed(t, bridge, token)
  await client.watch(identifierOf(await database.session()))
})

test('[000-35] identifiers that are too long are refusals', soon(async t => {
  const bridge = await strict(t)
  const client = await welcomed(t, bridge, await database.token())
  for (let i = 0; i < PER_MINUTE; i++) {
    client.subscribe('x'.repeat(600 + i))
    await client.rejected('x'.repeat(600 + i))
  }
  client.subscribe(identifierOf(await database.session()))
  await client.type('reject_subscription', { from: client.frames.all.length })
  assert.equal(await bridge.metric('refused_total{reason="identifier_size"}'), PER_MINUTE)
}))

test('an expired token: sent for a new one three times a minute, then sent away for good', async t => {
  const bridge = await strict(t)
  const expired = sub => jwt({ alg: 'HS256', kid: key.kid }, { sub, exp: secondsFromNow(-5) }, key.secret)
  for (let i = 0; i < 3; i++) assert.equal((await handshake(bridge, expired('alice'))).frame, EXPIRED)
  for (let i = 0; i < 3; i++) assert.equal((await handshake(bridge, expired('alice'))).frame, UNAUTHORIZED)
  assert.equal((await handshake(bridge, expired('bob'))).frame, EXPIRED)
  assert.equal(await bridge.metric('refused_total{reason="refused_per_minute"}'), 3)
  await welcomed(t, bridge, await database.token('alice'))
})

test('[000-35] over HTTP: 401 ten times, then 429; a good token is still served', soon(async t => {
  const bridge = await strict(t)
  const get = token => fetch(`${bridge.origin}/events/SyncStatusChannel/1?token=${token}`)
  for (let i = 0; i < PER_MINUTE; i++) assert.equal((await get('bad')).status, 401)
  const refused = await get('bad')
  assert.equal(refused.status, 429)
  assert.ok(Number(refused.headers.get('retry-after')) <= 6)
  assert.deepEqual(Object.keys(await refused.json()), ['error', 'hint'])
  const answer = await get(await database.token())
  assert.ok(![401, 429].includes(answer.status), `${answer.status}`)
  await answer.body?.cancel()
  isTooOften(await handshake(bridge, 'bad'))
}))

test('[000-35] snapshots, streams and actions are refused ten times, then 429, however they are asked for', soon(async t => {
  const bridge = await strict(t)
  const token = await database.token('alice', "scope => '{read,control}'")
  const session = await database.session()
  const ask = (path, options) => fetch(bridge.origin + path, { ...options, headers: { authorization: `Bearer ${token}`, connection: 'close' } })
  const snapshot = id => ask(`/snapshots/SyncStatusChannel/${id}`)
  const stream = id => ask(`/events/SyncStatusChannel/${id}`)
  const pause = id => ask(`/sessions/SyncStatusChannel/${id}/pause`, { method: 'POST' })
  for (let i = 0; i < 4; i++) assert.equal((await snapshot(930_000 + i)).status, 404)
  for (let i = 4; i < 7; i++) assert.equal((await stream(930_000 + i)).status, 404)
  for (let i = 0; i < 20; i++) assert.equal((await [snapshot, stream][i % 2](930_000 + i % 7)).status, 404, 'the same again')
  for (let i = 7; i < PER_MINUTE; i++) assert.equal((await pause(930_000 + i)).status, 404)
  for (const what of [snapshot, stream, pause]) {
    const refused = await what(session)
    assert.equal(refused.status, 429)
    assert.ok(Number(refused.headers.get('retry-after')) <= 6)
  }
  const client = await welcomed(t, bridge, token)
  client.subscribe(identifierOf(session))
  await client.rejected(identifierOf(session))
  assert.equal((await database.row(session)).status, 'processing')
}))

test('[000-35] callbacks with bad tokens: 401 ten times, then 429; a worker with a good one goes on', soon(async t => {
  const bridge = await strict(t)
  const job = await database.sql(`SELECT job_id FROM sync.sync_sessions WHERE id = ${await database.session()}`)
  const good = await database.sql(`SELECT sync.sync_progress_callback_token('${job}')`)
  const report = (token, body = { job_id: job, processed_count: 5 }) => fetch(`${bridge.origin}/callbacks/progress`,
    { method: 'POST', headers: { 'x-callback-token': token, 'content-type': 'application/json' }, body: JSON.stringify(body) })
  for (let i = 0; i < PER_MINUTE; i++) assert.equal((await report('bad')).status, 401)
  assert.equal((await report('bad')).status, 429)
  for (let i = 0; i < 3 * PER_MINUTE; i++) assert.equal((await report(good)).status, 202)
  assert.equal((await report(good, { job_id: job, message: 'x'.repeat(100_000) })).status, 413)
  assert.equal(await bridge.metric('refused_total{reason="body_size"}'), 1)
}))

// -- connections -------------------------------------------------------------------

const anyOf = (bridge, from) => Plain.open(bridge, { from })

test('connections of one address: one more than allowed is answered 429, of another address it is served', async t => {
  const bridge = await start(t, ['--max-connections-per-address', '3'])
  await until(() => bridge.metric('connections'), count => count === 1, 'the connections of the start are gone')
  const held = []
  for (let i = 0; i < 3; i++) held.push(await anyOf(bridge, '127.0.0.2'))
  const refused = await anyOf(bridge, '127.0.0.2')
  await refused.end()
  assert.match(refused.text, /^HTTP\/1\.1 429 .*\r\nRetry-After: \d+\r\n/)
  await bridge.line(/max_connections_per_address is reached.*trusted_proxy address=127\.0\.0\.2/)
  const other = await anyOf(bridge, '127.0.0.3')
  other.send(request('/healthz', ['Connection: close']))
  await other.match(/^HTTP\/1\.1 200 /)
  assert.equal(await bridge.metric('refused_total{reason="max_connections_per_address"}'), 1)
  held.pop().destroy()
  await until(async () => {
    const again = await anyOf(bridge, '127.0.0.2')
    again.send(request('/healthz', ['Connection: close']))
    await again.end()
    return again.statuses[0]
  }, status => status === 200, 'there is room again')
  for (const plain of held) plain.destroy()
})

test('[000-22] connections in all: one more is answered 503, and counted', async t => {
  const bridge = await start(t, ['--max-connections', '3'])
  const held = []
  // that of who asked last may not be gone yet; who is answered is in
  while (held.length < 3) {
    const plain = await anyOf(bridge)
    plain.send(request('/healthz'))
    const [, status] = await plain.match(/^HTTP\/1\.1 (200|503) /)
    if (status === '200') held.push(plain)
    else await plain.end()
  }
  const refused = await anyOf(bridge)
  await refused.end()
  assert.match(refused.text, /^HTTP\/1\.1 503 .*\r\nRetry-After: \d+\r\n/)
  for (const plain of held) plain.destroy()
  await bridge.ready()
  assert.ok(await bridge.metric('refused_total{reason="max_connections"}') >= 1)
})

test('a pace of accepting: who comes too fast waits, and nobody is refused', async t => {
  const bridge = await start(t, ['--accepts-per-second', '50'])
  const started = performance.now()
  const answers = await Promise.all(Array.from({ length: 60 }, () => Plain.exchange(bridge, request('/healthz', ['Connection: close']))))
  for (const text of answers) assert.match(text, /^HTTP\/1\.1 200 /)
  // 5 at once at most, the others one every 20 ms
  assert.ok(performance.now() - started > 1000, `${performance.now() - started} ms`)
  assert.ok(await bridge.metric('accept_pauses_total') > 0)
})

test('headers are read of so many at a time; others wait for their turn', async t => {
  const bridge = await start(t, ['--header-pool', '4'])
  const slow = []
  for (let i = 0; i < 4; i++) slow.push(await anyOf(bridge))
  for (const plain of slow) plain.send('GET /healthz HTTP/1.1\r\nHost:')
  const waiting = await Promise.all(Array.from({ length: 20 }, () => anyOf(bridge)))
  for (const plain of waiting) plain.send(request('/healthz', ['Connection: close']))
  assert.ok(waiting.every(plain => plain.text === ''))
  slow.pop().destroy()
  for (const plain of waiting) {
    await plain.end()
    assert.deepEqual(plain.statuses, [200])
  }
  for (const plain of slow) plain.destroy()
})

// -- sizes -------------------------------------------------------------------------

test('frames and subscriptions beyond their settings, counted', async t => {
  const bridge = await start(t, ['--frame-bytes', '2000', '--max-subscriptions', '2'])
  const client = await welcomed(t, bridge, await database.token())
  const session = await database.session()
  const numbered = n => `{"channel":"SyncStatusChannel","session_id":${session},"n":${n}}`
  client.sendText(JSON.stringify({ command: 'subscribe', identifier: numbered(1) }).padEnd(2000, ' '))
  await client.confirmed(numbered(1))
  client.subscribe(numbered(2))
  await client.confirmed(numbered(2))
  client.subscribe(numbered(3))
  await client.rejected(numbered(3))
  client.sendText('x'.repeat(2001))
  assert.equal((await client.end()).code, 1009)
  assert.equal(await bridge.metric('refused_total{reason="max_subscriptions"}'), 1)
  assert.equal(await bridge.metric('refused_total{reason="frame_size"}'), 1)
})

test('actions and handshakes that are refused are counted', async t => {
  const bridge = await start(t)
  const client = await welcomed(t, bridge, await database.token('alice', "scope => '{read}'"))
  const identifier = identifierOf(await database.session())
  await client.watch(identifier)
  client.send({ command: 'message', identifier, data: '{"action":"pause"}' })
  await client.message(identifier, ({ type, status }) => type === 'error' && status === 403)
  assert.equal(await bridge.metric('refused_total{reason="action"}'), 1)
  const refused = await bridge.metric('http_answers_total{class="refused"}')
  await assert.rejects(RawClient.open(bridge.cable(), { protocols: 'graphql-ws' }), { status: 400 })
  await assert.rejects(RawClient.open(bridge.cable().replace('/cable', '/cables')), { status: 404 })
  assert.equal(await bridge.metric('http_answers_total{class="refused"}'), refused + 2)
})

// -- proxies -----------------------------------------------------------------------

const from = (...addresses) => ({ headers: addresses.map(address => `X-Forwarded-For: ${address}`) })

test('behind a trusted proxy each client is counted by its own address', soon(async t => {
  const bridge = await strict(t, '--trusted-proxy', '10.0.0.0/8', '--trusted-proxy', '127.0.0.1')
  await useUp(bridge, from('203.0.113.1'))
  isTooOften(await handshake(bridge, 'bad', from('203.0.113.1')))
  isTooOften(await handshake(bridge, 'bad', from('198.51.100.7, 203.0.113.1, 10.0.0.9')))
  isTooOften(await handshake(bridge, 'bad', from('198.51.100.7', '203.0.113.1', '10.0.0.9')))
  assert.equal((await handshake(bridge, 'bad', from('203.0.113.2'))).status, 101)
  assert.equal((await handshake(bridge, 'bad')).status, 101)

  // a household of IPv6
  await useUp(bridge, from('2001:db8::1'))
  isTooOften(await handshake(bridge, 'bad', from('2001:db8::ffff:1')))
  assert.equal((await handshake(bridge, 'bad', from('2001:db8:0:1::1'))).status, 101)
}))

test('from anybody else X-Forwarded-For is not looked at', soon(async t => {
  const bridge = await strict(t, '--trusted-proxy', '127.0.0.1')
  for (let i = 0; i < PER_MINUTE; i++) {
    assert.equal((await handshake(bridge, 'bad', { from: '127.0.0.2', ...from(`203.0.113.${i}`) })).status, 101)
  }
  isTooOften(await handshake(bridge, 'bad', { from: '127.0.0.2', ...from('203.0.113.99') }))
}))

test('a proxy uses one connection for many clients: each request is its own client\'s', soon(async t => {
  const bridge = await strict(t, '--trusted-proxy', '127.0.0.1')
  await useUp(bridge, from('203.0.113.1'))
  const proxy = await Plain.open(bridge)
  t.after(() => proxy.destroy())
  const asks = async (address, count) => {
    proxy.send(request('/events/SyncStatusChannel/1?token=bad', address ? [`X-Forwarded-For: ${address}`] : []))
    await until(async () => proxy.statuses.length, length => length === count, `answer ${count}`)
  }
  await asks('203.0.113.1', 1)
  await asks('203.0.113.2', 2)
  await asks('203.0.113.1', 3)
  await asks(undefined, 4)
  assert.deepEqual(proxy.statuses, [429, 401, 429, 401])
}))

test('behind a trusted proxy connections are counted by client, and the proxy\'s own are not limited', async t => {
  const bridge = await start(t, ['--trusted-proxy', '127.0.0.1', '--max-connections-per-address', '2'])
  const token = await database.token()
  const as = address => ({ headers: { 'X-Forwarded-For': address } })
  for (let i = 0; i < 2; i++) await welcomed(t, bridge, token, as('203.0.113.1'))
  await assert.rejects(RawClient.open(bridge.cable(token), as('203.0.113.1')), { status: 429 })
  const third = await fetch(`${bridge.origin}/healthz`, as('203.0.113.1'))
  assert.equal(third.status, 429)
  assert.equal(third.headers.get('retry-after'), '5')
  for (let i = 2; i < 6; i++) await welcomed(t, bridge, token, as(`203.0.113.${i}`))
  assert.equal((await fetch(`${bridge.origin}/healthz`)).status, 200)
})

test('the host that the page asked for is what a trusted proxy says', async t => {
  const bridge = await start(t, ['--trusted-proxy', '127.0.0.1'])
  const token = await database.token()
  const page = ['Origin: https://app.example.com', 'X-Forwarded-Host: app.example.com']
  assert.equal((await handshake(bridge, token, { headers: page })).status, 101)
  assert.equal((await handshake(bridge, token, { headers: page, from: '127.0.0.2' })).status, 404)
  assert.equal((await handshake(bridge, token, { headers: ['Origin: https://evil.example', page[1]] })).status, 404)
})

for (const bad of ['proxy.example.com', '10.0.0.0/33', '10.0.0.0/8,', '::1/129', '127.0.0.1:8080']) {
  test(`a trusted proxy that is no address or network is named at the start: ${bad}`, async () => {
    const { status, log } = await Bridge.tries(['--trusted-proxy', '127.0.0.1', '--trusted-proxy', bad, '--check-config'])
    assert.equal(status, 2)
    assert.match(log, /bad value for trusted_proxy: ".*": it must be an address or a network/)
  })
}
