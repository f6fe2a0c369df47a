/*
 * SIGHUP: the settings and the certificate are read again while the bridge runs.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { appendFileSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { within } from '../browser/lib/wait.js'
import { Bridge } from './lib/bridge.js'
import { Certificate } from './lib/certificate.js'
import { Database } from './lib/database.js'
import { EventStream } from './lib/event_stream.js'
import { guardDirectory, run } from './lib/programs.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { call } from './lib/raw_http.js'

let dir
let guard
let database
let token
let certificate

before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sync-progress-reload.'))
  guard = guardDirectory(dir)
  certificate = await Certificate.make()
  database = await Database.start()
  token = await database.token()
})
after(async () => {
  await database?.destroy()
  await certificate?.destroy()
  await guard?.release()
})

let files = 0

/** A bridge with these lines as its file, which can be written anew. */
async function start(t, ...lines) {
  const path = join(dir, `${++files}.conf`)
  const write = (...now) => writeFileSync(path, now.map(line => `${line}\n`).join(''))
  write(...lines)
  const bridge = await Bridge.start(database.conninfo(), ['--config', path])
  t.after(() => bridge.stop())
  return { bridge, path, write }
}

async function open(t, bridge, options) {
  const client = await RawClient.welcomed(bridge.cable(token), options)
  t.after(() => client.close())
  return client
}

test('what can change takes effect at once, and connections stay', async t => {
  const { bridge, write } = await start(t, 'log_level = info')
  await bridge.ready()
  const session = await database.session()
  const client = await open(t, bridge)
  await client.watch(identifierOf(session))
  const stream = EventStream.open(bridge.port, `/events/SyncStatusChannel/${session}?token=${token}`)
  t.after(() => stream.close())
  await stream.state()
  const www = join(dir, 'www')
  mkdirSync(www)
  writeFileSync(join(www, 'index.html'), 'a page')
  const page = { origin: 'https://app.example.com' }
  await assert.rejects(RawClient.open(bridge.cable(token), page), { status: 404 })
  assert.equal((await call(bridge, 'GET', '/')).status, 404)

  write('log_level = debug', 'allowed_origin = https://app.example.com', 'max_subscriptions = 1', 'body_bytes = 1024', `www = ${www}`,
    'route = GET /jobs/:id -> /snapshots/SyncStatusChannel/:id', 'cookie = another', 'audience = nobody', 'max_connections_per_address = 7',
    'trusted_proxy = 127.0.0.2', 'accepts_per_second = 100', 'heartbeat_seconds = 1')
  assert.equal(await bridge.reload(), 'INFO reload: settings and certificate were read again changed=' +
    'audience,cookie,allowed_origin,www,route,log_level,max_connections_per_address,trusted_proxy,accepts_per_second,max_subscriptions,body_bytes,heartbeat_seconds')
  assert.equal(await (await fetch(`${bridge.origin}/`)).text(), 'a page')
  assert.equal((await call(bridge, 'GET', `/jobs/${session}`, { token })).status, 401, 'the token is for nobody')
  assert.equal((await call(bridge, 'POST', '/callbacks/progress', { body: { message: 'x'.repeat(2000) } })).status, 413)
  client.subscribe('{"channel":"SyncStatusChannel","session_id":0}')
  await client.rejected('{"channel":"SyncStatusChannel","session_id":0}')
  assert.equal(await bridge.metric('refused_total{reason="max_subscriptions"}'), 1)

  write('allowed_origin = https://app.example.com', 'route = GET /jobs/:id -> /snapshots/SyncStatusChannel/:id', 'cookie = another')
  await bridge.reload()
  assert.equal((await call(bridge, 'GET', `/jobs/${session}`, { token })).status, 200)
  assert.equal((await call(bridge, 'GET', `/jobs/${session}`, { headers: { Cookie: `another=${token}`, Origin: page.origin } })).status, 200)
  assert.equal((await call(bridge, 'GET', '/')).status, 404)
  await open(t, bridge, page)

  // those who were there have noticed nothing
  await database.increment(session, 5)
  await client.message(identifierOf(session), ({ processed_count: count }) => count === 5)
  await stream.state(({ processed_count: count }) => count === 5)
  assert.ok(!client.frames.all.some(({ type }) => type === 'disconnect'))
})

test('a file with a mistake is refused whole: nothing of it takes effect', async t => {
  const { bridge, path, write } = await start(t, 'max_subscriptions = 5')
  for (const [said, ...lines] of [
    [`${path}:2: bad value for body_bytes: "many" is not a number from 1024 to 16777216`, 'max_subscriptions = 1', 'body_bytes = many'],
    [`${path}:3: unknown setting "max_subscription"`, 'max_subscriptions = 1', '', 'max_subscription = 1'],
    [`${path}:2: bad value for route: "GET /x": `, 'max_subscriptions = 1', 'route = GET /x'],
    [`${path}:2: bad value for www: "/no/such/directory": No such file or directory`, 'max_subscriptions = 1', 'www = /no/such/directory'],
    [`${path}:3: bad value for trusted_proxy: "proxy.example.com": `, 'max_subscriptions = 1', 'trusted_proxy = 10.0.0.1', 'trusted_proxy = proxy.example.com'],
    [`${path}:2: bad value for allowed_origin: "app.example.com": `, 'max_subscriptions = 1', 'allowed_origin = app.example.com'],
    [`${path}:1: bad value for tls_cert: "/no/such/file": No such file`, 'tls_cert = /no/such/file', 'tls_key = /no/such/file'],
    [`${path}:2: bad value for admin_listen: "nonsense": `, 'max_subscriptions = 1', 'admin_listen = nonsense']
  ]) {
    write(...lines)
    const line = await bridge.reload()
    assert.ok(line.startsWith(`ERROR reload: not taken over, the old settings go on: ${said}`), line)
  }
  rmSync(path)
  assert.match(await bridge.reload(), /^ERROR reload: not taken over, the old settings go on: cannot read .*: No such file/)
  const client = await open(t, bridge)
  for (let i = 0; i < 4; i++) {
    client.subscribe(`{"channel":"SyncStatusChannel","session_id":-${i}}`)
  }
  await client.barrier() // the fifth
  assert.equal(await bridge.metric('refused_total{reason="max_subscriptions"}'), 0)
  write('max_subscriptions = 5')
  assert.equal(await bridge.reload(), 'INFO reload: settings and certificate were read again changed=nothing')
})

test('a pipe, a directory, what has no end: refused at once, and nobody waits', async t => {
  const { bridge, path, write } = await start(t, 'max_subscriptions = 5')
  const pipe = join(dir, 'pipe')
  await run('mkfifo', [pipe])
  for (const [make, said] of [
    [() => renameSync(pipe, path), /cannot read \S+: it must be a regular file/],
    [() => mkdirSync(path), /cannot read \S+: Is a directory$/],
    [() => symlinkSync('/dev/zero', path), /cannot read \S+: it must be a regular file/],
    [() => symlinkSync('/proc/self/mem', path), /cannot read all of \S+$/],
    [() => { write('max_subscriptions = 1'); truncateSync(path, 2 ** 40) }, /cannot read \S+: it is larger than 1 MiB$/],
    [() => write('max_subscriptions = 1\0'), /:1: the line is longer|:1: bad value/],
    [() => write(`tls_cert = ${certificate.file('cert.pem')}`, 'tls_key = /dev/zero'), /:2: bad value for tls_key: "\/dev\/zero": it must be a regular file/],
    [() => write('tls_cert = /dev/zero', `tls_key = ${certificate.file('key.pem')}`), /:1: bad value for tls_cert: "\/dev\/zero": it must be a regular file/]
  ]) {
    rmSync(path, { recursive: true, force: true })
    make()
    const line = await bridge.reload()
    assert.match(line, /^ERROR reload: not taken over, the old settings go on: /)
    assert.match(line, said)
    const { status } = await Bridge.tries(['--config', path, '--check-config'])
    assert.equal(status, 2)
  }
  rmSync(path)
  write('max_subscriptions = 5')
  assert.match(await bridge.reload(), /changed=nothing$/)
})

test('what needs a restart is named, and keeps its value', async t => {
  const { bridge, write } = await start(t)
  write('header_pool = 5', 'action_connections = 3', 'admin_listen = 127.0.0.1:0', 'max_subscriptions = 5', `tls_cert = ${certificate.file('cert.pem')}`, `tls_key = ${certificate.file('key.pem')}`)
  assert.equal(await bridge.reload(), 'INFO reload: settings and certificate were read again changed=max_subscriptions')
  assert.ok(await bridge.line(/^WARN reload: the old value goes on, a new one needs a restart settings=admin_listen,tls_cert,tls_key,action_connections,header_pool$/))
  assert.equal((await fetch(`${bridge.origin}/metrics`)).status, 200, 'administrators still come in here')
  // what stands in the file goes on being compared with what is in effect
  await bridge.reload()
  const warned = bridge.log.split('\n').filter(line => line.startsWith('WARN reload: '))
  assert.equal(warned.length, 2)
})

test('a flag goes on being stronger than the file', async t => {
  const { bridge, write } = await start(t)
  write('refused_per_minute = 3') // Bridge.start() says --refused-per-minute 0
  assert.equal(await bridge.reload(), 'INFO reload: settings and certificate were read again changed=nothing')
})

test('more connections than files may be open: said, and bounded', async t => {
  const { bridge, write } = await start(t, 'max_connections = 50')
  write('max_connections = 5000')
  await bridge.reload()
  assert.match(bridge.log, /WARN reload: max_connections needs a restart to go above what may be open max_connections=50$/m)
  write('max_connections = 20')
  assert.match(await bridge.reload(), /changed=max_connections$/)
})

test('many reloads in a row, with somebody watching', async t => {
  const { bridge, write } = await start(t)
  await bridge.ready()
  const session = await database.session()
  const client = await open(t, bridge)
  await client.watch(identifierOf(session))
  for (let i = 1; i <= 40; i++) {
    write(`cookie = name${i}`, `allowed_origin = https://${i}.example.com`, `route = GET /r${i} -> /events/owner`)
    if (i % 10 === 0) await bridge.reload()
    else process.kill(bridge.pid, 'SIGHUP')
    await database.increment(session, 1)
  }
  await client.message(identifierOf(session), ({ processed_count: count }) => count === 40)
})

// -- certificates --------------------------------------------------------------

/** The certificate that a new connection is shown. */
function shown(bridge) {
  return within(new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port: bridge.port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate())
      socket.destroy()
    }).on('error', reject)
  }), 'a TLS handshake')
}

const expiryOf = shown => Math.floor(Date.parse(shown.validTo) / 1000)

test('a new certificate is that of new connections, and the old ones stay', async t => {
  const use = async (cert, key) => {
    // as tools do that renew certificates: one after the other, by rename
    for (const [from, to] of [[cert, 'cert.pem'], [key, 'key.pem']]) {
      copyFileSync(certificate.file(from), certificate.file(`${to}.new`))
      renameSync(certificate.file(`${to}.new`), certificate.file(to))
    }
  }
  await certificate.issue('rsa.pem', 'rsa-key.pem', undefined, { algorithm: ['rsa:2048'], days: 30 })
  await certificate.issueExpired('late.pem', 'late-key.pem')
  const trust = certificate.trust
  const bridge = await Bridge.start(database.conninfo(), certificate.flags)
  t.after(() => bridge.stop())
  const first = await shown(bridge)
  assert.match(bridge.log, /WARN tls: certificate loaded file=\S+cert\.pem expires=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ days=[12]$/m)
  const metric = async () => {
    const { body } = await certificate.fetch(bridge, '/metrics', { rejectUnauthorized: false })
    return Number(/^sync_progress_bridge_tls_certificate_expiry_timestamp_seconds (\d+)$/m.exec(body)[1])
  }
  assert.equal(await metric(), expiryOf(first))
  const session = await database.session()
  const client = await RawClient.welcomed(`wss://127.0.0.1:${bridge.port}/cable?token=${token}`, trust)
  t.after(() => client.close())
  await client.watch(identifierOf(session))

  // another kind of key: the old certificate must be gone, not one of two
  await use('rsa.pem', 'rsa-key.pem')
  await bridge.reload()
  assert.match(bridge.log, /INFO tls: certificate loaded file=\S+cert\.pem expires=\S+ days=(29|30)$/m)
  const second = await shown(bridge)
  assert.equal(second.publicKey.asymmetricKeyType, 'rsa')
  assert.notEqual(second.fingerprint256, first.fingerprint256)
  const ecdsa = connectTls({ host: '127.0.0.1', port: bridge.port, rejectUnauthorized: false, maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })
  await assert.rejects(within(new Promise((resolve, reject) => ecdsa.on('secureConnect', resolve).on('error', reject)), 'a handshake'), /handshake failure/)
  assert.equal(await metric(), expiryOf(second))

  // only the one above it is another: it is the first to end
  await certificate.issue('above.pem', 'above-key.pem', undefined, { days: 5 })
  appendFileSync(certificate.file('cert.pem'), readFileSync(certificate.file('above.pem')))
  await bridge.reload()
  assert.match(bridge.log, /WARN tls: certificate loaded file=\S+cert\.pem expires=\S+ days=[45]$/m)
  assert.equal((await shown(bridge)).fingerprint256, second.fingerprint256)
  assert.equal(await metric(), expiryOf(new X509Certificate(readFileSync(certificate.file('above.pem')))))
  await use('rsa.pem', 'rsa-key.pem')
  await bridge.reload()

  // a key that is not its own, no key at all, one that has expired: the one before stays
  for (const [cert, key, said] of [
    ['rsa.pem', 'late-key.pem', /bad value for tls_key: ".*": it is not the certificate's key/],
    ['late.pem', 'late-key.pem', /bad value for tls_cert: ".*": the certificate, or one above it, has expired at \d{4}-/]
  ]) {
    await use(cert, key)
    assert.match(await bridge.reload(), new RegExp(`^ERROR reload: not taken over, .*${said.source}`))
    assert.equal((await shown(bridge)).fingerprint256, second.fingerprint256)
  }
  assert.equal(await metric(), expiryOf(second))

  await database.increment(session, 5)
  await client.message(identifierOf(session), ({ processed_count: count }) => count === 5)
  assert.ok(!client.frames.all.some(({ type }) => type === 'disconnect'))
})

test('a bridge that is started with an expired certificate serves it and says so; --check-config refuses it', async t => {
  await certificate.issueExpired('over.pem', 'over-key.pem')
  const flags = ['--tls-cert', certificate.file('over.pem'), '--tls-key', certificate.file('over-key.pem')]
  const bridge = await Bridge.start(database.conninfo(), flags)
  t.after(() => bridge.stop())
  assert.match(bridge.log, /ERROR tls: served all the same: bad value for tls_cert: ".*over\.pem": the certificate, or one above it, has expired at/)
  // and other settings can be changed
  assert.match(await bridge.reload(), /^INFO reload: /)
  const { status, log } = await Bridge.tries([...flags, '--check-config'])
  assert.equal(status, 2)
  assert.match(log, /^ERROR config: bad value for tls_cert: ".*over\.pem": the certificate, or one above it, has expired at/)
})
