/*
 * --doctor: everything between the settings and the socket, tried and timed.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Certificate } from './lib/certificate.js'
import { Database } from './lib/database.js'
import { signalProcess } from './lib/programs.js'
import { until } from './lib/recorder.js'

let database
let bridge

before(async () => {
  database = await Database.start({ throttled: true })
  // off makes tests fast, and is what a doctor has to say no to
  await database.sql('ALTER SYSTEM SET fsync = on')
  await database.sql('SELECT pg_reload_conf()')
  bridge = await Bridge.start(database.conninfo())
  await bridge.ready()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const MS = /until notified (\d+\.\d) ms, until out of the bridge (\d+\.\d) ms/

/** What it says; on a machine that does other work the canary may be slow, which is said, too: then it looks again. */
function doctor(...args) {
  return until(() => look(...args), ({ checks }) => !(checks.canary?.how === 'warn' && MS.test(checks.canary.seen)), 'the canary is not slow', 60_000)
}

/** Its exit status and its lines: how a check ended, what was seen, what to do. */
async function look(conninfo = database.conninfo(), args = ['--listen', `127.0.0.1:${bridge.port}`]) {
  const { status, stdout, log } = await Bridge.tries(['--doctor', '--db', conninfo, ...args])
  const checks = {}
  let last
  for (const line of stdout.split('\n')) {
    const [, how, name, seen] = /^(ok|warn|FAIL|-) +(.{1,24}?) {2,}(.*)$/.exec(line.replace(/^(.{30}) ?/, '$1  ')) ?? []
    if (how) last = checks[name] = { how, seen }
    else if (line.includes(' -> ')) last.todo = line.slice(line.indexOf('-> ') + 3)
  }
  return { status, stdout, log, checks }
}

test('all is well: the canary is timed, and nothing is left of it', async () => {
  const { status, stdout, checks } = await doctor()
  assert.equal(checks.canary.how, 'ok', stdout)
  const [, notified, socket] = MS.exec(checks.canary.seen).map(Number)
  assert.ok(notified > 0 && socket >= notified, checks.canary.seen)
  for (const name of ['settings', 'database', 'versions', 'rights', 'notification queue', 'keys', 'worker']) {
    assert.equal(checks[name]?.how, 'ok', `${name} in\n${stdout}`)
  }
  assert.match(checks.database.seen, /^PostgreSQL 1\d.*database app, role bridge, the primary, no pooler/)
  assert.equal(status, 0)
  assert.equal(await database.sql(`SELECT count(*) FROM sync.sync_sessions WHERE owner_id = 'sync_progress_canary'`), '0')
})

test('through TLS, and where no token is asked for', async t => {
  const certificate = await Certificate.make()
  t.after(() => certificate.destroy())
  for (const flags of [certificate.flags, ['--auth', 'none']]) {
    const other = await Bridge.start(database.conninfo(), flags)
    t.after(() => other.stop())
    const { checks, stdout } = await doctor(database.conninfo(), ['--listen', `127.0.0.1:${other.port}`, ...flags])
    assert.equal(checks.canary.how, 'ok', stdout)
  }
})

test('no bridge there: it says so, and what else is wrong', async () => {
  const { status, checks } = await doctor(database.conninfo(), ['--listen', '127.0.0.1:9'])
  assert.equal(checks.canary.how, 'FAIL')
  assert.match(checks.canary.seen, /^no bridge answers at 127\.0\.0\.1:9/)
  assert.match(checks.canary.todo, /start it/)
  assert.equal(status, 1)
})

/** Something else that listens; answers with this, and goes on with that for ever. */
async function pretends(t, answer, endless) {
  const server = createServer(socket => {
    t.after(() => socket.destroy())
    socket.on('error', () => {})
    socket.once('data', head => {
      const key = /sec-websocket-key: (.*)\r/i.exec(head)?.[1]
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      const next = () => { while (endless && !socket.destroyed && socket.write(endless)); }
      socket.on('drain', next).write(answer.replace('ACCEPT', accept), next)
    })
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return ['--listen', `127.0.0.1:${server.address().port}`]
}

test('what listens there is no bridge: it is not waited for without end, nor taken in without bound', async t => {
  const upgraded = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Protocol: actioncable-v1-json\r\n\r\n'
  const piece = Buffer.concat([Buffer.from([0x00, 126, 0x40, 0x00]), Buffer.alloc(0x4000, 'x')]) // and no end of the frame
  for (const [answer, endless, said] of [
    ['SSH-2.0-OpenSSH_9.2\r\n', null, /^no bridge answers at .+: nothing came that one would say/],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', null, /^no bridge answers at .+: /],
    [`${upgraded}\x01\x01x`, piece, /^no bridge answers at .+: it sends frames that no bridge sends/],
    [`${upgraded}\x81\x09\x1b[31m\0\xff{"`, null, /^no bridge answers at .+: /]
  ]) {
    const { status, checks, stdout } = await doctor(database.conninfo(), await pretends(t, answer, endless))
    assert.deepEqual([status, checks.canary.how], [1, 'FAIL'], stdout)
    assert.match(checks.canary.seen, said)
    assert.ok(!stdout.includes('\x1b') && !/eyJ/.test(stdout), 'no token and no colours')
  }
  assert.equal(await database.sql(`SELECT count(*) FROM sync.sync_sessions WHERE owner_id = 'sync_progress_canary'`), '0')
})

test('a worker that does nothing: what was committed was not notified', async t => {
  const pid = await database.freezeWorker()
  t.after(() => signalProcess(pid, 'SIGCONT'))
  const { status, checks } = await doctor()
  assert.deepEqual([status, checks.canary.how], [1, 'FAIL'])
  assert.match(checks.canary.seen, /^a change was committed, and the worker did not notify it/)
})

test('rights that are missing: what it says to do cures it', async t => {
  await database.sql('REVOKE ALL ON SCHEMA sync FROM bridge; REVOKE ALL ON FUNCTION sync.sync_progress_keys, sync.sync_progress_canary FROM bridge')
  t.after(() => database.sql('GRANT USAGE ON SCHEMA sync TO bridge; GRANT EXECUTE ON FUNCTION sync.sync_progress_keys, sync.sync_progress_canary TO bridge'))
  const before = await doctor()
  assert.deepEqual([before.status, before.checks.rights.how, before.checks['rights of the doctor'].how], [1, 'FAIL', 'warn'])
  assert.match(before.checks.rights.seen, /^role bridge may not call .*sync_progress_keys/)
  assert.equal(before.checks.canary.how, '-')
  await database.sql(before.checks.rights.todo)
  await database.sql(before.checks['rights of the doctor'].todo)
  const cured = await doctor()
  assert.deepEqual([cured.status, cured.checks.rights.how, cured.checks.canary.how], [0, 'ok', 'ok'], cured.stdout)
})

test('another database, none, or a standby: named, with what to do', async t => {
  const elsewhere = await doctor(database.conninfo('bridge', 'postgres'))
  assert.deepEqual([elsewhere.status, elsewhere.checks.database.how], [1, 'FAIL'])
  assert.match(elsewhere.checks.database.seen, /run CREATE EXTENSION sync_progress in database "postgres"/)
  const nowhere = await doctor('host=/nonexistent')
  assert.match(nowhere.checks.database.todo, /is PostgreSQL running there/)
  const standby = await database.standby()
  t.after(() => standby.destroy())
  const behind = await doctor(standby.conninfo())
  assert.deepEqual([behind.status, behind.checks.database.how], [1, 'FAIL'])
  assert.match(behind.checks.database.todo, /standby/)
})

test('settings that are wrong are refused before anything is asked', async () => {
  const { status, log, stdout } = await doctor(database.conninfo(), ['--max-connections', 'many'])
  assert.deepEqual([status, stdout], [2, ''])
  assert.match(log, /bad value for max_connections/)
})
