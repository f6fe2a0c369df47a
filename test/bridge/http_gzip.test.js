/*
 * Answers made smaller, for who can read them so.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { guardDirectory } from './lib/programs.js'

let dir
let guard
let database
let bridge
let alice

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sync-progress-gzip.'))
  guard = guardDirectory(dir)
  writeFileSync(join(dir, 'large.css'), '/* large */\n'.repeat(10_000))
  writeFileSync(join(dir, 'small.css'), '/* small */\n')
  writeFileSync(join(dir, 'image.png'), Buffer.alloc(5_000))
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--www', dir])
  await bridge.ready()
  alice = await database.token()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
  await guard?.release()
})

/** fetch unpacks by itself; here is what was sent. */
function get(path, headers = {}, method = 'GET') {
  return new Promise((resolve, reject) => {
    request(bridge.origin + path, { method, headers }, answer => {
      const parts = []
      answer.on('data', part => parts.push(part))
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }))
    }).on('error', reject).end()
  })
}

test('[000-31] a file over 1 KB is sent compressed to who can read it so', async () => {
  const plain = await get('/large.css')
  assert.equal(plain.headers['content-encoding'], undefined)
  assert.equal(plain.body.length, 120_000)
  for (const accept of ['gzip', 'deflate, gzip;q=0.5', '*', 'br;q=1, GZIP ; q=0.001', 'identity;q=0, *;q=1']) {
    const { headers, body } = await get('/large.css', { 'Accept-Encoding': accept })
    assert.equal(headers['content-encoding'], 'gzip', accept)
    assert.match(headers.vary, /Accept-Encoding/)
    assert.ok(body.length < 5_000)
    assert.deepEqual(gunzipSync(body), plain.body)
    // the same content in other bytes
    assert.equal(headers.etag, `W/${plain.headers.etag}`)
    assert.equal((await get('/large.css', { 'Accept-Encoding': accept, 'If-None-Match': headers.etag })).status, 304)
  }
  for (const accept of ['gzip;q=0', 'br', 'gzip;q=0.000, *', '*;q=0', '', 'gzipped']) {
    const { headers, body } = await get('/large.css', { 'Accept-Encoding': accept })
    assert.equal(headers['content-encoding'], undefined, accept)
    assert.match(headers.vary, /Accept-Encoding/)
    assert.equal(body.length, 120_000)
  }
  assert.equal((await get('/large.css', { 'If-None-Match': `W/${plain.headers.etag}` })).status, 304)
})

test('[000-31] what is small or compressed already is sent as it is', async () => {
  for (const path of ['/small.css', '/image.png', '/healthz']) {
    const { headers } = await get(path, { 'Accept-Encoding': 'gzip' })
    assert.equal(headers['content-encoding'], undefined, path)
  }
})

test('[000-31] a large state is sent compressed, with the version as a weak ETag', async () => {
  const accounts = JSON.stringify(Array.from({ length: 30 }, (_, i) => ({ name: `Bank ${i}`, total_count: 10 })))
  const session = await database.session(`total_count => 300, accounts => '${accounts}'`)
  const path = `/snapshots/SyncStatusChannel/${session}`
  const headers = { Authorization: `Bearer ${alice}`, 'Accept-Encoding': 'gzip' }
  const { headers: { etag, 'content-encoding': encoding }, body } = await get(path, headers)
  assert.equal(encoding, 'gzip')
  const state = JSON.parse(gunzipSync(body))
  assert.equal(state.accounts.length, 30)
  assert.equal(etag, `W/"${state.version}"`)
  const again = await get(path, { ...headers, 'If-None-Match': etag })
  assert.ok(again.status === 304 || JSON.parse(gunzipSync(again.body)).version > state.version)
  assert.match(again.headers.vary, /Accept-Encoding/)
  assert.match(again.headers.etag, /^W\//)
})

test('HEAD of what would be compressed: its headers', async () => {
  const { headers, body } = await get('/large.css', { 'Accept-Encoding': 'gzip' }, 'HEAD')
  assert.equal(headers['content-encoding'], 'gzip')
  assert.ok(Number(headers['content-length']) < 5_000)
  assert.equal(body.length, 0)
})
