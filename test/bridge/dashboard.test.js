/*
 * The operators' dashboard: its files, what feeds it, who may see it.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { EventStream } from './lib/event_stream.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { signalProcess } from './lib/programs.js'
import { SlowReader } from './lib/slow_reader.js'
import { until } from './lib/recorder.js'
import { within } from '../browser/lib/wait.js'

let database
let bridge

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo())
  await bridge.ready()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const get = (path, options = {}, from = bridge.origin) => fetch(from + path, { ...options, headers: { connection: 'close', ...options.headers } })

/** The dashboard's events, as they come: { name, data }. */
class Events {
  #reader
  #rest = ''

  static async open(origin = bridge.origin) {
    const response = await get('/dashboard/events', {}, origin)
    const events = new Events()
    events.status = response.status
    events.headers = response.headers
    events.#reader = response.body.getReader()
    return events
  }

  /** The next one; null: it has ended. */
  async next() {
    for (;;) {
      const end = this.#rest.indexOf('\n\n')
      if (end >= 0) {
        const block = this.#rest.slice(0, end)
        this.#rest = this.#rest.slice(end + 2)
        const [, name] = /^event: (.*)$/m.exec(block) ?? []
        if (name) return { name, data: JSON.parse(/^data: (.*)$/m.exec(block)[1]) }
        continue
      }
      const { value, done } = await this.#reader.read().catch(() => ({ done: true }))
      if (done) return null
      this.#rest += new TextDecoder().decode(value)
    }
  }

  /** The first "now" that passes. */
  now(passes = () => true) {
    const look = async () => {
      for (;;) {
        const event = await this.next()
        if (!event) throw new Error('the events ended')
        if (event.name === 'now' && passes(event.data)) return event.data
      }
    }
    return within(look(), `a message with ${passes}`, 20_000)
  }

  close() {
    return this.#reader.cancel().catch(() => {})
  }
}

async function watch(t, origin) {
  const events = await Events.open(origin)
  t.after(() => events.close())
  assert.equal(events.status, 200)
  return events
}

test('[000-36] the page and its files are in the program, under a policy that lets nothing else in', async () => {
  const page = await get('/dashboard')
  const text = await page.text()
  assert.equal(page.status, 200)
  assert.match(page.headers.get('content-type'), /^text\/html/)
  assert.ok(!/<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=/.test(text), 'nothing is inline')
  const files = [...text.matchAll(/(?:src|href)="(dashboard\/[^"]+)"/g)].map(match => `/${match[1]}`)
  assert.ok(files.length >= 3)
  const script = await (await get('/dashboard/dashboard.js')).text()
  files.push(...[...script.matchAll(/from '\.\/([^']+)'/g)].map(match => `/dashboard/${match[1]}`))
  for (const path of ['/dashboard', ...files]) {
    const { status, headers } = await get(path)
    assert.equal(status, 200, path)
    assert.match(headers.get('content-security-policy'), /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; .*frame-ancestors 'none'$/)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    const again = await get(path, { headers: { 'if-none-match': headers.get('etag') } })
    assert.equal(again.status, 304, path)
  }
  assert.equal((await get('/dashboard/nothing.js')).status, 404)
})

test('[000-36] what comes first is what was; then a message a second, for all who look the same', async t => {
  const one = await watch(t)
  const two = await watch(t)
  assert.match(one.headers.get('content-type'), /^text\/event-stream/)
  assert.equal(one.headers.get('x-accel-buffering'), 'no')
  const first = await one.next()
  assert.equal(first.name, 'history')
  assert.ok(Array.isArray(first.data))
  const early = await one.now(({ dashboards, point }) => dashboards === 2 && point)
  // each comes at its time: behind one that was late the next is not
  for (let i = 0; i < 2; i++) await one.now()
  const late = await one.now()
  assert.ok(late.time - early.time >= 3 * 500, 'not more often than each second or so')
  assert.deepEqual(await two.now(({ time }) => time === late.time), late)
  assert.equal(late.ready, true)
  assert.equal(late.workers.length, 1)
  assert.equal(late.workers[0].pid, bridge.pid)
  assert.deepEqual(late.stages.map(({ name }) => name), ['notify', 'hub', 'write', 'delivery', 'late', 'loop'])
})

test('watchers, messages, streams and times are those that there were', async t => {
  const session = await database.session()
  const alice = await RawClient.welcomed(bridge.cable(await database.token()))
  t.after(() => alice.close())
  const events = await watch(t)
  const identifier = identifierOf(session)
  await alice.watch(identifier)
  await events.now(({ top_watchers: streams }) => streams.some(([name, watchers]) => name === 'sync:…' && watchers === 1))
  let counted = 0
  const stop = new AbortController()
  const busy = (async () => {
    while (!stop.signal.aborted) {
      await database.increment(session)
      counted++
      await alice.message(identifier, ({ processed_count: count }) => count >= counted)
    }
  })()
  const now = await events.now(({ top_messages: streams, stages }) => streams.some(([name, , rate]) => name === 'sync:…' && rate > 1) &&
    stages.find(({ name }) => name === 'delivery').count > 5)
  stop.abort()
  await busy
  assert.equal(now.subscriptions, 1)
  assert.equal(now.cables, 1)
  for (const { name, count, p50, p95, p99 } of now.stages.filter(({ name }) => name !== 'late')) {
    assert.ok(count > 0, name)
    assert.ok(0 <= p50 && p50 <= p95 && p95 <= p99, `${name}: ${p50} ${p95} ${p99}`)
  }
  const drawn = await watch(t)
  const history = (await drawn.next()).data
  assert.ok(history.some(([received, told]) => received > 0 && told > 0), 'who comes later sees what has been')
})

test('the figures of the extension’s worker are there if the bridge may read them, and no error is made of it if not', async t => {
  const events = await watch(t)
  assert.equal((await events.now()).extension.stat, null)
  await database.sql(`SELECT sync.sync_progress_grant('bridge', 'monitor')`)
  const { extension, database: base } = await events.now(now => now.extension.stat)
  assert.equal(extension.stat.worker_pid, extension.pid)
  assert.ok(extension.stat.attached >= 1)
  assert.match(base.server, /^\d+/)
  assert.ok(base.queue_usage >= 0)
})

test('who is refused is there, by reason', async t => {
  const events = await watch(t)
  const refusals = ({ refused }) => refused.find(({ name }) => name === 'token')
  const before = refusals(await events.now()).total
  assert.equal((await get('/snapshots/SyncStatusChannel/1?token=nonsense')).status, 401)
  const after = refusals(await events.now(now => refusals(now).total > before))
  assert.ok(after.minute >= 1)
})

test('[000-36] rights that are missing are named: red without those that everybody needs', async t => {
  const grant = 'GRANT EXECUTE ON FUNCTION sync.sync_progress_perform, sync.sync_progress_subscribe TO bridge'
  t.after(() => database.sql(grant))
  await database.sql('REVOKE EXECUTE ON FUNCTION sync.sync_progress_perform, sync.sync_progress_subscribe FROM bridge')
  const other = await Bridge.start(database.conninfo())
  t.after(() => other.stop())
  const said = async () => (await get('/readyz', {}, other.origin)).text()
  await until(said, text => /^not ready: .*EXECUTE sync_progress_perform, sync_progress_subscribe;/.test(text), 'both are named')
  await database.sql('GRANT EXECUTE ON FUNCTION sync.sync_progress_subscribe TO bridge')
  await until(said, text => /^ready: .*EXECUTE sync_progress_perform;/.test(text), 'it is ready, and says what is missing')
})

test('[000-36] readiness is red when the extension’s worker does not beat, and says so, until it does', async t => {
  await database.sql(`ALTER SYSTEM SET sync_progress.heartbeat_interval = '1s'`)
  await database.sql('SELECT pg_reload_conf()')
  t.after(async () => {
    await database.sql('ALTER SYSTEM RESET sync_progress.heartbeat_interval')
    await database.sql('SELECT pg_reload_conf()')
  })
  // the bridge learns of the interval when it attaches
  const other = await Bridge.start(database.conninfo())
  t.after(() => other.stop())
  await other.ready()
  const pid = await database.freezeWorker()
  t.after(() => signalProcess(pid, 'SIGCONT'))
  const said = async () => (await get('/readyz', {}, other.origin)).text()
  const text = await until(said, text => /does not beat/.test(text), 'it is said')
  assert.match(text, new RegExp(`^not ready: the extension's worker does not beat: nothing was heard from process ${pid} for \\d+ s`))
  await until(() => other.metric('workers_ready'), count => count === 0, 'so do the metrics')
  // a new connection is no sign of life of it
  await other.line(/no heartbeat from the extension's worker/)
  await until(said, text => /does not beat/.test(text), 'it is red still')
  signalProcess(pid, 'SIGCONT')
  await other.ready()
})

test('messages that are slow are said once, with the stage, and counted', async t => {
  const slow = await Bridge.start(database.conninfo(), ['--alarm-latency-ms', '1000'])
  t.after(() => slow.stop())
  await slow.ready()
  const alice = await RawClient.welcomed(slow.cable(await database.token()))
  t.after(() => alice.close())
  const events = await watch(t, slow.origin)
  const sessions = []
  for (let i = 0; i < 6; i++) sessions.push(await database.session())
  for (const session of sessions) await alice.watch(identifierOf(session))
  assert.equal((await events.now()).alarms.latency, 0)
  // it does not run while they are told: they are read late
  signalProcess(slow.pid, 'SIGSTOP')
  t.after(() => signalProcess(slow.pid, 'SIGCONT'))
  const told = async () => Number(await database.sql(`SELECT count(*) FROM sync.sync_sessions WHERE id = ANY ('{${sessions}}') AND processed_count > 0`))
  for (const session of sessions) await database.increment(session)
  await until(told, count => count === sessions.length, 'all are folded')
  await delay(1_500)
  signalProcess(slow.pid, 'SIGCONT')
  const line = await slow.line(/messages are slow/)
  assert.match(line, /WARN watchdog: messages are slow p95_ms=\d+ limit_ms=1000 stage=notify notify_ms=\d+ hub_ms=\d+ write_ms=\d+ loop_lag_ms=\d+ times=1/)
  const now = await events.now(({ alarms }) => alarms.latency === 1)
  assert.equal(now.alarms.times, 1)
  assert.equal(await slow.metric('alarm_active{alarm="latency"}'), 1)
  assert.equal(await slow.metric('alarms_total{alarm="latency"}'), 1)
  await events.now(({ time }) => time > now.time + 2_000)
  assert.equal(slow.log.match(/messages are slow/g).length, 1)
})

test('[000-36] with admin_listen it is there, and not where clients come in', async t => {
  const both = await Bridge.start(database.conninfo(), ['--admin-listen', '127.0.0.1:0'])
  t.after(() => both.stop())
  await both.line(/ready admin_listen=/)
  const admin = `http://${/ready admin_listen=(\S+)/.exec(both.log)[1]}`
  for (const path of ['/dashboard', '/dashboard/dashboard.js', '/dashboard/events']) assert.equal((await get(path, {}, both.origin)).status, 404, path)
  assert.equal((await get('/dashboard', {}, admin)).status, 200)
  await (await watch(t, admin)).now()
})

test('[000-36] names of streams, whatever users call themselves, are for administrators', async t => {
  const hostile = `<img src=x onerror=alert(1)>"\\'{}/ü${'🐘'.repeat(40)}\n\ndata: 1`
  const owner = hostile.replaceAll("'", "''")
  const token = await database.token(owner)
  const inside = await Bridge.start(database.conninfo(), ['--admin-listen', '127.0.0.1:0'])
  t.after(() => inside.stop())
  await inside.line(/ready admin_listen=/)
  const open = await Bridge.start(database.conninfo(), ['--auth', 'none'])
  t.after(() => open.stop())
  for (const [where, at, mine] of [[bridge, bridge.origin, true], [inside, `http://${/ready admin_listen=(\S+)/.exec(inside.log)[1]}`, false], [open, open.origin, null]]) {
    const session = await database.session('total_count => 1000', owner)
    const client = await RawClient.welcomed(where.cable(mine === null ? undefined : token))
    t.after(() => client.close())
    await client.watch(identifierOf(session))
    const stream = mine === null ? null : EventStream.open(where.port, `/events/owner?token=${token}`)
    t.after(() => stream?.close())
    const events = await watch(t, at)
    if (mine) {
      const { top_watchers: streams } = await events.now(({ top_watchers: streams }) => streams.length > 1)
      for (const [name] of streams) assert.match(name, /^[a-z]+:…$/)
      continue
    }
    const wanted = mine === null ? 1 : 2
    const { top_watchers: streams } = await events.now(({ top_watchers: streams }) => streams.length === wanted)
    const names = streams.map(([name]) => name)
    assert.ok(names.includes(`sync:${session}`), names.join())
    if (stream) assert.ok(names.some(name => name.length > 50 && `owner:${hostile}`.startsWith(name)), names.join())
  }
})

test('what an error of the extension’s worker says is for administrators', async t => {
  const inside = await Bridge.start(database.conninfo(), ['--admin-listen', '127.0.0.1:0'])
  t.after(() => inside.stop())
  await inside.line(/ready admin_listen=/)
  await database.sql(`SELECT sync.sync_progress_grant('bridge', 'monitor')`)
  const usual = await database.sql(`SELECT payload_function FROM sync.sync_kinds WHERE kind = 'batch'`)
  await database.sql(`CREATE FUNCTION sync.says_too_much(bigint[]) RETURNS TABLE (session_id bigint, payload json) STABLE LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the secret of alice'; END $$`)
  await database.sql(`UPDATE sync.sync_kinds SET payload_function = 'sync.says_too_much(bigint[])' WHERE kind = 'batch'`)
  t.after(() => database.sql(`UPDATE sync.sync_kinds SET payload_function = '${usual}' WHERE kind = 'batch'`))
  await database.sql(`SELECT sync.sync_session_start('alice', 'batch')`)
  const admin = await watch(t, `http://${/ready admin_listen=(\S+)/.exec(inside.log)[1]}`)
  await admin.now(({ extension: { stat } }) => /the secret of alice/.test(stat?.last_error))
  const { extension: { stat } } = await (await watch(t)).now(({ extension: { stat } }) => stat?.last_error)
  assert.equal(stat.last_error, 'is shown where admin_listen is set')
  assert.doesNotMatch(JSON.stringify(stat), /secret/)
})

test('sixteen may look at a worker, the next is told to come later; one who goes makes room', async t => {
  const watchers = []
  t.after(() => Promise.all(watchers.map(events => events.close())))
  await until(() => bridge.metric('dashboard_clients'), count => count === 0, 'nobody looks any more')
  for (let i = 0; i < 16; i++) watchers.push(await Events.open())
  assert.ok(watchers.every(({ status }) => status === 200))
  const refused = await get('/dashboard/events')
  assert.equal(refused.status, 503)
  assert.equal(refused.headers.get('retry-after'), '10')
  await refused.text()
  await watchers.pop().close()
  await until(() => bridge.metric('dashboard_clients'), count => count === 15, 'one has gone')
  watchers.push(await Events.open())
  await watchers.at(-1).now()
})

test('who takes nothing is passed over, and what was missed is not kept', async t => {
  const small = await Bridge.start(database.conninfo(), ['--send-buffer-bytes', '2048'])
  t.after(() => small.stop())
  const slow = await SlowReader.open(small.port, '/dashboard/events', 2_048, 'event: history')
  t.after(() => slow.close())
  await until(() => small.metric('queue_depth{queue="writes"}'), count => count === 1, 'something pends')
  const times = () => [...slow.text.matchAll(/^data: \{"time":(\d+)/gm)].map(([, time]) => Number(time))
  const paused = Date.now()
  const other = await watch(t, small.origin)
  await other.now(({ time }) => time > paused + 5_500)
  slow.goOn()
  await until(times, seen => seen.at(-1) > paused + 5_500, 'it is told again')
  // of four one may have been on its way, where the kernel found room for it
  const kept = times().filter(time => time > paused + 500 && time < paused + 5_000)
  assert.ok(kept.length <= 1, `${kept.length} were kept`)
})

test('bytes that come with the request, or after it, end the stream', async t => {
  const { connect } = await import('node:net')
  for (const more of ['GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n', '']) {
    const socket = connect(bridge.port, '127.0.0.1')
    t.after(() => socket.destroy())
    const ended = new Promise(resolve => socket.on('close', resolve).on('error', () => {}))
    socket.write(`GET /dashboard/events HTTP/1.1\r\nHost: x\r\n\r\n${more}`)
    socket.once('data', () => socket.write('x'))
    socket.resume()
    await within(ended, 'it is ended')
  }
})

test('told to stop, it stops: who looks is let go', async () => {
  const other = await Bridge.start(database.conninfo(), ['--drain-seconds', '0'])
  const events = await Events.open(other.origin)
  await events.now()
  const begun = performance.now()
  assert.equal(await other.stop(), 0)
  assert.ok(performance.now() - begun < 2_500, 'and does not wait for them')
  await events.close()
})
