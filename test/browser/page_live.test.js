/*
 * The demo page as a reader has it: a real job in a real PostgreSQL, the real
 * bridge, and Chromium.
 */
import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Bridge } from '../bridge/lib/bridge.js'
import { Database } from '../bridge/lib/database.js'
import { guardDirectory } from '../bridge/lib/programs.js'
import { until } from '../bridge/lib/recorder.js'
import { field, fieldShows, launchChromium, openPage, pageHas, screenshot } from './lib/chromium.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const BANKS = [
  { name: 'BAC San José', email: 'ana@bac.example', total_count: 400 },
  { name: 'Scotia Bank', email: 'ana@scotia.example', total_count: 650 },
  { name: 'Promerica', email: 'ana@promerica.example', total_count: 150 },
  { name: 'Davivienda', email: 'ana@davivienda.example', total_count: 300 }
]
const TOTAL = 1500

let www
let guard
let database
let bridge
let browser
let open

before(async () => {
  www = mkdtempSync(join(tmpdir(), 'sync-progress-www.'))
  guard = guardDirectory(www)
  chmodSync(www, 0o755)
  cpSync(join(ROOT, 'demo/www'), www, { recursive: true })
  mkdirSync(join(www, 'client'))
  cpSync(join(ROOT, 'client'), join(www, 'client'), { recursive: true })
  // throttled as an installation is
  database = await Database.start({ throttled: true })
  bridge = await Bridge.start(database.conninfo(), ['--www', www, '--auth', 'jwt'])
  await bridge.ready()
  browser = await launchChromium()
})
after(async () => {
  await browser?.close()
  await bridge?.stop()
  await database?.destroy()
  await guard?.release()
})
afterEach(() => open?.close())

async function startRun(title) {
  const session = await database.session(`title => '${title}', accounts => '${JSON.stringify(BANKS)}'`)
  const accounts = await database.json(`SELECT json_agg(id ORDER BY position) FROM sync.sync_session_accounts WHERE sync_session_id = ${session}`)
  return { session, accounts }
}

/** The page, watching that session with a token made in SQL. */
async function watch(session, options) {
  const token = await database.token('alice', `ARRAY[${session}]`)
  open = await openPage(browser, `${bridge.origin}/#session=${session}&token=${token}`, options)
  await pageHas(open.page, 'data-connection', 'live')
  // a reload would lose it
  await open.page.evaluate(() => { globalThis.loadedOnce = true })
  return open
}

const increment = (session, account, amount) =>
  database.sql(`SELECT sync.sync_progress_increment(${session}, ${amount}, account_id => ${account})`, { user: 'app' })

/** Waits until the page shows what psql says now: percentage, counts, accounts. */
async function showsWhatPsqlSays(page, session) {
  const said = await database.json(`SELECT to_json(p) FROM sync.sync_progress(${session}) AS p`)
  await fieldShows(page, 'percentage', `${said.progress_percentage}%`)
  await fieldShows(page, 'counts', `${said.processed_count.toLocaleString('en-US')} of ${said.total_count.toLocaleString('en-US')}`)
  await fieldShows(page, 'psql-answer', new RegExp(` ${said.progress_percentage}%  ${said.bar}  ${said.processed_count}/${said.total_count}$`))
  const accounts = await database.json(`SELECT json_agg(json_build_array(name, processed_count || '/' || total_count) ORDER BY position)
    FROM sync.sync_session_accounts WHERE sync_session_id = ${session}`)
  assert.deepEqual(await page.locator('.account').evaluateAll(nodes => nodes.map(node =>
    ['name', 'counts'].map(name => node.querySelector(`[data-field="account-${name}"]`).textContent))), accounts)
  return said
}

/** How much of the bar is filled, as it is drawn at this moment. */
function filled(page) {
  return page.evaluate(() => {
    const width = name => document.querySelector(`[data-field="${name}"]`).getBoundingClientRect().width
    return width('fill') / width('bar')
  })
}

test('[000-03] [000-04] the bar moves without a reload, says what psql says, and ends completed', async () => {
  const { session, accounts } = await startRun('Mail of four banks')
  const { page, problems } = await watch(session)
  await fieldShows(page, 'percentage', '0%')
  const drawn = [await filled(page)]
  for (const [account, amount] of [[accounts[0], 400], [accounts[1], 275], [accounts[2], 60], [accounts[1], 40]]) {
    await increment(session, account, amount)
    const said = await showsWhatPsqlSays(page, session)
    await until(() => filled(page), share => Math.abs(share - said.processed_count / TOTAL) < 0.005, 'the bar is as long as it should be')
    drawn.push(await filled(page))
  }
  for (let i = 1; i < drawn.length; i++) assert.ok(drawn[i] > drawn[i - 1], `the bar went from ${drawn[i - 1]} to ${drawn[i]}`)
  await database.sql(`SELECT sync.sync_session_fail(${session}, 'The server closed the mailbox: too many connections', ${accounts[3]});
    SELECT sync.sync_progress_set(${session}, message => 'Reading Scotia Bank')`, { user: 'app' })
  await fieldShows(page, 'accounts-summary', '1 of 4 completed · 2 in progress · 1 failed')
  await fieldShows(page, 'message', 'Reading Scotia Bank')
  await fieldShows(page, 'remaining', /left$/)
  await screenshot(page, 'live-running')

  await increment(session, accounts[1], 335)
  await increment(session, accounts[2], 90)
  await increment(session, accounts[3], 300)
  await database.sql(`SELECT sync.sync_session_complete(${session}, message => 'All mail is here')`, { user: 'app' })
  await pageHas(page, 'data-state', 'completed')
  const said = await showsWhatPsqlSays(page, session)
  assert.deepEqual([said.status, said.progress_percentage, said.processed_count], ['completed', 100, TOTAL])
  await fieldShows(page, 'status', /Completed/)
  await until(() => filled(page), share => share > 0.999, 'the bar is full')
  assert.equal(await page.title(), 'Completed · Mail of four banks')
  await screenshot(page, 'live-completed')
  assert.ok(await page.evaluate(() => globalThis.loadedOnce), 'the page was never reloaded')
  assert.deepEqual(problems, [])
})

test('four workers at once: each value that the page shows is newer, the last is the table\'s', async () => {
  const { session, accounts } = await startRun('Four at once')
  const { page, problems } = await watch(session)
  await page.evaluate(() => {
    globalThis.shown = []
    const node = document.querySelector('[data-field="counts"]')
    new MutationObserver(() => globalThis.shown.push(parseInt(node.textContent.replace(/,/g, ''), 10))).observe(node, { childList: true, characterData: true, subtree: true })
  })
  const workers = BANKS.map(({ total_count: total }, i) => {
    const worker = database.psql()
    worker.stdin.end(`SELECT sync.sync_progress_increment(${session}, 1, account_id => ${accounts[i]}), pg_sleep(0.005);\n`.repeat(total))
    return worker
  })
  for (const worker of workers) assert.equal(await worker.ended, 0, worker.log)
  await database.complete(session)
  await pageHas(page, 'data-state', 'completed')
  await showsWhatPsqlSays(page, session)
  await fieldShows(page, 'accounts-summary', /^4 of 4 completed/)
  const shown = await page.evaluate(() => globalThis.shown)
  assert.deepEqual(shown, [...new Set(shown)].sort((a, b) => a - b))
  assert.ok(shown.length >= 3, `${shown}`)
  assert.equal(shown.at(-1), TOTAL)
  await screenshot(page, 'live-four-workers')
  assert.deepEqual(problems, [])
})

test('[000-05] the bridge is killed and started again: the page says so, and comes back with the newest state', async () => {
  const { session, accounts } = await startRun('Through a crash')
  const { page, problems } = await watch(session)
  await increment(session, accounts[0], 300)
  await showsWhatPsqlSays(page, session)
  assert.equal(await bridge.stop('SIGKILL'), 'SIGKILL')
  await pageHas(page, 'data-connection', 'backoff')
  await fieldShows(page, 'connection-text', /^Reconnecting…/)
  await fieldShows(page, 'percentage', '20%')
  await screenshot(page, 'live-reconnecting')
  await increment(session, accounts[1], 650)
  await increment(session, accounts[0], 100)
  await bridge.start()
  await pageHas(page, 'data-connection', 'live', 20_000)
  const said = await showsWhatPsqlSays(page, session)
  assert.equal(said.processed_count, 1050)
  await database.complete(session)
  await pageHas(page, 'data-state', 'completed')
  assert.ok(await page.evaluate(() => globalThis.loadedOnce), 'the page was never reloaded')
  assert.deepEqual(problems, [])
})

test('[000-05] the bridge stops in order: the page comes back by itself', async () => {
  const { session, accounts } = await startRun('Through a restart')
  const { page, problems } = await watch(session)
  assert.equal(await bridge.stop('SIGTERM'), 0)
  await increment(session, accounts[2], 150)
  await bridge.start()
  await fieldShows(page, 'percentage', '10%', 20_000)
  await pageHas(page, 'data-connection', 'live')
  assert.deepEqual(problems, [])
})

test('[000-05] the database is restarted: the page keeps its connection and follows', async () => {
  const { session, accounts } = await startRun('Through a database restart')
  const { page, problems } = await watch(session)
  await increment(session, accounts[0], 150)
  await fieldShows(page, 'percentage', '10%')
  await database.restart('immediate')
  await increment(session, accounts[0], 150)
  await fieldShows(page, 'percentage', '20%', 20_000)
  await pageHas(page, 'data-connection', 'live')
  assert.deepEqual(problems, [])
})

test('[000-06] a run that is paused, goes on, and fails', async () => {
  const { session, accounts } = await startRun('Stop and go')
  const { page, problems } = await watch(session)
  await increment(session, accounts[0], 100)
  await fieldShows(page, 'percentage', '6%')
  await database.sql(`SELECT sync.sync_session_pause(${session}, 'Paused by Ana')`, { user: 'app' })
  await pageHas(page, 'data-state', 'paused')
  await fieldShows(page, 'message', 'Paused by Ana')
  await database.sql(`SELECT sync.sync_session_resume(${session}, 'Going on')`, { user: 'app' })
  await pageHas(page, 'data-state', 'processing')
  await database.sql(`SELECT sync.sync_session_fail(${session}, 'The mail server refused the password of Scotia Bank.')`, { user: 'app' })
  await pageHas(page, 'data-state', 'failed')
  await fieldShows(page, 'error', 'The mail server refused the password of Scotia Bank.')
  await fieldShows(page, 'accounts-summary', '0 of 4 completed · 1 stopped')
  await screenshot(page, 'live-failed')
  assert.deepEqual(problems, [])
})

test('a token for somebody else, a bad one, and none', async () => {
  const { session } = await startRun('Private')
  for (const [name, token, title] of [
    ['refused', await database.token('bob'), 'You may not watch this session'],
    ['bad', 'nonsense', 'This link is not valid'],
    ['none', '', 'A token is needed']
  ]) {
    open = await openPage(browser, `${bridge.origin}/#session=${session}&token=${token}`)
    await fieldShows(open.page, 'notice-title', title)
    assert.equal(await field(open.page, 'run').isVisible(), false)
    await screenshot(open.page, `live-${name}`)
    assert.deepEqual(open.problems, [])
    await open.close()
  }
})

test('on a phone, in the dark', async () => {
  const { session, accounts } = await startRun('Mail of four banks')
  for (const [i, account] of accounts.entries()) await increment(session, account, 40 + 50 * i)
  const { page, problems } = await watch(session, { viewport: { width: 390, height: 844 }, colorScheme: 'dark', deviceScaleFactor: 2 })
  await showsWhatPsqlSays(page, session)
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0)
  await screenshot(page, 'live-phone-dark')
  assert.deepEqual(problems, [])
})
