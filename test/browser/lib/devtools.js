/*
 * devtools.js: a headless Chromium, driven by its own protocol and nothing else.
 *
 * Playwright switches the back/forward cache off and makes every page believe
 * that it has the focus, so that nothing is ever hidden or frozen.  Here tabs
 * are tabs: one in front, the others hidden, and each can be frozen, hung,
 * crashed, closed or left and come back to.
 *
 * A context is a browser of its own, with its own storage, locks and channels.
 */
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import WebSocket from 'ws'
import { Program, guardDirectory } from '../../bridge/lib/programs.js'
import { until } from '../../bridge/lib/recorder.js'
import { within } from './wait.js'

const CANDIDATES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

const FLAGS = ['--headless=new', '--remote-debugging-port=0', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-breakpad', '--disable-crash-reporter',
  // what is in front of what in a window that nobody sees
  '--disable-features=CalculateNativeWinOcclusion', '--window-size=1000,800']

export class Browser {
  #program
  #guard
  #socket
  #lastId = 0
  #answers = new Map() // id → { resolve, reject }
  #sessions = new Map() // session → listener(method, params)

  static async launch() {
    const executable = process.env.CHROMIUM ?? CANDIDATES.find(existsSync)
    if (!executable) throw new Error('no Chromium found: install the package chromium, or set CHROMIUM to its path')
    const browser = new Browser()
    const profile = mkdtempSync(join(tmpdir(), 'sync-progress-chromium.'))
    browser.#guard = guardDirectory(profile)
    browser.#program = new Program(executable, [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'])
    const line = await browser.#program.lines.find(text => text.startsWith('DevTools listening on '), 'Chromium listens', { ms: 30_000 })
    await browser.#connect(line.slice('DevTools listening on '.length))
    return browser
  }

  async #connect(address) {
    this.#socket = new WebSocket(address, { perMessageDeflate: false })
    this.#socket.on('message', text => this.#receive(JSON.parse(text)))
    await new Promise((resolve, reject) => {
      this.#socket.once('open', resolve)
      this.#socket.once('error', reject)
    })
  }

  #receive({ id, result, error, method, params, sessionId }) {
    if (id === undefined) {
      this.#sessions.get(sessionId)?.(method, params)
      return
    }
    const answer = this.#answers.get(id)
    this.#answers.delete(id)
    if (error) answer?.reject(new Error(`${error.message} ${error.data ?? ''}`))
    else answer?.resolve(result)
  }

  /** A command; its result. A tab that is gone, frozen or hung may never answer. */
  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#lastId
    const answered = new Promise((resolve, reject) => this.#answers.set(id, { resolve, reject }))
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }))
    return answered
  }

  /** What happens in a session is told to the listener. */
  listen(sessionId, listener) {
    this.#sessions.set(sessionId, listener)
  }

  /** A browser within the browser, that shares nothing with the others. */
  async context() {
    const { browserContextId } = await this.send('Target.createBrowserContext', { disposeOnDetach: true })
    return new Context(this, browserContextId)
  }

  async close() {
    // When it is killed, a child that is just being born may survive it, and holds its stderr.
    this.send('Browser.close').catch(() => {})
    await within(this.#program.ended, 'Chromium ends').catch(() => this.#program.end('SIGKILL'))
    await this.#guard.release()
  }
}

export class Context {
  tabs = []
  #browser
  #id

  constructor(browser, id) {
    this.#browser = browser
    this.#id = id
  }

  /** Opens a tab in front of the others; they are hidden then. */
  async open(address, { inNewWindow = false } = {}) {
    // it must be watched before it does anything
    const { targetId } = await this.#browser.send('Target.createTarget', {
      url: 'about:blank', browserContextId: this.#id, newWindow: inNewWindow || this.tabs.length === 0
    })
    const tab = await this.#attach(targetId)
    await tab.go(address)
    return tab
  }

  /** The tab that a page opens by itself, as a link with a target does: with a copy of its session storage. */
  async opened(opener, address) {
    const pages = async () => (await this.#browser.send('Target.getTargets')).targetInfos.filter(({ url }) => url === address)
    const before = (await pages()).map(({ targetId }) => targetId)
    await opener.click(address => { globalThis.open(address) }, address)
    const [{ targetId }] = await until(async () => (await pages()).filter(page => !before.includes(page.targetId)), found => found.length > 0, 'the page is open')
    return this.#attach(targetId)
  }

  async #attach(targetId) {
    const { sessionId } = await this.#browser.send('Target.attachToTarget', { targetId, flatten: true })
    const tab = new Tab(this.#browser, targetId, sessionId)
    this.tabs.push(tab)
    await tab.prepare()
    return tab
  }

  /** Ends all of its tabs, and forgets what they have stored. */
  async close() {
    await this.#browser.send('Target.disposeBrowserContext', { browserContextId: this.#id })
  }
}

/** Failed connections are not problems: they are what the client is made for. */
const EXPECTED = /WebSocket|ERR_CONNECTION|ERR_INTERNET_DISCONNECTED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE|Failed to load resource/

export class Tab {
  /** Uncaught errors, errors on the console, violations of the content security policy. */
  problems = []
  #browser
  #target
  #session
  #loaded = 0
  #isCrashed = false

  constructor(browser, target, session) {
    this.#browser = browser
    this.#target = target
    this.#session = session
    browser.listen(session, (method, params) => this.#happened(method, params))
  }

  async prepare() {
    for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'Inspector']) await this.send(`${domain}.enable`)
  }

  send(method, params) {
    return this.#browser.send(method, params, this.#session)
  }

  #happened(method, params) {
    if (method === 'Page.loadEventFired' || (method === 'Page.frameNavigated' && params.type === 'BackForwardCacheRestore')) this.#loaded++
    if (method === 'Inspector.targetCrashed') this.#isCrashed = true
    if (method === 'Runtime.exceptionThrown') {
      this.problems.push(`uncaught: ${params.exceptionDetails.exception?.description ?? params.exceptionDetails.text}`)
    }
    if (method === 'Log.entryAdded' && params.entry.level === 'error' && !EXPECTED.test(params.entry.text)) {
      this.problems.push(`console: ${params.entry.text}`)
    }
  }

  async #load(begin, what) {
    const before = this.#loaded
    await begin()
    await until(() => this.#loaded, loaded => loaded > before, what)
  }

  go(address) {
    return this.#load(() => this.send('Page.navigate', { url: address }), `${address} is loaded`)
  }

  reload() {
    return this.#load(() => this.send('Page.reload'), 'the page is loaded again')
  }

  /** To the page that was there before. */
  async back() {
    const { currentIndex, entries } = await this.send('Page.getNavigationHistory')
    await this.#load(() => this.send('Page.navigateToHistoryEntry', { entryId: entries[currentIndex - 1].id }), 'the page before is there again')
  }

  /** Calls a function in the page with these arguments; its result, waited for. */
  call(action, ...args) {
    return this.#call(action, args, false)
  }

  /** The same as if somebody had clicked there. */
  click(action, ...args) {
    return this.#call(action, args, true)
  }

  async #call(action, args, userGesture) {
    const expression = `(${action})(...${JSON.stringify(args)})`
    const { result, exceptionDetails } = await within(
      this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true, userGesture }), `the page answers ${action}`)
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }

  /** Waits until the function, called in the page, returns what passes. */
  until(action, passes, what, ms) {
    return until(() => this.call(action), passes, what, ms)
  }

  /** Brings it to the front, and hides the one that was there. */
  show() {
    return this.send('Page.bringToFront')
  }

  freeze() {
    return this.send('Page.setWebLifecycleState', { state: 'frozen' })
  }

  thaw() {
    return this.send('Page.setWebLifecycleState', { state: 'active' })
  }

  /** Keeps its only thread busy for so long; returns at once. */
  hang(ms) {
    const busy = `{ const end = performance.now() + ${ms}; while (performance.now() < end); }`
    this.send('Runtime.evaluate', { expression: busy }).catch(() => {})
  }

  /** The browser's own word for having no network: the event, and navigator.onLine. */
  network(online) {
    return this.send('Network.emulateNetworkConditions', { offline: !online, latency: 0, downloadThroughput: -1, uploadThroughput: -1 })
  }

  close() {
    return this.#browser.send('Target.closeTarget', { targetId: this.#target })
  }

  /** Its process ends, without a word to the page; resolves when it has. */
  async crash() {
    this.send('Page.crash').catch(() => {})
    await until(() => this.#isCrashed, Boolean, 'the tab has crashed')
  }
}
