import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, afterEach, before, test } from 'node:test'
import { launchChromium, screenshot } from './lib/chromium.js'
import { ElementPages } from './lib/element_page.js'
import { elementStates, elementsOf, enterStates } from './lib/element_states.js'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const LOOKS = { light: {}, dark: { colorScheme: 'dark' }, 'forced-colors': { forcedColors: 'active' } }

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

// What stands beside the widget has no theme of its own, so that is what is looked at.
for (const [theme, langs] of Object.entries({ plain: ['en', 'es', 'en'], teal: ['es', 'en', 'es'], mesh: ['en', 'es', 'es'] })) {
  test(`axe finds nothing, in any state: ${theme}, light, dark and forced colours`, async () => {
    const states = elementStates()
    // axe writes markup of its own, which the policy of these pages forbids
    open = await pages.open(browser, elementsOf(states, `theme="${theme}"`), { reducedMotion: 'reduce', bypassCSP: true })
    const { page } = open
    await enterStates(page, states)
    await page.evaluate(AXE)
    for (const [index, [look, media]] of Object.entries(LOOKS).entries()) {
      await page.emulateMedia({ colorScheme: 'light', forcedColors: 'none', ...media })
      await page.evaluate(lang => document.querySelectorAll('sync-progress').forEach(each => each.setAttribute('locale', lang)), langs[index])
      await page.waitForFunction(text => document.querySelector('#active').shadowRoot.querySelector('[part~=overall]').textContent === text,
        langs[index] === 'es' ? 'Progreso General' : 'Overall progress')
      const { violations, passes } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
      assert.deepEqual(violations.flatMap(({ id, nodes }) => nodes.map(({ target, any }) => `${look}: ${id} ${target} ${any[0]?.message ?? ''}`)), [])
      assert.ok(passes.some(({ id }) => id === 'color-contrast'))
      await screenshot(page, `element-${theme}-${look}`)
    }
  })
}
