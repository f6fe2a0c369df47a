/*
 * TLS: what is served over it, and what is refused.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { Agent, request as requestTls } from 'node:https'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { within } from '../browser/lib/wait.js'
import { Bridge } from './lib/bridge.js'
import { Certificate } from './lib/certificate.js'
import { Database } from './lib/database.js'
import { EventStream } from './lib/event_stream.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

let certificate
let database
let bridge
let token
let silent

before(async () => {
  certificate = await Certificate.make()
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), certificate.flags)
  await until(async () => (await certificate.fetch(bridge, '/readyz')).status, status => status === 200, '/readyz answers 200')
  token = await database.token()
  silent = sayNothing()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
  await certificate?.destroy()
})

/** Connects and says nothing; how long the bridge bore it. */
function sayNothing() {
  const socket = connect(bridge.port, '127.0.0.1')
  const started = performance.now()
  return within(new Promise(resolve => socket.on('error', () => {}).on('close', resolve)), 'it is ended', 25_000)
    .then(() => performance.now() - started)
}

async function open(t) {
  const client = await RawClient.welcomed(`wss://127.0.0.1:${bridge.port}/cable?token=${token}`, certificate.trust)
  t.after(() => client.close())
  return client
}

/** The number of connections, without the one that asks. */
async function connections() {
  const { body } = await certificate.fetch(bridge, '/metrics')
  return Number(/^sync_progress_bridge_connections (\d+)$/m.exec(body)[1]) - 1
}

function secureConnection(options) {
  return within(new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port: bridge.port, ...certificate.trust, ...options }, () => {
      socket.destroy()
      resolve(socket)
    }).on('error', reject)
  }), 'a TLS handshake')
}

test('HTTPS', async () => {
  const { status, body } = await certificate.fetch(bridge, '/healthz')
  assert.equal(status, 200)
  assert.equal(body, 'ok\n')
})

// a body that is larger than one read looked like one that came before its time
test('large bodies one after the other on connections that are kept, many at a time', async () => {
  const body = 'x'.repeat(20_000)
  const report = () => fetchBody(bridge, agent, body)
  const agent = new Agent({ keepAlive: true, maxSockets: 8, ca: certificate.trust.ca })
  const statuses = await Promise.all(Array.from({ length: 240 }, report))
  agent.destroy()
  assert.deepEqual([...new Set(statuses)], [401])
})

/** The status that a report without a token is answered. */
function fetchBody(bridge, agent, body) {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length }
    requestTls({ host: '127.0.0.1', port: bridge.port, path: '/callbacks/progress', method: 'POST', agent, headers, ...certificate.trust }, answer => {
      answer.resume().on('end', () => resolve(answer.statusCode))
    }).on('error', reject).end(body)
  })
}

test('the cable over TLS: state, live updates, the end', async t => {
  const session = await database.session()
  const client = await open(t)
  const identifier = identifierOf(session)
  assert.equal((await client.watch(identifier)).processed_count, 0)
  await database.increment(session, 7)
  await client.message(identifier, ({ processed_count: count }) => count === 7)
  await database.complete(session)
  await client.message(identifier, ({ status }) => status === 'completed')
})

test('event streams and snapshots over TLS', async t => {
  const session = await database.session()
  const stream = EventStream.open(bridge.port, `/events/SyncStatusChannel/${session}?token=${token}`, { tls: certificate.trust })
  t.after(() => stream.close())
  await stream.state()
  await database.increment(session, 7)
  await stream.state(({ processed_count: count }) => count === 7)
  const { status, body } = await certificate.fetch(bridge, `/snapshots/SyncStatusChannel/${session}?token=${token}`)
  assert.equal(status, 200)
  assert.equal(JSON.parse(body).processed_count, 7)
})

test('many frames in one TLS record: all are read', async t => {
  const client = await open(t)
  const identifiers = Array.from({ length: 90 }, (_, i) => `{"channel":"NoSuchChannel","id":${i}}`)
  client.socket._socket.cork()
  for (const identifier of identifiers) client.subscribe(identifier)
  client.socket._socket.uncork()
  for (const identifier of identifiers) await client.rejected(identifier)
})

test('a large state over TLS, to a client that stops reading: the newest when it reads again', async t => {
  const accounts = Array.from({ length: 100 }, (_, i) => ({ name: `Bank ${i} of San José`, total_count: 10_000 }))
  const session = await database.session(`accounts => '${JSON.stringify(accounts)}'`)
  const identifier = identifierOf(session)
  const [slow, other] = [await open(t), await open(t)]
  await slow.watch(identifier)
  await other.watch(identifier)
  slow.socket.pause()
  const application = database.psql()
  application.stdin.end(`SELECT sync.sync_progress_increment(${session}); SELECT pg_sleep(0.01);\n`.repeat(400))
  assert.equal(await application.ended, 0)
  await database.complete(session)
  await other.message(identifier, ({ status }) => status === 'completed')
  slow.socket.resume()
  await slow.message(identifier, ({ status }) => status === 'completed')
  const versions = slow.messages(identifier).map(({ version }) => version)
  assert.deepEqual(versions, [...new Set(versions)].sort((a, b) => a - b))
  assert.ok(versions.length < other.messages(identifier).length, 'it was spared some')
})

for (const protocol of ['TLSv1.2', 'TLSv1.3']) {
  test(`${protocol}, and HTTP/1.1 whatever else is offered`, async () => {
    const socket = await secureConnection({ minVersion: protocol, maxVersion: protocol, ALPNProtocols: ['h2', 'http/1.1'] })
    assert.equal(socket.alpnProtocol, 'http/1.1')
  })
}

for (const protocol of ['TLSv1', 'TLSv1.1']) {
  test(`${protocol} is refused`, async () => {
    await assert.rejects(secureConnection({ minVersion: protocol, maxVersion: protocol, ciphers: 'DEFAULT@SECLEVEL=0' }),
      error => /alert protocol version|unsupported protocol|ECONNRESET|disconnected/i.test(`${error.message} ${error.code}`))
  })
}

for (const [name, bytes] of [
  ['plain HTTP', 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['garbage', Buffer.alloc(5_000, 0xa5)],
  ['a handshake that goes wrong', Buffer.concat([Buffer.from('1603010200010001fc0303', 'hex'), Buffer.alloc(600, 0x5a)])]
]) {
  test(`${name} on the TLS port: closed, and nothing stays behind`, async () => {
    const settled = await connections()
    const answer = await within(new Promise((resolve, reject) => {
      const socket = connect(bridge.port, '127.0.0.1', () => socket.write(bytes))
      let text = ''
      socket.setEncoding('latin1').on('data', more => { text += more })
      socket.on('error', error => error.code === 'ECONNRESET' ? resolve(text) : reject(error)).on('close', () => resolve(text))
    }), 'it is closed')
    assert.ok(!answer.includes('ok\n'), answer)
    await until(connections, count => count <= settled, 'the connection is gone')
  })
}

test('a client that goes away in the middle of the handshake', async () => {
  const settled = await connections()
  const sockets = await Promise.all(Array.from({ length: 20 }, () => new Promise((resolve, reject) => {
    const socket = connect(bridge.port, '127.0.0.1', () => socket.write(Buffer.from('160301', 'hex'), () => resolve(socket))).on('error', reject)
  })))
  for (const socket of sockets) socket.resetAndDestroy()
  await until(connections, count => count <= settled, 'the connections are gone')
})

test('certificate and key: what is wrong with them is said at the start', async () => {
  writeFileSync(certificate.file('not.pem'), 'no certificate at all\n')
  await certificate.issue('other.pem', 'other-key.pem')
  await certificate.issue('locked.pem', 'locked-key.pem', 'secret word')
  const file = name => certificate.file(name)
  for (const [cert, key, said] of [
    [file('cert.pem'), undefined, /tls_cert and tls_key belong together/],
    [undefined, file('key.pem'), /tls_cert and tls_key belong together/],
    [file('missing.pem'), file('key.pem'), /bad value for tls_cert: ".*missing\.pem": No such file/],
    [file('cert.pem'), file('missing.pem'), /bad value for tls_key: ".*missing\.pem": No such file/],
    [file('not.pem'), file('key.pem'), /bad value for tls_cert: ".*not\.pem": no start line/],
    [file('cert.pem'), file('not.pem'), /bad value for tls_key: ".*not\.pem": /],
    [file('cert.pem'), file('other-key.pem'), /bad value for tls_key: ".*other-key\.pem": it is not the certificate's key/],
    [file('locked.pem'), file('locked-key.pem'), /bad value for tls_key: ".*locked-key\.pem": the key is locked by a passphrase/],
    [file(''), file('key.pem'), /bad value for tls_cert: /]
  ]) {
    for (const more of [[], ['--check-config']]) {
      const { status, log } = await Bridge.tries(['--db', database.conninfo(), ...cert === undefined ? [] : ['--tls-cert', cert], ...key === undefined ? [] : ['--tls-key', key], ...more])
      assert.equal(status, 2, log)
      assert.match(log, said)
    }
  }
})

test('a client that connects and says nothing is ended', async () => {
  assert.ok(await silent < 15_000)
})
