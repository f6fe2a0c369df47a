/*
 * Which pages may connect.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { RawClient } from './lib/raw_client.js'

let database
let bridge
let token

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo())
  await bridge.ready()
  token = await database.token()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const cookie = () => ({ Cookie: `sync_progress_token=${token}` })

/** A bridge with this list; its pages are let in or not, with the token shown or in a cookie. */
async function listing(t, ...list) {
  const other = await Bridge.start(database.conninfo(), list.flatMap(origin => ['--allowed-origin', origin]))
  t.after(() => other.stop())
  await other.ready()
  return other
}

async function isLetIn(to, origin, options = {}) {
  const client = await RawClient.welcomed(to.cable(options.headers ? undefined : token), { origin, ...options })
  client.close()
}

const isRefused = (to, origin, options = {}) =>
  assert.rejects(RawClient.open(to.cable(options.headers ? undefined : token), { origin, ...options }), { status: 404 }, origin)

test('a page of another origin is refused, one of the bridge\'s own is not', async () => {
  for (const origin of ['https://elsewhere.example', 'null', `http://127.0.0.1:${bridge.port + 1}`, `http://127.0.0.1.elsewhere.example:${bridge.port}`,
    `${bridge.origin}.elsewhere.example`, 'http://', `ftp://127.0.0.1:${bridge.port}`]) {
    await isRefused(bridge, origin)
  }
  await isLetIn(bridge, bridge.origin)
  await isLetIn(bridge, bridge.origin, { headers: cookie() })
})

test('a page that is on the list may connect, and no other', async t => {
  const listed = await listing(t, 'https://app.example', 'http://localhost:3000')
  for (const origin of ['https://app.example', 'http://localhost:3000', listed.origin]) {
    await isLetIn(listed, origin)
    await isLetIn(listed, origin, { headers: cookie() })
  }
  for (const origin of ['https://elsewhere.example', 'http://app.example', 'https://app.example:8443', 'https://x.app.example']) await isRefused(listed, origin)
})

test('all names below one', async t => {
  const listed = await listing(t, 'https://*.app.example')
  await isLetIn(listed, 'https://a.app.example')
  await isLetIn(listed, 'https://a.b.app.example', { headers: cookie() })
  for (const origin of ['https://app.example', 'https://evilapp.example', 'http://a.app.example', 'https://a.app.example.evil.org', 'https://evil.org/.app.example']) await isRefused(listed, origin)
})

test('every page: with a token that is shown, never with a cookie alone', async t => {
  const open = await listing(t, '*')
  await isLetIn(open, 'https://anything.example')
  await isLetIn(open, 'null')
  await isRefused(open, 'https://anything.example', { headers: cookie() })
  await isRefused(open, 'null', { headers: cookie() })
  await isLetIn(open, open.origin, { headers: cookie() })
})

test('a refusal says what Rails says, and is counted', async () => {
  await isRefused(bridge, 'https://elsewhere.example')
  const answer = await fetch(`${bridge.origin}/cable`)
  assert.deepEqual([answer.status, (await answer.text()).trim()], [404, 'Page not found'])
  const metrics = await (await fetch(`${bridge.origin}/metrics`)).text()
  assert.ok(Number(/refused_total\{reason="origin"\} (\d+)/.exec(metrics)[1]) >= 1, metrics)
})

for (const [origin, pattern] of [
  ['app.example', /allowed_origin: "app\.example": write scheme and host/],
  ['https://app.example/', /without a slash/],
  ['https://app.example:443', /browsers leave this port out/]
]) {
  test(`does not start with ${origin} on the list, which no browser ever sends`, async () => {
    const { status, log } = await Bridge.tries(['--allowed-origin', origin])
    assert.equal(status, 2)
    assert.match(log, pattern)
  })
}
