import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, afterEach, before, test } from 'node:test'
import { launchChromium, screenshot } from './lib/chromium.js'
import { ElementPages, partShows, partText } from './lib/element_page.js'
import { elementStates, elementsOf, enterStates } from './lib/element_states.js'

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
afterEach(() => open?.close())

async function show(states, { attributes, ...options } = {}) {
  open = await pages.open(browser, elementsOf(states, attributes), options)
  await enterStates(open.page, states)
  return open.page
}

/** What parts of which element show; those that are not visible are null. */
async function expectTexts(page, expected) {
  for (const [name, texts] of Object.entries(expected)) {
    for (const [part, text] of Object.entries(texts)) await partShows(page, part, text, { element: `#${name}` })
  }
}

test('[000-09] every state in English', async () => {
  const page = await show(elementStates())
  await expectTexts(page, {
    active: { heading: 'Email Sync Status', status: 'Sync in progress', message: 'Reading Scotia Bank', overall: 'Overall progress', percent: '45%',
      counts: '450 of 1,000', detected: '31 detected', errors: '2 errors', rate: '4.6/s', age: /^Updated (just now|\d+ sec\. ago)$/,
      remaining: 'Time remaining: 8–13 minutes', toggle: 'Pause', cancel: 'Cancel', retry: null, details: 'View details', connection: null, error: null },
    pending: { status: 'Waiting to start', percent: '0%', remaining: null, toggle: 'Pause', rate: null },
    indeterminate: { heading: 'Mail of four banks', percent: null, counts: '450 so far', remaining: null },
    stalled: { stalled: 'No progress at the moment', remaining: null, rate: null },
    paused: { status: 'Paused', toggle: 'Resume', cancel: 'Cancel', stalled: null, remaining: null },
    completed: { status: 'Completed', percent: '100%', remaining: 'Took 3 min 20 sec', toggle: null, cancel: null, retry: null, age: null, result: 'Open the result' },
    failed: { status: 'Failed', error: 'The mail server refused the token', retry: 'Try again', toggle: null },
    cancelled: { status: 'Cancelled', retry: 'Try again', error: null },
    mesh: { heading: 'Mesh Generation Progress', status: 'In progress', percent: '45%', message: 'Reading "Bandeja de entrada"', counts: null,
      remaining: /^Est\. [12]?\ds remaining$/ },
    meshFailed: { status: 'Failed', error: 'Failed: Connection refused', message: null },
    batch: { heading: 'Progress', percent: '45%', counts: '9 of 20', errors: '2 errors', remaining: 'Time remaining: less than a minute' },
    connection: { counts: '450 so far', inserted: '120 inserted', updated: '30 updated', deleted: null, kept: '300 kept' },
    loading: { heading: 'Email Sync Status', status: 'Loading…', progress: null },
    idle: { status: 'No activity', none: 'No active sync', last: 'Last sync completed about 2 hours ago', start: 'Start sync', startAll: 'Sync all accounts',
      history: 'View history', progress: null },
    idleFirst: { last: 'Start your first sync to import expenses' },
    idleMesh: { heading: 'Mesh Generation Progress', none: 'Nothing is running', last: 'Nothing has been completed yet', start: 'Start', startAll: 'Start a run' },
    lost: { connection: 'Reconnecting...', percent: '45%' },
    notAllowed: { status: null, connection: 'Connection refused' },
    refused: { status: 'It does not exist, or you may not see it.', progress: null }
  })
  assert.deepEqual(open.problems, [])
})

test('[000-16] [000-17] the same in the Spanish of Costa Rica', async () => {
  const page = await show(elementStates(), { lang: 'es-CR' })
  await expectTexts(page, {
    active: { heading: 'Sincronización de Correos', status: 'Sincronización en progreso', overall: 'Progreso General', detected: '31 gastos detectados',
      errors: '2 errores', rate: '4,6/s', remaining: '8–13 minutos restante', toggle: 'Pausar', cancel: 'Cancelar', details: 'Ver detalles' },
    paused: { toggle: 'Reanudar' },
    stalled: { stalled: 'Sin avance por ahora' },
    idle: { status: 'Sin actividad', none: 'No hay sincronización activa', last: 'Última sincronización completada hace cerca de 2 horas',
      start: 'Iniciar Sincronización', startAll: 'Sincronizar Todas las Cuentas', history: 'Ver Historial' },
    idleFirst: { last: 'Comienza tu primera sincronización para importar gastos' },
    idleMesh: { none: 'Nada en curso', last: 'Todavía no se ha completado ninguna', start: 'Iniciar', startAll: 'Iniciar una ejecución' },
    lost: { connection: 'Reconectando...' }
  })
  // [000-18]
  assert.equal(await page.locator('#active').getByRole('button', { name: 'Pausar sincronización' }).count(), 1)
  // Who says aloud what is written on a button presses it, also where the page has its own text for it.
  await page.evaluate(() => { document.querySelector('#active').texts = { pause: 'Detener' } })
  await page.locator('#active').getByRole('button', { name: 'Detener', exact: true }).waitFor()
  assert.deepEqual(open.problems, [])
})

test('[000-14] [000-15] accounts: states, counts, errors, and what is left of them in a run that ended', async () => {
  const page = await show(elementStates())
  const rows = name => page.locator(`#${name} [part~=account]`).evaluateAll(nodes => nodes.map(node =>
    ['name', 'email', 'state', 'count', 'eta', 'error'].map(part => {
      const { textContent, hidden } = node.querySelector(`[part=account-${part}]`)
      return hidden ? null : textContent
    })))
  assert.deepEqual(await rows('active'), [
    ['BAC San José', 'ana@bac.example', 'Completed', '150/150', null, null],
    ['Scotia Bank', 'ana@scotia.example', 'Sync in progress', '300/650', '1 minute left', null],
    ['Promerica', 'ana.maria.de.los.angeles.rodriguez@promerica.example', 'Waiting to start', '0/200', null, null],
    ['Davivienda', 'ana@davivienda.example', 'Failed', '0/200', null, 'Password refused']])
  assert.deepEqual((await rows('failed')).map(([, , state]) => state), ['Completed', 'Cancelled', 'Not started', 'Failed'])
  const email = page.locator('#active [part=account-email]').nth(2)
  assert.ok(await email.evaluate(node => node.scrollWidth > node.clientWidth), 'a long address is cut')
})

test('what can be styled from outside: all parts of all states, and no others', async () => {
  const { modules } = JSON.parse(await readFile(new URL('../../client/custom-elements.json', import.meta.url)))
  const declared = modules[0].declarations[0].cssParts.map(({ name }) => name).sort()
  const page = await show(elementStates())
  await partShows(page, 'rate', '4.6/s', { element: '#active' })
  await page.locator('#active [part=sparkline]').waitFor({ state: 'attached' })
  const drawn = await page.evaluate(() => [...document.querySelectorAll('sync-progress')].flatMap(({ shadowRoot }) =>
    [...shadowRoot.querySelectorAll('[part]')].flatMap(node => [...node.part])))
  assert.deepEqual([...new Set(drawn)].filter(name => !name.endsWith('-path')).sort(), declared)
  for (const name of ['bar', 'track', 'indicator', 'label', 'percent', 'eta', 'account', 'error', 'actions', 'connection']) assert.ok(declared.includes(name), name)
})

test('a progressbar with a name; without a value while there is none', async () => {
  const page = await show(elementStates())
  const bar = name => page.locator(`#${name} [role=progressbar]`)
  assert.equal(await page.locator('#active').getByRole('progressbar', { name: 'Email Sync Status Overall progress' }).count(), 1)
  assert.equal(await bar('active').getAttribute('aria-valuenow'), '45')
  assert.equal(await bar('pending').getAttribute('aria-valuenow'), '0')
  for (const name of ['indeterminate', 'connection']) assert.equal(await bar(name).getAttribute('aria-valuenow'), null)
  for (const attribute of ['aria-valuetext', 'aria-busy']) assert.equal(await bar('indeterminate').getAttribute(attribute), null)
  assert.equal(await page.locator('#loading [part~=root]').getAttribute('aria-busy'), 'true')
  for (const name of ['active', 'notAllowed']) assert.equal(await page.locator(`#${name} [part~=root]`).getAttribute('aria-busy'), null)
  assert.equal(await page.locator('#failed [role=alert]:visible').count(), 1)
})

test('a phone: nothing is wider than the screen; right to left it is mirrored', async () => {
  for (const dir of ['ltr', 'rtl']) {
    const page = await show(elementStates(), { dir, lang: 'es', viewport: { width: 320, height: 700 }, attributes: 'theme="teal"' })
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0)
    const sides = await page.evaluate(() => {
      const box = part => document.querySelector(`#active`).shadowRoot.querySelector(`[part~=${part}]`).getBoundingClientRect()
      return { bar: box('bar'), indicator: box('indicator') }
    })
    if (dir === 'ltr') assert.equal(sides.indicator.left, sides.bar.left)
    else assert.equal(sides.indicator.right, sides.bar.right)
    assert.ok(sides.indicator.width < sides.bar.width / 2)
    await screenshot(page, `element-phone-${dir}`)
    await open.close()
  }
})

test('[000-18] motion only for those who like it; the focus is seen', async () => {
  const states = { indeterminate: elementStates().indeterminate, active: elementStates().active }
  const styleOf = (page, name, part, property) => page.evaluate(({ name, part, property }) =>
    getComputedStyle(document.getElementById(name).shadowRoot.querySelector(`[part~=${part}]`))[property], { name, part, property })

  const moving = await show(states, { reducedMotion: 'no-preference' })
  assert.match(await styleOf(moving, 'active', 'indicator', 'transition'), /width 0\.5s ease-out/)
  assert.equal(await styleOf(moving, 'indeterminate', 'indicator', 'animationName'), 'wander')
  assert.equal(await styleOf(moving, 'active', 'icon', 'animationName'), 'turn')
  assert.match(await styleOf(moving, 'active', 'mini-indicator', 'transition'), /width 0\.3s ease-out/)
  await open.close()

  const still = await show(states, { reducedMotion: 'reduce' })
  assert.equal(await styleOf(still, 'active', 'indicator', 'transitionDuration'), '0s')
  assert.equal(await styleOf(still, 'indeterminate', 'indicator', 'animationName'), 'breathe')
  assert.equal(await styleOf(still, 'active', 'icon', 'animationName'), 'none')
  await still.keyboard.press('Tab')
  const focused = await still.evaluate(() => {
    const node = document.activeElement.shadowRoot.activeElement
    return [node.tagName, getComputedStyle(node).outlineWidth, getComputedStyle(node).outlineOffset]
  })
  assert.deepEqual(focused, ['BUTTON', '2px', '2px'])
})

test('dark and light are the page\'s to decide', async () => {
  const states = { active: elementStates().active }
  const page = await show(states, { colorScheme: 'dark' })
  const background = () => page.evaluate(() => getComputedStyle(document.querySelector('#active').shadowRoot.querySelector('[part~=root]')).backgroundColor)
  const dark = await background()
  await page.evaluate(() => document.querySelector('#active').style.setProperty('color-scheme', 'light'))
  assert.notEqual(await background(), dark)
  assert.equal(await background(), 'rgb(255, 255, 255)')
  await page.evaluate(() => document.querySelector('#active').style.setProperty('--sp-color-back', 'rgb(1, 2, 3)'))
  assert.equal(await background(), 'rgb(1, 2, 3)')
})

test('texts of its own, a heading, and another kind\'s', async () => {
  const page = await show({ active: elementStates().active, mesh: elementStates().mesh })
  await page.evaluate(() => {
    document.querySelector('#active').texts = { processing: 'Runs', 'sync.processing': 'Syncs', details: '<b>{n}</b>' }
    document.querySelector('#active').setAttribute('heading', 'My mail')
    document.querySelector('#mesh').texts = { processing: 'Runs' }
  })
  await expectTexts(page, { active: { status: 'Syncs', heading: 'My mail', details: '<b></b>' }, mesh: { status: 'Runs' } })
  await page.evaluate(() => document.querySelector('#active').setAttribute('locale', 'es'))
  await expectTexts(page, { active: { toggle: 'Pausar', status: 'Syncs' } })
  assert.equal(await partText(page, 'toggle', '#mesh'), 'Pause')
})
