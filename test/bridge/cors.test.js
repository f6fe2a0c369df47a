/*
 * Pages of other origins: what they may read, and what a browser may send for
 * them.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { call, raw } from './lib/raw_http.js'

const ALLOWED = 'https://app.example'

let database
let bridge
let alice
let session

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--allowed-origin', ALLOWED, '--refused-per-minute', '0'])
  await bridge.ready()
  alice = await database.token()
  session = await database.session()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const from = (Origin, path = `/snapshots/SyncStatusChannel/${session}`, method = 'GET', more = {}) =>
  call(bridge, method, path, { token: alice, headers: { Origin, ...more } })

test('an allowed origin may read, with cookies, and see the ETag; the bridge\'s own may, too', async () => {
  for (const origin of [ALLOWED, bridge.origin]) {
    for (const path of [undefined, '/sessions', '/healthz', '/snapshots/SyncStatusChannel/99999', '/nowhere']) {
      const { headers } = await from(origin, path)
      assert.equal(headers.get('access-control-allow-origin'), origin)
      assert.equal(headers.get('access-control-allow-credentials'), 'true')
      assert.match(headers.get('access-control-expose-headers'), /ETag/)
      assert.match(headers.get('vary'), /Origin/)
    }
  }
})

test('any other is told nothing', async () => {
  for (const origin of ['https://evil.example', 'https://app.example.evil.example', 'http://app.example', 'null', 'https://app.example:444']) {
    const { status, headers } = await from(origin)
    assert.equal(status, 200) // whoever has the token has the right; its page cannot read it
    assert.equal(headers.get('access-control-allow-origin'), null)
    assert.equal(headers.get('access-control-allow-credentials'), null)
    assert.match(headers.get('vary'), /Origin/) // no cache gives this answer to an allowed one
  }
  assert.equal((await call(bridge, 'GET', '/healthz')).headers.get('access-control-allow-origin'), null)
})

test('preflight: methods and headers for an allowed origin, for others only what is there', async () => {
  const asks = { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type' }
  const { status, headers, text } = await from(ALLOWED, `/sessions/SyncStatusChannel/${session}/pause`, 'OPTIONS', asks)
  assert.equal(status, 204)
  assert.equal(text, '')
  assert.equal(headers.get('access-control-allow-origin'), ALLOWED)
  assert.equal(headers.get('access-control-allow-methods'), 'OPTIONS, POST')
  assert.ok(Number(headers.get('access-control-max-age')) > 0)
  for (const name of ['Authorization', 'Content-Type', 'X-Callback-Token', 'If-None-Match', 'Last-Event-ID', 'X-CSRF-Token']) {
    assert.ok(headers.get('access-control-allow-headers').split(', ').includes(name), name)
  }
  assert.equal((await from(ALLOWED, `/snapshots/SyncStatusChannel/${session}`, 'OPTIONS', asks)).headers.get('access-control-allow-methods'), 'OPTIONS, GET, HEAD')
  const other = await from('https://evil.example', `/sessions/SyncStatusChannel/${session}/pause`, 'OPTIONS', asks)
  assert.equal(other.status, 204)
  assert.equal(other.headers.get('allow'), 'OPTIONS, POST')
  assert.equal(other.headers.get('access-control-allow-origin'), null)
  assert.equal(other.headers.get('access-control-allow-methods'), null)
  assert.equal((await from(ALLOWED, '/nowhere/at/all', 'OPTIONS', asks)).status, 404)
})

test('"*": any page may read, none with a cookie', async t => {
  const open = await Bridge.start(database.conninfo(), ['--allowed-origin', '*'])
  t.after(() => open.stop())
  await open.ready()
  const path = `/snapshots/SyncStatusChannel/${session}`
  const { status, headers } = await call(open, 'GET', path, { token: alice, headers: { Origin: 'https://any.example' } })
  assert.equal(status, 200)
  assert.equal(headers.get('access-control-allow-origin'), 'https://any.example')
  assert.equal(headers.get('access-control-allow-credentials'), null)
  const cookie = await call(open, 'GET', path, { headers: { Origin: 'https://any.example', Cookie: `sync_progress_token=${alice}` } })
  assert.equal(cookie.status, 403)
})

test('an Origin with a line end in it begins no header of ours', async () => {
  const { answer } = await raw(bridge, `GET /healthz HTTP/1.1\r\nHost: x\r\nOrigin: ${ALLOWED}\r\n X-Evil: 1\r\nConnection: close\r\n\r\n`)
  assert.doesNotMatch(answer, /^X-Evil/m)
})
