/*
 * SIGTERM: clients are sent away over a while, and nobody loses anything by it.
 */
import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import WebSocket from 'ws'
import { SyncProgressClient } from '../../client/index.js'
import { within } from '../browser/lib/wait.js'
import { Bridge, timeMax } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { EventStream } from './lib/event_stream.js'
import { Plain, request, upgrade } from './lib/plain.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { call } from './lib/raw_http.js'
import { Recorder, until } from './lib/recorder.js'
import { SlowReader } from './lib/slow_reader.js'
import { StockClient } from './lib/stock_client.js'

let database
let token

before(async () => {
  database = await Database.start()
  // for what is done meanwhile, on a machine that may stand still
  await database.actionsWait(8)
  token = await database.token('alice', "scope => '{read,control}'")
})
after(() => database?.destroy())

async function start(t, seconds) {
  const bridge = await Bridge.start(database.conninfo(), ['--drain-seconds', String(seconds)])
  t.after(() => bridge.stop('SIGKILL'))
  await bridge.ready()
  return bridge
}

const eventsOf = (t, bridge, session) => {
  const stream = EventStream.open(bridge.port, `/events/SyncStatusChannel/${session}?token=${token}`)
  t.after(() => stream.close())
  return stream
}

/** 200 cables and 100 streams are sent away over two seconds: when each went, and for how long this process did nothing. */
async function sendAway300(t) {
  const bridge = await start(t, 2)
  const session = await database.session()
  const gone = []
  const cables = await Promise.all(Array.from({ length: 200 }, () => RawClient.welcomed(bridge.cable(token))))
  const streams = Array.from({ length: 100 }, () => eventsOf(t, bridge, session))
  await Promise.all(streams.map(stream => stream.state()))
  for (const [i, client] of [...cables, ...streams].entries()) client.closed.then(() => gone.push({ i, at: performance.now() }))
  // one that has been used, waits for a further request, and is not spread
  const kept = await Plain.open(bridge)
  kept.send(request('/healthz'))
  await kept.match(/ok\n$/)

  const began = performance.now()
  let stoodStill = 0
  let last = began
  const pulse = setInterval(() => {
    stoodStill = Math.max(stoodStill, performance.now() - last)
    last = performance.now()
  }, 10)
  t.after(() => clearInterval(pulse))
  assert.equal(await bridge.stop(), 0)
  await kept.end()
  for (const client of cables) {
    await client.end()
    assert.deepEqual(JSON.parse(client.frames.all.at(-1).text), { type: 'disconnect', reason: 'server_restart', reconnect: true })
  }
  const returns = await Promise.all(streams.map(async stream => {
    assert.equal(await stream.end(), 'end')
    return Number(stream.blocks.all.at(-1).retry)
  }))
  clearInterval(pulse)
  assert.ok(returns.every(ms => ms >= 1000 && ms <= 5000) && new Set(returns).size > 50, 'they come back at different times')
  assert.match(bridge.log, /INFO bridge: stopping clients=300 seconds=2$/m)
  return { gone, began, stoodStill }
}

/** A load balancer: connections go to a bridge that takes them. */
async function balance(t, ...bridges) {
  const server = createServer(socket => {
    const attempt = i => {
      const upstream = connect(bridges[i].port, '127.0.0.1', () => {
        socket.pipe(upstream).pipe(socket)
        upstream.on('close', () => socket.destroy())
        socket.on('close', () => upstream.destroy())
      }).on('error', () => i + 1 < bridges.length ? attempt(i + 1) : socket.destroy())
    }
    socket.on('error', () => {})
    attempt(0)
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return { port: server.address().port, cable: () => `ws://127.0.0.1:${server.address().port}/cable` }
}

test('a request that is under way is answered, also one that waits to be let in', async t => {
  const bridge = await start(t, 20)
  const session = await database.session()
  const client = await RawClient.welcomed(bridge.cable(token))
  t.after(() => client.close())
  const holder = database.psql('postgres')
  t.after(() => holder.end())
  holder.stdin.write(`BEGIN; SELECT id FROM sync.sync_sessions WHERE id = ${session} FOR UPDATE;\n`)
  await until(() => holder.stdout, text => text.includes(String(session)), 'the row is locked')
  const action = call(bridge, 'POST', `/sessions/SyncStatusChannel/${session}/pause`, { token })
  await until(() => bridge.metric('actions_total'), count => count === 1, 'it is under way')
  const fresh = await Plain.open(bridge)
  // it is in the queue when the signal comes, whatever the bridge does meanwhile
  process.kill(bridge.pid, 'SIGSTOP')
  const queued = await Plain.open(bridge)
  queued.send(request('/healthz'))
  process.kill(bridge.pid, 'SIGTERM')
  process.kill(bridge.pid, 'SIGCONT')
  await bridge.line(/INFO bridge: stopping/)
  fresh.send(request('/healthz'))
  for (const plain of [fresh, queued]) {
    await plain.end()
    assert.match(plain.text, /^HTTP\/1.1 200 [^]*connection: close[^]*ok\n$/i)
  }
  holder.stdin.write('COMMIT;\n')
  const { status, headers, text, json } = await action
  assert.deepEqual([status, headers.get('connection'), json?.result.status], [200, 'close', 'paused'], text)
})

// most of this is waiting
describe('SIGTERM', { concurrency: true }, () => {
  test('300 clients over 2 s: they go evenly, in any order, each told to come again', async t => {
    // how evenly says nothing of the bridge where this machine stood still meanwhile
    for (let tries = 5; ; tries--) {
      const { gone, began, stoodStill } = await sendAway300(t)
      const times = gone.map(({ at }) => at)
      const slices = new Map()
      for (const at of times) slices.set(Math.floor((at - began) / 100), (slices.get(Math.floor((at - began) / 100)) ?? 0) + 1)
      t.diagnostic(`per 100 ms: ${[...slices.values()].join(' ')}; nothing was done here for ${stoodStill.toFixed(0)} ms at most`)
      assert.equal(times.length, 300)
      const early = gone.slice(0, 100).filter(({ i }) => i < 150).length
      assert.ok(early > 20 && early < 80, `${early} of the first 100 were among the first 150 to come`)
      if (stoodStill > 200 && tries > 1) continue
      assert.ok(times.at(-1) - times[0] > 1_500, `over ${times.at(-1) - times[0]} ms`)
      assert.ok(slices.size >= 10 && Math.max(...slices.values()) < 100, 'not in one lump')
      break
    }
  })

  test('who is still there is served, administrators can look, nobody new comes in; asked a second time it ends at once', async t => {
    const bridge = await Bridge.start(database.conninfo(), ['--drain-seconds', '3600', '--admin-listen', '127.0.0.1:0'])
    t.after(() => bridge.stop('SIGKILL'))
    const admin = `http://127.0.0.1:${/:(\d+)$/.exec(await bridge.line(/ready admin_listen=/))[1]}`
    const session = await database.session()
    const client = await RawClient.welcomed(bridge.cable(token))
    t.after(() => client.close())
    const stream = eventsOf(t, bridge, session)
    await client.watch(identifierOf(session))
    await stream.state()
    const dashboard = await Plain.open({ port: new URL(admin).port })
    t.after(() => dashboard.destroy())
    dashboard.send(request('/dashboard/events'))
    await dashboard.match(/event: now\n/)
    process.kill(bridge.pid, 'SIGTERM')
    await bridge.line(/INFO bridge: stopping clients=2 seconds=3600$/)
    await dashboard.match(/"why":"stopping"/)

    const ready = await fetch(`${admin}/readyz`)
    assert.deepEqual([ready.status, await ready.text()], [503, 'not ready: stopping\n'])
    assert.match(await (await fetch(`${admin}/metrics`)).text(), /^sync_progress_bridge_stream_clients 1$/m)
    await assert.rejects(fetch(`${bridge.origin}/healthz`), error => error.cause.code === 'ECONNREFUSED')
    await database.increment(session, 5)
    await client.message(identifierOf(session), ({ processed_count: count }) => count === 5)
    await stream.state(({ processed_count: count }) => count === 5)
    process.kill(bridge.pid, 'SIGHUP') // does not matter any more

    assert.equal(await bridge.stop(), 0)
    assert.ok(!client.frames.all.some(({ type }) => type === 'disconnect'))
  })

  test('whom it finds amid a handshake it does not keep, nor a dashboard that comes so late', async t => {
    const bridge = await start(t, 3600)
    const stream = '/events/SyncStatusChannel/1'
    const late = []
    for (const bytes of [request('/dashboard/events'), request(`${stream}?token=${token}`), upgrade(token)]) {
      late.push([await Plain.open(bridge), bytes])
      late.at(-1)[0].send(bytes.slice(0, 30))
    }
    await bridge.metric('connections')
    process.kill(bridge.pid, 'SIGTERM')
    await bridge.line(/INFO bridge: stopping/)
    for (const [plain, bytes] of late) plain.send(bytes.slice(30))
    const [dashboard, events, cable] = late.map(([plain]) => plain)
    await dashboard.match(/^HTTP\/1\.1 503 [^]*connection: close/i)
    await events.match(/event: disconnect|"disconnect"|retry: /)
    await cable.match(/"reason":"server_restart"/)
    cable.destroy()
    assert.equal(await within(bridge.ended, 'it ends'), 0)
  })

  test('SIGINT does the same without spreading', async t => {
    const bridge = await start(t, 3600)
    const client = await RawClient.welcomed(bridge.cable(token))
    assert.equal(await bridge.stop('SIGINT'), 0)
    await client.end()
    assert.equal(client.frames.all.at(-1).type, 'disconnect')
  })

  test('who takes nothing cannot hold it', async t => {
    const bridge = await start(t, 0)
    const accounts = Array.from({ length: 200 }, (_, i) => ({ name: `Bank ${i} of San José`, total_count: 10_000 }))
    const session = await database.session(`accounts => '${JSON.stringify(accounts)}'`)
    const slow = await SlowReader.open(bridge.port, `/events/SyncStatusChannel/${session}?token=${token}`)
    t.after(() => slow.close())
    const client = await RawClient.welcomed(bridge.cable(token))
    t.after(() => client.close())
    client.socket.pause()
    const silent = await Plain.open(bridge)
    t.after(() => silent.destroy())
    silent.send('GET /healthz HTTP/1.1\r\n') // and no more
    await until(async () => {
      await database.increment(session)
      return bridge.metric('queue_depth{queue="writes"}')
    }, count => count > 0, 'something pends')
    const began = performance.now()
    assert.equal(await bridge.stop(), 0)
    assert.ok(performance.now() - began < timeMax(8_000), `${performance.now() - began} ms`)
  })

  test('behind a load balancer the stock client and ours are on the next bridge, without a gap', async t => {
    const [first, second] = [await start(t, 1), await start(t, 1)]
    const front = await balance(t, first, second)
    const session = await database.session('total_count => 1000000')
    const stock = new StockClient(front, token)
    const watcher = stock.watch(session)
    const ours = new SyncProgressClient({ url: `${front.cable()}?token=${token}`, WebSocket, shared: false, cache: false })
    const states = new Recorder()
    ours.subscribe({ channel: 'SyncStatusChannel', session_id: session }, { onProgress: state => states.put(state) })
    t.after(() => {
      ours.close()
      stock.close() // tells whether a version was older than the one before
    })
    let count = 0
    const increment = () => {
      count++
      return database.increment(session)
    }
    const everybodyHas = async () => {
      await watcher.count(count, { ms: 20_000 })
      await states.find(({ processed_count: now }) => now === count, `a count of ${count}`, { ms: 20_000 })
    }
    await increment()
    await everybodyHas()

    const stopped = first.stop()
    let isStopped = false
    stopped.then(() => { isStopped = true })
    while (!isStopped) await increment()
    assert.equal(await stopped, 0)
    await increment()
    await everybodyHas()
    assert.equal(await within(until(() => second.metric('cable_clients'), clients => clients === 2, 'both are there'), 'both', 20_000), 2)
    const versions = states.all.map(({ version }) => version)
    assert.deepEqual(versions, [...versions].sort((a, b) => a - b))
    assert.equal(stock.framesOf('disconnect').length, 1)
  })
})
