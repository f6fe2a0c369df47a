import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { until } from '../bridge/lib/recorder.js'
import { launchChromium } from './lib/chromium.js'
import { drive, tell } from './lib/element_driver.js'
import { ElementPages, give, partShows, partText } from './lib/element_page.js'
import { account, payload } from './lib/payloads.js'

const XSS = '<img src=x onerror="document.title=1"><script>document.title=1</script>'

let pages
let browser
let open
let tokens = 0
before(async () => {
  pages = await ElementPages.start()
  browser = await launchChromium()
})
after(async () => {
  await browser?.close()
  await pages?.stop()
})
afterEach(async () => {
  assert.deepEqual(open?.problems ?? [], [])
  await open?.close()
  open = null
})

async function openPage(body, options) {
  open = await pages.open(browser, body, options)
  return open.page
}

/** Time in the page passes only by page.clock.runFor() from now on. */
async function stopClock(page) {
  await page.clock.install()
  await page.clock.pauseAt(await page.evaluate(() => Date.now()) + 1_000)
}

const count = async peer => ({ subscribes: peer.commandsNamed('subscribe').length, unsubscribes: peer.commandsNamed('unsubscribe').length })

test('[000-35] whatever the text says, it is text; a result is a page of this site', async () => {
  const page = await openPage('<sync-progress session-id="42" actions="pause" sparkline></sync-progress>')
  await drive(page)
  const nasty = { title: XSS, message: XSS, error_message: XSS, kind: XSS, eta_state: XSS, counters: { inserted: XSS },
    accounts: [account(1, { name: XSS, email: XSS, status: XSS, error_message: XSS }), account(XSS, { name: null })] }
  for (const status of ['processing', 'failed', '__proto__', 'constructor', 'heading', XSS]) {
    await tell(page, payload({ ...nasty, status, result_url: 'javascript:document.title=1' }))
  }
  await partShows(page, 'account-name', XSS)
  for (const part of ['heading', 'message', 'error', 'account-email', 'account-error', 'account-state']) {
    assert.equal(await page.evaluate(name => globalThis.part(name).textContent, part), part === 'error' ? XSS : part === 'message' ? '' : XSS, part)
  }
  await tell(page, payload({ ...nasty, status: XSS }))
  assert.equal(await partText(page, 'status'), XSS)
  assert.equal(await page.locator('sync-progress').locator('img, script').count(), 0)
  assert.equal(await page.title(), 'Widget')
  for (const address of ['https://elsewhere.example/', '//elsewhere.example/', 'data:text/html,x', '\u0000javascript:alert(1)']) {
    await tell(page, payload({ status: 'completed', result_url: address }))
    assert.equal(await partText(page, 'result'), null, address)
  }
  await tell(page, payload({ status: 'completed', result_url: '/results/42' }))
  await partShows(page, 'result', 'Open the result')
  assert.equal(await page.evaluate(() => globalThis.part('result').href), `${pages.cable.origin}/results/42`)
  for (const [address, text] of [['javascript:document.title=1', null], ['/runs/42', 'View details'], ['data:text/html,x', null]]) {
    await page.evaluate(address => document.querySelector('sync-progress').setAttribute('details-url', address), address)
    await partShows(page, 'details', text)
  }
})

test('moved in its page, as Turbo does: it stays subscribed, and loses nothing', async () => {
  const token = `t${++tokens}`
  const page = await openPage(`<div id="from"><sync-progress session-id="42" token="${token}"></sync-progress></div><div id="to"></div>`)
  const { peer, identifier } = await pages.watcher(token)
  peer.message(identifier, payload())
  await partShows(page, 'percent', '45%')
  await page.evaluate(() => {
    const element = document.querySelector('sync-progress')
    element.remove()
    setTimeout(() => document.querySelector('#to').append(element), 50)
  })
  await page.locator('#to sync-progress').waitFor()
  peer.message(identifier, payload({ progress_percentage: 46 }))
  await partShows(page, 'percent', '46%')
  assert.deepEqual(await count(peer), { subscribes: 1, unsubscribes: 0 })
})

test('taken out, it unsubscribes; put back, it begins anew', async () => {
  const token = `t${++tokens}`
  const page = await openPage(`<sync-progress session-id="42" token="${token}"></sync-progress>`)
  const { peer, identifier } = await pages.watcher(token)
  peer.message(identifier, payload())
  await partShows(page, 'percent', '45%')
  await page.evaluate(() => {
    globalThis.element = document.querySelector('sync-progress')
    globalThis.element.remove()
  })
  await peer.nextCommand('unsubscribe')
  await page.evaluate(() => document.body.append(globalThis.element))
  await until(() => count(peer), ({ subscribes }) => subscribes === 2, 'a second subscribe')
  peer.confirm(identifier)
  peer.message(identifier, payload({ progress_percentage: 60 }))
  await partShows(page, 'percent', '60%')
})

test('another run: what was shown of the first one goes', async () => {
  const token = `t${++tokens}`
  const page = await openPage(`<sync-progress session-id="42" token="${token}"></sync-progress>`)
  const { peer, identifier } = await pages.watcher(token)
  peer.message(identifier, payload({ version: 9e15 }))
  await partShows(page, 'percent', '45%')
  await page.evaluate(() => document.querySelector('sync-progress').setAttribute('session-id', '43'))
  await partShows(page, 'percent', null)
  const { identifier: second } = await peer.nextCommand('subscribe')
  assert.equal(second, '{"channel":"SyncStatusChannel","session_id":43}')
  peer.confirm(second)
  peer.message(second, payload({ session_id: 43, progress_percentage: 5 }))
  await partShows(page, 'percent', '5%')
})

test('what the page was written with is of the run that was named then, wherever the element goes', async () => {
  const token = `t${++tokens}`
  const page = await openPage(`<sync-progress session-id="42" token="${token}" payload='${JSON.stringify(payload({ progress_percentage: 30 }))}'></sync-progress>`)
  const { peer } = await pages.watcher(token)
  await partShows(page, 'percent', '30%')
  await page.evaluate(() => document.querySelector('sync-progress').setAttribute('session-id', '43'))
  const { identifier } = await peer.nextCommand('subscribe')
  peer.confirm(identifier)
  peer.message(identifier, payload({ session_id: 43, progress_percentage: 5 }))
  await partShows(page, 'percent', '5%')
  await page.evaluate(() => document.body.append(document.querySelector('sync-progress')))
  peer.message(identifier, payload({ session_id: 43, progress_percentage: 6, message: 'marker' }))
  await partShows(page, 'message', 'marker')
  assert.equal(await partText(page, 'percent'), '6%')
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll('sync-progress')].map(each => each.payload.session_id)), [43])
})

test('a refusal while watching takes away what was shown', async () => {
  const token = `t${++tokens}`
  const page = await openPage(`<sync-progress session-id="42" token="${token}"></sync-progress>`)
  const { peer, identifier } = await pages.watcher(token)
  peer.message(identifier, payload({ title: 'Secret', accounts: [account(1)] }))
  await partShows(page, 'account-name', 'Account 1')
  peer.reject(identifier)
  await partShows(page, 'status', 'It does not exist, or you may not see it.')
  for (const part of ['percent', 'account-name']) assert.equal(await partText(page, part), null)
  assert.equal(await partText(page, 'heading'), 'Email Sync Status')
})

test('a state of the server\'s page is there at once, and never replaced by an older one', async () => {
  const token = `t${++tokens}`
  const [old, written] = [payload({ progress_percentage: 20 }), payload({ progress_percentage: 30 })]
  const page = await openPage(`<sync-progress session-id="42" token="${token}"><script type="application/json">${JSON.stringify(written)}</script></sync-progress>`)
  await partShows(page, 'percent', '30%')
  const { peer, identifier } = await pages.watcher(token)
  await page.evaluate(() => {
    globalThis.percents = []
    document.querySelector('sync-progress').addEventListener('sync-progress:update', event => globalThis.percents.push(event.detail.payload.progress_percentage))
  })
  peer.message(identifier, old)
  await page.waitForFunction(identifier => document.querySelector('sync-progress').client.latest(identifier)?.progress_percentage === 20, identifier)
  await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))))
  peer.message(identifier, payload({ progress_percentage: 31 }))
  await partShows(page, 'percent', '31%')
  const percents = await page.evaluate(() => globalThis.percents)
  assert.ok(percents.includes(31))
  assert.deepEqual(percents.filter(percent => percent < 30), [])
})

test('the attribute payload likewise; what is no JSON is nothing', async () => {
  const page = await openPage(`<sync-progress session-id="42" payload='${JSON.stringify(payload({ title: 'Mail' }))}'></sync-progress>
    <sync-progress id="bad" session-id="42" payload="{oops"></sync-progress>`)
  await partShows(page, 'percent', '45%')
  await partShows(page, 'status', 'Loading…', { element: '#bad' })
})

test('properties that were set before the element was defined count', async () => {
  const page = await openPage('<p>later</p>')
  // the same class by another name, defined only now
  await page.evaluate(async payload => {
    const element = document.createElement('late-progress')
    Object.assign(element, { payload, texts: { 'sync.processing': 'Runs' } })
    document.body.append(element)
    const { SyncProgressElement } = await import('/client/element.js')
    customElements.define('late-progress', class extends SyncProgressElement {})
  }, payload())
  await partShows(page, 'percent', '45%', { element: 'late-progress' })
  await partShows(page, 'status', 'Runs', { element: 'late-progress' })
})

test('events: an end is told once, and not one that was there from the start', async () => {
  const page = await openPage('<sync-progress session-id="42"></sync-progress>')
  await drive(page)
  await page.evaluate(() => {
    globalThis.events = []
    for (const type of ['complete', 'failed', 'connection']) document.addEventListener(`sync-progress:${type}`, event => globalThis.events.push(type + (event.composed ? '' : ' not composed')))
  })
  await tell(page, payload({ status: 'completed', session_id: 41 }))
  await tell(page, payload())
  await tell(page, payload({ status: 'failed' }))
  await tell(page, payload({ status: 'failed', error_count: 4 }))
  await tell(page, payload())
  await tell(page, payload({ status: 'completed' }))
  assert.deepEqual(await page.evaluate(() => globalThis.events), ['failed', 'complete'])
})

test('a token from the application, as text or JSON; one client for all that ask the same address, adapters too', async () => {
  let answers = 0
  pages.answers.set('GET /token', (request, response) => {
    answers++
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"token":"from-json"}')
  })
  pages.answers.set('GET /text', (request, response) => response.writeHead(200, { 'Content-Type': 'text/plain' }).end('from-text\n'))
  const page = await openPage('<sync-progress session-id="42"></sync-progress><sync-progress source-id="a" channel="MeshProgressChannel"></sync-progress><sync-progress token-url="/text" session-id="1"></sync-progress>',
    { head: '<meta name="sync-progress-token-url" content="/token"><meta name="action-cable-url" content="/cable">' })
  const peer = await pages.cable.connections.find(({ token }) => token === 'from-json' || token === 'from-text', 'a connection')
  const other = await pages.cable.connections.find(({ token }) => token === 'from-json' || token === 'from-text', 'the other connection')
  assert.deepEqual([peer.token, other.token].sort(), ['from-json', 'from-text'])
  const shared = peer.token === 'from-json' ? peer : other
  shared.welcome()
  assert.deepEqual([await shared.nextCommand('subscribe'), await shared.nextCommand('subscribe')].map(({ identifier }) => identifier).sort(),
    ['{"channel":"MeshProgressChannel","id":"a"}', '{"channel":"SyncStatusChannel","session_id":42}'])
  await page.evaluate(async () => {
    const { MeshProgressSubscriber } = await import('/client/mesh_subscriber.js')
    new MeshProgressSubscriber('b').subscribe()
  })
  assert.equal((await shared.nextCommand('subscribe')).identifier, '{"channel":"MeshProgressChannel","id":"b"}')
  assert.equal(answers, 1)
})

test('time passes: the estimate counts down, ages grow, a stall is counted from when it began', async () => {
  const page = await openPage('<sync-progress session-id="42" times="short"></sync-progress>')
  await drive(page)
  await stopClock(page)
  const at = seconds => new Date(Date.UTC(2025, 10, 22, 6, 1, seconds)).toISOString()
  const steady = { eta_low: 50, eta_high: 50, eta_seconds: 50 }
  const hand = async state => {
    await page.evaluate(state => globalThis.tell(state), state)
    await page.clock.runFor(50)
  }
  await hand(payload({ ...steady, updated_at: at(0) }))
  await partShows(page, 'remaining', 'Time remaining: 50 sec')
  await page.clock.runFor(6_000)
  await partShows(page, 'remaining', 'Time remaining: 45 sec')
  await partShows(page, 'age', 'Updated 6 sec. ago')
  await hand(payload({ ...steady, processed_count: 451, updated_at: at(6) }))
  await hand(payload({ eta_state: 'stalled', eta_seconds: null, time_remaining: null, processed_count: 451, updated_at: at(36) }))
  await partShows(page, 'stalled', 'No progress for 30 sec')
  await partShows(page, 'remaining', null)
  await page.clock.runFor(10_000)
  await partShows(page, 'stalled', 'No progress for 40 sec')
})

test('an estimate is not shown before it can be one, and a range where it is vague', async () => {
  const page = await openPage('<sync-progress session-id="42"></sync-progress>')
  await drive(page)
  const times = { started_at: '2025-11-22T06:00:00Z', updated_at: '2025-11-22T06:00:02Z' }
  await tell(page, payload(times))
  assert.equal(await partText(page, 'remaining'), null)
  await tell(page, payload({ eta_state: 'estimating' }))
  assert.equal(await partText(page, 'remaining'), null)
  await tell(page, payload({ eta_seconds: 600, eta_low: 550, eta_high: 700 }))
  assert.equal(await partText(page, 'remaining'), 'Time remaining: 10 minutes')
  await tell(page, payload({ session_id: 43, eta_seconds: 6_000, eta_low: 3_000, eta_high: 12_000 }))
  assert.equal(await partText(page, 'remaining'), 'Time remaining: about 1 hour – about 3 hours')
  await tell(page, payload({ session_id: 44, eta_seconds: 10_000, eta_low: 7_200, eta_high: 18_000 }))
  assert.equal(await partText(page, 'remaining'), 'Time remaining: about 2–5 hours')
})

test('the sparkline is the last 60 seconds of the rate, for the eye only', async () => {
  const page = await openPage('<sync-progress session-id="42" sparkline></sync-progress>')
  await drive(page)
  await stopClock(page)
  for (let second = 0; second < 70; second++) {
    await page.evaluate(state => globalThis.tell(state), payload({ rate: second % 10 }))
    await page.clock.runFor(1_100)
  }
  const { path, hidden, label } = await page.evaluate(() => {
    const svg = globalThis.part('sparkline')
    return { path: svg.firstChild.getAttribute('d'), hidden: svg.getAttribute('aria-hidden'), label: svg.checkVisibility() }
  })
  assert.equal(path.split('L').length, 60)
  assert.match(path, /^M0 [\d.]+L1 [\d.]+/)
  assert.equal(hidden, 'true')
  assert.ok(label)
})

test('imported where there is no DOM it does nothing', async () => {
  assert.equal(globalThis.HTMLElement, undefined)
  const { SyncProgressElement } = await import('../../client/define.js')
  assert.equal(SyncProgressElement.defaults.channel, 'SyncStatusChannel')
  assert.ok(SyncProgressElement.observedAttributes.includes('session-id'))
})
