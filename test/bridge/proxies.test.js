/*
 * Behind nginx and HAProxy, with the files of bridge/proxies: WebSockets, event
 * streams and requests, over TLS.
 */
import assert from 'node:assert/strict'
import { connect as connectHttp2 } from 'node:http2'
import { request } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { within } from '../browser/lib/wait.js'
import { Bridge } from './lib/bridge.js'
import { Certificate } from './lib/certificate.js'
import { Database } from './lib/database.js'
import { EventStream } from './lib/event_stream.js'
import { Proxy } from './lib/proxy.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

let certificate
let database
let token

before(async () => {
  [certificate, database] = await Promise.all([Certificate.make(), Database.start()])
  token = await database.token('alice', `scope => '{read,control}'`)
})
after(async () => {
  await database?.destroy()
  await certificate?.destroy()
})

async function startBridge(...args) {
  const bridge = await Bridge.start(database.conninfo(), ['--admin-listen', '127.0.0.1:0', '--trusted-proxy', '127.0.0.1', ...args])
  bridge.adminPort = Number(/ready admin_listen=\S+:(\d+)/.exec(await bridge.line(/ready admin_listen=/))[1])
  await until(async () => (await fetch(`http://127.0.0.1:${bridge.adminPort}/readyz`)).status, status => status === 200, 'the bridge is ready')
  return bridge
}

/** An event stream over HTTP/2, as browsers ask for it: the text of its events so far. */
function streamOverHttp2(t, proxy, path) {
  const session = connectHttp2(proxy.origin, certificate.trust)
  t.after(() => session.destroy())
  const stream = session.request({ ':path': path, authorization: `Bearer ${token}`, accept: 'text/event-stream' })
  const seen = { text: '' }
  stream.setEncoding('utf8').on('data', text => { seen.text += text })
  return seen
}

// side by side: most of it is waiting
describe('behind a proxy', { concurrency: true }, () => {
  for (const kind of ['nginx', 'haproxy']) describe(`behind ${kind}`, () => {
    let bridge
    let proxy

    before(async () => {
      bridge = await startBridge('--max-connections-per-address', '8')
      proxy = await Proxy.start(kind, { bridges: [bridge], certificate })
    })
    after(async () => {
      await proxy?.stop()
      await bridge?.stop()
    })

    const open = async (t, to = proxy, options = {}) => {
      const client = await RawClient.welcomed(to.cable(token), { ...certificate.trust, ...options })
      t.after(() => client.close())
      return client
    }
    const streamOf = (t, path, to = proxy, headers = {}) => {
      const stream = EventStream.open(to.port, path, { tls: certificate.trust, headers: { Authorization: `Bearer ${token}`, ...headers } })
      t.after(() => stream.close())
      return stream
    }

    test('a WebSocket: each state as it comes, and actions', async t => {
      const session = await database.session('total_count => 10')
      const identifier = identifierOf(session)
      const client = await open(t)
      await client.watch(identifier)
      for (const n of [1, 2, 3]) {
        await database.increment(session, 1)
        await client.message(identifier, state => state.processed_count === n)
      }
      client.send({ command: 'message', identifier, data: JSON.stringify({ action: 'pause' }) })
      await client.message(identifier, state => state.status === 'paused')
    })

    test('an event stream: each event at once, over HTTP/1.1 and HTTP/2', async t => {
      const session = await database.session('total_count => 10')
      const path = `/events/SyncStatusChannel/${session}`
      const stream = streamOf(t, path)
      const modern = streamOverHttp2(t, proxy, path)
      await stream.type('connected')
      for (const n of [1, 2, 3]) {
        await database.increment(session, 1)
        await stream.state(state => state.processed_count === n)
        await until(() => modern.text, text => new RegExp(`"processed_count" ?: ?${n},`).test(text), `count ${n} over HTTP/2`)
      }
    })

    test('what is silent but for its heartbeats is not given up, what says nothing is', async t => {
      const lively = await startBridge('--heartbeat-seconds', '1')
      t.after(() => lively.stop())
      const hasty = await Proxy.start(kind, { bridges: [lively], certificate, times: '2s' })
      t.after(() => hasty.stop())
      const session = await database.session()
      const stream = streamOf(t, `/events/SyncStatusChannel/${session}`, hasty)
      const silent = streamOf(t, `/events/SyncStatusChannel/${session}`, await Proxy.start(kind, { bridges: [bridge], certificate, times: '2s' }).then(other => {
        t.after(() => other.stop())
        return other
      }))
      await silent.end(20_000)
      await until(() => stream.messages.all.filter(({ type }) => type === 'heartbeat').length, count => count >= 4, 'four heartbeats')
    })

    test('clients are counted by their own addresses, whatever they say of themselves', async t => {
      const from = localAddress => ({ localAddress, headers: { 'X-Forwarded-For': `203.0.113.${Math.floor(Math.random() * 250)}` } })
      for (let i = 0; i < 8; i++) await open(t, proxy, from('127.0.0.2'))
      await assert.rejects(RawClient.open(proxy.cable(token), { ...certificate.trust, ...from('127.0.0.2') }), { status: 429 })
      await open(t, proxy, from('127.0.0.3'))
    })

    test('pages of its own name are let in with a cookie, others are not', async t => {
      const headers = { Cookie: `sync_progress_token=${token}` }
      const own = await RawClient.welcomed(proxy.cable(), { ...certificate.trust, headers, origin: proxy.origin })
      t.after(() => own.close())
      await assert.rejects(RawClient.open(proxy.cable(), { ...certificate.trust, headers, origin: 'https://elsewhere.example' }), { status: 404 })
    })

    test('requests, workers\' reports, and what is not passed on', async () => {
      const session = await database.session('total_count => 10')
      const headers = { Authorization: `Bearer ${token}` }
      const first = await certificate.fetch(proxy, `/snapshots/SyncStatusChannel/${session}`, { headers })
      assert.equal(first.status, 200)
      assert.equal(JSON.parse(first.body).session_id, session)
      // a run that is new may be told once more
      let known = first.headers.etag
      await until(() => certificate.fetch(proxy, `/snapshots/SyncStatusChannel/${session}`, { headers: { ...headers, 'If-None-Match': known } }), ({ status, headers }) => {
        known = headers.etag ?? known
        return status === 304
      }, '304')
      assert.equal((await certificate.fetch(proxy, '/sessions?limit=1', { headers })).status, 200)
      assert.equal((await certificate.fetch(proxy, `/sessions/SyncStatusChannel/${session}/pause`, { method: 'POST', headers: { ...headers, 'Content-Length': 0 } })).status, 200)
      assert.equal((await certificate.fetch(proxy, '/callbacks/progress', { method: 'POST', headers: { 'Content-Length': 0, 'X-Callback-Token': 'x' } })).status, 401)
      for (const path of ['/metrics', '/readyz', '/dashboard', '/dashboard/events', '/healthz', '/cable/x']) {
        assert.equal((await certificate.fetch(proxy, path)).status, 404, path)
      }
    })

    test('whoever comes without TLS is sent there', async () => {
      const { statusCode, headers } = await within(new Promise((resolve, reject) =>
        request({ host: '127.0.0.1', port: proxy.plainPort, path: '/sessions?limit=2', headers: { Host: 'progress.example.com' }, agent: false }, resolve).on('error', reject).end()), 'an answer')
      assert.deepEqual([statusCode, headers.location], [301, 'https://progress.example.com/sessions?limit=2'])
    })

    test('its log names requests without their tokens', async t => {
      const client = await open(t)
      client.close()
      await until(() => proxy.accessLog, log => /GET \/cable[ "]/.test(log), 'the WebSocket is in the log')
      assert.ok(!proxy.accessLog.includes(token.slice(-20)))
      assert.doesNotMatch(proxy.accessLog, /token=/)
    })

    test('of two bridges one goes: who was there is served by the other', async t => {
      const two = [await startBridge(), await startBridge()]
      const other = await Proxy.start(kind, { bridges: two, certificate })
      t.after(() => other.stop())
      const session = await database.session('total_count => 100')
      const identifier = identifierOf(session)
      const clients = [await open(t, other), await open(t, other), await open(t, other), await open(t, other)]
      for (const client of clients) await client.watch(identifier)
      await two[0].stop()
      t.after(() => two[1].stop())
      await database.increment(session, 5)
      const left = await Promise.all(clients.map(client => Promise.race([client.closed.then(() => true), client.message(identifier, state => state.processed_count === 5).then(() => false)])))
      assert.ok(left.includes(true) && left.includes(false), 'both had clients')
      for (const client of left.filter(Boolean).map(() => open(t, other))) {
        assert.equal((await (await client).watch(identifier)).processed_count, 5)
      }
    })
  })
})
