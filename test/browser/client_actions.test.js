/*
 * What a client does besides watching: actions and requests over HTTP, list
 * events, one client a page.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import WebSocket from 'ws'
import { RequestError, SyncProgressClient } from '../../client/index.js'
import { FakeCable } from './lib/fake_cable.js'
import { FakeClock } from './lib/fake_clock.js'
import { Mailbox } from './lib/wait.js'

const ID = '{"channel":"MeshProgressChannel","id":"a/b"}'

let cable
let client
let answer
const requests = new Mailbox()
before(async () => {
  cable = await FakeCable.start({
    async serve(request, response) {
      let body = ''
      for await (const chunk of request) body += chunk
      const { method, url, headers } = request
      requests.put({ method, url, token: headers.authorization, body: body && JSON.parse(body) })
      const { status = 200, headers: more = {}, json } = answer
      response.writeHead(status, more).end(json === undefined ? '' : JSON.stringify(json))
    }
  })
})
after(() => cable.stop())
afterEach(() => client?.close())

function setUp(options) {
  client = new SyncProgressClient({ url: cable.url, WebSocket, ...options })
  return client
}

test('actions are requests beside the cable, authorised, and answered', async () => {
  setUp({ token: () => 'good' })
  const subscription = client.subscribe(ID)
  await cable.nextWatcher()
  answer = { json: { result: {}, state: { version: 7 } } }
  assert.deepEqual(await subscription.pause(), answer.json)
  await subscription.cancel('enough')
  await subscription.rename('New', 3)
  const seen = [await requests.take(), await requests.take(), await requests.take()]
  const path = '/sessions/MeshProgressChannel/a%2Fb'
  assert.deepEqual(seen, [
    { method: 'POST', url: `${path}/pause`, token: 'Bearer good', body: '' },
    { method: 'POST', url: `${path}/cancel`, token: 'Bearer good', body: { message: 'enough' } },
    { method: 'POST', url: `${path}/rename`, token: 'Bearer good', body: { title: 'New', lock_version: 3 } }
  ])
})

test('a refusal says why, a stale edit what is there now', async () => {
  setUp()
  answer = { status: 409, json: { error: 'was edited', hint: 'reload', current: { title: 'Theirs' } } }
  await assert.rejects(client.request('sessions/SyncStatusChannel/42/rename', { method: 'POST', body: {} }), error => {
    assert.ok(error instanceof RequestError)
    assert.deepEqual([error.status, error.message, error.hint, error.current], [409, 'was edited', 'reload', { title: 'Theirs' }])
    return true
  })
  answer = { status: 503, headers: { 'Retry-After': '2' } }
  await assert.rejects(client.request('sessions'), { status: 503, retryAfterMs: 2_000, message: 'the server answered 503' })
  answer = { status: 503, headers: { 'Retry-After': 'Wed, 21 Oct 2026 07:28:00 GMT' } }
  await assert.rejects(client.request('sessions'), { status: 503, retryAfterMs: null })
})

test('no answer at all is a refusal with status 0; an abort is an abort', async () => {
  setUp({ url: 'ws://127.0.0.1:1/cable' })
  await assert.rejects(client.request('sessions'), { name: 'RequestError', status: 0 })
  await assert.rejects(client.request('sessions', { signal: AbortSignal.abort() }), { name: 'AbortError' })
})

test('list events come as they are, and are nobody\'s latest state', async () => {
  setUp()
  const events = new Mailbox()
  const list = { channel: 'SessionsChannel' }
  client.subscribe(list, { onEvent: event => events.put(event), onProgress: () => assert.fail('no state') })
  client.addEventListener('listevent', ({ name, data }) => events.put([name, data]))
  const { peer, identifier } = await cable.nextWatcher()
  peer.message(identifier, { type: 'session_renamed', data: { session_id: 42 } })
  peer.message(identifier, { type: 'sessions_reloaded' })
  await events.find(event => event[0] === 'sessions_reloaded')
  assert.deepEqual(events.all, [
    { type: 'session_renamed', data: { session_id: 42 } }, ['session_renamed', { session_id: 42 }],
    { type: 'sessions_reloaded' }, ['sessions_reloaded', null]
  ])
  assert.equal(client.latest(list), undefined)
})

test('a refused perform is told, and is no state', async () => {
  setUp()
  const refusals = new Mailbox()
  const confirmed = new Promise(resolve => client.addEventListener('confirmed', resolve))
  const subscription = client.subscribe(ID, { onError: refusal => refusals.put(refusal), onProgress: () => assert.fail('no state') })
  const { peer } = await cable.nextWatcher()
  await confirmed
  subscription.perform('pause')
  const refusal = { type: 'error', action: 'pause', status: 403, error: 'no' }
  peer.message(ID, refusal)
  assert.deepEqual(await refusals.take(), refusal)
  assert.equal(subscription.latest, undefined)
})

test('the latest state is kept, the same object until a newer one comes', async () => {
  setUp()
  const shown = new Mailbox()
  const subscription = client.subscribe(ID, { onProgress: payload => shown.put(payload) })
  const { peer } = await cable.nextWatcher()
  peer.message(ID, { version: 5 })
  const first = await shown.take()
  assert.equal(client.latest(ID), first)
  peer.message(ID, { version: 4 })
  peer.message(ID, { version: 6 })
  await shown.take()
  assert.deepEqual([subscription.latest, client.latest(ID)], [{ version: 6 }, { version: 6 }])
  subscription.unsubscribe()
  assert.equal(client.latest(ID), undefined)
})

test('one client a page for the same address, token and owner', () => {
  const token = () => 'x'
  const one = SyncProgressClient.for({ url: cable.url, token })
  assert.equal(SyncProgressClient.for({ url: cable.url, token }), one)
  assert.equal(SyncProgressClient.for({ url: new URL(cable.url), token }), one)
  assert.notEqual(SyncProgressClient.for({ url: cable.url, token, owner: 'bob' }), one)
  assert.notEqual(SyncProgressClient.for({ url: cable.url, token: () => 'x' }), one)
})

test('another owner\'s token: what was known is forgotten, and the connection is a new one', async () => {
  const tokenOf = sub => `h.${btoa(JSON.stringify({ sub, exp: 0 }))}.s` // due to be replaced
  const tokens = [tokenOf('alice'), tokenOf('bob')]
  const clock = new FakeClock()
  setUp({ token: () => tokens[0], clock })
  const events = new Mailbox()
  client.subscribe(ID, { onProgress: ({ version }) => events.put(version), onReset: () => events.put('reset') })
  const { peer } = await cable.nextWatcher()
  peer.message(ID, { version: 9 })
  assert.equal(await events.take(), 9)

  tokens.shift()
  answer = { json: {} }
  clock.advance(1_000) // a token is not asked for twice in a second
  await client.request('sessions')
  assert.equal(await events.take(), 'reset')
  assert.equal(client.latest(ID), undefined)
  await peer.closed()
  const { peer: second } = await cable.nextWatcher()
  assert.equal(second.token, tokenOf('bob'))
  second.message(ID, { version: 3 })
  assert.equal(await events.take(), 3, 'versions of another owner\'s say nothing')
})
