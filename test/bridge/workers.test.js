/*
 * Several worker processes: what they count and limit is one, whichever of them
 * a client has come to, and whichever of them is killed.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { within } from '../browser/lib/wait.js'
import { Bridge } from './lib/bridge.js'
import { Certificate } from './lib/certificate.js'
import { Database } from './lib/database.js'
import { Plain, request } from './lib/plain.js'
import { guardDirectory } from './lib/programs.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { until } from './lib/recorder.js'
import { StockClient } from './lib/stock_client.js'

const WORKERS = 4
const STOCK_RECONNECT_MS = 40_000

let database

before(async () => {
  database = await Database.start()
})
after(() => database?.destroy())

/** What the kernel says of a process; '' if it is gone. */
function told(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return ''
    throw error
  }
}

/** The processes of its workers, by the number that each has. */
function workersOf(bridge) {
  const pids = told(bridge.pid, `task/${bridge.pid}/children`).trim().split(' ')
  const numbered = pids.map(pid => [Number(/^sync-worker (\d+)/.exec(told(pid, 'comm'))?.[1]), Number(pid)])
  return new Map(numbered.filter(([number]) => number))
}

const lives = pid => /^State:\s+[^Z]/m.test(told(pid, 'status'))

const allReady = bridge => until(() => bridge.metric('workers_ready'), count => count === WORKERS, `${WORKERS} workers are ready`)

async function start(t, ...args) {
  const bridge = await Bridge.start(database.conninfo(), ['--workers', String(WORKERS), '--action-connections', '1', '--drain-seconds', '0', ...args])
  t.after(() => bridge.stop())
  await allReady(bridge)
  return bridge
}

/** Kills one, and waits for the one in its place to serve. */
async function kill(bridge, number) {
  const pid = workersOf(bridge).get(number)
  process.kill(pid, 'SIGKILL')
  await until(() => workersOf(bridge).get(number), now => now && now !== pid, `there is another worker ${number}`)
  await allReady(bridge)
}

/** The fingerprint of what is served to a new connection. */
function certificateOf(bridge) {
  return within(new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port: bridge.port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerX509Certificate().fingerprint256)
      socket.destroy()
    }).on('error', reject)
  }), 'a TLS handshake')
}

/** A client that comes again at once when it is cut off, and notes all that it is sent. */
class Persistent {
  versions = []
  opened = 0
  state = null

  constructor(bridge, token, session) {
    this.url = bridge.cable(token)
    this.identifier = identifierOf(session)
  }

  async run() {
    while (!this.isOver) {
      try {
        this.client = await RawClient.open(this.url)
        this.opened++
        this.client.socket.on('message', data => this.#take(JSON.parse(data)))
        this.client.subscribe(this.identifier)
        await this.client.closed
      } catch {
        await new Promise(resolve => setTimeout(resolve, 20)) // refused: there is nobody just now
      }
    }
  }

  #take({ message }) {
    if (!message?.version) return
    this.versions.push(message.version)
    this.state = message
  }

  close() {
    this.isOver = true
    this.client?.close()
  }
}

test('a worker that is killed: its clients are back on others, nothing is lost or goes back, and what is counted is right', async t => {
  const bridge = await start(t, '--max-connections-per-address', '0', '--accepts-per-second', '0')
  const session = await database.session('total_count => 1000')
  const token = await database.token()
  const stock = Array.from({ length: 8 }, () => new StockClient(bridge, token))
  const watchers = stock.map(client => client.watch(session))
  const raw = Array.from({ length: 192 }, () => new Persistent(bridge, token, session))
  t.after(() => {
    for (const client of [...stock, ...raw]) client.close()
  })
  for (const client of raw) client.run()
  for (const watcher of watchers) await watcher.state(() => true, 'anything')
  await until(() => raw.filter(client => client.state).length, count => count === raw.length, 'everybody sees the state')
  assert.equal(await bridge.metric('cable_clients'), 200)
  assert.equal(await bridge.metric('subscriptions'), 200)
  // another worker may have yet to see that who asked it has gone
  await until(() => bridge.metric('connections'), connections => connections === 201, 'the connections are those that there are')
  const shares = await Promise.all([1, 2, 3, 4].map(number => bridge.metric(`worker_connections{worker="${number}"}`)))
  assert.ok(shares.every(share => share > 0), `of 200 connections they have ${shares}`)
  const frames = await bridge.metric('frames_sent_total')

  const counted = []
  const counting = setInterval(() => counted.push(database.increment(session)), 50)
  t.after(() => clearInterval(counting))
  await kill(bridge, 2)
  await until(() => raw.reduce((sum, client) => sum + client.opened, 0), opened => opened > raw.length, 'some have come again')
  clearInterval(counting)
  await until(() => bridge.metric('cable_clients'), clients => clients >= raw.length, 'as many are connected as before')
  // what is counted after the end would be told after it
  await Promise.all(counted)
  await database.complete(session)
  await until(() => raw.filter(client => client.state?.status === 'completed').length, done => done === raw.length, 'everybody sees the end')
  for (const watcher of watchers) await watcher.state(state => state.status === 'completed', 'the end', { ms: STOCK_RECONNECT_MS })
  assert.ok(counted.length > 0)
  for (const { versions, state } of raw) {
    assert.deepEqual(versions, [...versions].sort((a, b) => a - b))
    assert.equal(state.processed_count, counted.length)
  }

  await until(() => bridge.metric('connections'), connections => connections === 201, 'the connections are those that there are')
  assert.equal(await bridge.metric('cable_clients'), 200)
  assert.ok(await bridge.metric('frames_sent_total') > frames, 'a counter does not go back')
  assert.equal(await bridge.metric('worker_restarts_total{worker="2"}'), 1)
  assert.equal(await bridge.metric('worker_restarts_total{worker="1"}'), 0)
  for (let number = 1; number <= WORKERS; number++) assert.equal(await bridge.metric(`worker_up{worker="${number}"}`), 1)
  assert.match(bridge.log, /^ERROR supervisor: killed worker=2 pid=\d+ signal=9$/m)
  assert.match(bridge.log, /^INFO listen: attached .* worker=[1-4]$/m)
})

// -- limits ------------------------------------------------------------------------

/** So many attempts at the same time; those that were let in. */
async function attempt(bridge, count, from) {
  const all = await Promise.all(Array.from({ length: count }, () => Plain.open(bridge, { from })))
  const isIn = await Promise.all(all.map(plain => {
    plain.send(request('/healthz', []))
    return plain.match(/^HTTP\/1\.1 (200|429|503) /, 20_000).then(() => plain.statuses[0] === 200)
  }))
  return all.filter((plain, i) => isIn[i] || plain.destroy())
}

test('connections of one address, and in all: exactly as many as may be, before and after a worker was killed', async t => {
  const bridge = await start(t, '--max-connections', '30', '--max-connections-per-address', '20')
  const held = await attempt(bridge, 40, '127.0.0.2')
  assert.equal(held.length, 20)
  const ended = new Set()
  for (const plain of held) plain.end(60_000).then(() => ended.add(plain), () => ended.add(plain))

  const shares = await Promise.all([1, 2, 3, 4].map(number => bridge.metric(`worker_connections{worker="${number}"}`)))
  const most = shares.indexOf(Math.max(...shares)) + 1
  await kill(bridge, most)
  await until(() => ended.size, size => size > 0, 'its connections are cut off')
  await until(() => bridge.metric('connections'), connections => connections === 21 - ended.size, 'what it held is given back')
  const again = await attempt(bridge, 40, '127.0.0.2')
  assert.equal(held.length - ended.size + again.length, 20)

  const elsewhere = await attempt(bridge, 40, '127.0.0.3')
  // the one that asked for the metrics may not be gone
  assert.ok(elsewhere.length === 10 || elsewhere.length === 9, `${elsewhere.length} of 10`)
  for (const plain of [...held, ...again, ...elsewhere]) plain.destroy()
})

test('refusals: exactly as many as may be, whoever refuses, before and after a worker was killed', async t => {
  const bridge = await start(t, '--refused-per-minute', '10')
  const began = performance.now()
  const ask = async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () =>
      Plain.exchange(bridge, request('/sessions?token=bad', ['Connection: close']), { from: '127.0.0.5' })))
    const statuses = answers.map(text => Number(/^HTTP\/1\.1 (\d+)/.exec(text)[1]))
    assert.ok(statuses.every(status => status === 401 || status === 429), String(statuses))
    return statuses.filter(status => status === 401).length
  }
  // one is forgiven every six seconds
  const forgiven = () => Math.floor((performance.now() - began) / 6000)
  const first = await ask()
  assert.ok(first >= 10 && first <= 10 + forgiven(), `${first} refused`)
  await kill(bridge, 1)
  const second = await ask()
  assert.ok(first + second <= 10 + forgiven(), `${first}, and ${second} more`)
})

// -- the end -----------------------------------------------------------------------

const RESTART = { type: 'disconnect', reason: 'server_restart', reconnect: true }

async function open(t, bridge, count) {
  const token = await database.token()
  const clients = await Promise.all(Array.from({ length: count }, () => RawClient.welcomed(bridge.cable(token))))
  t.after(() => {
    for (const client of clients) client.close()
  })
  return clients
}

async function sentAway(clients) {
  for (const client of clients) {
    const { type, reason, reconnect } = await client.type('disconnect')
    assert.deepEqual({ type, reason, reconnect }, RESTART)
    await within(client.closed, 'its connection ends')
  }
}

test('SIGTERM: the clients of all workers are sent away, and nothing is left', async t => {
  const bridge = await start(t)
  const clients = await open(t, bridge, 40)
  const pids = [...workersOf(bridge).values()]
  assert.equal(pids.length, WORKERS)
  const stopped = bridge.stop()
  await sentAway(clients)
  assert.equal(await stopped, 0)
  assert.deepEqual(pids.filter(lives), [])
  await assert.rejects(Plain.open(bridge))
})

test('a supervisor that is killed: its workers send their clients away and leave, and the port is free', async t => {
  const bridge = await start(t)
  const clients = await open(t, bridge, 20)
  const pids = [...workersOf(bridge).values()]
  assert.equal(await bridge.stop('SIGKILL'), 'SIGKILL')
  await sentAway(clients)
  await until(() => pids.filter(lives).length, count => count === 0, 'no worker is left')
  await bridge.start()
  await allReady(bridge)
})

test('a worker that is told to stop is replaced, and the others do not notice', async t => {
  const bridge = await start(t)
  const pid = workersOf(bridge).get(4)
  process.kill(pid, 'SIGTERM')
  await until(() => workersOf(bridge).get(4), now => now && now !== pid, 'there is another one')
  await allReady(bridge)
  assert.match(bridge.log, /^INFO supervisor: ended worker=4 pid=\d+$/m)
  assert.equal(workersOf(bridge).size, WORKERS)
})

test('SIGHUP: every worker has the new settings, also one that is started later; a mistake changes none', async t => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-progress-workers.'))
  const guard = guardDirectory(dir)
  t.after(() => guard.release())
  const path = join(dir, 'conf')
  writeFileSync(path, 'max_connections = 50\n')
  const bridge = await start(t, '--config', path)
  const said = (pattern, count) => until(() => bridge.log.match(pattern)?.length ?? 0, lines => lines === count, `${pattern}, ${count} times`)
  const allHave = async max => {
    // who answers is one of them, and of those that do not serve yet none
    for (let i = 0; i < 2 * WORKERS; i++) assert.equal(await bridge.metric('max_connections'), max)
  }
  writeFileSync(path, 'max_connections = 40\n')
  process.kill(bridge.pid, 'SIGHUP')
  await said(/changed=max_connections worker=\d$/gm, WORKERS)
  await allHave(40)
  writeFileSync(path, 'max_connections = many\n')
  process.kill(bridge.pid, 'SIGHUP')
  await said(/not taken over, .* worker=\d$/gm, WORKERS)
  for (const pid of workersOf(bridge).values()) process.kill(pid, 'SIGKILL')
  await said(/killed worker=\d/g, WORKERS)
  await until(() => workersOf(bridge).size, size => size === WORKERS, 'there are others')
  await allReady(bridge)
  await allHave(40)
})

test('a worker that is started later serves what the others do, whatever is in the files by then', async t => {
  const certificate = await Certificate.make()
  t.after(() => certificate.destroy())
  await certificate.issue('next.pem', 'next-key.pem')
  const www = mkdtempSync(join(tmpdir(), 'sync-progress-www.'))
  const guard = guardDirectory(www)
  t.after(() => guard.release())
  const bridge = await Bridge.start('host=/nonexistent', [...certificate.flags, '--www', www, '--workers', '2'])
  t.after(() => bridge.stop())
  const [first, next] = ['cert.pem', 'next.pem'].map(name => new X509Certificate(readFileSync(certificate.file(name))).fingerprint256)
  const loaded = (number, nth) => until(() => bridge.log.match(new RegExp(`certificate loaded .* worker=${number}$`, 'gm'))?.length ?? 0,
    count => count === nth, `worker ${number} has a certificate (${nth})`)
  // each of the two is asked alone, while the other is stopped
  const shown = async () => {
    const seen = []
    for (const pid of workersOf(bridge).values()) {
      process.kill(pid, 'SIGSTOP')
      seen.push(await certificateOf(bridge).finally(() => process.kill(pid, 'SIGCONT')))
    }
    return seen
  }
  const replaced = async number => {
    const pid = workersOf(bridge).get(number)
    process.kill(pid, 'SIGKILL')
    await until(() => workersOf(bridge).get(number), now => now && now !== pid, `there is another worker ${number}`)
  }
  await Promise.all([loaded(1, 1), loaded(2, 1)])

  // a new pair that nobody has been told of
  copyFileSync(certificate.file('next.pem'), certificate.file('cert.pem'))
  copyFileSync(certificate.file('next-key.pem'), certificate.file('key.pem'))
  await replaced(1)
  await loaded(1, 2)
  assert.deepEqual(await shown(), [first, first])

  // half of one, and no directory
  writeFileSync(certificate.file('key.pem'), '-----BEGIN PRIVATE KEY-----\n')
  rmSync(www, { recursive: true })
  await replaced(2)
  await loaded(2, 2)
  assert.deepEqual(await shown(), [first, first])

  // now they are told
  mkdirSync(www)
  copyFileSync(certificate.file('next-key.pem'), certificate.file('key.pem'))
  process.kill(bridge.pid, 'SIGHUP')
  await Promise.all([loaded(1, 3), loaded(2, 3)])
  await replaced(1)
  await loaded(1, 4)
  assert.deepEqual(await shown(), [next, next])
  assert.doesNotMatch(bridge.log, /supervisor: failed/)
})

test('--workers 0 is one for each core', async t => {
  const cores = availableParallelism()
  const bridge = await Bridge.start(database.conninfo(), ['--workers', '0'])
  t.after(() => bridge.stop())
  assert.equal(workersOf(bridge).size, cores === 1 ? 0 : Math.min(cores, 64))
  assert.equal(await bridge.metric('workers'), Math.min(cores, 64))
})
