import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { fieldShows, field, launchChromium, openPage, pageHas, screenshot } from './lib/chromium.js'
import { FakeCable } from './lib/fake_cable.js'
import { servePage } from './lib/page_server.js'
import { account, payload } from './lib/payloads.js'

const ID = '{"channel":"SyncStatusChannel","session_id":42}'
const XSS = '<img src=x onerror="document.title=1"><script>document.title=1</script>'

let cable
let browser
let open
before(async () => {
  cable = await FakeCable.start({ serve: servePage })
  browser = await launchChromium()
})
after(async () => {
  await browser?.close()
  await cable?.stop()
})
afterEach(() => open?.close())

function address(fragment) {
  return `${cable.origin}/#${fragment}`
}

/** A page that watches session 42, and the server's end of its connection. */
async function watch({ fragment = 'session=42&token=good', ...options } = {}) {
  open = await openPage(browser, address(fragment), options)
  return { ...open, ...await cable.nextWatcher() }
}

async function show(peer, page, changes) {
  const shown = payload(changes)
  peer.message(ID, shown)
  await pageHas(page, 'data-state', shown.status)
  return shown
}

/** How much of the bar is filled, once it has stopped moving. */
async function filled(page) {
  await page.waitForFunction(() => document.querySelector('[data-field="fill"]').getAnimations().every(({ playState }) => playState !== 'running'))
  return page.evaluate(() => {
    const width = name => document.querySelector(`[data-field="${name}"]`).getBoundingClientRect().width
    return width('fill') / width('bar')
  })
}

function sixtyAccounts() {
  const names = ['admin', 'cli-mono', 'comm', 'database', 'debug', 'devel', 'doc', 'editors', 'education', 'electronics',
    'embedded', 'fonts', 'games', 'gnome', 'gnu-r', 'golang', 'graphics', 'hamradio', 'haskell', 'httpd', 'interpreters',
    'introspection', 'java', 'javascript', 'kde', 'kernel', 'libdevel', 'libs', 'lisp', 'localization', 'mail', 'math',
    'metapackages', 'misc', 'net', 'news', 'ocaml', 'oldlibs', 'otherosfs', 'perl', 'php', 'python', 'ruby', 'rust',
    'science', 'shells', 'sound', 'tasks', 'tex', 'text', 'utils', 'vcs', 'video', 'web', 'x11', 'xfce', 'zope',
    'contrib/games', 'non-free/science', 'non-free-firmware/kernel']
  return names.map((name, index) => {
    const total = 150 + index * 37 % 2_400
    const common = { name, total_count: total }
    if (index < 31) return account(index, { ...common, status: 'completed', processed_count: total, progress_percentage: 100 })
    if (index === 35) {
      return account(index, { ...common, status: 'failed', processed_count: 71, progress_percentage: 4,
        error_count: 1, error_message: 'The server closed the mailbox: too many connections' })
    }
    if (index < 39) {
      return account(index, { ...common, status: 'processing', processed_count: Math.floor(total * (index - 30) / 10),
        progress_percentage: (index - 30) * 10 })
    }
    return account(index, common)
  })
}

test('[001-03] values, bar and title of a run', async () => {
  const { page, peer, problems } = await watch()
  assert.equal(peer.token, 'good')
  await show(peer, page, { processed_count: 12_345, total_count: 60_000, progress_percentage: 20, rate: 1034.2,
    eta_seconds: 118, detected_count: 1_031, error_count: 3, message: 'Reading the inbox' })
  await fieldShows(page, 'percentage', '20%')
  await fieldShows(page, 'counts', '12,345 of 60,000')
  await fieldShows(page, 'remaining', 'About 2 min left')
  await fieldShows(page, 'rate', '1,034/s')
  await fieldShows(page, 'detected', '1,031')
  await fieldShows(page, 'errors', '3')
  await fieldShows(page, 'title', 'Mail of four banks')
  await fieldShows(page, 'message', 'Reading the inbox')
  await fieldShows(page, 'status', /In progress/)
  await fieldShows(page, 'elapsed', /^1 min 3[89] sec$|^1 min 4\d sec$/)
  await fieldShows(page, 'connection-text', 'Live')
  await fieldShows(page, 'updated', /Updated/)
  assert.equal(await page.title(), '20% · Mail of four banks')
  assert.ok(Math.abs(await filled(page) - 12_345 / 60_000) < 0.005)

  const bar = page.getByRole('progressbar', { name: 'Mail of four banks' })
  assert.equal(await bar.getAttribute('aria-valuenow'), '20')
  assert.deepEqual(problems, [])
})

test('[000-03] the page follows without a reload, and never goes back', async () => {
  const { page, peer, problems } = await watch()
  const old = payload({ progress_percentage: 10, processed_count: 100 })
  await show(peer, page, { progress_percentage: 45 })
  await fieldShows(page, 'percentage', '45%')
  peer.message(ID, old)
  await show(peer, page, { progress_percentage: 46, processed_count: 460, status: 'paused' })
  await fieldShows(page, 'percentage', '46%')
  assert.equal(await field(page, 'counts').textContent(), '460 of 1,000')
  assert.deepEqual(problems, [])
})

test('[000-04] the bar animates, unless the reader wants less motion', async () => {
  const { page, peer } = await watch()
  await show(peer, page)
  const transition = target => target.evaluate(() =>
    getComputedStyle(document.querySelector('[data-field="fill"]')).transitionDuration.split(',')[0])
  assert.equal(await transition(page), '0.5s')
  await open.close()
  const still = await watch({ reducedMotion: 'reduce' })
  await show(still.peer, still.page)
  assert.equal(await transition(still.page), '0s')
})

test('an unknown total: indeterminate, counts without a percentage', async () => {
  const { page, peer, problems } = await watch()
  await show(peer, page, { total_count: null, progress_percentage: null, processed_count: 12_345, eta_seconds: null, time_remaining: null })
  await pageHas(page, 'data-indeterminate', 'true')
  await fieldShows(page, 'percentage', '12,345')
  await fieldShows(page, 'counts', 'so far, total not known yet')
  assert.equal(await field(page, 'bar').getAttribute('aria-valuenow'), null)
  await screenshot(page, 'indeterminate')

  await show(peer, page, { total_count: 20_000, progress_percentage: 61, processed_count: 12_345 })
  await pageHas(page, 'data-indeterminate', 'false')
  assert.ok(Math.abs(await filled(page) - 0.617) < 0.005)
  assert.equal(await field(page, 'bar').getAttribute('aria-valuenow'), '61')
  assert.deepEqual(problems, [])
})

test('[000-09] accounts with their states, bars and errors', async () => {
  const { page, peer, problems } = await watch()
  const accounts = [
    account(1, { name: 'BAC San José', email: 'me@bac.example', status: 'completed', processed_count: 150, total_count: 150, progress_percentage: 100 }),
    account(2, { name: 'Scotia Bank', status: 'processing', processed_count: 325, total_count: 650, progress_percentage: 50 }),
    account(3, { name: 'Promerica', status: 'pending' }),
    account(4, { name: 'Davivienda', status: 'failed', processed_count: 3, progress_percentage: 1, error_message: 'Password refused' })
  ]
  await show(peer, page, { accounts })
  await fieldShows(page, 'accounts-summary', '1 of 4 completed · 1 in progress · 1 failed')
  const shown = await page.locator('.account').evaluateAll(nodes => nodes.map(node => {
    const text = name => node.querySelector(`[data-field="account-${name}"]`).textContent
    return [text('name'), text('counts'), text('state'), text('error'), node.querySelector('use').getAttribute('href')]
  }))
  assert.deepEqual(shown, [
    ['BAC San José', '150/150', 'Completed', '', '#icon-completed'],
    ['Scotia Bank', '325/650', 'In progress', '', '#icon-processing'],
    ['Promerica', '0/200', 'Pending', '', '#icon-pending'],
    ['Davivienda', '3/200', 'Failed', 'Password refused', '#icon-failed']
  ])
  const width = await page.locator('[data-account-id="2"] [data-field="account-fill"]').evaluate(node => node.style.width)
  assert.equal(width, '50%')

  // One leaves, two change places: the nodes that stay are kept.
  await page.locator('[data-account-id="3"]').evaluate(node => { node.kept = true })
  await show(peer, page, { accounts: [accounts[2], accounts[1], accounts[0]], progress_percentage: 46 })
  await fieldShows(page, 'percentage', '46%')
  assert.deepEqual(await page.locator('.account').evaluateAll(nodes => nodes.map(node => node.dataset.accountId)), ['3', '2', '1'])
  assert.ok(await page.locator('[data-account-id="3"]').evaluate(node => node.kept))
  assert.deepEqual(problems, [])
})

test('the end: completed', async () => {
  const { page, peer, problems } = await watch()
  await show(peer, page)
  await show(peer, page, { status: 'completed', progress_percentage: 100, processed_count: 1000, rate: null, eta_seconds: null,
    time_remaining: null, completed_at: '2025-11-22T06:03:20+00:00', message: null })
  await fieldShows(page, 'status', /Completed/)
  await fieldShows(page, 'percentage', '100%')
  await fieldShows(page, 'elapsed', '3 min 20 sec')
  await fieldShows(page, 'rate', '5/s')
  await fieldShows(page, 'updated', /^Finished Nov 22, 2025, 6:03:20\sAM$/)
  assert.equal(await field(page, 'remaining').textContent(), '')
  assert.ok(await filled(page) > 0.999)
  assert.equal(await page.title(), 'Completed · Mail of four banks')
  await screenshot(page, 'completed')
  assert.deepEqual(problems, [])
})

test('[000-06] the end: failed, with what went wrong', async () => {
  const { page, peer, problems } = await watch()
  await show(peer, page, { status: 'failed', error_message: 'The mail server refused the password of Scotia Bank.', error_count: 1,
    completed_at: '2025-11-22T06:03:20+00:00', accounts: [
      account(1, { name: 'BAC San José', status: 'completed', processed_count: 150, total_count: 150 }),
      account(2, { name: 'Scotia Bank', status: 'failed', processed_count: 300, total_count: 650, error_message: 'Password refused' }),
      account(3, { name: 'Promerica' }),
      account(4, { name: 'Davivienda', status: 'processing', processed_count: 100 })] })
  // nothing is in progress in a run that has ended
  await fieldShows(page, 'accounts-summary', '1 of 4 completed · 1 stopped · 1 failed')
  assert.deepEqual(await page.locator('[data-field="account-state"]').allTextContents(), ['Completed', 'Failed', 'Not started', 'Stopped'])
  await fieldShows(page, 'error', 'The mail server refused the password of Scotia Bank.')
  await fieldShows(page, 'status', /Failed/)
  assert.equal(await field(page, 'error').getAttribute('role'), 'alert')
  await screenshot(page, 'failed')
  assert.deepEqual(problems, [])
})

test('the end: cancelled; a stop: paused; before: pending', async () => {
  const { page, peer, problems } = await watch()
  await show(peer, page, { status: 'pending', progress_percentage: 0, processed_count: 0, started_at: null, eta_seconds: null, time_remaining: null, rate: null })
  await fieldShows(page, 'status', /Pending/)
  await fieldShows(page, 'remaining', 'Waiting to start')
  await show(peer, page, { status: 'paused', message: 'Paused by Ana' })
  await fieldShows(page, 'status', /Paused/)
  await screenshot(page, 'paused')
  await show(peer, page, { eta_state: 'stalled', eta_seconds: null })
  await fieldShows(page, 'remaining', 'No progress at the moment')
  await show(peer, page, { status: 'cancelled', completed_at: '2025-11-22T06:03:20+00:00' })
  await fieldShows(page, 'status', /Cancelled/)
  assert.deepEqual(problems, [])
})

test('the estimate counts down and the age grows between two updates', async () => {
  const { page, peer } = await watch()
  await page.clock.install()
  await page.reload()
  await peer.closed()
  const { peer: second } = await cable.nextWatcher()
  await show(second, page, { eta_seconds: 50 })
  await page.clock.runFor(100)
  await fieldShows(page, 'remaining', 'About 50 sec left')
  await page.clock.runFor(6_000)
  await fieldShows(page, 'remaining', 'About 45 sec left')
  await fieldShows(page, 'updated', /^Updated [56] sec\. ago$/)
})

test('an estimate is not shown before it can be one, nor when it was wrong', async () => {
  const { page, peer } = await watch()
  const young = { started_at: '2025-11-22T06:01:37.000000+00:00', eta_seconds: 3, progress_percentage: 20, processed_count: 200 }
  await show(peer, page, young)
  await fieldShows(page, 'remaining', 'Estimating…')
  await show(peer, page, { ...young, started_at: '2025-11-22T06:01:30.000000+00:00' })
  await fieldShows(page, 'remaining', 'About 5 sec left')
  await show(peer, page, { ...young, started_at: '2025-11-22T06:01:30.000000+00:00', eta_seconds: 0 })
  await fieldShows(page, 'remaining', 'Estimating…')
  await show(peer, page, { ...young, progress_percentage: 98, processed_count: 980 })
  await fieldShows(page, 'remaining', 'Almost done')
})

test('[000-05] connection lost: notice, backoff, and back with the newest state', async () => {
  const { page, peer, problems } = await watch()
  await show(peer, page)
  cable.refuse()
  peer.drop()
  await pageHas(page, 'data-connection', 'backoff')
  await fieldShows(page, 'connection-text', /^Reconnecting…/)
  await fieldShows(page, 'connection-text', /^Reconnecting… next try in \d s$/)
  await fieldShows(page, 'announcement', 'Connection lost, reconnecting')
  await fieldShows(page, 'percentage', '45%')
  await screenshot(page, 'reconnecting')
  cable.refuse(false)
  const { peer: second } = await cable.nextWatcher()
  second.message(ID, payload({ progress_percentage: 80, processed_count: 800 }))
  await pageHas(page, 'data-connection', 'live')
  await fieldShows(page, 'percentage', '80%')
  assert.deepEqual(problems, [])
})

test('[000-05] offline and online again', async () => {
  const { page, peer } = await watch()
  await show(peer, page)
  cable.refuse()
  await page.context().setOffline(true)
  peer.drop()
  await pageHas(page, 'data-connection', 'offline')
  await fieldShows(page, 'connection-text', 'No network')
  cable.refuse(false)
  await page.context().setOffline(false)
  const { peer: second } = await cable.nextWatcher()
  second.message(ID, payload({ progress_percentage: 81 }))
  await fieldShows(page, 'percentage', '81%')
})

test('refused: says so, shows nothing', async () => {
  open = await openPage(browser, address('session=42&token=good'))
  const { page, problems } = open
  const peer = await cable.nextConnection()
  peer.welcome()
  await peer.nextCommand('subscribe')
  peer.reject(ID)
  await pageHas(page, 'data-state', 'refused')
  await fieldShows(page, 'notice-title', 'You may not watch this session')
  assert.equal(await field(page, 'run').isVisible(), false)
  await peer.closed()
  await screenshot(page, 'refused')
  assert.deepEqual(problems, [])
})

test('a right withdrawn while watching takes away what was shown', async () => {
  const { page, peer } = await watch()
  await show(peer, page, { accounts: [account(1)] })
  peer.reject(ID)
  await fieldShows(page, 'notice-title', 'You may not watch this session')
  for (const name of ['run', 'accounts-section', 'psql']) assert.equal(await field(page, name).isVisible(), false, name)
  assert.equal(await page.title(), 'You may not watch this session')
})

test('no token, a bad one, an expired one', async () => {
  const jwt = claims => `x.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`
  for (const [token, reason, title] of [
    ['', 'unauthorized', 'A token is needed'],
    ['nonsense', 'unauthorized', 'This link is not valid'],
    [jwt({ sub: 'José', exp: 4_000_000_000 }), 'unauthorized', 'This link is not valid'],
    [jwt({ sub: 'alice', exp: 1_600_000_000 }), 'unauthorized', 'This link has expired']
  ]) {
    open = await openPage(browser, address(`session=42&token=${token}`))
    const peer = await cable.nextConnection()
    peer.disconnect(reason, false)
    await fieldShows(open.page, 'notice-title', title)
    await fieldShows(open.page, 'notice-sql', "SELECT sync.sync_progress_token('owner', ARRAY[42]);")
    assert.equal(await field(open.page, 'run').isVisible(), false)
    assert.deepEqual(open.problems, [])
    await screenshot(open.page, 'token')
    await open.close()
  }
})

test('a token that expires while watching: the last state stays', async () => {
  const { page, peer, problems } = await watch()
  await show(peer, page)
  peer.disconnect('token_expired', true)
  await fieldShows(page, 'notice-title', 'This link has expired')
  await fieldShows(page, 'percentage', '45%')
  assert.equal(await field(page, 'remaining').textContent(), '', 'no estimate that nobody keeps')
  await screenshot(page, 'expired')
  assert.deepEqual(problems, [])
})

test('an address without a session explains itself', async () => {
  open = await openPage(browser, cable.origin)
  await fieldShows(open.page, 'notice-title', 'Which run?')
  await screenshot(open.page, 'missing')
  assert.deepEqual(open.problems, [])
})

test('the fragment survives a reload, and a new one is followed', async () => {
  const { page, peer } = await watch()
  await show(peer, page)
  await page.reload()
  const { peer: second, identifier } = await cable.nextWatcher()
  assert.equal(identifier, ID)
  assert.equal(second.token, 'good')
  await show(second, page)
  assert.equal(page.url(), address('session=42&token=good'))

  await page.evaluate(() => { location.hash = 'session=abc&token=t2&channel=MeshProgressChannel&param=mesh_id' })
  const { peer: third, identifier: other } = await cable.nextWatcher()
  assert.equal(other, '{"channel":"MeshProgressChannel","mesh_id":"abc"}')
  assert.equal(third.token, 't2')
})

test('[000-35] whatever the text says, it is text', async () => {
  const { page, peer, problems } = await watch()
  await show(peer, page, { title: XSS, message: XSS, error_message: XSS, result_url: 'javascript:alert(1)',
    accounts: [account(1, { name: XSS, email: XSS, status: 'failed', error_message: XSS })] })
  for (const name of ['title', 'message', 'error', 'account-name', 'account-email', 'account-error']) await fieldShows(page, name, XSS)
  assert.equal(await page.locator('main img, main script').count(), 0)
  assert.equal(await field(page, 'result').isVisible(), false)
  assert.equal(await page.title(), `45% · ${XSS}`)

  await show(peer, page, { status: XSS })
  await fieldShows(page, 'status-text', XSS)
  await show(peer, page, { result_url: 'https://elsewhere.example/' })
  assert.equal(await field(page, 'result').isVisible(), false)
  await show(peer, page, { status: 'completed', result_url: '/results/42' })
  assert.equal(await field(page, 'result').getAttribute('href'), `${cable.origin}/results/42`)
  assert.deepEqual(problems, [])
})

test('a reader who listens is told of changes and quarters, not of each update', async () => {
  const { page, peer } = await watch()
  await page.evaluate(() => {
    globalThis.heard = []
    const node = document.querySelector('[data-field="announcement"]')
    new MutationObserver(() => globalThis.heard.push(node.textContent)).observe(node, { childList: true })
  })
  for (let percent = 1; percent <= 99; percent++) {
    peer.message(ID, payload({ progress_percentage: percent, processed_count: percent * 10 }))
    await fieldShows(page, 'percentage', `${percent}%`)
  }
  await show(peer, page, { status: 'completed', progress_percentage: 100 })
  assert.deepEqual(await page.evaluate(() => globalThis.heard),
    ['In progress, 1%', '25%', '50%', '75%', 'Completed, 100%'])
})

test('the same state as psql says it', async () => {
  const { page, peer } = await watch()
  await show(peer, page)
  await fieldShows(page, 'psql-query', 'SELECT * FROM sync.sync_progress(42);')
  await fieldShows(page, 'psql-answer', 'processing   45%  ▓▓▓▓▓▓▓▓▓░░░░░░░░░░░  450/1000')
})

test('[000-08] an update of 60 accounts costs less than 50 ms of script', async () => {
  const { page, peer } = await watch()
  const accounts = sixtyAccounts()
  await show(peer, page, { accounts })
  await page.locator('.account').nth(59).waitFor()
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable')
  const scriptMs = async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    return metrics.find(({ name }) => name === 'ScriptDuration').value * 1000
  }
  const updates = 20
  const before = await scriptMs()
  for (let update = 1; update <= updates; update++) {
    peer.message(ID, payload({ progress_percentage: 45 + update,
      accounts: accounts.map(each => ({ ...each, processed_count: each.processed_count + update })) }))
    await fieldShows(page, 'percentage', `${45 + update}%`)
  }
  const each = (await scriptMs() - before) / updates
  assert.ok(each < 50, `${each.toFixed(1)} ms`)
})

test('screenshots: light, dark, phone, 60 accounts', async () => {
  const four = { title: 'Mail of four banks', message: 'Reading Scotia Bank', accounts: [
    account(1, { name: 'BAC San José', email: 'ana@bac.example', status: 'completed', processed_count: 150, total_count: 150, progress_percentage: 100 }),
    account(2, { name: 'Scotia Bank', email: 'ana@scotia.example', status: 'processing', processed_count: 300, total_count: 650, progress_percentage: 46 }),
    account(3, { name: 'Promerica', email: 'ana@promerica.example', status: 'pending', total_count: 200 }),
    account(4, { name: 'Davivienda', email: 'ana@davivienda.example', status: 'failed', processed_count: 0, error_message: 'Password refused' })] }
  const many = { title: 'Debian packages', processed_count: 31_044, total_count: 60_211, progress_percentage: 51, rate: 1_034.2,
    detected_count: 1_842, error_count: 1, eta_seconds: 28, accounts: sixtyAccounts() }
  const phone = { width: 390, height: 844 }
  for (const [name, changes, options] of [
    ['light', four, {}],
    ['dark', four, { colorScheme: 'dark' }],
    ['phone', four, { viewport: phone, deviceScaleFactor: 2 }],
    ['accounts60', many, {}],
    ['accounts60-dark', many, { colorScheme: 'dark' }],
    ['accounts60-phone', many, { viewport: phone }]
  ]) {
    const { page, peer, problems } = await watch(options)
    await show(peer, page, changes)
    await fieldShows(page, 'title', changes.title)
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    assert.equal(overflow, 0, `${name} scrolls sideways`)
    await screenshot(page, name)
    assert.deepEqual(problems, [])
    await open.close()
  }
})
