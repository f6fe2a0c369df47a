/*
 * Own edits of the owner's list: shown at once, taken back when they are
 * refused, and never flickering when they come back as events.
 */
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { RequestError } from '../../client/errors.js'
import { SessionList } from '../../client/sessions.js'
import { sessionTexts } from '../../client/session_texts.js'
import { FakeClock } from './lib/fake_clock.js'
import { FakeListClient, row, settled } from './lib/fake_list.js'

let list
afterEach(() => list?.close())

async function loaded({ rows, ...options } = {}) {
  const client = new FakeListClient()
  if (rows) client.rows = new Map(rows.map(each => [each.session_id, each]))
  const clock = new FakeClock()
  list = new SessionList(client, { clock, random: () => 1, locale: 'es-CR', ...options })
  const said = []
  for (const type of ['notice', 'conflict']) list.addEventListener(type, event => said.push(event))
  list.open()
  client.connect()
  await settled()
  client.auto = false
  const shown = []
  list.addEventListener('change', () => shown.push(titles().join()))
  return { client, clock, said, shown, texts: () => said.map(({ text }) => text) }
}

const titles = () => list.sessions.map(({ title }) => title)
const find = id => list.sessions.find(({ session_id: each }) => each === id)
const posts = client => client.requests.all.filter(({ method }) => method === 'POST')
const last = client => client.requests.all.at(-1)
const refuse = (client, details) => last(client).reject(new RequestError('no', details))

test('[004-05] [004-13] renamed: shown before the server has answered, asked with the lock_version on the screen', async () => {
  const { client, shown, said } = await loaded()
  const done = list.rename(2, 'Correo')
  assert.deepEqual(titles(), ['Mail 3', 'Correo', 'Mail 1'])
  await settled()
  const { path, body } = last(client)
  assert.deepEqual([path, body], ['sessions/SyncStatusChannel/2/rename', { session_id: 2, title: 'Correo', lock_version: 0 }])
  assert.equal(said.length, 0)
  last(client).answer()
  assert.equal(await done, true)
  assert.deepEqual(shown, ['Mail 3,Correo,Mail 1'])
  const [{ type, text, action, id, error, current }] = said
  assert.deepEqual([type, text, action, id, error, current.title], ['notice', 'Conversación renombrada', 'rename', 2, null, 'Correo'])
})

for (const order of ['before', 'after']) {
  test(`[004-05] its event comes ${order} the answer: nothing changes, and nothing flickers`, async () => {
    const { client, shown } = await loaded()
    const done = list.rename(2, 'Correo')
    const { sessions } = list
    await settled()
    if (order === 'before') {
      const event = client.edit(2, { title: 'Correo' })
      client.event('session_renamed', event)
      last(client).resolve({ result: { session_id: 2, lock_version: 1 }, state: null })
    } else {
      last(client).answer()
      await settled()
      client.event('session_renamed', { ...client.rows.get(2) })
    }
    await done
    assert.deepEqual([shown.length, list.sessions], [1, sessions])
    assert.equal(list.sessions, sessions)
    assert.equal(find(2).lock_version, 1)
  })
}

test('pages that were asked for before an edit was accepted do not take it back', async () => {
  const { client, shown } = await loaded()
  client.tick(2, 500) // a newer version, with the old title
  const old = client.page(new URLSearchParams('limit=200'))
  const done = list.rename(2, 'Correo')
  await settled()
  last(client).answer()
  await done
  list.reload()
  await settled()
  last(client).resolve(old)
  await settled()
  assert.deepEqual([titles(), find(2).processed_count, find(2).lock_version], [['Mail 3', 'Correo', 'Mail 1'], 500, 1])
  assert.ok(shown.every(each => each === 'Mail 3,Correo,Mail 1'))
})

test('[004-05] [004-13] refused: taken back, and said; a reload is none of it', async () => {
  const { client, said, clock } = await loaded()
  const before = list.sessions
  const done = list.rename(2, 'Correo')
  await settled()
  refuse(client, { status: 403, hint: 'scope' })
  assert.equal(await done, false)
  assert.deepEqual(list.sessions, before)
  assert.deepEqual([said.length, said[0].type, said[0].text, said[0].error.status], [1, 'notice', 'Error al renombrar la conversación', 403])
  clock.advance(10_000)
  assert.equal(client.reads, 1)
})

test('[004-12] [004-13] somebody else was quicker: their row is shown, and the conflict is said', async () => {
  const { client, said } = await loaded()
  const done = list.rename(2, 'Correo')
  await settled()
  client.edit(2, { title: 'Post' }) // on another device; the event is still on its way
  last(client).answer()
  assert.equal(await done, false)
  assert.deepEqual(titles(), ['Mail 3', 'Post', 'Mail 1'])
  const [{ type, text, actionText, attempted, current, error }] = said
  assert.deepEqual([type, text, actionText], ['conflict', 'Conversación modificada en otra pestaña', 'Recargar'])
  assert.deepEqual([attempted, current.title, error.status], [{ title: 'Correo' }, 'Post', 409])
  assert.equal(said.length, 1)

  said[0].reload()
  await settled()
  assert.equal(last(client).path, 'sessions?limit=200')
  last(client).answer()

  const second = list.rename(2, 'Correo')
  await settled()
  assert.equal(last(client).body.lock_version, 1)
  last(client).answer()
  assert.equal(await second, true)
})

test('[004-12] their event comes while the edit is on its way: the own one stays on the screen until it is refused', async () => {
  const { client, shown } = await loaded()
  const done = list.rename(2, 'Correo')
  await settled()
  client.event('session_renamed', client.edit(2, { title: 'Post' }))
  last(client).answer()
  await done
  assert.deepEqual([...new Set(shown)], ['Mail 3,Correo,Mail 1', 'Mail 3,Post,Mail 1'])
})

test('[004-12] accepted, and changed by somebody else before the answer is here: theirs is shown', async () => {
  const { client } = await loaded()
  const done = list.rename(2, 'Correo')
  await settled()
  client.edit(2, { title: 'Correo' })
  client.event('session_renamed', client.edit(2, { title: 'Post' }))
  last(client).resolve({ result: { session_id: 2, lock_version: 1 }, state: null })
  assert.equal(await done, true)
  assert.deepEqual([find(2).title, find(2).lock_version], ['Post', 2])
})

test('a conflict with what was wanted anyway is none', async () => {
  const { client, texts } = await loaded()
  const done = list.pin(2)
  await settled()
  client.edit(2, { pinned: true })
  last(client).answer()
  assert.equal(await done, true)
  assert.deepEqual([find(2).pinned, find(2).lock_version, texts()], [true, 1, ['Conversación fijada']])
})

test('two edits of a session: one after the other, the second with what the first has left', async () => {
  const { client, texts } = await loaded()
  const both = [list.rename(2, 'Correo'), list.pin(2, true)]
  assert.deepEqual(titles(), ['Correo', 'Mail 3', 'Mail 1'])
  await settled()
  assert.equal(posts(client).length, 1)
  last(client).answer()
  await settled()
  assert.deepEqual(last(client).body, { session_id: 2, pinned: true, lock_version: 1 })
  last(client).answer()
  assert.deepEqual(await Promise.all(both), [true, true])
  assert.deepEqual([find(2).lock_version, find(2).title, find(2).pinned], [2, 'Correo', true])
  assert.deepEqual(texts(), ['Conversación renombrada', 'Conversación fijada'])
})

test('the first is refused: the second is asked with the lock_version that is still right', async () => {
  const { client } = await loaded()
  const both = [list.rename(2, 'Correo'), list.pin(2, true)]
  await settled()
  refuse(client, { status: 422 })
  await settled()
  assert.equal(last(client).body.lock_version, 0)
  last(client).answer()
  assert.deepEqual(await Promise.all(both), [false, true])
  assert.deepEqual([find(2).title, find(2).pinned], ['Mail 2', true])
})

test('the first meets a conflict: the second was made without knowing of it, and is not asked', async () => {
  const { client, said } = await loaded()
  const both = [list.rename(2, 'Correo'), list.delete(2)]
  await settled()
  client.edit(2, { title: 'Post' })
  last(client).answer()
  assert.deepEqual(await Promise.all(both), [false, false])
  assert.equal(posts(client).length, 1)
  assert.deepEqual(said.map(({ type }) => type), ['conflict', 'conflict'])
  assert.equal(find(2).title, 'Post')
})

test('edits of different sessions do not wait for each other', async () => {
  const { client } = await loaded()
  const both = [list.rename(1, 'a'), list.rename(2, 'b')]
  await settled()
  assert.equal(posts(client).length, 2)
  for (const post of posts(client).reverse()) post.answer()
  assert.deepEqual(await Promise.all(both), [true, true])
})

test('deleted: gone at once; what was said of it before does not bring it back', async () => {
  const { client, clock, texts } = await loaded()
  const pinned = client.edit(2, { pinned: true, lock_version: 0 })
  const done = list.delete(2)
  assert.deepEqual(titles(), ['Mail 3', 'Mail 1'])
  client.event('session_pinned', pinned)
  await settled()
  assert.deepEqual(last(client).body, { session_id: 2, lock_version: 0 })
  last(client).answer()
  assert.equal(await done, true)
  client.event('session_pinned', pinned)
  assert.deepEqual([titles(), texts()], [['Mail 3', 'Mail 1'], ['Conversación eliminada']])
  client.auto = true
  clock.advance(10_000)
  await settled()
  assert.deepEqual(titles(), ['Mail 3', 'Mail 1'])
})

test('a deletion that is refused: it is there again, in its place', async () => {
  const { client, texts } = await loaded()
  const done = list.delete(2)
  await settled()
  refuse(client, { status: 403 })
  assert.equal(await done, false)
  assert.deepEqual([titles(), texts()], [['Mail 3', 'Mail 2', 'Mail 1'], ['Error al eliminar la conversación']])
})

test('deleted by somebody else already: it is deleted', async () => {
  const { client } = await loaded()
  const done = list.delete(2)
  await settled()
  client.remove(2)
  last(client).answer()
  assert.equal(await done, true)
  assert.deepEqual(titles(), ['Mail 3', 'Mail 1'])
})

for (const status of [0, 404, 503]) {
  test(`no answer that tells what became of it (${status}): taken back, and the row is read`, async () => {
    const { client, clock, said } = await loaded()
    const done = list.rename(2, 'Correo')
    await settled()
    client.edit(2, { title: 'Correo' }) // it was done, and the answer is lost
    refuse(client, { status })
    assert.equal(await done, false)
    assert.equal(said.at(-1).error.status, status)
    assert.equal(find(2).title, 'Mail 2')
    client.auto = true
    clock.advance(500)
    await settled()
    assert.deepEqual([find(2).title, find(2).lock_version, last(client).path], ['Correo', 1, 'sessions?limit=1&after=3'])
  })
}

test('an edit that changes nothing is asked all the same, and says nothing new', async () => {
  const { client, shown } = await loaded()
  const done = list.rename(2, 'Mail 2')
  await settled()
  last(client).answer()
  assert.equal(await done, true)
  assert.deepEqual([shown, find(2).lock_version], [[], 0])
})

test('of a session that is not there: nothing', async () => {
  const { client } = await loaded()
  assert.equal(await list.rename(99, 'x'), false)
  assert.equal(await list.delete('no number'), false)
  assert.equal(posts(client).length, 0)
})

test('an id from an attribute; other kinds, with ids of any form', async () => {
  const { client } = await loaded({
    rows: [row(1, { kind: 'mesh', source_id: '7 ñ' }), row(2, { kind: 'batch', source_id: 'a/b' }), row(3, { kind: 'report', source_id: 'x' }), row(4, { kind: 'mesh', source_id: '..' })],
    channels: { report: 'ReportChannel' }
  })
  for (const id of ['1', '2', '3', '4']) list.pin(id)
  await settled()
  assert.deepEqual(posts(client).map(({ path, body }) => [path, body.session_id]), [
    ['sessions/MeshProgressChannel/7%20%C3%B1/pin', 1],
    ['sessions/BatchProgressChannel/2/pin', 2],
    ['sessions/ReportChannel/x/pin', 3],
    ['sessions/MeshProgressChannel/4/pin', 4]
  ])
})

test('a token with other rights comes while an edit is on its way: its answer is nobody\'s', async () => {
  const { client, said } = await loaded()
  const done = list.rename(2, 'Correo')
  await settled()
  const post = last(client)
  client.reset()
  post.answer()
  assert.equal(await done, false)
  assert.deepEqual([said, list.sessions], [[], []])
})

test('[004-12] [004-13] the texts: Spanish, English, and those of the application', () => {
  const spanish = sessionTexts('es')
  assert.deepEqual([spanish.conflict, spanish.reload, spanish.renamed, spanish.renameFailed],
    ['Conversación modificada en otra pestaña', 'Recargar', 'Conversación renombrada', 'Error al renombrar la conversación'])
  assert.deepEqual(Object.keys(sessionTexts('en-US')), Object.keys(spanish))
  for (const tag of ['fr', '', 'en-US@posix', 'not a language']) assert.deepEqual(sessionTexts(tag), sessionTexts('en'), tag)
  for (const tag of ['es_CR', 'es-CR', 'ES']) assert.deepEqual(sessionTexts(tag), spanish, 'as pages have it')
  assert.equal(sessionTexts('es', { renamed: 'Chat renombrado' }).renamed, 'Chat renombrado')
})
