import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { launchChromium } from './lib/chromium.js'
import { drive, tell } from './lib/element_driver.js'
import { ElementPages, partShows, partText } from './lib/element_page.js'
import { account, payload } from './lib/payloads.js'

let pages
let browser
let open
before(async () => {
  pages = await ElementPages.start()
  browser = await launchChromium()
})
after(async () => {
  await browser?.close()
  await pages?.stop()
})
afterEach(async () => {
  assert.deepEqual(open?.problems, [])
  await open?.close()
})

async function driven(attributes = '', options) {
  open = await pages.open(browser, `<sync-progress session-id="42" ${attributes}></sync-progress>`, options)
  await drive(open.page)
  return open.page
}

/** Everything that is said aloud from now on. */
function listen(page) {
  return page.evaluate(() => {
    globalThis.heard = []
    const node = globalThis.part('announcement')
    new MutationObserver(() => globalThis.heard.push(node.textContent)).observe(node, { childList: true })
  })
}

const heard = page => page.evaluate(() => globalThis.heard)

test('a whole run by single percents: the start, each quarter and the end are said', async () => {
  const page = await driven()
  await listen(page)
  const states = Array.from({ length: 100 }, (_, percent) => payload({ progress_percentage: percent, processed_count: percent * 10 }))
  await page.evaluate(async states => {
    for (const state of states) {
      const drawn = globalThis.shown()
      globalThis.tell(state)
      await drawn
    }
  }, states)
  await tell(page, payload({ status: 'completed', progress_percentage: 100, processed_count: 1000 }))
  assert.deepEqual(await heard(page), ['Sync in progress, 0%', '25%', '50%', '75%', 'Completed, 100%'])
})

test('changes of state are said once; a failure is the alert\'s to say', async () => {
  const page = await driven()
  await listen(page)
  const run = changes => tell(page, payload({ progress_percentage: 30, ...changes }))
  await run({})
  await run({ status: 'paused' })
  await run({ status: 'paused', message: 'Paused by Ana' })
  await run({})
  await run({ eta_state: 'stalled' })
  await page.evaluate(() => {
    globalThis.alerts = []
    const node = globalThis.part('error')
    new MutationObserver(() => globalThis.alerts.push(node.textContent)).observe(node, { childList: true })
  })
  await run({ status: 'failed', error_message: 'Token refused' })
  await run({ status: 'failed', error_message: 'Token refused', error_count: 3 })
  assert.deepEqual(await heard(page), ['Sync in progress, 30%', 'Paused, 30%', 'Sync in progress, 30%', 'No progress at the moment, 30%'])
  assert.deepEqual(await page.evaluate(() => globalThis.alerts), ['Token refused'])
})

test('[000-05] a lost connection is said and shown, and so is its return; what has ended long ago is no news', async () => {
  const page = await driven()
  await listen(page)
  await tell(page, payload({ status: 'completed' }))
  const change = state => page.evaluate(state => {
    const drawn = globalThis.shown()
    globalThis.change(state)
    return drawn.then(() => undefined)
  }, state)
  await change('stale')
  await change('backoff')
  await change('connecting')
  await partShows(page, 'connection', 'Reconnecting...')
  await change('offline')
  await partShows(page, 'connection', 'No network connection')
  await change('connecting')
  await partShows(page, 'connection', 'No network connection')
  await change('live')
  await partShows(page, 'connection', null)
  assert.deepEqual(await heard(page), ['Reconnecting...', 'No network connection', 'Connected again'])
})

test('[000-08] 1,000 updates a second are drawn at most once a frame, the last one surely', async () => {
  const page = await driven()
  const states = Array.from({ length: 1_000 }, (_, index) => payload({ processed_count: index, total_count: 1_000, progress_percentage: Math.floor(index / 10) }))
  const { drawings, frames } = await page.evaluate(async states => {
    let drawings = 0
    let frames = 0
    let counting = true
    document.addEventListener('sync-progress:update', () => { drawings++ })
    const count = () => {
      frames++
      if (counting) requestAnimationFrame(count)
    }
    requestAnimationFrame(count)
    const begin = performance.now()
    for (let told = 0; told < states.length;) {
      const due = Math.min(states.length, Math.floor(performance.now() - begin))
      while (told < due) globalThis.tell(states[told++])
      await new Promise(resolve => setTimeout(resolve))
    }
    for (let each = 0; each < 2; each++) await new Promise(resolve => requestAnimationFrame(resolve))
    counting = false
    return { drawings, frames }
  }, states)
  assert.ok(drawings > 1 && drawings <= frames + 1, `${drawings} drawings in ${frames} frames`)
  assert.equal(await partText(page, 'counts'), '999 of 1,000')
})

test('a page that nobody sees draws nothing, tells what ended, and catches up when it is seen', async () => {
  const page = await driven()
  await tell(page, payload())
  const result = await page.evaluate(async states => {
    const events = []
    for (const type of ['update', 'complete']) document.addEventListener(`sync-progress:${type}`, () => events.push(type))
    // a hidden page gets no frames
    const waiting = []
    const frame = globalThis.requestAnimationFrame
    globalThis.requestAnimationFrame = callback => waiting.push(callback)
    for (const state of states) globalThis.tell(state)
    await new Promise(resolve => setTimeout(resolve, 50))
    const hidden = [...events]
    globalThis.requestAnimationFrame = frame
    for (const callback of waiting) callback(performance.now())
    return { hidden, waiting: waiting.length, events, percent: globalThis.part('percent').textContent }
  }, [payload({ progress_percentage: 70 }), payload({ progress_percentage: 90 }), payload({ status: 'completed', progress_percentage: 100 })])
  assert.deepEqual(result, { hidden: ['complete'], waiting: 1, events: ['complete', 'update'], percent: '100%' })
})

test('[000-08] fifty accounts: an update takes at most 2 ms of script in the median, less than 50 always', async t => {
  const page = await driven('sparkline actions="pause cancel"')
  const accounts = Array.from({ length: 50 }, (_, id) => account(id, { name: `Account ${id}`, email: `who${id}@bank.example`, status: 'processing', total_count: 5_000 }))
  const state = update => payload({ processed_count: update, detected_count: update, rate: 4 + update % 7,
    accounts: accounts.map(each => ({ ...each, processed_count: update + each.id, progress_percentage: Math.floor((update + each.id) / 50) })) })
  await page.evaluate(states => { globalThis.states = states }, Array.from({ length: 330 }, (_, update) => state(update)))
  // The thread's own time: other programs on this machine do not count.
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable', { timeDomain: 'threadTicks' })
  const scriptMs = async () => {
    const { metrics } = await session.send('Performance.getMetrics')
    return metrics.find(({ name }) => name === 'ScriptDuration').value * 1000
  }
  await page.evaluate(() => {
    globalThis.measures = 0
    new PerformanceObserver(list => { globalThis.measures += list.getEntriesByName('sync-progress:render').length }).observe({ type: 'measure' })
  })
  const batches = [] // ten updates each
  let before = await scriptMs()
  for (let batch = 0; batch < 33; batch++) {
    await page.evaluate(async () => {
      for (let update = 0; update < 10; update++) {
        const drawn = globalThis.shown()
        globalThis.tell(globalThis.states.shift())
        await drawn
      }
    })
    const now = await scriptMs()
    batches.push(now - before)
    before = now
  }
  const warm = batches.slice(3).sort((one, other) => one - other).map(ms => ms / 10)
  const median = warm[15]
  assert.equal(await page.locator('sync-progress [part~=account]').count(), 50)
  assert.equal(await page.locator('sync-progress [part=account-count]').last().textContent(), '378/5,000')
  await page.waitForFunction(() => globalThis.measures >= 330)
  assert.equal(await page.evaluate(() => performance.getEntriesByName('sync-progress:render').length), 0, 'nothing piles up')
  assert.ok(median > 0 && median <= 2, `median ${median.toFixed(2)} ms`)
  // ten together take less, so each does
  assert.ok(Math.max(...batches) < 50, `ten take ${Math.max(...batches).toFixed(1)} ms`)
  t.diagnostic(`fifty accounts: ${median.toFixed(2)} ms of script per update in the median, ten at most ${Math.max(...batches).toFixed(1)} ms`)
})

test('an update that changes nothing touches nothing', async () => {
  const page = await driven('actions="pause"')
  const state = { accounts: [account(1), account(2)], title: 'Mail' }
  await tell(page, payload(state))
  await partShows(page, 'account-name', 'Account 1')
  await page.evaluate(() => {
    globalThis.changes = []
    new MutationObserver(list => globalThis.changes.push(...list.map(({ type, target, attributeName }) => [type, target.part?.value, attributeName])))
      .observe(document.querySelector('sync-progress').shadowRoot, { subtree: true, childList: true, attributes: true, characterData: true })
  })
  await tell(page, payload(state))
  assert.deepEqual((await page.evaluate(() => globalThis.changes)).filter(([, part]) => part !== 'age'), [])
})

test('accounts keep their rows while they come, go and change places', async () => {
  const page = await driven()
  const ids = () => page.locator('sync-progress [part=account-name]').allTextContents()
  await tell(page, payload({ accounts: [account(1), account(2), account(3)] }))
  await partShows(page, 'account-name', 'Account 1')
  await page.evaluate(() => { globalThis.part('account').kept = true })
  await tell(page, payload({ accounts: [account(3), account(4), account(1)] }))
  assert.deepEqual(await ids(), ['Account 3', 'Account 4', 'Account 1'])
  assert.equal(await page.locator('sync-progress [part~=account]').nth(2).evaluate(node => node.kept), true)
  await page.locator('sync-progress').evaluate(element => element.setAttribute('accounts', 'hidden'))
  await partShows(page, 'account-name', null)
  await page.locator('sync-progress').evaluate(element => element.removeAttribute('accounts'))
  await partShows(page, 'account-name', 'Account 3')
  await tell(page, payload({ accounts: [] }))
  assert.deepEqual(await ids(), [])
  assert.equal(await page.locator('sync-progress [part=accounts]').isVisible(), false)
})
