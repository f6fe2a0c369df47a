/*
 * The controller "sync-widget" in the markup of its application, with the real
 * Stimulus, under a policy as strict as it can be.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { until } from '../bridge/lib/recorder.js'
import { launchChromium, screenshot } from './lib/chromium.js'
import { account, payload } from './lib/payloads.js'
import { RailsApp, json, listen, targetShows } from './lib/rails_app.js'
import { syncWidget } from './lib/rails_markup.js'

const ID = '{"channel":"SyncStatusChannel","session_id":42}'
const LIST = '{"channel":"SessionsChannel"}'
const XSS = '<img src=x onerror="document.title=1"><script>document.title=1</script>'

const BANKS = [
  { id: 1, name: 'BAC San José', email: 'ana@bac.example', processed: 150, total: 150 },
  { id: 2, name: 'Scotia Bank', email: 'ana@scotia.example', processed: 300, total: 650 },
  { id: 3, name: 'Promerica', email: 'ana@promerica.example', total: 200 }
]
const SESSION = { id: 42, processed: 440, total: 1000, percentage: 44, accounts: BANKS }

let app
let browser
let open
before(async () => {
  app = await RailsApp.start()
  browser = await launchChromium()
})
after(async () => {
  await browser?.close()
  await app?.stop()
})
afterEach(async () => {
  await open?.close()
  app.reset()
})

async function watch({ markup = syncWidget({ session: SESSION }), ...options } = {}) {
  open = await app.open(browser, markup, options)
  const { peer, identifier } = await app.nextWatcher()
  return { ...open, peer, identifier }
}

const accounts = () => [
  account(1, { name: 'BAC San José', status: 'completed', processed_count: 150, total_count: 150, progress_percentage: 100 }),
  account(2, { name: 'Scotia Bank', status: 'processing', processed_count: 300, total_count: 650, progress_percentage: 46 }),
  account(3, { name: 'Promerica', total_count: 200 })
]

const part = (page, name, id) => page.locator(`${id ? `[data-account-id="${id}"] ` : ''}[data-sync-widget-target~="${name}"]`)
const styleOf = (locator, name) => locator.evaluate((element, name) => element.style.getPropertyValue(name), name)
const activeValue = page => page.evaluate(() => globalThis.controllerOf('sync-widget').activeValue)

test('[000-03] [000-10] [000-11] a state reaches every target', async () => {
  const { page, peer, identifier, problems } = await watch()
  assert.equal(identifier, ID)
  peer.message(ID, payload({ accounts: accounts(), error_count: 2 }))
  await targetShows(page, 'progressPercentage', '45%')
  await targetShows(page, 'processedCount', '(450/1000)')
  await targetShows(page, 'detectedCount', '31')
  await targetShows(page, 'errorCount', '2')
  await targetShows(page, 'timeRemaining', '2 minutos restante')
  await targetShows(page, 'statusText', 'Sincronización en progreso')
  await targetShows(page, 'pauseButton', 'Pausar')
  await targetShows(page, 'connectionWarning', null)
  assert.equal(await styleOf(part(page, 'progressBar'), 'width'), '45%')
  assert.equal(await styleOf(part(page, 'progressIndicator'), 'left'), '45%')
  const bar = part(page, 'progressBar')
  assert.deepEqual(await bar.evaluate(element => ['role', 'aria-valuenow', 'aria-valuemin', 'aria-valuemax', 'aria-label'].map(name => element.getAttribute(name))),
    ['progressbar', '45', '0', '100', 'Progreso General'])
  for (const [id, count, width, name] of [[1, '150/150', '100%', 'Completada'], [2, '300/650', '46%', 'En progreso'], [3, '0/200', '0%', 'Pendiente']]) {
    assert.equal(await part(page, 'accountCount', id).textContent(), count)
    assert.equal(await styleOf(part(page, 'accountProgressBar', id), 'width'), width)
    assert.equal(await part(page, 'accountStatusIcon', id).getAttribute('aria-label'), name)
  }
  assert.equal(await part(page, 'accountProgressBar', 2).getAttribute('aria-label'), 'Scotia Bank')
  assert.equal(await activeValue(page), true)
  await screenshot(page, 'stimulus-active')
  assert.deepEqual(problems.filter(each => !/style-src/.test(each)), [], 'but for the style attributes of the server')
})

test('[000-20] lengths that the policy refused to the server are there before any state', async () => {
  open = await app.open(browser, syncWidget({ session: SESSION }))
  await app.nextConnection()
  assert.equal(await styleOf(part(open.page, 'progressBar'), 'width'), '44%')
  assert.equal(await styleOf(part(open.page, 'accountProgressBar', 2), 'width'), '46.2%')
  assert.equal(await activeValue(open.page), false)
})

test('[000-28] what was kept from before is shown at once, unless the server\'s page is newer', async () => {
  // a client that knows a state, and has no connection
  const keep = (page, state) => page.evaluate(state => {
    globalThis.SyncWidgetController.client = Object.assign(new EventTarget(), {
      state: 'backoff',
      subscribe: () => ({ state: 'pending', latest: state, unsubscribe() {} })
    })
    document.querySelector('main').append(document.querySelector('main > *:last-child').cloneNode(true))
  }, state)
  const kept = payload({ progress_percentage: 50, processed_count: 500 })
  for (const [session, values, shown] of [[SESSION, {}, '50%'], [{ ...SESSION, processed: 510, percentage: 51 }, {}, '51%'],
    [SESSION, { version: kept.version + 1 }, '44%'], [{ ...SESSION, processed: 510 }, { version: kept.version }, '50%']]) {
    const { page } = await watch({ markup: syncWidget({ session, values, frame: false }) })
    await keep(page, kept)
    const text = () => part(page, 'progressPercentage').last().textContent()
    await page.waitForFunction(() => [...document.querySelectorAll('[data-sync-widget-target~="connectionWarning"]')].at(-1).checkVisibility())
    assert.equal(await text(), shown)
    await open.close()
    app.reset()
  }
})

test('[000-15] [000-06] accounts that fail say why; a total that is not known; the failure of the whole', async () => {
  const { page, peer } = await watch()
  peer.message(ID, payload({ progress_percentage: null, total_count: null, eta_seconds: null, time_remaining: null,
    accounts: [account(1), account(2, { status: 'failed', error_message: 'Contraseña incorrecta', processed_count: 20, total_count: null, progress_percentage: null }),
      account(3, { status: 'processing', total_count: null, progress_percentage: null })] }))
  await targetShows(page, 'processedCount', '(450/–)')
  assert.equal(await part(page, 'progressBar').getAttribute('aria-valuenow'), null)
  const row = page.locator('[data-account-id="2"]')
  assert.equal(await row.locator('[data-account-error]').textContent(), 'Contraseña incorrecta')
  assert.equal(await part(page, 'accountCount', 2).textContent(), '20/–')
  assert.equal(await row.getAttribute('data-status'), 'failed')
  assert.equal(await part(page, 'accountProgressBar', 3).getAttribute('aria-valuenow'), null)
  peer.message(ID, payload({ status: 'failed', error_message: 'El servidor cerró el buzón', accounts: [account(2, { status: 'processing' })] }))
  await targetShows(page, 'statusText', 'La sincronización falló: El servidor cerró el buzón')
  await targetShows(page, 'processedCount', '(450/1000)')
  await targetShows(page, 'pauseButton', null)
  await targetShows(page, 'timeRemaining', null)
  assert.equal(await row.locator('[data-account-error]').isVisible(), false)
  assert.equal(await part(page, 'accountStatusIcon', 2).getAttribute('aria-label'), 'Detenida', 'nothing goes on in a run that has ended')
  assert.equal(await page.locator('[role=alert]').textContent(), 'La sincronización falló: El servidor cerró el buzón')
  await screenshot(page, 'stimulus-failed')
})

test('[000-17] times in Rails\' words, in the page\'s language', async () => {
  for (const [lang, seconds, text] of [['es', 3600, 'alrededor de 1 hora restante'], ['es-CR', 7200, 'cerca de 2 horas restante'], ['en', 45, '1 minute remaining']]) {
    const { page, peer } = await watch({ lang })
    peer.message(ID, payload({ eta_seconds: seconds }))
    await targetShows(page, 'timeRemaining', text)
    await open.close()
  }
})

test('[000-05] [000-26] the connection is lost and comes back: a notice, and the active value', async () => {
  const { page, peer } = await watch()
  peer.message(ID, payload())
  await targetShows(page, 'progressPercentage', '45%')
  await listen(page, '[data-controller]')
  app.cable.refuse()
  peer.drop()
  await targetShows(page, 'connectionMessage', 'Reconectando...')
  await until(() => activeValue(page), active => !active, 'the active value is false')
  await screenshot(page, 'stimulus-reconnecting')
  app.cable.refuse(false)
  const { peer: second } = await app.nextWatcher()
  second.message(ID, payload({ progress_percentage: 80, processed_count: 800 }))
  await targetShows(page, 'progressPercentage', '80%')
  await targetShows(page, 'connectionWarning', null)
  assert.equal(await activeValue(page), true)
  const heard = await page.evaluate(() => globalThis.heard)
  assert.deepEqual(heard.slice(0, 2), ['Reconectando...', 'Conexión recuperada'])
})

test('[000-12] pause and resume by the bridge, with the button busy meanwhile', async () => {
  const { page, peer } = await watch({ markup: syncWidget({ session: SESSION, values: { token: 'good' } }) })
  assert.equal(peer.token, 'good')
  let answer
  const asked = new Promise(resolve => app.routes.set('POST /sessions/SyncStatusChannel/42/pause', (request, response) => {
    answer = () => json({ result: {}, state: null })(request, response)
    resolve(request.headers.authorization)
  }))
  peer.message(ID, payload())
  const button = part(page, 'pauseButton')
  await targetShows(page, 'progressPercentage', '45%')
  await button.click()
  assert.equal(await asked, 'Bearer good')
  assert.deepEqual([await button.isDisabled(), await button.getAttribute('aria-busy')], [true, 'true'])
  answer()
  peer.message(ID, payload({ status: 'paused' }))
  await targetShows(page, 'statusText', 'Sincronización en pausa')
  await targetShows(page, 'pauseButton', 'Reanudar')
  assert.equal(await button.getAttribute('aria-label'), 'Reanudar sincronización')
  assert.equal(await button.locator('svg').count(), 1)
  await until(() => button.isDisabled(), disabled => !disabled, 'the button is free')
  app.routes.set('POST /sessions/SyncStatusChannel/42/resume', json({ error: 'the run has ended', hint: '' }, 409))
  await button.press('Enter')
  await targetShows(page, 'connectionMessage', 'No se pudo: the run has ended')
  assert.equal(await button.isDisabled(), false)
})

test('[000-12] pause by the application, with its CSRF token; never at another\'s address', async () => {
  const { page, peer } = await watch({ markup: syncWidget({ session: SESSION, values: { 'action-url': '/sync_sessions/{id}/{action}' } }) })
  app.routes.set('POST /sync_sessions/42/pause', json({}))
  peer.message(ID, payload())
  await targetShows(page, 'progressPercentage', '45%')
  await part(page, 'pauseButton').click()
  const [{ headers }] = await until(() => app.asked('POST /sync_sessions/42/pause'), ({ length }) => length === 1, 'it is asked')
  assert.equal(headers['x-csrf-token'], 'csrf-42')
  await page.evaluate(() => { globalThis.controllerOf('sync-widget').actionUrlValue = 'https://elsewhere.example/{id}' })
  await until(() => part(page, 'pauseButton').isDisabled(), disabled => !disabled, 'the button is free')
  await part(page, 'pauseButton').click()
  await targetShows(page, 'connectionMessage', /^No se pudo: not an address/)
})

test('[000-12] the page can do an action itself', async () => {
  const { page, peer } = await watch()
  peer.message(ID, payload())
  await targetShows(page, 'progressPercentage', '45%')
  await page.evaluate(() => document.addEventListener('sync-widget:action', event => {
    event.preventDefault()
    globalThis.action = event.detail.action
  }))
  const { length } = app.requests
  await part(page, 'pauseButton').click()
  assert.equal(await page.evaluate(() => globalThis.action), 'pause')
  assert.equal(app.requests.length, length)
})

test('[000-12] a start: the form is sent once, with its button\'s value, and the button says so', async () => {
  let answer
  app.routes.set('GET /sessions', json({ sessions: [], next: null }))
  app.routes.set('POST /sync_sessions', (request, response, body) => { answer = () => response.writeHead(204).end(); app.body = body })
  const { page } = await watch({ markup: syncWidget() })
  const button = page.locator('form button')
  // the answer goes elsewhere, so that the page can be looked at meanwhile
  await page.evaluate(() => {
    const elsewhere = Object.assign(document.createElement('iframe'), { name: 'elsewhere' })
    document.body.append(elsewhere)
    document.querySelector('form').target = elsewhere.name
  })
  await button.click()
  await until(() => button.textContent(), text => text === 'Iniciando...', 'the button says so')
  assert.equal(await button.isDisabled(), true)
  await until(() => answer, Boolean, 'the form is sent')
  assert.equal(app.body, 'authenticity_token=csrf-42&accounts=all')
  answer()
})

test('[000-12] a start that comes to nothing leaves its button as it was: not valid, not confirmed, stopped by the page', async () => {
  app.routes.set('GET /sessions', json({ sessions: [], next: null }))
  for (const [turbo, change] of [
    [false, form => {
      form.removeAttribute('data-action')
      form.querySelector('button').dataset.action = 'sync-widget#startSync'
      form.append(Object.assign(document.createElement('input'), { name: 'since', required: true }))
    }],
    [false, form => addEventListener('submit', event => event.preventDefault())],
    [true, form => {
      form.dataset.turboConfirm = 'Really?'
      globalThis.confirm = () => (globalThis.asked = true, false)
    }]
  ]) {
    const { page } = await watch({ markup: syncWidget(), turbo })
    const button = page.locator('form button')
    await page.evaluate(`(${change})(document.querySelector('form'))`)
    await button.click()
    // what is done a moment later would be done by now
    await page.evaluate(() => new Promise(resolve => setTimeout(() => requestAnimationFrame(resolve), 50)))
    assert.deepEqual([await button.isDisabled(), await button.textContent()], [false, 'Sincronizar Todas las Cuentas'])
    assert.equal(app.asked('POST /sync_sessions').length, 0)
    await open.close()
    open = null
    app.reset()
    app.routes.set('GET /sessions', json({ sessions: [], next: null }))
  }
})

test('[000-20] without a run: idle; the one that begins is followed, and when it has ended it is idle again', async () => {
  app.routes.set('GET /sessions', json({ sessions: [], next: null }))
  const both = syncWidget({ session: SESSION, inactive: true, frame: false, values: { 'session-id': 0 }, lastSync: '3 días' })
  const { page, peer, identifier, problems } = await watch({ markup: both })
  assert.equal(identifier, LIST)
  await targetShows(page, 'statusText', 'Sin actividad')
  await targetShows(page, 'progressSection', null)
  await targetShows(page, 'lastSync', 'Última sincronización completada hace 3 días')
  await screenshot(page, 'stimulus-idle')
  peer.message(LIST, { type: 'session_created', data: { session_id: 7, kind: 'mesh', source_id: '7', status: 'processing' } })
  peer.message(LIST, { type: 'session_created', data: { session_id: 42, kind: 'sync', source_id: '42', status: 'processing' } })
  await app.confirmNext(peer, ID)
  peer.message(ID, payload())
  await targetShows(page, 'progressPercentage', '45%')
  await targetShows(page, 'inactiveSection', null)
  await page.clock.install()
  peer.message(ID, payload({ status: 'completed', progress_percentage: 100, processed_count: 1000 }))
  await page.clock.runFor(100)
  await targetShows(page, 'statusText', 'Sincronización completada')
  await page.clock.runFor(5_000)
  await targetShows(page, 'statusText', 'Sin actividad')
  await targetShows(page, 'lastSync', 'Última sincronización completada hace menos de 1 minuto')
  assert.deepEqual(problems.filter(each => !/style-src/.test(each)), [])
})

test('[000-20] a run that began while the page was on its way is found in the list', async () => {
  app.routes.set('GET /sessions', json({ sessions: [{ session_id: 42, kind: 'sync', source_id: '42', status: 'processing' }], next: null }))
  const { page, peer } = await watch({ markup: syncWidget({ session: SESSION, inactive: true, frame: false, values: { 'session-id': 0 } }) })
  await app.confirmNext(peer, ID)
  peer.message(ID, payload())
  await targetShows(page, 'progressPercentage', '45%')
})

test('[000-20] a list that cannot be read for now is read again', async () => {
  let refusals = 2
  app.routes.set('GET /sessions', (...args) => (refusals-- > 0
    ? json({ error: 'busy' }, refusals ? 503 : 429)
    : json({ sessions: [{ session_id: 42, kind: 'sync', source_id: '42', status: 'processing' }], next: null }))(...args))
  const { peer } = await watch({ markup: syncWidget({ session: SESSION, inactive: true, frame: false, values: { 'session-id': 0 } }) })
  await app.confirmNext(peer, ID)
  assert.equal(app.asked('GET /sessions').length, 3)
})

test('[000-20] a hundred reloads of the list in a second read it twice at most', async () => {
  app.routes.set('GET /sessions', json({ sessions: [], next: null }))
  const { peer } = await watch({ markup: syncWidget() })
  await until(() => app.asked('GET /sessions'), ({ length }) => length === 1, 'it is read')
  for (let i = 0; i < 100; i++) peer.message(LIST, { type: 'sessions_reloaded' })
  await until(() => app.asked('GET /sessions'), ({ length }) => length === 2, 'it is read again')
  peer.message(LIST, { type: 'session_created', data: { session_id: 42, kind: 'sync', source_id: '42', status: 'processing' } })
  await app.confirmNext(peer, ID)
  assert.equal(app.asked('GET /sessions').length, 2)
})

/** The events of that name, from now on, each as the job's. */
const listenTo = (page, name) => page.evaluate(name => {
  globalThis.ends = []
  addEventListener(`sync-widget:${name}`, event => globalThis.ends.push(event.detail.state.job_id))
}, name)

test('an end is told once: not again when the same source runs again, and then for that run', async () => {
  app.routes.set('GET /sessions', json({ sessions: [], next: null }))
  const { page, peer } = await watch({ markup: syncWidget({ session: SESSION, frame: false }) })
  await listenTo(page, 'failed')
  const fail = (job, percent) => peer.message(ID, payload({ job_id: job, status: 'failed', error_message: 'no', progress_percentage: percent }))
  fail('job-1', 1)
  await targetShows(page, 'progressPercentage', '1%')
  await app.confirmNext(peer, LIST)
  peer.message(LIST, { type: 'session_created', data: { session_id: 43, kind: 'sync', source_id: '42', job_id: 'job-2', status: 'pending' } })
  fail('job-1', 2)
  await targetShows(page, 'progressPercentage', '2%')
  fail('job-2', 3)
  await targetShows(page, 'progressPercentage', '3%')
  assert.deepEqual(await page.evaluate(() => globalThis.ends), ['job-1', 'job-2'])
})

test('[000-28] an end that was kept from before is shown, and told when the server says so', async () => {
  const { page } = await watch({ markup: syncWidget({ session: SESSION, frame: false }) })
  await listenTo(page, 'completed')
  const kept = payload({ status: 'completed', progress_percentage: 100, processed_count: 1000 })
  await page.evaluate(kept => {
    const subscription = globalThis.subscription = { state: 'pending', latest: kept, unsubscribe() {} }
    globalThis.SyncWidgetController.client = Object.assign(new EventTarget(), {
      state: 'live',
      subscribe: (_, callbacks) => {
        globalThis.callbacks = callbacks
        return subscription
      }
    })
    document.querySelector('main').append(document.querySelector('main > *:last-child').cloneNode(true))
  }, kept)
  await page.waitForFunction(() => [...document.querySelectorAll('[data-sync-widget-target~="progressPercentage"]')].at(-1).textContent === '100%')
  assert.deepEqual(await page.evaluate(() => globalThis.ends), [])
  assert.deepEqual(await page.evaluate(kept => {
    globalThis.subscription.state = 'confirmed'
    globalThis.callbacks.onProgress(kept)
    globalThis.callbacks.onProgress({ ...kept })
    return globalThis.ends
  }, kept), [kept.job_id])
})

test('[000-15] rows are made of a template once, whatever it has forgotten, and however often an account is named', async () => {
  const { page, peer } = await watch({ markup: syncWidget({ session: { ...SESSION, accounts: [] } }) })
  await page.evaluate(() => {
    const template = document.createElement('template')
    const row = document.createElement('li')
    row.append(document.createElement('span'))
    row.firstChild.dataset.accountName = ''
    template.content.append(row)
    document.querySelector('[data-sync-widget-target~="accountsList"]').append(template)
  })
  for (const percent of [1, 2, 3]) {
    peer.message(ID, payload({ progress_percentage: percent, accounts: [account(1), account(1), account(2)] }))
    await targetShows(page, 'progressPercentage', `${percent}%`)
  }
  assert.equal(await page.locator('[data-account-id]').count(), 2)
})

test('[000-35] a bar is never longer than all, whatever the counts say', async () => {
  const { page, peer } = await watch()
  for (const [percent, shown] of [[250, '100'], [-3, '0']]) {
    peer.message(ID, payload({ accounts: [account(2, { status: 'processing', progress_percentage: percent })] }))
    await page.waitForFunction(shown => document.querySelector('[data-account-id="2"] [role=progressbar]')?.getAttribute('aria-valuenow') === shown, shown)
    assert.equal(await styleOf(part(page, 'accountProgressBar', 2), 'width'), `${shown}%`)
  }
})

test('ids that are names, and another id given while it watches', async () => {
  const { page, peer, identifier } = await watch({ markup: syncWidget({ session: { ...SESSION, id: 'buzón-1' } }) })
  assert.equal(identifier, '{"channel":"SyncStatusChannel","session_id":"buzón-1"}')
  await page.evaluate(() => { globalThis.controllerOf('sync-widget').sessionIdValue = 43 })
  const next = '{"channel":"SyncStatusChannel","session_id":43}'
  await app.confirmNext(peer, next)
  peer.message(identifier, payload({ progress_percentage: 1 }))
  peer.message(next, payload({ progress_percentage: 77 }))
  await targetShows(page, 'progressPercentage', '77%')
  assert.equal((await peer.nextCommand('unsubscribe')).identifier, identifier)
})

test('who may not see it is told; a right that ends takes the run away', async () => {
  app.routes.set('GET /sessions', json({ sessions: [], next: null }))
  const { page, peer } = await watch({ markup: syncWidget({ session: SESSION, inactive: true, frame: false }) })
  peer.message(ID, payload())
  await targetShows(page, 'progressPercentage', '45%')
  peer.reject(ID)
  await targetShows(page, 'connectionMessage', 'No existe o no tiene permiso para verla')
  await targetShows(page, 'progressSection', null)
})

test('[000-35] whatever the text says, it is text', async () => {
  const { page, peer, problems } = await watch()
  peer.message(ID, payload({ status: 'failed', error_message: XSS, title: XSS, message: XSS,
    accounts: [account(1, { status: XSS, error_message: XSS }), account(2, { status: 'failed', error_message: XSS, processed_count: XSS, total_count: XSS })] }))
  await targetShows(page, 'statusText', `La sincronización falló: ${XSS}`)
  assert.equal(await page.locator('main img, main script').count(), 0)
  assert.equal(await page.title(), 'App')
  assert.deepEqual(problems.filter(each => !/style-src/.test(each)), [])
})

test('every target is optional', async () => {
  const bare = '<div data-controller="sync-widget" data-sync-widget-session-id-value="42" data-sync-widget-websocket-url-value="/cable"></div>'
  const { page, peer, problems } = await watch({ markup: bare })
  await page.evaluate(() => addEventListener('sync-widget:update', event => { globalThis.seen = event.detail.state.progress_percentage }))
  peer.message(ID, payload({ accounts: accounts() }))
  await page.waitForFunction(() => globalThis.seen === 45)
  peer.message(ID, payload({ status: 'paused' }))
  peer.drop()
  await app.nextWatcher()
  assert.deepEqual(problems, [])
})

test('[000-18] a reader who listens is told of changes and quarters, not of each update', async () => {
  const { page, peer } = await watch()
  await listen(page, '[data-controller]')
  for (let percent = 1; percent <= 99; percent++) {
    peer.message(ID, payload({ progress_percentage: percent, processed_count: percent * 10 }))
    await targetShows(page, 'progressPercentage', `${percent}%`)
  }
  peer.message(ID, payload({ status: 'completed', progress_percentage: 100, processed_count: 1000 }))
  await targetShows(page, 'statusText', 'Sincronización completada')
  assert.deepEqual(await page.evaluate(() => globalThis.heard), ['Sincronización en progreso, 1%', '25%', '50%', '75%', 'Sincronización completada, 100%'])
})

test('[000-27] a page that nobody looks at catches up; many states in one frame are drawn once', async () => {
  const { page, peer } = await watch()
  peer.message(ID, payload())
  await targetShows(page, 'progressPercentage', '45%')
  await page.evaluate(() => {
    globalThis.frames = []
    globalThis.requestAnimationFrame = callback => globalThis.frames.push(callback)
    globalThis.told = 0
    addEventListener('sync-widget:update', () => globalThis.told++)
  })
  for (let percent = 46; percent <= 90; percent++) peer.message(ID, payload({ progress_percentage: percent }))
  await page.waitForFunction(() => globalThis.told === 45, undefined, { polling: 20 })
  assert.equal(await page.evaluate(() => globalThis.frames.length), 1)
  assert.equal(await part(page, 'progressPercentage').textContent(), '45%')
  await page.evaluate(() => globalThis.frames[0]())
  assert.equal(await part(page, 'progressPercentage').textContent(), '90%')
})

test('[000-08] an update of 50 accounts costs less than 50 ms of script', async () => {
  const many = Array.from({ length: 50 }, (_, index) => ({ id: index + 1, name: `Banco ${index}`, total: 200 }))
  const { page, peer } = await watch({ markup: syncWidget({ session: { ...SESSION, accounts: many } }) })
  const session = await page.context().newCDPSession(page)
  await session.send('Performance.enable')
  const scriptMs = async () => (await session.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'ScriptDuration').value * 1_000
  const update = async percent => {
    peer.message(ID, payload({ progress_percentage: percent, accounts: many.map(({ id }) => account(id, { status: 'processing', processed_count: percent, progress_percentage: percent })) }))
    await targetShows(page, 'progressPercentage', `${percent}%`)
  }
  await update(1)
  const before = await scriptMs()
  for (let percent = 2; percent <= 31; percent++) await update(percent)
  const each = (await scriptMs() - before) / 30
  assert.equal(await part(page, 'accountCount', 50).textContent(), '31/200')
  assert.ok(each < 50, `${each.toFixed(1)} ms`)
})
