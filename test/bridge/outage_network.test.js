/*
 * Between the bridge and its database nothing gets through, or a pooler is, or
 * another server: it says so, serves on, and comes back by itself.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { Middle, freePort } from './lib/middle.js'
import { Program, guardDirectory, run } from './lib/programs.js'
import { RawClient, identifierOf } from './lib/raw_client.js'

/** Not in everybody's PATH. */
const PGBOUNCER = '/usr/sbin/pgbouncer'

let database
let session

before(async () => {
  database = await Database.start()
  session = await database.session('total_count => 1000000')
})
after(() => database?.destroy())

async function start(t, conninfo, options = ['--auth', 'none']) {
  const bridge = await Bridge.start(conninfo, options)
  t.after(() => bridge.stop())
  return bridge
}

async function between(t) {
  const middle = await Middle.start(database)
  t.after(() => middle.close())
  return middle
}

async function open(t, bridge) {
  const client = await RawClient.welcomed(bridge.cable())
  t.after(() => client.close())
  return client
}

/** What is counted from now on arrives. */
async function moves(client) {
  const from = client.frames.all.length
  await database.increment(session, 1)
  await client.frames.find(({ message }) => message, 'a state', { from, ms: 20_000 })
}

function directory(t) {
  const dir = mkdtempSync(join(tmpdir(), 'sync-progress-test.'))
  const guard = guardDirectory(dir)
  t.after(() => guard.release())
  chmodSync(dir, 0o755)
  return dir
}

/** A resolver to preload: see lib/hang.c. */
async function resolver(dir) {
  const library = join(dir, 'hang.so')
  await run('cc', ['-shared', '-fPIC', '-o', library, fileURLToPath(new URL('lib/hang.c', import.meta.url)), '-ldl'])
  return library
}

// Most of each is waiting.
describe('[000-33] between the bridge and its database', { concurrency: true }, () => {
  it('connections that are open but dead, of each kind: found within 15 s, clients keep their pings', async t => {
    const middle = await between(t)
    const bridge = await start(t, middle.conninfo())
    await bridge.ready()
    const client = await open(t, bridge)
    await client.watch(identifierOf(session))
    const pings = client.frames.all.filter(({ type }) => type === 'ping').length
    middle.freeze()
    const frozen = performance.now()
    // what this machine stood still is not the bridge's
    let stoodStill = 0
    let last = frozen
    const pulse = setInterval(() => {
      stoodStill += Math.max(0, performance.now() - last - 100)
      last = performance.now()
    }, 20)
    t.after(() => clearInterval(pulse))
    await database.increment(session, 1)
    const found = ['listen', 'query', 'action'].map(async name => {
      await bridge.line(new RegExp(`${name}: no database, still trying: the database does not answer on an open connection`), { ms: 20_000 })
      return performance.now() - frozen - stoodStill
    })
    for (const ms of await Promise.all(found)) assert.ok(ms <= 15_000, `found after ${ms} ms`)
    t.diagnostic(`found after ${(await Promise.all(found)).map(Math.round)} ms`)
    assert.ok(client.frames.all.filter(({ type }) => type === 'ping').length >= pings + 2, 'pings went on')
    const count = (await database.row(session)).processed_count
    await client.message(identifierOf(session), state => state.processed_count >= count, { ms: 20_000 })
    await bridge.ready()
  })

  it('a host that says nothing hides none behind it', async t => {
    const middle = await between(t)
    middle.play = () => {}
    const bridge = await start(t, `host=127.0.0.1,${database.host} port=${middle.port},5432 user=bridge dbname=app`)
    await bridge.ready()
    assert.ok(middle.accepted >= 2, 'both connections tried it')
  })

  it('the two connections reach two servers: it does not serve, until it is one', async t => {
    const other = await Database.start()
    t.after(() => other.destroy())
    const middle = await between(t)
    middle.play = (socket, number) => middle.forward(socket, number % 2 ? database : other)
    const bridge = await start(t, middle.conninfo())
    await bridge.line(/the other connection is to another server/)
    middle.play = null
    await bridge.line(/no database, still trying/)
    middle.cut()
    await bridge.ready()
    const client = await open(t, bridge)
    await client.watch(identifierOf(session))
    await moves(client)
  })

  it('a name whose resolution hangs: the loop goes on, /readyz says why, and it hides no other host', { timeout: 60_000 }, async t => {
    const env = { LD_PRELOAD: await resolver(directory(t)) }
    const alone = await Bridge.start('host=hangs.invalid user=bridge dbname=app', ['--auth', 'none'], { env })
    t.after(() => alone.stop())
    const behind = await Bridge.start(`host=hangs.invalid,${database.host} user=bridge dbname=app`, ['--auth', 'none'], { env })
    t.after(() => behind.stop())
    // while it hangs
    for (const bridge of [alone, behind]) {
      assert.equal((await fetch(`${bridge.origin}/healthz`)).status, 200)
      assert.equal((await fetch(`${bridge.origin}/readyz`)).status, 503)
    }
    await alone.line(/cannot resolve host name "hangs.invalid": no answer from the name service in time/)
    assert.match(await (await fetch(`${alone.origin}/readyz`)).text(), /cannot resolve host name "hangs.invalid"/)
    await behind.ready()
    const client = await open(t, behind)
    await client.watch(identifierOf(session))
    await moves(client)
    assert.equal(await alone.stop(), 0, 'it ends even while it hangs')
  })

  it('a name that leads elsewhere later is followed: it is resolved for each attempt', async t => {
    const middle = await between(t)
    const dir = directory(t)
    const env = { LD_PRELOAD: await resolver(dir), MOVES_TO: join(dir, 'address') }
    writeFileSync(env.MOVES_TO, '127.0.0.2')
    const bridge = await Bridge.start(`host=moves.invalid port=${middle.port} user=bridge dbname=app`, ['--auth', 'none'], { env })
    t.after(() => bridge.stop())
    await bridge.line(/"127\.0\.0\.2", port \d+ failed: Connection refused/)
    writeFileSync(env.MOVES_TO, '127.0.0.1')
    await bridge.ready()
  })

  for (const mode of ['session', 'transaction']) {
    it(`a pooler behind --db, in ${mode} mode: the log and /readyz name it`, async t => {
      const dir = directory(t)
      const port = await freePort()
      writeFileSync(join(dir, 'pgbouncer.ini'), `
        [databases]
        app = host=${database.host} port=5432 dbname=app user=bridge
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = ${port}
        unix_socket_dir =
        auth_type = any
        pool_mode = ${mode}`)
      // it does not run as root
      const user = process.getuid() === 0 ? ['--reuid=postgres', '--regid=postgres', '--clear-groups', 'setpriv', '--pdeathsig', 'KILL'] : ['--pdeathsig', 'KILL']
      const pooler = new Program('setpriv', [...user, PGBOUNCER, join(dir, 'pgbouncer.ini')])
      t.after(() => pooler.end())
      await pooler.lines.find(line => /process up/.test(line), 'pgbouncer is up')
      const bridge = await start(t, `host=127.0.0.1 port=${port} user=bridge dbname=app`)
      for (const name of ['listen', 'query']) await bridge.line(new RegExp(`${name}: no database, still trying: there is a connection pooler in between.*let --db name the PostgreSQL server itself`))
      const answer = await fetch(`${bridge.origin}/readyz`)
      assert.equal(answer.status, 503)
      assert.match(await answer.text(), /connection pooler/)
    })
  }
})
