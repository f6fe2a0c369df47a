/*
 * chromium.js: a headless Chromium of the machine's own, and pages in it that
 * keep a list of everything that went wrong in them.
 */
import { mkdir } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync']

/** Screenshots go to $SCREENSHOT_DIR, or to test/tmp/screenshots. */
const SCREENSHOTS = process.env.SCREENSHOT_DIR ?? fileURLToPath(new URL('../../tmp/screenshots', import.meta.url))

export async function launchChromium() {
  const executablePath = process.env.CHROMIUM ?? CANDIDATES.find(existsSync)
  if (!executablePath) throw new Error('no Chromium found: install the package chromium, or set CHROMIUM to its path')
  return chromium.launch({ executablePath, args: FLAGS })
}

/**
 * Opens an address in a context of its own.  problems collects uncaught
 * errors, errors on the console and violations of the content security policy;
 * failed connections are not problems, they are what the page is made for.
 */
export async function openPage(browser, address, { colorScheme = 'light', viewport = { width: 1100, height: 900 }, ...options } = {}) {
  const context = await browser.newContext({ colorScheme, viewport, locale: 'en-US', timezoneId: 'UTC', ...options })
  const page = await context.newPage()
  const problems = []
  page.on('pageerror', error => problems.push(`uncaught: ${error.message}`))
  page.on('console', message => {
    if (message.type() === 'error' && !/WebSocket|ERR_CONNECTION|ERR_INTERNET_DISCONNECTED/.test(message.text())) {
      problems.push(`console: ${message.text()}`)
    }
  })
  await page.exposeFunction('reportViolation', text => problems.push(text))
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI, sourceFile, lineNumber }) =>
      globalThis.reportViolation(`CSP: ${effectiveDirective} ${blockedURI} at ${sourceFile}:${lineNumber}`))
  })
  await page.goto(address)
  return { page, problems, close: () => context.close() }
}

/** The element with that data-field. */
export function field(page, name) {
  return page.locator(`[data-field="${name}"]`)
}

/** Waits until the field's text is, or matches, what is expected. */
export async function fieldShows(page, name, expected, timeout = 10_000) {
  const exact = typeof expected === 'string'
  try {
    await page.waitForFunction(({ name, exact, text, flags }) => {
      const shown = document.querySelector(`[data-field="${name}"]`)
      if (!shown || !shown.checkVisibility()) return false
      return exact ? shown.textContent === text : new RegExp(text, flags).test(shown.textContent)
    }, { name, exact, text: exact ? expected : expected.source, flags: exact ? '' : expected.flags }, { timeout })
  } catch (cause) {
    const shown = await field(page, name).textContent().catch(() => '(no such field)')
    throw new Error(`field ${name} shows ${JSON.stringify(shown)}, not ${expected}`, { cause })
  }
}

/** Waits until the attribute of .page (data-state, data-connection …) has that value. */
export function pageHas(page, attribute, value, timeout = 10_000) {
  return page.locator(`.page[${attribute}=${JSON.stringify(value)}]`).waitFor({ timeout })
}

export async function screenshot(page, name, options = {}) {
  await mkdir(SCREENSHOTS, { recursive: true })
  const path = join(SCREENSHOTS, `${name}.png`)
  // Transitions are over when nothing finite is running any more.
  await page.waitForFunction(() => document.getAnimations().every(animation =>
    animation.playState !== 'running' || animation.effect.getTiming().iterations === Infinity))
  await page.screenshot({ path, fullPage: true, ...options })
  return path
}
