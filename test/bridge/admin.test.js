/*
 * The addresses for administrators.
 */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Certificate } from './lib/certificate.js'
import { Database } from './lib/database.js'
import { RawClient } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

let certificate
let database
let bridge
let admin
let alice

before(async () => {
  certificate = await Certificate.make()
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--admin-listen', '127.0.0.1:0', '--max-connections', '5', ...certificate.flags])
  await bridge.line(/ready admin_listen=/)
  admin = `http://${/ready admin_listen=(\S+)/.exec(bridge.log)[1]}`
  await until(() => status('/readyz'), status => status === 200, 'the bridge is ready')
  alice = await database.token()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
  await certificate?.destroy()
})

const status = async path => (await fetch(admin + path, { headers: { Connection: 'close' } })).status

test('[000-36] metrics and readiness are there, in plain HTTP, and only health where clients come in, over TLS', async () => {
  assert.match(await (await fetch(`${admin}/metrics`)).text(), /^sync_progress_bridge_connections \d+$/m)
  assert.equal(await status('/healthz'), 200)
  assert.equal((await certificate.fetch(bridge, '/healthz')).status, 200)
  for (const path of ['/metrics', '/readyz']) assert.equal((await certificate.fetch(bridge, path)).status, 404, path)
  for (const method of ['OPTIONS', 'POST', 'DELETE']) assert.equal((await certificate.fetch(bridge, '/metrics', { method })).status, 404, method)
  assert.match((await certificate.fetch(bridge, '/healthz', { method: 'OPTIONS' })).headers.allow, /GET/)
})

test('nothing else is there', async () => {
  for (const path of ['/', '/index.html', '/sessions', `/snapshots/SyncStatusChannel/1?token=${alice}`, '/events/owner', '/callbacks/progress', '/cable']) {
    assert.equal(await status(path), 404, path)
  }
  await assert.rejects(RawClient.open(`${admin.replace('http', 'ws')}/cable?token=${alice}`), { status: 404 })
})

test('[000-36] when no more clients are let in, it can still be seen why', async () => {
  const held = await Promise.all(Array.from({ length: 8 }, () => new Promise(resolve => {
    const socket = connect(bridge.port, '127.0.0.1', () => resolve(socket)).on('error', () => {})
  })))
  await until(async () => (await fetch(`${admin}/metrics`)).text(),
    text => /refused_total\{reason="max_connections"\} [1-9]/.test(text), 'it is seen')
  for (const socket of held) socket.destroy()
})

test('without it they are where clients come in', async t => {
  const plain = await Bridge.start(database.conninfo())
  t.after(() => plain.stop())
  await plain.ready()
  assert.equal((await fetch(`${plain.origin}/metrics`)).status, 200)
})

test('a bad address is found at the start', async () => {
  const { status, log } = await Bridge.tries(['--db', 'host=/nonexistent', '--admin-listen', 'nonsense'])
  assert.equal(status, 2)
  assert.match(log, /bad value for admin_listen: "nonsense"/)
})
