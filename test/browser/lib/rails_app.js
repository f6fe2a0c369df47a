/*
 * rails_app.js: a server that renders pages for Stimulus and Turbo, beside a
 * scripted cable; or pages for another server that has the cable.
 */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { openPage } from './chromium.js'
import { FakeCable } from './fake_cable.js'
import { POLICY } from './page_server.js'
import { STYLE } from './rails_markup.js'
import { Mailbox } from './wait.js'

const CLIENT = fileURLToPath(new URL('../../../client', import.meta.url))
const MODULES = fileURLToPath(new URL('../../node_modules', import.meta.url))

const SCRIPT = `
  import { Application } from '@hotwired/stimulus'
  import * as stimulus from '${CLIENT}/stimulus.js'
  import * as subscribers from '${CLIENT}/mesh_subscriber.js'
  import { SyncProgressClient } from '${CLIENT}/client.js'
  import { subscribeToSyncProgress } from '${CLIENT}/sse_users.js'
  Object.assign(globalThis, stimulus, subscribers, { SyncProgressClient, subscribeToSyncProgress, application: Application.start() })
  stimulus.register(application)
  globalThis.controllerOf = identifier => application.getControllerForElementAndIdentifier(document.querySelector('[data-controller="' + identifier + '"]'), identifier)`

/** The page's script; Turbo is of the page, not of ours. */
export async function bundle({ turbo = false } = {}) {
  const { outputFiles: [file] } = await build({
    stdin: { contents: `${turbo ? "import '@hotwired/turbo';" : ''}${SCRIPT}`, resolveDir: MODULES, loader: 'js' },
    bundle: true, write: false, format: 'esm', target: 'es2022', nodePaths: [MODULES], logLevel: 'error'
  })
  return file.text
}

// Turbo parses HTML from strings and has a style of its own, so where it is Trusted Types are not demanded.
const TURBO_POLICY = "default-src 'self'; style-src 'self' 'unsafe-hashes' 'nonce-turbo'; base-uri 'none'; object-src 'none'; form-action 'self'"
const PLAIN_POLICY = POLICY.replace("form-action 'none'", "form-action 'self'")

export class RailsApp {
  requests = []
  /** "METHOD /path" → HTML, or a function of (request, response, body). */
  routes = new Map()
  #scripts

  static async start() {
    const app = new RailsApp()
    app.#scripts = { '/turbo.js': await bundle({ turbo: true }), '/plain.js': await bundle() }
    app.cable = await FakeCable.start({ serve: (request, response) => app.#serve(request, response) })
    return app
  }

  stop() {
    return this.cable.stop()
  }

  /** The next connection, welcomed and confirmed, and kept alive however long a test takes. */
  async nextWatcher() {
    const watcher = await this.cable.nextWatcher()
    keepAlive(watcher.peer)
    return watcher
  }

  async nextConnection() {
    const peer = await this.cable.nextConnection()
    keepAlive(peer)
    return peer
  }

  /** The page's subscribe for that, confirmed; one that had to be repeated is passed over. */
  async confirmNext(peer, identifier) {
    await peer.commands.find(command => command.command === 'subscribe' && command.identifier === identifier, `a subscribe for ${identifier}`)
    peer.confirm(identifier)
  }

  /** As new, after a test. */
  reset() {
    this.routes.clear()
    this.requests.length = 0
    this.cable.refuse(false)
    this.cable.connections = new Mailbox()
  }

  /** Opens a page with that in its body. */
  async open(browser, body, { turbo = false, lang = 'es', head = '', path = '/', ...options } = {}) {
    this.routes.set(`GET ${path}`, this.page(body, { turbo, lang, head }))
    return openPage(browser, this.cable.origin + path, options)
  }

  page(body, { turbo = false, lang = 'es', head = '' } = {}) {
    return `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><title>App</title><meta name="csrf-token" content="csrf-42"><meta name="csp-nonce" content="turbo">
      ${head}<link rel="icon" href="/icon.svg"><link rel="stylesheet" href="/app.css"><script type="module" src="${turbo ? '/turbo.js' : '/plain.js'}"></script></head>
      <body><main><h1>App</h1>${body}</main></body></html>`
  }

  async #serve(request, response) {
    const { pathname } = new URL(request.url, 'http://localhost')
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const key = `${request.method} ${pathname}`
    this.requests.push({ key, url: request.url, headers: request.headers, body })
    if (this.#scripts[pathname]) return send(response, 'text/javascript', this.#scripts[pathname])
    if (pathname === '/icon.svg') return response.writeHead(204).end()
    if (pathname === '/app.css') return send(response, 'text/css', STYLE)
    const route = this.routes.get(key)
    if (typeof route === 'function') return route(request, response, body)
    if (route !== undefined) return send(response, 'text/html; charset=utf-8', route)
    response.writeHead(404, { 'Content-Type': 'application/json' }).end('{"error":"not found"}')
  }

  /** The requests of that key so far. */
  asked(key) {
    return this.requests.filter(request => request.key === key)
  }
}

function keepAlive(peer) {
  const timer = setInterval(() => peer.ping(), 2_000)
  peer.gone.then(() => clearInterval(timer))
}

/** An answer of JSON. */
export function json(body, status = 200) {
  return (request, response) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}

function send(response, type, body) {
  response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': body.includes?.('/turbo.js') ? TURBO_POLICY : PLAIN_POLICY })
  response.end(body)
}

/** Waits until the first target of that name shows the text, or what matches; null: it is not visible. */
export async function targetShows(page, name, expected, { controller = 'sync-widget', timeout = 10_000 } = {}) {
  const selector = `[data-${controller}-target~="${name}"]`
  const wanted = expected instanceof RegExp ? { source: expected.source } : { text: expected }
  try {
    await page.waitForFunction(({ selector, wanted }) => {
      const element = document.querySelector(selector)
      const text = element?.checkVisibility() ? element.textContent.trim().replace(/\s+/g, ' ') : null
      return wanted.source === undefined ? text === wanted.text : text !== null && new RegExp(wanted.source).test(text)
    }, { selector, wanted }, { timeout })
  } catch (cause) {
    const shown = await page.evaluate(selector => [...document.querySelectorAll(selector)].map(element => [element.checkVisibility(), element.textContent]), selector)
    throw new Error(`target ${name} shows ${JSON.stringify(shown)}, not ${expected}`, { cause })
  }
}

/** The live regions' texts from now on, as they were said. */
export function listen(page, selector) {
  return page.evaluate(selector => {
    globalThis.heard = []
    const element = document.querySelector(selector)
    new MutationObserver(records => {
      for (const { target } of records) {
        const region = (target.nodeType === 3 ? target.parentElement : target)?.closest('[data-spoken]')
        if (region?.textContent) globalThis.heard.push(region.textContent)
      }
    }).observe(element, { childList: true, characterData: true, subtree: true })
  }, selector)
}
