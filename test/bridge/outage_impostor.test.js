/*
 * Whatever answers in the database's place, or instead of what was asked: the
 * bridge says so, lives, believes nothing of it, and serves when the database
 * is back.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { Middle, extension, postgres, table } from './lib/middle.js'
import { RawClient, identifierOf } from './lib/raw_client.js'
import { call } from './lib/raw_http.js'
import { until } from './lib/recorder.js'

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

async function notReady(bridge, reason) {
  assert.equal((await fetch(`${bridge.origin}/healthz`)).status, 200)
  await until(async () => {
    const answer = await fetch(`${bridge.origin}/readyz`)
    return `${answer.status} ${await answer.text()}`
  }, answer => answer.startsWith('503') && reason.test(answer), `/readyz says ${reason}`)
}

const NOISE = Buffer.from(Array.from({ length: 4_000 }, (_, i) => (i * 7919 + 13) % 251))

/* What answers in the database's place, and what the bridge says of it. */
const IMPOSTORS = {
  'says nothing': [() => {}, /no answer in time from host 127\.0\.0\.1/],
  'closes at once': [socket => socket.destroy(), /server closed the connection unexpectedly/],
  'speaks another protocol': [socket => socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'), /received invalid response|HTTP|expected authentication/],
  'sends noise': [socket => socket.once('data', () => socket.write(NOISE)), /received invalid response/],
  'sends noise once it is greeted': [socket => socket.once('data', () => socket.write('N', () => socket.once('data', () => socket.write(NOISE)))), /expected authentication request/],
  'closes amid a message': [postgres(() => Buffer.concat([table([['f', '4711', null, 'sync', 'app', '1']]).subarray(0, 60)])), /no answer in time/],
  'answers the first look with one column': [postgres(sql => (sql.includes('pg_is_in_recovery') ? [['f']] : null)), /not PostgreSQL/],
  'answers the first look with nothing': [postgres(() => null), /not PostgreSQL/],
  'answers the first look with NULLs': [postgres(sql => (sql.includes('pg_is_in_recovery') ? [[null, null, null, null, null, null]] : null)), /pooler/],
  'answers attach with one column': [extension(sql => (sql.includes('attach') ? [['1']] : undefined)), /of different versions/],
  'fails every LISTEN': [extension(sql => (sql.startsWith('LISTEN') ? Buffer.from('E\0\0\0\x1eSERROR\0C42501\0Mno, never\0\0', 'latin1') : undefined)), /no, never/]
}

describe('something else answers in the database\'s place', { concurrency: true }, () => {
  for (const [what, [play, complaint]] of Object.entries(IMPOSTORS)) {
    it(`it ${what}`, async t => {
      const middle = await between(t)
      middle.play = play
      const bridge = await start(t, middle.conninfo())
      await bridge.line(new RegExp(`no database, still trying: .*${complaint.source}`), { ms: 20_000 })
      await notReady(bridge, complaint)
      middle.play = null
      await bridge.ready()
      const client = await open(t, bridge)
      await client.watch(identifierOf(session))
      await moves(client)
    })
  }

  const ROWS = {
    'other columns': [['1', 'sync:1']],
    'more columns': [['1', 'sync:1', '1', '{}', 'f', ...Array(15).fill(null)]],
    'no row of what was asked': [['7', 'sync:1', '1', '{}', 'f', null, null]],
    'NULLs': [[null, null, null, null, null, null, null]],
    'noise for numbers': [['x', 'sync:1', 'y', '{}', '?', null, null]]
  }
  for (const [what, rows] of Object.entries(ROWS)) {
    it(`it answers subscriptions with ${what}`, async t => {
      const middle = await between(t)
      let asked = 0
      middle.play = extension(sql => {
        if (!sql.includes('sync_progress_subscribe')) return undefined
        asked++
        return rows
      })
      const bridge = await start(t, middle.conninfo())
      await bridge.ready()
      const client = await open(t, bridge)
      client.subscribe(identifierOf(session))
      await until(() => asked, count => count >= 2, 'it is asked again')
      assert.ok(!client.frames.all.some(({ identifier }) => identifier), 'nothing is confirmed, sent or rejected')
      middle.play = null
      middle.cut()
      await client.message(identifierOf(session), undefined, { ms: 20_000 })
      await moves(client)
    })
  }

  const ANSWERS = {
    nothing: null,
    'one column': [['1']],
    'one row too many': [Array(5).fill('1'), Array(5).fill('1')],
    'five NULLs': [Array(5).fill(null)],
    'two NULLs': [[null, null]],
    'an error of no known kind': Buffer.from('E\0\0\0\x19SERROR\0C\0Mno, never\0\0', 'latin1')
  }
  for (const [what, rows] of Object.entries(ANSWERS)) {
    it(`it answers actions and lists with ${what}`, async t => {
      const middle = await between(t)
      middle.play = extension(sql => (/sync_progress_(perform|sessions)/.test(sql) ? rows : undefined))
      const bridge = await start(t, middle.conninfo())
      await bridge.ready()
      const path = `/sessions/SyncStatusChannel/${session}`
      const ask = (method, target) => call(bridge, method, target)
      for (const [method, target] of [['POST', `${path}/request_update`], ['GET', '/sessions'], ['GET', path], ['POST', `${path}/request_update`]]) {
        const { status, json, text } = await ask(method, target)
        assert.equal(status, 500, `${method} ${target}: ${text}`)
        for (const said of [json?.error, json?.hint]) assert.match(said ?? '', /\S+ \S+/, text)
      }
      middle.play = null
      middle.cut()
      await until(async () => (await ask('POST', `${path}/request_update`)).status, status => status === 200, 'it is served again', 20_000)
      assert.ok((await ask('GET', path)).json.sessions.length === 1)
    })
  }
})
