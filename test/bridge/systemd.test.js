/*
 * What the bridge tells a service manager, what it takes from it, and the unit
 * files and the rest that "make install-bridge" puts in place.
 */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { Launcher, NotifySocket } from './lib/manager.js'
import { Plain, request } from './lib/plain.js'
import { Program, guardDirectory, run } from './lib/programs.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'

const PROGRAM = process.env.BRIDGE ?? fileURLToPath(new URL('../../bridge/sync-progress-bridge', import.meta.url))

let database
let dir
let guard
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sync-progress-systemd.'))
  guard = guardDirectory(dir)
  database = await Database.start()
})
after(async () => {
  await database?.destroy()
  await guard?.release()
})

// -- words ---------------------------------------------------------------------

async function told(t, conninfo, env = {}, args = []) {
  const socket = await NotifySocket.open()
  t.after(() => socket.close())
  const bridge = await Bridge.start(conninfo, args, { env: { NOTIFY_SOCKET: socket.path, ...env } })
  t.after(() => bridge.stop('SIGKILL'))
  return { socket, bridge }
}

test('--version says whether it knows systemd, and what it is made of', async () => {
  const { status, stdout } = await Bridge.tries(['--version'])
  assert.equal(status, 0)
  assert.match(stdout, /^sync-progress-bridge \d+\.\d+\.\d+\nlibwebsockets \d+\.\d+\.\d+, libpq \d+\.\d+, OpenSSL \d\S* .*, systemd yes\n$/)
})

test('ready, how it fares, reloading, stopping, and when it is gone', async t => {
  const path = join(dir, 'told.conf')
  writeFileSync(path, 'drain_seconds = 7\n')
  const { socket, bridge } = await told(t, database.conninfo(), {}, ['--config', path])
  await socket.find('READY')
  await socket.find('STATUS', text => text === 'serving 0 connections')
  const client = await RawClient.welcomed(bridge.cable(await database.token()))
  t.after(() => client.close())
  await socket.find('STATUS', text => text === 'serving 1 connections')

  const before = process.hrtime.bigint() / 1000n
  const from = socket.told.all.length
  await bridge.reload()
  const { MONOTONIC_USEC: at } = await socket.find('RELOADING', undefined, { from })
  assert.ok(BigInt(at) >= before && BigInt(at) <= process.hrtime.bigint() / 1000n, 'the clock that systemd compares it with')
  await socket.find('READY', undefined, { from: socket.told.all.findIndex(message => 'RELOADING' in message) })
  writeFileSync(path, 'nonsense = 1\n')
  await bridge.reload()
  await until(() => socket.told.all.filter(message => 'READY' in message).length, count => count === 3, 'it is ready also when nothing was taken over')

  assert.equal(await bridge.stop(), 0)
  const stopping = await socket.find('STOPPING')
  // --drain-seconds 0, and three seconds for the last
  assert.equal(stopping.EXTEND_TIMEOUT_USEC, '5000000')
  await socket.find('STATUS', text => text === 'stopping: 1 connections left')
})

test('it does not wait for the database, and says that it is not there', async t => {
  const { socket } = await told(t, 'host=/nonexistent')
  await socket.find('READY')
  await socket.find('STATUS', text => /^serving 0 connections, not ready: .*\/nonexistent/.test(text))
})

test('the watchdog hears of the loop, twice as often as it wants', async t => {
  const { socket } = await told(t, 'host=/nonexistent', { WATCHDOG_USEC: '1000000' })
  for (let n = 1; n <= 3; n++) await until(() => socket.told.all.filter(message => 'WATCHDOG' in message).length, count => count >= n, `sign of life ${n}`, 3_000)
})

test('where stderr is the journal each line has its priority, and elsewhere none', async () => {
  const script = 'exec 2>"$1"; export JOURNAL_STREAM=$(stat -L -c %d:%i "$2"); "$3" --listen nonsense; cat "$1"'
  const [journal, other] = ['journal', 'other'].map(name => join(dir, name))
  writeFileSync(other, '')
  writeFileSync(journal, '')
  assert.match(await run('sh', ['-c', script, 'sh', journal, journal, PROGRAM]), /^<3>ERROR config: bad value for listen: /)
  assert.match(await run('sh', ['-c', script, 'sh', journal, other, PROGRAM]), /^ERROR config: bad value for listen: /)
})

test('started with nothing open it keeps those descriptors free of sockets', async t => {
  // what was logged went to whatever had got stderr's number
  const bridge = new Program('sh', ['-c', 'exec "$@" <&- >&- 2>&-', 'sh', PROGRAM, '--listen', '127.0.0.1:0', '--db', 'host=/nonexistent'])
  t.after(() => bridge.end('SIGKILL'))
  const opened = number => { try { return readlinkSync(`/proc/${bridge.pid}/fd/${number}`) } catch { return '' } }
  await until(() => readdirSync(`/proc/${bridge.pid}/fd`).filter(fd => opened(fd) === 'anon_inode:[eventpoll]').length, count => count > 0, 'it has a loop')
  assert.deepEqual([0, 1, 2].map(opened), ['/dev/null', '/dev/null', '/dev/null'])
})

// -- sockets -------------------------------------------------------------------

async function launched(t, sockets, args = []) {
  const launcher = await Launcher.start(sockets, PROGRAM, ['--db', database.conninfo(), '--drain-seconds', '0', ...args])
  t.after(() => launcher.stop())
  return launcher
}

describe('socket activation', { concurrency: true }, () => {
  test('sockets that are passed stand in for those that are configured', async t => {
    const launcher = await launched(t, { web: 'tcp', admin_listen: 'tcp' }, ['--listen', '192.0.2.1:1', '--admin-listen', '192.0.2.1:2'])
    await launcher.line(/^INFO sockets: passed by the service manager, instead of the settings listen=1 admin_listen=1$/)
    for (const [name, port] of Object.entries(launcher.ports)) {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`)
      assert.equal(answer.status === 404, name === 'web', name)
      assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200)
    }
  })

  test('only for the clients: administrators come in where it is configured', async t => {
    const launcher = await launched(t, { listen: 'tcp' }, ['--admin-listen', '127.0.0.1:0'])
    const [, port] = /:(\d+)$/.exec(await launcher.line(/ready admin_listen=/))
    assert.equal((await fetch(`http://127.0.0.1:${port}/metrics`)).status, 200)
    assert.equal((await fetch(`http://127.0.0.1:${launcher.ports.listen}/metrics`)).status, 404)
  })

  test('while it is started anew nobody is refused: who comes waits for the next one', async t => {
    const launcher = await launched(t, { listen: 'tcp' })
    const bridge = { port: launcher.ports.listen }
    await launcher.line(/ready listen=/)
    const session = await database.session()
    const token = await database.token()
    const open = () => RawClient.welcomed(`ws://127.0.0.1:${bridge.port}/cable?token=${token}`)
    const first = await open()
    await first.watch(identifierOf(session))
    process.kill(launcher.pid, 'SIGTERM')
    assert.equal(await launcher.ended(), '0')
    await first.end()
    const waiting = await Plain.open(bridge)
    waiting.send(request('/healthz', ['Connection: close']))
    const second = open()
    launcher.next()
    await launcher.started(2)
    await waiting.end()
    assert.deepEqual(waiting.statuses, [200])
    await (await second).watch(identifierOf(session))
    ;(await second).close()
  })

  for (const [what, sockets, args, said] of [
    ['what is no TCP socket', { listen: 'udp' }, [], /ERROR sockets: what was passed is no TCP socket that listens .* name=listen/],
    ['one that everybody reaches, without tokens', { listen: 'any' }, ['--auth', 'none'], /ERROR sockets: auth = none .* name=listen/]
  ]) {
    test(`${what} is refused`, async t => {
      const launcher = await launched(t, sockets, args)
      assert.equal(await launcher.ended(), '2')
      assert.match(launcher.log, said)
    })
  }
})

// -- what is installed ----------------------------------------------------------

const make = (...args) => run('make', ['-s', '--no-print-directory', '-C', fileURLToPath(new URL('../../', import.meta.url)), 'install-bridge', ...args])

test('make install-bridge: the program, its page, the sample, the units; a configuration that is there stays', async () => {
  const to = join(dir, 'destination')
  await make(`DESTDIR=${to}`, 'PREFIX=/opt/bridge')
  const file = name => join(to, name)
  assert.ok(statSync(file('opt/bridge/bin/sync-progress-bridge')).mode & 0o111)
  for (const name of ['opt/bridge/share/man/man8/sync-progress-bridge.8', 'opt/bridge/share/doc/sync-progress-bridge/sync-progress-bridge.conf',
    'opt/bridge/share/doc/sync-progress-bridge/monitoring/alerts.yml', 'opt/bridge/share/doc/sync-progress-bridge/proxies/nginx.conf',
    'opt/bridge/lib/systemd/system/sync-progress-bridge.socket', 'etc/sync-progress/sync-progress-bridge.conf']) {
    assert.equal(statSync(file(name)).mode & 0o777, 0o644, name)
  }
  const unit = readFileSync(file('opt/bridge/lib/systemd/system/sync-progress-bridge.service'), 'utf8')
  assert.equal(unit.match(/^Exec(Start|Reload)=\/opt\/bridge\/bin\/sync-progress-bridge --config \/etc\/sync-progress\/sync-progress-bridge.conf/gm).length, 2)
  assert.ok(!unit.includes('/usr/local'))
  writeFileSync(file('etc/sync-progress/sync-progress-bridge.conf'), 'cookie = mine\n')
  rmSync(file('opt/bridge/bin/sync-progress-bridge'))
  await make(`DESTDIR=${to}`, 'PREFIX=/opt/bridge')
  assert.equal(readFileSync(file('etc/sync-progress/sync-progress-bridge.conf'), 'utf8'), 'cookie = mine\n')
  assert.ok(existsSync(file('opt/bridge/bin/sync-progress-bridge')))
})

test('a wrong setting is not tried again, but an address that is taken is, however often', async t => {
  const taken = await Bridge.start('host=/nonexistent')
  t.after(() => taken.stop('SIGKILL'))
  const unit = readFileSync(new URL('../../bridge/sync-progress-bridge.service', import.meta.url), 'utf8')
  const given = key => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1]
  assert.equal(given('RestartPreventExitStatus'), String((await Bridge.tries(['--listen', 'nonsense'])).status))
  assert.notEqual(given('RestartPreventExitStatus'), String((await Bridge.tries(['--listen', `127.0.0.1:${taken.port}`])).status))
  assert.equal(given('Restart'), 'on-failure')
  assert.equal(given('StartLimitIntervalSec'), '0')
})

// systemd lets ExecReload, which checks the file, not see what it has loaded: each reload failed
test('a certificate that only the service can read is no reason to refuse its reload', async () => {
  const credential = name => `/run/credentials/sync-progress-test-${process.pid}.service/${name}`
  const flags = ['--tls-cert', credential('tls_cert'), '--tls-key', credential('tls_key')]
  const checked = await Bridge.tries(['--check-config', ...flags])
  assert.equal(checked.status, 0, checked.log)
  assert.match(checked.log, /^WARN config: the certificate is not checked, only the service can read it tls_cert=\/run\/credentials\//m)
  for (const args of [flags, ['--check-config', ...flags.slice(0, 2)], ['--check-config', ...flags.map(flag => flag.replace('/run/', '/nonexistent/'))]]) {
    const { status, log } = await Bridge.tries(args)
    assert.equal(status, 2, log)
    assert.match(log, /ERROR config: .*tls_/)
  }
})

test('systemd understands the units, and finds the service well locked up', async t => {
  const to = join(dir, 'usr')
  await make(`PREFIX=${to}`, `SYSCONFDIR=${join(dir, 'etc')}`)
  const unit = kind => join(to, `lib/systemd/system/sync-progress-bridge.${kind}`)
  // it says what is wrong on stderr, and for some of that its status is 0
  const said = await run('sh', ['-c', 'systemd-analyze verify --man=no "$@" 2>&1', 'sh', unit('service'), unit('socket')])
  assert.deepEqual(said.split('\n').filter(line => line.includes('sync-progress-bridge')), [])
  const security = await run('systemd-analyze', ['security', '--offline=true', '--no-pager', unit('service')])
  const [, exposure] = /Overall exposure level for sync-progress-bridge.service: (\S+)/.exec(security)
  t.diagnostic(`exposure ${exposure}`)
  assert.ok(Number(exposure) <= 1.5, security)
})
