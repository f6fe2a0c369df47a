/*
 * The owner's list in real tabs and on other devices (browsers of their own),
 * with a real PostgreSQL and the real bridge: whoever changes a row, each page
 * has it, without being loaded again.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { timeMax } from '../bridge/lib/bridge.js'
import { until } from '../bridge/lib/recorder.js'
import { ListTab, median } from './lib/list_tab.js'
import { World } from './lib/world.js'

let world
before(async () => { world = await World.start() })
after(() => world?.stop())
afterEach(() => world.reset())

let owners = 0
/** An owner who is nobody else's in this file, with two sessions. */
async function person() {
  const owner = `owner ${++owners}`
  const token = await world.database.token(owner, "scope => '{read,control}'")
  const sessions = [await world.database.session("title => 'Uno'", owner), await world.database.session("title => 'Dos'", owner)]
  return { owner, token, sessions }
}

/** So many tabs of a context, each with the person's list in it. */
async function tabs(context, { owner, token }, count = 2, options = {}) {
  const opened = []
  for (let i = 0; i < count; i++) opened.push(await ListTab.open(world, context, { token, owner, ...options }))
  return opened
}

const sql = text => world.database.sql(text)
const rename = (session, title) => sql(`SELECT sync.sync_session_rename(${session}, '${title}')`)

/** What the table has, as pages show it. */
async function truth(owner) {
  return await world.database.json(`SELECT coalesce(json_agg(json_build_array(id, title, pinned) ORDER BY pinned DESC, id DESC), '[]')
    FROM sync.sync_sessions WHERE owner_id = '${owner}'`)
}

/** Each of them has what the table has, was never loaded again, and has nothing to complain of. */
async function allAreRight(pages, owner) {
  const expected = await truth(owner)
  for (const page of pages) await page.shows(expected)
  for (const page of pages) await page.assertSound()
}

test('[004-07] 1-4, [004-08] created, renamed, pinned, deleted: by SQL, and by one tab for the other', async () => {
  const ana = await person()
  const [one, two] = await tabs(await world.context(), ana)
  await allAreRight([one, two], ana.owner)
  const created = await world.database.session("title => 'Tres'", ana.owner)
  await allAreRight([one, two], ana.owner)
  assert.ok(await one.edit('rename', ana.sessions[0], 'Correo'))
  await allAreRight([one, two], ana.owner)
  assert.ok(await two.edit('pin', ana.sessions[0], true))
  await allAreRight([one, two], ana.owner)
  assert.ok(await one.edit('delete', created))
  await allAreRight([one, two], ana.owner)
  await sql(`SELECT sync.sync_session_delete(${ana.sessions[1]})`)
  await allAreRight([one, two], ana.owner)
  assert.deepEqual(await truth(ana.owner), [[ana.sessions[0], 'Correo', true]])
  assert.deepEqual(await one.call(() => globalThis.said), ['Conversación renombrada', 'Conversación eliminada'])
})

test('[004-07] 5, [004-15] five tabs, and another device', async () => {
  const ana = await person()
  const pages = [...await tabs(await world.context(), ana, 5), ...await tabs(await world.context(), ana, 1)]
  for (const [i, page] of [pages[0], pages[4], pages[5]].entries()) {
    assert.ok(await page.edit('rename', ana.sessions[0], `Correo ${i}`))
    await allAreRight(pages, ana.owner)
  }
})

test('[004-07] 6 a browser that lets no tab find the others', async () => {
  const ana = await person()
  const pages = await tabs(await world.context(), ana, 2, { without: ['BroadcastChannel', 'locks'] })
  await allAreRight(pages, ana.owner)
  for (const [i, page] of pages.entries()) {
    assert.ok(await page.edit('rename', ana.sessions[0], `Correo ${i}`))
    await allAreRight(pages, ana.owner)
  }
})

test('[004-07] 7, [004-05] shown in the tab at once, refused, taken back; no other tab ever saw it', async () => {
  const ana = await person()
  const reader = await world.database.token(ana.owner)
  const context = await world.context()
  const [one] = await tabs(context, { ...ana, token: reader }, 1)
  const [two] = await tabs(context, ana, 1)
  await allAreRight([one, two], ana.owner)
  const [atOnce, done] = await one.call(async id => {
    const answer = globalThis.list.rename(id, 'Nunca')
    return [globalThis.rows().map(([, title]) => title), await answer]
  }, ana.sessions[0])
  assert.deepEqual([atOnce, done], [['Dos', 'Nunca'], false])
  assert.deepEqual(await one.call(() => globalThis.said), ['Error al renombrar la conversación'])
  await rename(ana.sessions[0], 'Siempre')
  await allAreRight([one, two], ana.owner)
  assert.equal(await two.call(() => globalThis.shown.Nunca), undefined)
})

test('[004-12] edited on another device a moment before: theirs is shown, and the tab says so', async () => {
  const ana = await person()
  const [one] = await tabs(await world.context(), ana, 1)
  const [two] = await tabs(await world.context(), ana, 1)
  await allAreRight([one, two], ana.owner)
  // On the screen was the title from before, whenever the event comes.
  const edit = one.call(id => {
    const request = globalThis.client.request
    const ready = new Promise(resolve => { globalThis.goOn = resolve })
    globalThis.client.request = async (...args) => {
      globalThis.waits = true
      await ready
      return request.apply(globalThis.client, args)
    }
    return globalThis.list.rename(id, 'Mía')
  }, ana.sessions[0])
  await until(() => one.call(() => globalThis.waits), waits => waits, 'the edit is about to be asked for')
  assert.ok(await two.edit('rename', ana.sessions[0], 'Suya'))
  await one.call(() => globalThis.goOn())
  assert.equal(await edit, false)
  await allAreRight([one, two], ana.owner)
  assert.deepEqual(await one.call(() => globalThis.said), ['Conversación modificada en otra pestaña'])
  assert.equal(await one.call(() => document.getElementById('notice').textContent), 'Conversación modificada en otra pestaña · Recargar')
})

test('[004-07] 8, [004-11] 100 events in a second: every tab is right, with at most two reloads, row by row or reading again each time', async t => {
  const ana = await person()
  const context = await world.context()
  const pages = [...await tabs(context, ana), ...await tabs(context, ana, 1, { list: { granular: false } }), ...await tabs(await world.context(), ana, 1)]
  await allAreRight(pages, ana.owner)
  const before = await Promise.all(pages.map(page => page.reads()))
  const statements = Array.from({ length: 100 }, (_, i) => [
    `SELECT sync.sync_session_rename(${ana.sessions[0]}, 'Correo ${i}')`,
    `SELECT sync.sync_session_start('${ana.owner}', title => 'Nueva ${i}')`,
    `SELECT sync.sync_session_pin(${ana.sessions[1]}, ${i % 8 === 2})`,
    `SELECT sync.sync_session_delete((SELECT max(id) FROM sync.sync_sessions WHERE owner_id = '${ana.owner}'))`
  ][i % 4])
  const psql = world.database.psql('postgres')
  const began = performance.now()
  psql.stdin.end(statements.map(statement => `${statement};\nSELECT pg_sleep(0.009);\n`).join(''))
  assert.equal(await psql.ended, 0)
  t.diagnostic(`100 changes in ${((performance.now() - began) / 1000).toFixed(2)} s`)
  await rename(ana.sessions[0], 'Última')
  await allAreRight(pages, ana.owner)
  // a machine with much else to do takes longer, and whoever waits for longer is served
  const most = 2 + Math.floor(Math.max(0, performance.now() - began - 2_000) / 2_000)
  await until(() => Promise.all(pages.map(page => page.rests())), all => all.every(Boolean), 'nothing more is read')
  const reads = (await Promise.all(pages.map(page => page.reads()))).map((count, i) => count - before[i])
  t.diagnostic(`reads of the list: ${reads}`)
  for (const count of reads) assert.ok(count <= most, `${reads}`)
  await allAreRight(pages, ana.owner)
})

test('[004-07] 9 a tab that was frozen in the background, and one that was open all along', async () => {
  const ana = await person()
  const context = await world.context()
  const [asleep, awake] = await tabs(context, ana)
  await allAreRight([asleep, awake], ana.owner)
  await asleep.tab.freeze()
  await rename(ana.sessions[0], 'Mientras')
  await sql(`SELECT sync.sync_session_delete(${ana.sessions[1]})`)
  await awake.shows(await truth(ana.owner))
  await asleep.tab.thaw()
  await asleep.tab.show()
  await allAreRight([asleep, awake], ana.owner)
})

test('[004-07] 9 the bridge is killed, changes are made, it comes back: read again, and right', async () => {
  const ana = await person()
  const pages = [...await tabs(await world.context(), ana), ...await tabs(await world.context(), ana, 1)]
  await allAreRight(pages, ana.owner)
  await world.bridge.stop('SIGKILL')
  await until(() => pages[0].call(() => globalThis.list.snapshot().isLive), live => !live, 'the tab knows that it is cut off')
  await rename(ana.sessions[0], 'Mientras')
  await sql(`SELECT sync.sync_session_delete(${ana.sessions[1]})`)
  await world.bridge.start()
  await allAreRight(pages, ana.owner)
})

test('[004-07] 10 two people in one browser: neither ever hears of the other\'s', async () => {
  const [ana, bob] = [await person(), await person()]
  const context = await world.context()
  const [hers] = await tabs(context, ana, 1)
  const [his] = await tabs(context, bob, 1)
  for (let i = 0; i < 5; i++) {
    assert.ok(await hers.edit('rename', ana.sessions[0], `Secreto ${i}`))
    await hers.call(i => globalThis.sync.broadcast('session_renamed', { chatId: i }), i)
    assert.ok(await his.edit('pin', bob.sessions[0], i % 2 === 0))
  }
  // what comes after all of that has come, so has that
  const [barrier] = await tabs(context, bob, 1)
  await barrier.call(() => globalThis.sync.broadcast('session_created', 'barrier'))
  await until(() => his.call(() => globalThis.told), told => told.length, 'his tabs hear each other')
  await allAreRight([hers], ana.owner)
  await allAreRight([his, barrier], bob.owner)
  assert.deepEqual((await his.call(() => globalThis.told)).map(({ payload }) => payload), ['barrier'])
  const titles = await his.call(() => [...Object.keys(globalThis.shown), ...globalThis.heard.map(({ title }) => title)])
  assert.ok(titles.length > 2 && !titles.some(title => /Secreto/.test(title)), `${titles}`)
})

test('[004-07] 10 the token becomes another person\'s: nothing of the first stays on the screen', async () => {
  const [ana, bob] = [await person(), await person()]
  world.front.token = owner => (owner === 'who' ? current.token : null)
  let current = ana
  const page = await ListTab.open(world, await world.context(), { tokenOf: 'who' })
  await page.shows(await truth(ana.owner))
  current = bob
  // a token that came a moment ago is not asked for again
  await until(() => page.call(() => globalThis.now() - globalThis.tokenCameAt), age => age > 1_100, 'the token may be asked for again')
  await page.call(() => {
    globalThis.client.close()
    globalThis.client.connect()
  })
  await allAreRight([page], bob.owner)
})

test('[004-01] [004-14] how soon: from the first tab that hears it to the others, and from the commit to another device', async t => {
  const ana = await person()
  const context = await world.context()
  const [one, two, three] = await tabs(context, ana, 3)
  const [device] = await tabs(await world.context(), ana, 1)
  await allAreRight([one, two, three, device], ana.owner)
  const [across, far] = [[], []]
  for (let i = 0; i < 40; i++) {
    const title = `Correo ${i}`
    if (i % 2) await rename(ana.sessions[0], title)
    else assert.ok(await one.edit('rename', ana.sessions[0], title))
    const committed = Date.now()
    const seen = await Promise.all([one, two, three, device].map(page => page.sees(title)))
    // from the first tab that is told to the others; the one that edits shows it before
    const here = seen.slice(0, 3)
    const first = Math.min(...here.map(({ heard }) => heard ?? Infinity))
    across.push(...here.slice(i % 2 ? 0 : 1).filter(({ heard }) => heard > first).map(({ shown }) => shown - first))
    far.push(seen[3].shown - committed)
  }
  t.diagnostic(`tab to tab: median ${median(across).toFixed(1)} ms, slowest ${Math.max(...across).toFixed(1)} ms`)
  t.diagnostic(`after the statement had returned, on another device: median ${median(far).toFixed(1)} ms, slowest ${Math.max(...far).toFixed(1)} ms`)
  assert.ok(across.length >= 40)
  assert.ok(median(across) < timeMax(100), `${median(across)} ms from tab to tab`)
  assert.ok(median(far) < timeMax(200), `${median(far)} ms to another device`)
})
