/*
 * Who is let in: tokens and addresses.  Pages are in origin.test.js.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { jwt, secondsFromNow } from './lib/jwt.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { StockClient } from './lib/stock_client.js'

const UNAUTHORIZED = { type: 'disconnect', reason: 'unauthorized', reconnect: false }
const EXPIRED = { type: 'disconnect', reason: 'token_expired', reconnect: true }

/** What a token lasts that is to expire meanwhile, but not before it was used. */
const SHORT_SECONDS = 8

let database
let bridge
let key

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--log-level', 'debug'])
  await bridge.ready()
  key = await database.json(`SELECT json_build_object('kid', kid, 'secret', jwk ->> 'k') FROM sync.sync_keys`)
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const sound = claims => ({ sub: 'alice', exp: secondsFromNow(600), ...claims })
const header = changes => ({ alg: 'HS256', typ: 'JWT', kid: key.kid, ...changes })

/** What a client that comes with this token is told before it is closed, and how. */
async function refusal(token, options) {
  const client = await RawClient.open(bridge.cable(token), options)
  const { code } = await client.end()
  return { code, frames: client.frames.all.map(({ at, text, ...frame }) => frame) }
}

async function letIn(t, token, options) {
  const client = await RawClient.welcomed(bridge.cable(token), options)
  t.after(() => client.close())
  return client
}

// Each has a connection of its own, and some must wait for time to pass.
describe('tokens', { concurrency: true }, () => {
  test('a sound token, however it is made', async t => {
    await letIn(t, await database.token())
    await letIn(t, jwt(header(), sound(), key.secret))
    await letIn(t, jwt(header(), sound({ nbf: secondsFromNow(-10), iat: secondsFromNow(-10) }), key.secret))
  })

  test('[000-35] refused: answered with 101, then unauthorized, reconnect false, closed', async () => {
    const good = jwt(header(), sound(), key.secret)
    const [head, body, signature] = good.split('.')
    const other = Buffer.alloc(32, 7).toString('base64url')
    for (const [what, token] of Object.entries({
      'no token': undefined,
      'an empty one': '',
      nonsense: 'nonsense',
      'two parts': `${head}.${body}`,
      'four parts': `${good}.x`,
      'a changed payload': `${head}.${Buffer.from(JSON.stringify(sound({ sub: 'bob' }))).toString('base64url')}.${signature}`,
      'parts that are no base64, however many letters there are': `${good.slice(0, -3)}A==A`,
      'a letter too many': `${head}.${body}.${signature}AA`,
      'an empty token in parts': '..',
      'a signature cut off': `${head}.${body}.`,
      'a signature of another key': jwt(header(), sound(), other),
      'the algorithm none': jwt(header({ alg: 'none' }), sound(), null),
      'the algorithm None': jwt(header({ alg: 'None' }), sound(), null),
      'none, and signed': jwt(header({ alg: 'none' }), sound(), key.secret),
      'an algorithm that the key is not for': jwt(header({ alg: 'HS512' }), sound(), key.secret, 'sha512'),
      'an asymmetric algorithm': jwt(header({ alg: 'RS256' }), sound(), key.secret),
      'no algorithm': jwt({ kid: key.kid }, sound(), key.secret),
      'no kid': jwt({ alg: 'HS256' }, sound(), key.secret),
      'an extension that it demands': jwt(header({ crit: ['b64'], b64: false }), sound(), key.secret),
      'no exp': jwt(header(), { sub: 'alice' }, key.secret),
      'an exp that is a string': jwt(header(), { sub: 'alice', exp: String(secondsFromNow(600)) }, key.secret),
      'an nbf to come': jwt(header(), sound({ nbf: secondsFromNow(600) }), key.secret),
      'a sub that is no string': jwt(header(), sound({ sub: 7 }), key.secret),
      'a payload that is no object': jwt(header(), [1], key.secret)
    })) {
      assert.deepEqual(await refusal(token), { code: 1000, frames: [UNAUTHORIZED] }, what)
    }
  })

  test('a key that nobody knows: refused once the keys have been read again', async () => {
    assert.deepEqual(await refusal(jwt(header({ kid: 'unknown' }), sound(), key.secret)), { code: 1000, frames: [UNAUTHORIZED] })
  })

  test('a key newer than what the bridge has read: let in once it has', async t => {
    const secret = Buffer.alloc(32, 42).toString('base64url')
    await database.sql(`INSERT INTO sync.sync_keys (kid, alg, jwk) VALUES ('newer', 'HS256', '{"kty":"oct","k":"${secret}"}')`)
    const client = await letIn(t, jwt(header({ kid: 'newer' }), sound(), secret))
    await client.watch(identifierOf(await database.session()))
  })

  test('an expired token: token_expired, reconnect true', async () => {
    const token = jwt(header(), sound({ exp: secondsFromNow(-1) }), key.secret)
    assert.deepEqual(await refusal(token), { code: 1000, frames: [EXPIRED] })
  })

  test('a token that expires: warned of before, then token_expired', async t => {
    const client = await letIn(t, await database.token('alice', `ttl => '${SHORT_SECONDS} seconds'`))
    await client.watch(identifierOf(await database.session()))
    await client.type('token_expiring')
    const disconnect = await client.type('disconnect')
    assert.deepEqual([disconnect.reason, disconnect.reconnect], ['token_expired', true])
    assert.equal((await client.end()).code, 1000)
  })

  for (const [how, refresh] of [
    ['by a command', (client, identifier, token) => client.send({ command: 'refresh', token })],
    ['by perform', (client, identifier, token) => client.send({ command: 'message', identifier, data: JSON.stringify({ action: 'refresh', token }) })]
  ]) {
    test(`refreshed in band, ${how}: the connection outlives its first token`, async t => {
      const expires = secondsFromNow(SHORT_SECONDS)
      const client = await letIn(t, jwt(header(), sound({ exp: expires }), key.secret))
      const session = await database.session()
      const identifier = identifierOf(session)
      await client.watch(identifier)
      await client.type('token_expiring')
      refresh(client, identifier, await database.token())
      await client.frames.find(frame => frame.type === 'ping' && frame.message > expires + 1, 'a ping after the first token\'s end', { ms: 20_000 })
      await database.increment(session, 5)
      await client.message(identifier, ({ processed_count: count }) => count === 5)
      assert.ok(!client.frames.all.some(({ type }) => type === 'disconnect'))
    })
  }

  test('not refreshed by a token of somebody else, nor by a bad one', async t => {
    const client = await letIn(t, jwt(header(), sound({ exp: secondsFromNow(SHORT_SECONDS) }), key.secret))
    const bobs = await database.session('total_count => 1', 'bob')
    client.send({ command: 'refresh', token: await database.token('bob') })
    client.send({ command: 'refresh', token: 'nonsense' })
    client.subscribe(identifierOf(bobs))
    await client.rejected(identifierOf(bobs))
    const disconnect = await client.type('disconnect', { ms: 20_000 })
    assert.equal(disconnect.reason, 'token_expired')
  })

  test('a refreshed token that allows less cuts off what it does not allow', async t => {
    const kept = await database.session()
    const lost = await database.session()
    const client = await letIn(t, await database.token())
    await client.watch(identifierOf(kept))
    await client.watch(identifierOf(lost))
    client.send({ command: 'refresh', token: await database.token('alice', `ARRAY[${kept}]`) })
    await client.rejected(identifierOf(lost))
    await database.increment(kept, 5)
    await client.message(identifierOf(kept), ({ processed_count: count }) => count === 5)
  })

  test('the stock client, refused for good, does not come again', async t => {
    const client = new StockClient(bridge, 'nonsense')
    t.after(() => client.close())
    const watcher = client.watch(1)
    const gone = await watcher.event('disconnected')
    assert.equal(gone.willAttemptReconnect, false)
    assert.equal(client.sockets.length, 1)
  })

  test('the stock client with an expired token comes again, with a new one', async t => {
    const session = await database.session()
    const tokens = [jwt(header(), sound({ exp: secondsFromNow(-1) }), key.secret), await database.token()]
    const client = new StockClient(bridge, () => (tokens.length > 1 ? tokens.shift() : tokens[0]))
    t.after(() => client.close())
    await client.watch(session).event('connected', 1, 30_000)
    assert.equal(client.sockets.length, 2)
  })

  test('the token in a header, as jid, or in a cookie with an origin', async t => {
    const token = await database.token()
    await letIn(t, undefined, { headers: { Authorization: `Bearer ${token}` } })
    await letIn(t, undefined, { headers: { Cookie: `a=b; sync_progress_token=${token}` }, origin: bridge.origin })
    const client = await RawClient.welcomed(`${bridge.cable()}?jid=${token}`)
    t.after(() => client.close())
  })

  test('a cookie alone, from nowhere or from another page: refused', async () => {
    const headers = { Cookie: `sync_progress_token=${await database.token()}` }
    await assert.rejects(RawClient.open(bridge.cable(), { headers }), { status: 404 })
    await assert.rejects(RawClient.open(bridge.cable(), { headers, origin: 'https://elsewhere.example' }), { status: 404 })
  })

  test('a token too long is refused before anything is made of it', async () => {
    await assert.rejects(RawClient.open(bridge.cable(), { headers: { Authorization: `Bearer ${'x'.repeat(6_000)}` } }), { status: 400 })
  })

  test('a token too long is not passed over for a good one behind it, nor an argument too long before one', async () => {
    const token = await database.token()
    const headers = { Cookie: `sync_progress_token=${token}` }
    const long = 'x'.repeat(6_000)
    for (const name of ['token', 'jid']) {
      await assert.rejects(RawClient.open(`${bridge.cable()}?${name}=${long}`, { headers, origin: bridge.origin }), { status: 400 })
      assert.equal((await fetch(`${bridge.origin}/sessions?a=b&&${name}=${long}`, { headers })).status, 400)
    }
    assert.equal((await fetch(`${bridge.origin}/sessions?a=${long}&&token=${token}`)).status, 200)
  })
})

describe('--auth none', () => {
  test('watches everything without a token', async t => {
    const open = await Bridge.start(database.conninfo(), ['--auth', 'none'])
    t.after(() => open.stop())
    await open.ready()
    const client = await RawClient.welcomed(open.cable())
    t.after(() => client.close())
    for (const owner of ['alice', 'bob']) await client.watch(identifierOf(await database.session('total_count => 1', owner)))
  })

  test('a name that leads to loopback does not let a foreign page in', async t => {
    const open = await Bridge.start(database.conninfo(), ['--auth', 'none'])
    t.after(() => open.stop())
    const host = `rebound.example:${open.port}`
    await assert.rejects(RawClient.open(open.cable(), { headers: { Host: host }, origin: `http://${host}` }), { status: 404 })
  })

  for (const address of ['0.0.0.0:0', '[::]:0', ':0']) {
    test(`refused on ${address}`, async () => {
      const { status, log } = await Bridge.tries(['--auth', 'none', '--listen', address])
      assert.equal(status, 2)
      assert.match(log, /auth = none lets everybody see everything and is allowed on loopback only/)
    })
  }

  for (const [what, args, pattern] of [
    ['an unknown flag', ['--no-such-flag', '1'], /unknown flag --no-such-flag/],
    ['a bad address', ['--listen', 'nonsense'], /bad value for listen/],
    ['a bad number', ['--max-connections', 'many'], /bad value for max_connections/],
    ['a bad connection string', ['--db', 'nonsense=1'], /bad value for db/],
    ['a directory that is not there', ['--listen', '127.0.0.1:0', '--www', '/no/such/directory'], /bad value for www: "\/no\/such\/directory": No such/]
  ]) {
    test(`does not start with ${what}`, async () => {
      const { status, log } = await Bridge.tries(args)
      assert.equal(status, 2)
      assert.match(log, pattern)
    })
  }
})

test('no token was ever written to the log', () => {
  assert.ok(!/eyJ/.test(bridge.log), 'something that looks like a token is in the log')
  assert.ok(!bridge.log.includes(key.secret))
})
