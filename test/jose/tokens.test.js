/*
 * Tokens and keys against an implementation of JOSE that is not ours: what the
 * database mints is verified by it, what it signs is accepted by the bridge.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as jose from 'jose'
import { Bridge } from '../bridge/lib/bridge.js'
import { Database } from '../bridge/lib/database.js'
import { jwt, secondsFromNow } from '../bridge/lib/jwt.js'
import { RawClient, identifierOf } from '../bridge/lib/raw_client.js'

const UNAUTHORIZED = { type: 'disconnect', reason: 'unauthorized', reconnect: false }
const EXPIRED = { type: 'disconnect', reason: 'token_expired', reconnect: true }

let database
let bridge

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--log-level', 'debug'])
  await bridge.ready()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const literal = value => `'${String(value).replaceAll("'", "''")}'`

/** Checks as a bridge does: the key that the header names, and its algorithm only. */
async function verify(token, options = {}) {
  const keys = await database.json('SELECT json_agg(k) FROM sync.sync_progress_keys() AS k')
  return jose.jwtVerify(token, ({ kid }) => {
    const key = keys.find(key => key.kid === kid)
    if (key === undefined) throw new Error(`unknown kid ${kid}`)
    return jose.importJWK(key.jwk, key.alg)
  }, { algorithms: ['HS256', 'RS256', 'ES256'], ...options })
}

const callbackToken = (session, more = '') =>
  database.sql(`SELECT sync.sync_progress_callback_token(job_id${more}) FROM sync.sync_sessions WHERE id = ${session}`)

const report = (claims, body) =>
  database.sql(`SELECT sync.sync_progress_callback(${literal(JSON.stringify(claims))}, ${literal(JSON.stringify(body))})`, { user: 'bridge' })

/** A key pair, or a shared secret: the half to sign with, and the JWK to check with. */
async function generate(alg) {
  if (alg === 'HS256') {
    const secret = await jose.generateSecret('HS256', { extractable: true })
    return { sign: secret, jwk: await jose.exportJWK(secret) }
  }
  const { privateKey, publicKey } = await jose.generateKeyPair(alg, { extractable: true })
  return { sign: privateKey, jwk: await jose.exportJWK(publicKey), private: await jose.exportJWK(privateKey) }
}

const addKey = (kid, alg, jwk) =>
  database.sql(`SELECT sync.sync_progress_add_key(${literal(kid)}, ${literal(alg)}, ${literal(JSON.stringify(jwk))})`)

const signed = (kid, alg, key, claims = {}) =>
  new jose.SignJWT({ sub: 'alice', scope: ['read'], ...claims })
    .setProtectedHeader({ alg, kid, typ: 'JWT' }).setIssuedAt().setExpirationTime(claims.exp ?? '10 minutes').sign(key)

/** What a client that comes with this token is told before it is closed. */
async function refusal(token) {
  const client = await RawClient.open(bridge.cable(token))
  await client.end()
  return client.frames.all.map(({ at, text, ...frame }) => frame)
}

async function letIn(t, token) {
  const client = await RawClient.welcomed(bridge.cable(token))
  t.after(() => client.close())
  return client
}

/** The bridge reads the keys again when a token names one that it does not know. */
async function keysReadAgain() {
  const secret = Buffer.alloc(32, 9).toString('base64url')
  assert.deepEqual(await refusal(jwt({ alg: 'HS256', kid: `unknown-${Math.random()}` }, { sub: 'x', exp: secondsFromNow(60) }, secret)), [UNAUTHORIZED])
}

describe('what the database mints', () => {
  test('[000-35] a token to watch with verifies', async () => {
    const { payload, protectedHeader } = await verify(await database.token(`Žofie "''`, `ARRAY[4,7]::bigint[], '5 minutes', '{read,control}'`))
    assert.deepEqual({ alg: protectedHeader.alg, typ: protectedHeader.typ }, { alg: 'HS256', typ: 'JWT' })
    const { iat, exp, ...claims } = payload
    assert.deepEqual(claims, { sub: `Žofie "'`, sessions: [4, 7], scope: ['read', 'control'] })
    assert.equal(exp - iat, 300)
    assert.ok(Number.isInteger(iat) && Math.abs(iat - Date.now() / 1000) < 60)
  })

  test('[002-14] a worker\'s token verifies, for its audience, and for nobody', async () => {
    const session = await database.session()
    const { job_id: job } = await database.row(session)
    const { payload } = await verify(await callbackToken(session), { audience: 'callback' })
    assert.equal(payload.job_id, job)
    assert.equal(payload.sub, undefined)
    assert.equal(payload.scope, undefined)
    assert.equal(payload.exp - payload.iat, 3600)
    await assert.rejects(verify(await database.token(), { audience: 'callback' }), { code: 'ERR_JWT_CLAIM_VALIDATION_FAILED' })
  })

  test('[000-35] tampered, expired and unsigned ones do not verify', async () => {
    const token = await database.token()
    const [head, body, signature] = token.split('.')
    const forged = Buffer.from(JSON.stringify({ sub: 'bob', exp: secondsFromNow(600) })).toString('base64url')
    const flipped = (signature[0] === 'A' ? 'B' : 'A') + signature.slice(1)
    for (const bad of [`${head}.${forged}.${signature}`, `${head}.${body}.${flipped}`, `${head}.${body}.`]) {
      await assert.rejects(verify(bad), { code: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED' }, bad)
    }
    await assert.rejects(verify(token, { currentDate: new Date(Date.now() + 3_601_000) }), { code: 'ERR_JWT_EXPIRED' })
    await assert.rejects(verify(new jose.UnsecuredJWT({ sub: 'bob' }).setExpirationTime('1h').encode()))
  })

  test('each key\'s token verifies after a rotation, and no longer than the overlap', async t => {
    const before = await database.token()
    await letIn(t, before)
    const kid = await database.sql('SELECT sync.sync_progress_rotate_key()')
    const between = await database.token()
    assert.equal(jose.decodeProtectedHeader(between).kid, kid)
    assert.notEqual(jose.decodeProtectedHeader(before).kid, kid)
    await verify(before)
    await verify(between)
    await letIn(t, between)
    await letIn(t, before)
    await database.sql(`SELECT sync.sync_progress_rotate_key('0')`)
    await assert.rejects(verify(before), /unknown kid/)
    await assert.rejects(verify(between), /unknown kid/)
    await letIn(t, await database.token())
    assert.deepEqual(await refusal(before), [UNAUTHORIZED])
    assert.deepEqual(await refusal(between), [UNAUTHORIZED])
  })
})

describe('what others sign', { concurrency: true }, () => {
  for (const alg of ['HS256', 'RS256', 'ES256']) {
    test(`[000-35] ${alg}: its key is added, its tokens are accepted from the signature to the state`, async t => {
      const key = await generate(alg)
      const kid = `jose-${alg}`
      await addKey(kid, alg, { ...key.jwk, kid, alg, use: 'sig' })
      const session = await database.session()
      const client = await letIn(t, await signed(kid, alg, key.sign))
      const state = await client.watch(identifierOf(session))
      assert.equal(state.session_id, session)
      // and of somebody else's sessions no more than from our own tokens
      const other = identifierOf(await database.session('total_count => 5', 'bob'))
      client.subscribe(other)
      await client.rejected(other)
    })

    test(`[000-35] ${alg}: what is not signed with that key, for that algorithm, in time, is refused`, async () => {
      const key = await generate(alg)
      const stranger = await generate(alg)
      const kid = `strict-${alg}`
      await addKey(kid, alg, key.jwk)
      const good = await signed(kid, alg, key.sign)
      const [head, , signature] = good.split('.')
      const claims = { sub: 'alice', exp: secondsFromNow(600) }
      const body = Buffer.from(JSON.stringify({ ...claims, sub: 'bob' })).toString('base64url')
      for (const [what, token] of Object.entries({
        'another key of its kind': await signed(kid, alg, stranger.sign),
        'a changed payload': `${head}.${body}.${signature}`,
        'no signature': good.replace(/[^.]+$/, ''),
        'the algorithm none': jwt({ alg: 'none', kid }, claims, null),
        'an unsecured token': new jose.UnsecuredJWT(claims).encode(),
        // the public half as if it were a shared secret
        'the key as a secret': jwt({ alg: 'HS256', kid }, claims, alg === 'HS256' ? stranger.jwk.k : (key.jwk.n ?? key.jwk.x)),
        'another algorithm of another key': await signed(kid, alg === 'ES256' ? 'RS256' : 'ES256', (await generate(alg === 'ES256' ? 'RS256' : 'ES256')).sign)
      })) {
        assert.deepEqual(await refusal(token), [UNAUTHORIZED], what)
      }
      assert.deepEqual(await refusal(await signed(kid, alg, key.sign, { exp: secondsFromNow(-1) })), [EXPIRED], 'expired')
    })

    test(`${alg}: once its key is removed, its tokens are refused`, async t => {
      const key = await generate(alg)
      const kid = `gone-${alg}`
      await addKey(kid, alg, key.jwk)
      const token = await signed(kid, alg, key.sign)
      await letIn(t, token)
      await database.sql(`SELECT sync.sync_progress_remove_key('${kid}')`)
      await keysReadAgain()
      assert.deepEqual(await refusal(token), [UNAUTHORIZED])
    })
  }

  test('[000-35] keys that are not to be added', async () => {
    for (const alg of ['RS256', 'ES256']) {
      const key = await generate(alg)
      await assert.rejects(addKey('bad', alg, key.private), /the key is a private one/, alg)
      await assert.rejects(addKey('bad', 'HS256', key.jwk), /is not for HS256/)
      await assert.rejects(addKey('bad', alg === 'RS256' ? 'ES256' : 'RS256', key.jwk), /is not for/)
    }
    for (const [alg, as, why] of [['ES384', 'ES256', /curve/], ['EdDSA', 'ES256', /is not for/], ['ES384', 'ES384', /unknown algorithm/], ['PS256', 'PS256', /unknown algorithm/]]) {
      await assert.rejects(addKey('bad', as, (await generate(alg)).jwk), why, alg)
    }
    await assert.rejects(addKey('bad', 'none', {}), /unknown algorithm "none"/)
    await assert.rejects(addKey('bad', 'HS256', { kty: 'oct', k: jose.base64url.encode('too short') }), /32/)
    assert.equal(await database.sql(`SELECT count(*) FROM sync.sync_keys WHERE kid = 'bad'`), '0')
  })
})

describe('workers', () => {
  test('[002-14] [002-20] a report by a worker\'s token reaches who watches', async t => {
    const session = await database.session('total_count => 200')
    const { job_id: job } = await database.row(session)
    const client = await letIn(t, await database.token())
    const identifier = identifierOf(session)
    await client.watch(identifier)
    const { payload } = await verify(await callbackToken(session), { audience: 'callback' })
    const answer = JSON.parse(await report(payload, { job_id: job, progress: 40, message: 'meshing', status: 'processing' }))
    assert.deepEqual(answer, { status: 'accepted', job_id: job, session_status: 'processing' })
    const state = await client.message(identifier, ({ progress_percentage: percentage }) => percentage === 40)
    assert.deepEqual([state.processed_count, state.message], [80, 'meshing'])
    await report(payload, { job_id: job, progress: 100, status: 'completed' })
    await client.message(identifier, ({ status, processed_count: processed }) => status === 'completed' && processed === 200)
  })

  test('[000-35] a worker\'s token watches nothing, and one to watch with reports nothing', async t => {
    const session = await database.session()
    const { job_id: job } = await database.row(session)
    const client = await letIn(t, await callbackToken(session))
    client.subscribe(identifierOf(session))
    await client.rejected(identifierOf(session))
    for (const more of ['', `scope => '{read,control,admin}'`]) {
      const { payload } = await verify(await database.token('alice', more))
      await assert.rejects(report(payload, { job_id: job, progress: 99 }), /the token is not for reports on this job/)
    }
    const another = await verify(await callbackToken(await database.session()))
    await assert.rejects(report(another.payload, { job_id: job, progress: 99 }), /the token is not for reports on this job/)
    assert.equal((await database.row(session)).processed_count, 0)
  })
})
