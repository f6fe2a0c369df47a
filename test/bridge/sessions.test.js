/*
 * Lists of runs: GET /sessions, GET /sessions/<channel>/<id>.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Database } from './lib/database.js'
import { call } from './lib/raw_http.js'

let database
let bridge
let alice

before(async () => {
  database = await Database.start()
  bridge = await Bridge.start(database.conninfo(), ['--refused-per-minute', '0'])
  await bridge.ready()
  alice = await database.token()
})
after(async () => {
  await bridge?.stop()
  await database?.destroy()
})

const list = (query = '', token = alice) => call(bridge, 'GET', `/sessions${query}`, { token })

test('the owner\'s runs, newest first, page by page, and nobody else\'s', async () => {
  const sessions = []
  for (let i = 0; i < 7; i++) sessions.unshift(await database.session(`total_count => ${i}, title => 'run ${i}'`))
  await database.session('total_count => 1', 'bob')
  const seen = []
  for (let next = null, pages = 0; pages === 0 || next !== null; pages++) {
    const { status, headers, json } = await list(`?limit=3${next === null ? '' : `&after=${next}`}`)
    assert.equal(status, 200)
    assert.equal(headers.get('content-type'), 'application/json')
    assert.ok(json.sessions.length <= 3)
    seen.push(...json.sessions)
    next = json.next
    assert.ok(pages < 5)
  }
  assert.deepEqual(seen.map(({ session_id }) => session_id), sessions)
  assert.equal(seen[0].title, 'run 6')
  assert.equal(seen[0].owner_id, 'alice')
  assert.deepEqual((await list('', await database.token('carol'))).json, { sessions: [], next: null })
})

test('[003-01] the runs of one source', async () => {
  const first = await database.session("'connection', source_id => 'c 7/ñ', total_count => 5")
  await database.complete(first)
  const second = await database.session("'connection', source_id => 'c 7/ñ', total_count => 6")
  await database.session("'connection', source_id => '8'")
  for (const query of [`?channel=ConnectionSyncChannel&id=${encodeURIComponent('c 7/ñ')}`, `?channel=connection&id=${encodeURIComponent('c 7/ñ')}`]) {
    const { json } = await list(query)
    assert.deepEqual(json.sessions.map(({ session_id }) => session_id), [second, first])
  }
  const { json } = await call(bridge, 'GET', '/sessions/ConnectionSyncChannel/8', { token: alice })
  assert.deepEqual(json.sessions.map(({ source_id }) => source_id), ['8'])
  assert.deepEqual((await call(bridge, 'GET', '/sessions/ConnectionSyncChannel/8', { token: await database.token('bob') })).json.sessions, [])
  assert.deepEqual((await call(bridge, 'GET', '/sessions/NoSuchChannel/8', { token: alice })).json.sessions, [])
})

for (const query of ['?limit=0', '?limit=201', '?limit=x', '?limit=-1', '?limit=99999999999999999999', '?after=x', '?after=1%27%20OR%201=1',
  '?channel=ConnectionSyncChannel', '?id=7', '?channel=a&id=%F0%28']) {
  test(`GET /sessions${query}: 422 that says what is wrong`, async () => {
    const { status, json } = await list(query)
    assert.equal(status, 422)
    assert.equal(typeof json.error, 'string')
  })
}

test('[000-35] no token: 401; a token for certain sessions lists those', async () => {
  assert.equal((await list('', null)).status, 401)
  const session = await database.session()
  await database.session()
  const { json } = await list('', await database.token('alice', `ARRAY[${session}]`))
  assert.deepEqual(json.sessions.map(({ session_id }) => session_id), [session])
})

test('a right that the bridge\'s role lacks is for the log, not for who asks', async t => {
  await database.sql('REVOKE EXECUTE ON FUNCTION sync.sync_progress_sessions FROM bridge')
  t.after(() => database.sql('GRANT EXECUTE ON FUNCTION sync.sync_progress_sessions TO bridge'))
  const { status, text } = await list()
  assert.equal(status, 500)
  assert.doesNotMatch(text, /permission|function/)
  await bridge.line(/sync_progress_sessions failed: permission denied/)
})
