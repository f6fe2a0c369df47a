/*
 * element_page.js: pages with <sync-progress> in them, under the strict policy,
 * and the server that the element finds there.
 */
import { FakeCable } from './fake_cable.js'
import { openPage } from './chromium.js'
import { POLICY, servePage } from './page_server.js'

const HEAD = `<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Widget</title>
<meta name="csrf-token" content="csrf-42"><link rel="stylesheet" href="/client/themes/teal.css"><link rel="stylesheet" href="/client/themes/mesh.css">
<link rel="icon" href="/favicon.svg"><link rel="stylesheet" href="/page.css"><script type="module" src="/client/define.js"></script>`

const STYLE = 'body { margin: 1rem; font: 16px/1.5 system-ui, "Noto Sans", "DejaVu Sans", sans-serif; color-scheme: light dark } sync-progress { max-width: 46rem }'

export class ElementPages {
  requests = []
  answers = new Map() // "METHOD /path" → function of (request, response)
  #pages = []

  static async start() {
    const pages = new ElementPages()
    pages.cable = await FakeCable.start({ serve: (request, response) => pages.#serve(request, response) })
    return pages
  }

  stop() {
    return this.cable.stop()
  }

  /** Opens a page with that in its body; lang is the document's. */
  open(browser, body, { lang = 'en', dir = 'ltr', head = '', ...options } = {}) {
    const number = this.#pages.push(`<!doctype html><html lang="${lang}" dir="${dir}"><head>${HEAD}${head}</head><body><main><h1>Page</h1>${body}</main></body></html>`)
    return openPage(browser, `${this.cable.origin}/page/${number - 1}`, options)
  }

  /** The next connection with that token, welcomed and with its first subscribe confirmed; pages of other tests may have some too. */
  async watcher(token) {
    const peer = await this.cable.connections.find(each => each.token === token, `a connection with token ${token}`)
    peer.welcome()
    const { identifier } = await peer.nextCommand('subscribe')
    peer.confirm(identifier)
    return { peer, identifier }
  }

  async #serve(request, response) {
    const { pathname } = new URL(request.url, 'http://localhost')
    const key = `${request.method} ${pathname}`
    if (this.answers.has(key)) {
      const chunks = []
      for await (const chunk of request) chunks.push(chunk)
      this.requests.push({ key, url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() })
      return this.answers.get(key)(request, response)
    }
    const page = pathname.match(/^\/page\/(\d+)$/)
    if (page) return send(response, 'text/html; charset=utf-8', this.#pages[page[1]])
    if (pathname === '/page.css') return send(response, 'text/css', STYLE)
    return servePage(request, response)
  }
}

/** An answer of JSON. */
export function json(body, status = 200) {
  return (request, response) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}

function send(response, type, body) {
  // Forms of the page may be sent to the page's own server.
  response.writeHead(200, { 'Content-Type': type, 'Content-Security-Policy': POLICY.replace("form-action 'none'", "form-action 'self'") })
  response.end(body)
}

/** The text of a part, or null if it is not visible. */
export function partText(page, name, element = 'sync-progress') {
  return page.evaluate(({ element, name }) => {
    const node = document.querySelector(element).shadowRoot?.querySelector(`[part~="${name}"]`)
    return node?.checkVisibility() ? node.textContent : null
  }, { element, name })
}

/** Waits until a part's text is, or matches, what is expected; null: not visible. */
export async function partShows(page, name, expected, { element = 'sync-progress', timeout = 10_000 } = {}) {
  const wanted = expected instanceof RegExp ? { source: expected.source, flags: expected.flags } : { text: expected }
  try {
    await page.waitForFunction(({ element, name, wanted }) => {
      const node = document.querySelector(element)?.shadowRoot?.querySelector(`[part~="${name}"]`)
      const text = node?.checkVisibility() ? node.textContent : null
      return wanted.source === undefined ? text === wanted.text : text !== null && new RegExp(wanted.source, wanted.flags).test(text)
    }, { element, name, wanted }, { timeout })
  } catch (cause) {
    throw new Error(`part ${name} shows ${JSON.stringify(await partText(page, name, element))}, not ${expected}`, { cause })
  }
}

/** Sets a state by hand, and waits until it is drawn. */
export function give(page, payload, element = 'sync-progress') {
  return page.evaluate(({ element, payload }) => new Promise(resolve => {
    const node = document.querySelector(element)
    node.addEventListener('sync-progress:update', resolve, { once: true })
    node.payload = payload
  }), { element, payload })
}
