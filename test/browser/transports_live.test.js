/*
 * Each way to the real bridge: the same for who watches.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { EventSource } from 'eventsource'
import WebSocket from 'ws'
import { Bridge } from '../bridge/lib/bridge.js'
import { Database } from '../bridge/lib/database.js'
import { SyncProgressClient } from '../../client/index.js'
import { Mailbox } from './lib/wait.js'

const WAYS = ['websocket', 'sse', 'polling']

let database
let bridge
let clients = []
before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--auth', 'jwt'])
  await bridge.ready()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})
afterEach(() => {
  for (const client of clients) client.close()
  clients = []
})

/** A client that uses that way only, or what is given. */
function open(way, options = {}) {
  const host = Object.assign(new EventTarget(), { fetch, EventSource, WebSocket, sessionStorage: {} })
  const client = new SyncProgressClient({ url: bridge.cable(), host, transports: [way], token: () => database.token(), ...options })
  clients.push(client)
  return client
}

function watch(client, identifier) {
  const told = new Mailbox()
  const subscription = client.subscribe(identifier, {
    onProgress: ({ processed_count: count, status }) => told.put({ count, status }),
    onRejected: () => told.put('rejected'),
    onDisconnected: () => told.put('disconnected'),
    onEvent: ({ type }) => told.put(type),
    onError: ({ action, status }) => told.put({ action, status })
  })
  return { told, subscription, counts: count => told.find(event => event.count === count, `a count of ${count}`) }
}

const identifierOf = session => ({ channel: 'SyncStatusChannel', session_id: Number(session) })

for (const way of WAYS) {
  test(`${way}: the state, what changes, and the end; no gap is told`, async () => {
    const session = await database.session()
    const client = open(way)
    const { told, counts } = watch(client, identifierOf(session))
    await counts(0)
    assert.equal(client.transport, way)
    await database.increment(session, 7)
    await counts(7)
    await database.complete(session)
    await told.find(({ status }) => status === 'completed', 'the end')
    assert.ok(!told.all.includes('disconnected'))
  })

  test(`${way}: what is somebody else's is refused, and so is an action without the scope for it`, async () => {
    const mine = await database.session()
    const theirs = await database.session(undefined, 'bob')
    const client = open(way, { token: () => database.token('alice', "scope => '{read}'") })
    const watcher = watch(client, identifierOf(mine))
    await watcher.counts(0)
    assert.equal(await watch(client, identifierOf(theirs)).told.take(), 'rejected')
    watcher.subscription.perform('pause')
    assert.deepEqual(await watcher.told.take(), { action: 'pause', status: 403 })
  })

  test(`${way}: a bad token is rejected for good`, async () => {
    const client = open(way, { token: 'none.of.yours' })
    const rejected = new Mailbox()
    client.addEventListener('statechange', ({ state, reason }) => state === 'rejected' && rejected.put(reason))
    watch(client, { channel: 'SyncStatusChannel', session_id: 1 })
    assert.equal(await rejected.take(), 'unauthorized')
  })
}

for (const way of ['websocket', 'sse']) {
  test(`[003-15] ${way}: a token is replaced while in use`, async () => {
    const session = await database.session()
    const tokens = new Mailbox()
    const client = open(way, {
      // the bridge says so 30 s before it ends
      token: async () => {
        const token = await database.token('alice', `ttl => '${tokens.all.length ? 3600 : 32} seconds'`)
        tokens.put(token)
        return token
      }
    })
    const { told, counts } = watch(client, identifierOf(session))
    await counts(0)
    await tokens.take()
    await tokens.take('a second token')
    await database.increment(session, 3)
    await counts(3)
    assert.ok(!told.all.includes('disconnected'))
  })

  test(`${way}: the owner's list`, async () => {
    const client = open(way)
    const { told } = watch(client, { channel: 'SessionsChannel' })
    const listed = new Mailbox()
    client.addEventListener('confirmed', () => listed.put(true))
    await listed.take('the list is confirmed')
    if (way === 'sse') await transport(client, 'sse')
    await database.session("title => 'new'")
    await told.find(type => type === 'session_created' || type === 'sessions_reloaded', 'an event of the list')
  })
}

test('no WebSocket gets through: it is found out, and events follow', async () => {
  class Blocked extends WebSocket {
    constructor(url) {
      super(url.replace('/cable', '/blocked'), [], { handshakeTimeout: 5_000 })
    }
  }
  const session = await database.session()
  const client = open('websocket', { transports: undefined, WebSocket: Blocked, random: () => 0.1 })
  const { counts } = watch(client, identifierOf(session))
  await counts(0)
  assert.equal(client.transport, 'sse')
  await database.increment(session, 5)
  await counts(5)
})

async function transport(client, name) {
  if (client.transport === name) return
  await new Promise(resolve => client.addEventListener('statechange', resolve, { once: true }))
  return transport(client, name)
}
