/*
 * The demo's page as a reader has it: real jobs in a real PostgreSQL, the real
 * bridge, and Chromium.
 */
import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Bridge } from '../bridge/lib/bridge.js'
import { Database } from '../bridge/lib/database.js'
import { guardDirectory } from '../bridge/lib/programs.js'
import { until } from '../bridge/lib/recorder.js'
import { launchChromium, openPage, screenshot } from './lib/chromium.js'
import { partShows, partText } from './lib/element_page.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const BANKS = [
  { name: 'BAC San José', email: 'ana@bac.example', total_count: 400 },
  { name: 'Scotia Bank', email: 'ana@scotia.example', total_count: 650 },
  { name: 'Promerica', email: 'ana@promerica.example', total_count: 150 },
  { name: 'Davivienda', email: 'ana@davivienda.example', total_count: 300 }
]
const TOTAL = 1500

let guard
let database
let bridge
let browser
let open

before(async () => {
  const www = mkdtempSync(join(tmpdir(), 'sync-progress-www.'))
  guard = guardDirectory(www)
  chmodSync(www, 0o755)
  cpSync(join(ROOT, 'demo/www'), www, { recursive: true })
  mkdirSync(join(www, 'client'))
  cpSync(join(ROOT, 'client'), join(www, 'client'), { recursive: true })
  // throttled as an installation is
  database = await Database.start({ throttled: true })
  await database.sql(readFileSync(join(ROOT, 'demo/tour.sql'), 'utf8'))
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

/** The page, with the token that the demo makes. */
async function watch(session, options) {
  const token = await database.token('alice', "scope => '{read,control}'")
  open = await openPage(browser, `${bridge.origin}/#session=${session}&token=${token}`, options)
  await partShows(open.page, 'heading', /./)
  await partShows(open.page, 'connection', null)
  // a reload would lose it
  await open.page.evaluate(() => { globalThis.loadedOnce = true })
  return open
}

const increment = (session, account, amount) =>
  database.sql(`SELECT sync.sync_progress_increment(${session}, ${amount}, account_id => ${account})`, { user: 'app' })

/** Waits until the page shows what psql says now: percentage, counts, accounts. */
async function showsWhatPsqlSays(page, session) {
  const said = await database.json(`SELECT to_json(p) FROM sync.sync_progress(${session}) AS p`)
  await partShows(page, 'percent', `${said.progress_percentage}%`)
  await partShows(page, 'counts', `${said.processed_count.toLocaleString('en-US')} of ${said.total_count.toLocaleString('en-US')}`)
  await page.locator('#psql-answer').filter({ hasText: `${said.progress_percentage}%  ${said.bar}  ${said.processed_count}/${said.total_count}` }).waitFor()
  const accounts = await database.json(`SELECT json_agg(name || ' ' || processed_count || '/' || total_count ORDER BY position)
    FROM sync.sync_session_accounts WHERE sync_session_id = ${session}`)
  assert.deepEqual(await page.locator('[part~=account]').evaluateAll(rows => rows.map(row =>
    ['account-name', 'account-count'].map(name => row.querySelector(`[part=${name}]`).textContent).join(' '))), accounts)
  return said
}

/** How much of the bar is filled, as it is drawn at this moment. */
function filled(page) {
  return page.evaluate(() => {
    const width = name => document.querySelector('sync-progress').shadowRoot.querySelector(`[part~=${name}]`).getBoundingClientRect().width
    return width('indicator') / width('bar')
  })
}

test('[000-03] [000-04] the bar moves without a reload, says what psql says, and ends completed', async () => {
  const { session, accounts } = await startRun('Mail of four banks')
  const { page, problems } = await watch(session)
  await partShows(page, 'percent', '0%')
  const drawn = [await filled(page)]
  for (const [account, amount] of [[accounts[0], 400], [accounts[1], 275], [accounts[2], 60], [accounts[1], 40]]) {
    await increment(session, account, amount)
    const said = await showsWhatPsqlSays(page, session)
    await until(() => filled(page), share => Math.abs(share - said.processed_count / TOTAL) < 0.01, 'the bar is as long as it should be')
    drawn.push(await filled(page))
  }
  for (let i = 1; i < drawn.length; i++) assert.ok(drawn[i] > drawn[i - 1], `the bar went from ${drawn[i - 1]} to ${drawn[i]}`)
  await database.sql(`SELECT sync.sync_session_fail(${session}, 'The server closed the mailbox: too many connections', ${accounts[3]});
    SELECT sync.sync_progress_set(${session}, message => 'Reading Scotia Bank')`, { user: 'app' })
  await partShows(page, 'message', 'Reading Scotia Bank')
  await page.getByText('The server closed the mailbox: too many connections').waitFor()
  await screenshot(page, 'live-running')

  await increment(session, accounts[1], 335)
  await increment(session, accounts[2], 90)
  await increment(session, accounts[3], 300)
  await database.sql(`SELECT sync.sync_session_complete(${session}, message => 'All mail is here')`, { user: 'app' })
  await page.locator('sync-progress [part~=root][part~=completed]').waitFor()
  const said = await showsWhatPsqlSays(page, session)
  assert.deepEqual([said.status, said.progress_percentage, said.processed_count], ['completed', 100, TOTAL])
  await until(() => filled(page), share => share > 0.999, 'the bar is full')
  await screenshot(page, 'live-completed')
  assert.ok(await page.evaluate(() => globalThis.loadedOnce), 'the page was never reloaded')
  assert.deepEqual(problems, [])
})

test('four workers at once: each value that the page shows is newer, the last is the table\'s', async () => {
  const { session, accounts } = await startRun('Four at once')
  const { page, problems } = await watch(session)
  await partShows(page, 'counts', '0 of 1,500')
  await page.evaluate(() => {
    globalThis.shown = []
    const node = document.querySelector('sync-progress').shadowRoot.querySelector('[part=counts]')
    new MutationObserver(() => globalThis.shown.push(parseInt(node.textContent.replace(/,/g, ''), 10))).observe(node, { childList: true, characterData: true, subtree: true })
  })
  const workers = BANKS.map(({ total_count: total }, i) => {
    const worker = database.psql()
    worker.stdin.end(`SELECT sync.sync_progress_increment(${session}, 1, account_id => ${accounts[i]}), pg_sleep(0.005);\n`.repeat(total))
    return worker
  })
  for (const worker of workers) assert.equal(await worker.ended, 0, worker.log)
  await database.complete(session)
  await page.locator('sync-progress [part~=root][part~=completed]').waitFor()
  await showsWhatPsqlSays(page, session)
  const shown = await page.evaluate(() => globalThis.shown)
  assert.deepEqual(shown, [...new Set(shown)].sort((a, b) => a - b))
  assert.ok(shown.length >= 3, `${shown}`)
  assert.equal(shown.at(-1), TOTAL)
  assert.deepEqual(problems, [])
})

test('the tour: every kind moves; what is paused rests, goes on, is cancelled, begun again, and fails', async () => {
  const { session } = await startRun('Mail')
  await database.sql(`SELECT sync.sync_session_complete(${session}); SELECT tour.start('alice')`)
  const player = database.psql('postgres')
  player.stdin.end(`CALL tour.play(${session});\n`)
  const { page, problems } = await watch(session)
  try {
    for (const [kind, name, moving] of [['batch', 'percent', /^[1-9]\d*%$/], ['connection', 'inserted', /^[1-9]/], ['mesh', 'percent', /^[1-9]\d*%$/]]) {
      await page.locator(`input[value=${kind}]`).check()
      await partShows(page, name, moving, { timeout: 20_000 })
      await screenshot(page, `live-tour-${kind}`)
    }
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.locator('[part~=root][part~=paused]').waitFor()
    const resting = await partText(page, 'percent')
    await page.getByRole('button', { name: 'Resume' }).click()
    await page.locator('[part~=root][part~=processing]').waitFor()
    await partShows(page, 'percent', new RegExp(`^(?!${resting}$)`))
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.locator('[part~=root][part~=cancelled]').waitFor()
    await page.getByRole('button', { name: /Retry|again/i }).click()
    await page.locator('[part~=root][part~=processing]').waitFor()
    await page.click('#fail')
    await page.locator('[part~=root][part~=failed]').waitFor()
    await partShows(page, 'error', /The server on the other side hung up/)
    await screenshot(page, 'live-tour-failed')
    assert.deepEqual(problems, [])
  } finally {
    await player.end()
  }
})

test('a token for somebody else, a bad one, and none', async () => {
  const { session } = await startRun('Private')
  for (const [name, token, title] of [
    ['refused', await database.token('bob'), 'You may not watch this run'],
    ['bad', 'nonsense', 'This link is not valid'],
    ['none', '', 'A token is needed']
  ]) {
    open = await openPage(browser, `${bridge.origin}/#session=${session}&token=${token}`)
    await open.page.locator('#notice-title').filter({ hasText: title }).waitFor()
    assert.equal(await partText(open.page, 'percent'), null)
    await screenshot(open.page, `live-${name}`)
    assert.deepEqual(open.problems, [])
    await open.close()
  }
})
