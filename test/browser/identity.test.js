/*
 * What a page knows of who watches, and when it asks for another token.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expiresInMs } from '../../client/http.js'
import { createIdentity } from '../../client/identity.js'
import { tokenOf } from './lib/client_rig.js'
import { FakeClock } from './lib/fake_clock.js'

function setUp(token, owner) {
  const clock = new FakeClock()
  const changes = []
  return { clock, changes, identity: createIdentity({ token, owner, clock, changed: isFirst => changes.push(isFirst) }) }
}

test('a string is the token from the start, and never another', async () => {
  const { changes, identity } = setUp(tokenOf('alice'))
  assert.deepEqual([identity.isRenewable, identity.token], [false, tokenOf('alice')])
  assert.equal(await identity.renew(), tokenOf('alice'))
  assert.deepEqual(changes, [])
})

test('rights: owner, sessions and scope; not the rest of a token, and null where nobody knows', () => {
  const rights = (token, owner) => setUp(token, owner).identity.rights
  assert.equal(rights(tokenOf('alice', { exp: 1, jti: 'a' })), rights(tokenOf('alice', { exp: 2, jti: 'b' })))
  const all = [tokenOf('alice'), tokenOf('bob'), tokenOf('alice', { sessions: [1] }), tokenOf('alice', { scope: ['read'] })].map(token => rights(token))
  assert.equal(new Set(all).size, 4)
  for (const token of [undefined, null, '', 'opaque', 'a.b.c', `a.${btoa('null')}.c`, `a.${btoa('{}')}.c`]) {
    assert.equal(rights(token), null, String(token))
    assert.equal(rights(token, 'alice'), rights(tokenOf('alice')))
  }
})

test('owners that differ beyond ASCII are different ones', () => {
  const token = sub => `h.${Buffer.from(JSON.stringify({ sub })).toString('base64url')}.s`
  assert.notEqual(setUp(token('josé')).identity.rights, setUp(token('josè')).identity.rights)
})

test('when it expires, as far as it says', () => {
  const inSeconds = seconds => expiresInMs(tokenOf('alice', { exp: Math.floor(Date.now() / 1_000) + seconds }))
  assert.ok(inSeconds(60) > 58_000 && inSeconds(60) <= 60_000)
  assert.ok(inSeconds(-60) < 0)
  assert.equal(expiresInMs(tokenOf('alice')), Infinity)
})

test('a callback is asked once for all who ask at a time, and not twice in a second', async () => {
  let asked = 0
  const { clock, identity } = setUp(async () => tokenOf('alice', { jti: ++asked }))
  const [one, two] = await Promise.all([identity.renew(), identity.renew()])
  assert.equal(one, two)
  await identity.renew()
  assert.equal(asked, 1)
  clock.advance(1_000)
  assert.notEqual(await identity.renew(), one)
  assert.equal(asked, 2)
})

test('the first token is told, and one with other rights; not one that is only newer', async () => {
  const tokens = [tokenOf('alice', { exp: 1 }), tokenOf('alice', { exp: 2 }), tokenOf('bob')]
  const { changes, clock, identity } = setUp(() => tokens.shift())
  for (const expected of [[true], [true], [true, false]]) {
    await identity.renew()
    assert.deepEqual(changes, expected)
    clock.advance(1_000)
  }
})

test('a callback that fails or never answers: the token before stays, and it can be asked again', async () => {
  const answers = [() => 'good', () => { throw new Error('no') }, () => new Promise(() => {}), () => 'better']
  const { clock, identity } = setUp(() => answers.shift()())
  await identity.renew()
  clock.advance(1_000)
  await assert.rejects(identity.renew(), /^Error: no$/)
  clock.advance(1_000)
  const hanging = assert.rejects(identity.renew(), /no token came/)
  clock.advance(15_000)
  await hanging
  clock.advance(1_000)
  assert.equal(identity.token, 'good')
  assert.equal(await identity.renew(), 'better')
  assert.equal(clock.pending, 0)
})

test('a first one that comes late is a change for whoever went on without', async () => {
  const answers = [() => { throw new Error('no') }, () => tokenOf('alice')]
  const { changes, clock, identity } = setUp(() => answers.shift()())
  await assert.rejects(identity.renew())
  clock.advance(1_000)
  await identity.renew()
  assert.deepEqual(changes, [false])
})
