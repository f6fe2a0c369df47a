/*
 * The controller "mesh-progress" and the subscriber's ids, in the markup of
 * their application, with the real Stimulus, under a policy as strict as it
 * can be.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { until } from '../bridge/lib/recorder.js'
import { launchChromium, screenshot } from './lib/chromium.js'
import { RailsApp, json, listen, targetShows } from './lib/rails_app.js'
import { meshPage, subscriberPage, syncWidget } from './lib/rails_markup.js'

const MESH = '{"channel":"MeshProgressChannel","id":42}'
const XSS = '<img src=x onerror="document.title=1"><script>document.title=1</script>'

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

async function watch(markup = meshPage(), options = {}) {
  open = await app.open(browser, markup, { lang: 'en', ...options })
  return { ...open, ...await app.nextWatcher() }
}

const state = (changes = {}) => ({ mesh_id: 42, status: 'processing', progress: 30, message: 'Meshing', updated_at: null, estimated_remaining: 75, ...changes })
const shows = (page, name, expected) => targetShows(page, name, expected, { controller: 'mesh-progress' })
const part = (page, name) => page.locator(`[data-mesh-progress-target~="${name}"]`)
const classes = page => part(page, 'container').evaluate(element => [...element.classList].slice(1).sort())
const sound = problems => problems.filter(each => !/style-src|404/.test(each)) // the server's own style attributes; pictures that are not there

test('[002-11] [002-12] [002-17] from the first state to the result', async () => {
  const { page, peer, identifier, problems } = await watch()
  assert.equal(identifier, MESH)
  await until(() => classes(page), found => found.includes('connected'), 'it is connected')
  assert.equal(await part(page, 'connection').getAttribute('aria-label'), 'Connected')
  await shows(page, 'time', null)
  peer.message(MESH, state())
  await shows(page, 'progressBar', '30%')
  await shows(page, 'status', 'Meshing')
  await shows(page, 'time', 'Est. 1m 15s remaining')
  assert.deepEqual(await classes(page), ['connected', 'processing'])
  assert.deepEqual(await part(page, 'progressBar').evaluate(bar => [bar.style.width, bar.getAttribute('aria-valuenow'), bar.getAttribute('aria-label')]), ['30%', '30', 'Mesh Generation Progress'])
  await screenshot(page, 'mesh-processing')
  peer.message(MESH, state({ progress: null, estimated_remaining: null }))
  await shows(page, 'time', null)
  assert.equal(await part(page, 'progressBar').getAttribute('aria-valuenow'), null)
  await page.evaluate(() => addEventListener('mesh-progress:completed', event => { globalThis.result = event.detail.resultUrl }))
  peer.message(MESH, state({ status: 'completed', progress: 99, message: 'x', result_url: '/results/42' }))
  await shows(page, 'status', 'Mesh generation completed!')
  await shows(page, 'progressBar', '100%')
  await shows(page, 'cancelButton', null)
  await shows(page, 'result', 'View result')
  assert.equal(await part(page, 'result').locator('a').getAttribute('href'), `${app.cable.origin}/results/42`)
  assert.deepEqual(await classes(page), ['completed', 'connected'])
  assert.equal(await page.evaluate(() => globalThis.result), '/results/42')
  await screenshot(page, 'mesh-completed')
  assert.deepEqual(sound(problems), [])
})

test('[002-12] a result: a picture is shown, a link of the page\'s own is used, nothing is loaded as HTML', async () => {
  const { page, peer, problems } = await watch(meshPage({ result: '<a class="own">Descargar</a>' }))
  peer.message(MESH, state({ status: 'completed', result_url: '/results/42.html' }))
  await page.locator('a.own[href]').waitFor()
  assert.equal(await part(page, 'result').textContent(), 'Descargar')
  assert.deepEqual(app.asked('GET /results/42.html'), [])
  for (const url of ['javascript:alert(1)', 'https://elsewhere.example/x', '//elsewhere.example/x.png', 'data:text/html,x']) {
    await open.close()
    app.reset()
    const { page, peer } = await watch()
    peer.message(MESH, state({ status: 'completed', result_url: url }))
    await shows(page, 'status', 'Mesh generation completed!')
    assert.equal(await part(page, 'result').locator('*').count(), 0, url)
  }
  await open.close()
  app.reset()
  const { page: third, peer: peer3 } = await watch()
  peer3.message(MESH, state({ status: 'completed', result_url: '/renders/42.PNG?size=2' }))
  await third.locator('img').waitFor({ state: 'attached' })
  assert.equal(await third.locator('img').getAttribute('src'), `${app.cable.origin}/renders/42.PNG?size=2`)
  assert.deepEqual(sound(problems), [])
})

test('[002-13] [002-09] it fails, and is tried again with the CSRF token', async () => {
  const { page, peer } = await watch()
  app.routes.set('POST /api/v1/meshes/42/retry', json({ status: 'accepted' }, 202))
  await listen(page, '[data-controller]')
  peer.message(MESH, state())
  await shows(page, 'status', 'Meshing')
  peer.message(MESH, state({ status: 'failed', message: 'Out of memory', estimated_remaining: null }))
  await shows(page, 'status', 'Failed: Out of memory')
  await shows(page, 'cancelButton', null)
  assert.deepEqual(await classes(page), ['connected', 'failed'])
  await screenshot(page, 'mesh-failed')
  await part(page, 'retryButton').click()
  await shows(page, 'status', 'Initializing...')
  const [{ headers }] = app.asked('POST /api/v1/meshes/42/retry')
  assert.equal(headers['x-csrf-token'], 'csrf-42')
  await shows(page, 'progressBar', '0%')
  assert.deepEqual(await classes(page), ['connected'])
  peer.message(MESH, state({ status: 'pending', progress: 0, message: null }))
  await until(() => classes(page), found => found.includes('pending'), 'it waits') // or one frame would show both
  peer.message(MESH, state({ progress: 10, message: 'Meshing again' }))
  await shows(page, 'status', 'Meshing again')
  assert.deepEqual(await page.evaluate(() => globalThis.heard), ['Meshing, 30%', 'Failed: Out of memory', 'Initializing..., 0%', 'Meshing again, 10%'])
})

test('[002-13] cancel: asked of the application, then nobody watches; a refusal is shown', async () => {
  const { page, peer } = await watch(meshPage({ values: { 'cancel-url': '/meshes/{id}/stop' } }))
  peer.message(MESH, state())
  await shows(page, 'status', 'Meshing')
  app.routes.set('POST /meshes/42/stop', json({ error: 'too late' }, 409))
  await part(page, 'cancelButton').focus()
  await page.keyboard.press('Enter')
  await shows(page, 'status', 'That did not work: too late')
  assert.equal(await page.locator('[role=alert]').textContent(), 'That did not work: too late')
  app.routes.set('POST /meshes/42/stop', json({}))
  await part(page, 'cancelButton').click()
  await shows(page, 'status', 'Cancelled')
  await until(() => classes(page), found => found.includes('cancelled'), 'it is cancelled')
  assert.equal((await peer.nextCommand('unsubscribe')).identifier, MESH)
})

test('[002-08] [002-07] not allowed; and a connection that is lost', async () => {
  open = await app.open(browser, meshPage(), { lang: 'en' })
  const peer = await app.nextConnection()
  peer.welcome()
  peer.reject((await peer.nextCommand('subscribe')).identifier)
  await shows(open.page, 'status', 'Unauthorized to view mesh progress')
  await open.close()
  app.reset()
  const { page, peer: second } = await watch()
  second.message(MESH, state())
  await shows(page, 'status', 'Meshing')
  app.cable.refuse()
  second.drop()
  await until(() => classes(page), found => !found.includes('connected'), 'it is not connected')
  assert.equal(await part(page, 'connection').getAttribute('aria-label'), 'Disconnected')
  app.cable.refuse(false)
  const { peer: third } = await app.nextWatcher()
  third.message(MESH, state({ progress: 60 }))
  await shows(page, 'progressBar', '60%')
})

test('a token from the application; controllers that name the same address share a connection', async () => {
  app.routes.set('GET /my/token', (request, response) => response.writeHead(200, { 'Content-Type': 'text/plain' }).end('of-the-page\n'))
  const values = { 'token-url': '/my/token' }
  const { peer, identifier } = await watch(meshPage({ values }) + syncWidget({ session: { id: 7 }, values, frame: false }))
  assert.equal(peer.token, 'of-the-page')
  const both = [MESH, '{"channel":"SyncStatusChannel","session_id":7}']
  await peer.commands.find(command => command.command === 'subscribe' && command.identifier === both.find(each => each !== identifier), 'the other one')
  assert.equal(app.asked('GET /my/token').length, 1)
})

test('Spanish, ids that are names, and what the page may call', async () => {
  const { page, peer, identifier } = await watch(meshPage({ id: 'malla-1' }), { lang: 'es-CR' })
  assert.equal(identifier, '{"channel":"MeshProgressChannel","id":"malla-1"}')
  peer.message(identifier, state({ estimated_remaining: 20 }))
  await shows(page, 'time', '20s restante')
  await page.evaluate(() => globalThis.controllerOf('mesh-progress').showErrorMessage('¡Ay!'))
  await shows(page, 'status', '¡Ay!')
  await page.evaluate(() => globalThis.controllerOf('mesh-progress').showSuccessMessage())
  await shows(page, 'status', '¡Malla generada!')
  await page.evaluate(() => globalThis.controllerOf('mesh-progress').resetProgress())
  await shows(page, 'progressBar', '0%')
  await page.evaluate(() => globalThis.controllerOf('mesh-progress').requestUpdate())
  assert.deepEqual(JSON.parse((await peer.nextCommand('message')).data), { action: 'request_update' })
  await page.evaluate(() => { globalThis.controllerOf('mesh-progress').meshIdValue = 7 })
  await app.confirmNext(peer, '{"channel":"MeshProgressChannel","id":7}')
  assert.equal((await peer.nextCommand('unsubscribe')).identifier, identifier)
})

test('[000-35] whatever the text says, it is text', async () => {
  const { page, peer, problems } = await watch()
  peer.message(MESH, state({ message: XSS }))
  await shows(page, 'status', XSS)
  peer.message(MESH, state({ status: 'failed', message: XSS, progress: XSS, estimated_remaining: XSS, result_url: XSS }))
  await shows(page, 'status', `Failed: ${XSS}`)
  assert.equal(await page.locator('main img, main script').count(), 0)
  assert.equal(await page.title(), 'App')
  assert.deepEqual(sound(problems), [])
})

test('[002-10] the subscriber keeps the page\'s ids up to date', async () => {
  open = await app.open(browser, subscriberPage('mesh', 42) + subscriberPage('batch', 'night'), { lang: 'en' })
  const { page, problems } = open
  await page.evaluate(() => {
    new globalThis.MeshProgressSubscriber(42, {}, { url: '/cable' }).subscribe()
    new globalThis.BatchProgressSubscriber('night', {}, { url: '/cable' }).subscribe()
  })
  const { peer } = await app.nextWatcher()
  const identifier = '{"channel":"BatchProgressChannel","id":"night"}'
  await app.confirmNext(peer, identifier)
  const shown = (name, id) => page.evaluate(([name, id]) => ['progress', 'status', 'time'].map(part => document.getElementById(`${name}-${id}-${part}`).textContent), [name, id])
  const become = (name, id, expected) => until(() => shown(name, id), found => JSON.stringify(found) === JSON.stringify(expected), `${name} shows ${expected}`)
  peer.message(MESH, state({ message: XSS }))
  await become('mesh', 42, ['30%', XSS, 'Est. 1m 15s remaining'])
  assert.deepEqual(await page.locator('#mesh-42-progress').evaluate(bar => [bar.style.width, bar.getAttribute('aria-valuenow'), bar.getAttribute('role')]), ['30%', '30', 'progressbar'])
  peer.message(MESH, state({ status: 'completed', progress: 98, estimated_remaining: null }))
  await become('mesh', 42, ['100%', 'Mesh generation completed!', ''])
  peer.message(identifier, { batch_id: 'night', total: 4, completed: 2, failed: 1, progress: 75, status: 'processing', estimated_remaining: 30 })
  await become('batch', 'night', ['75%', '2 of 4 completed, 1 failed', 'Est. 30s remaining'])
  peer.message(MESH, state({ status: 'failed', message: 'no memory', estimated_remaining: null }))
  await become('mesh', 42, ['30%', 'Failed: no memory', ''])
  assert.equal(await page.title(), 'App')
  assert.deepEqual(sound(problems), [])
})
