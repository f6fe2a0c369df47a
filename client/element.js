/*
 * element.js: <sync-progress>, the progress of a run as a widget.
 *
 *   <sync-progress session-id="42" token-url="/sync_progress_token" actions="pause resume cancel"></sync-progress>
 *
 * The class; define.js gives it its name.  It holds what is to be shown and
 * decides when: at most once a frame, and not at all in a hidden page, which
 * catches up as soon as it is seen (frames are what a hidden page does not
 * get).  Where states come from is element_source.js, what they look like
 * element_view.js; what a press of a button does is loaded with the first.
 *
 * A state may be there before the first connection, as the attribute payload or
 * in a <script type="application/json"> child, so that a page from a server
 * starts with it and nothing jumps.
 *
 * On a server the class is there and does nothing.
 */
import { ElementSource } from './element_source.js'
import { ElementView } from './element_view.js'
import { createFormat } from './format.js'
import { hasEnded, normalise } from './payloads.js'
import { Sparkline } from './sparkline.js'
import styles from './styles.js'
import { phrase, textsOf } from './texts.js'

const SOURCE_ATTRIBUTES = ['channel', 'session-id', 'source-id', 'url', 'token', 'token-url']
const OTHER_ATTRIBUTES = ['payload', 'locale', 'heading', 'actions', 'start-url', 'details-url', 'history-url', 'accounts', 'sparkline', 'times']
const PROPERTIES = ['client', 'payload', 'texts']
const TICK_MS = 1_000

// Turbo takes a page apart and puts it together again; that is no reason to ask the server anew.
const LEAVE_AFTER_MS = 1_000

let sheet

export class SyncProgressElement extends (globalThis.HTMLElement ?? class {}) {
  /** What attributes say where they are not there. */
  static defaults = { channel: 'SyncStatusChannel' }
  static observedAttributes = [...SOURCE_ATTRIBUTES, ...OTHER_ATTRIBUTES]

  #view = null
  #source = null
  #sparkline = null
  #listeners = null
  #leaving
  #frame = 0
  #client
  #texts
  #payload
  #record = null
  #receivedAt = 0
  #last // of the idle state: how long ago, or null for never; undefined: not idle
  #refused = false
  #problem = null
  #busy = null
  #connection = 'idle'

  /** The connection; by default that of everything on the page with the same url and token. */
  get client() {
    return this.#client ?? this.#source?.client
  }

  set client(client) {
    this.#client = client
    this.#restart()
  }

  /** The state that is shown.  One that is set is shown whatever was there before. */
  get payload() {
    return this.#payload
  }

  set payload(payload) {
    this.#forget()
    this.#take(payload)
  }

  /** Texts of its own, over those of texts.js. */
  get texts() {
    return this.#texts
  }

  set texts(texts) {
    this.#texts = texts
    this.#schedule()
  }

  connectedCallback() {
    clearTimeout(this.#leaving)
    this.#prepare()
    if (!this.#listeners) this.#begin()
    this.#render()
  }

  disconnectedCallback() {
    this.#leaving = setTimeout(() => this.#end(), LEAVE_AFTER_MS)
  }

  attributeChangedCallback(name, old, value) {
    if (old === value || !this.#view) return
    if (SOURCE_ATTRIBUTES.includes(name)) this.#restart()
    else if (name === 'payload') this.payload = parse(value)
    else this.#schedule()
  }

  /** Does what the button of that name does: pause, resume, cancel, retry or start. */
  async act(action) {
    if (this.#busy || !this.#emit('action', { action }, true)) return
    this.#problem = null
    this.#busy = action
    this.#render()
    try {
      const { perform } = await import('./element_actions.js')
      await perform(action, { element: this, urls: this.#urls(), id: this.#record?.id, subscription: this.#source?.subscription })
    } catch (error) {
      this.#fail(action, error)
    }
    this.#busy = null
    this.#render()
  }

  #prepare() {
    if (this.#view) return
    const root = this.attachShadow({ mode: 'open' })
    if (!sheet) {
      sheet = new CSSStyleSheet()
      sheet.replaceSync(styles)
    }
    root.adoptedStyleSheets = [sheet]
    this.#view = new ElementView(root, action => this.act(action))
    this.#sparkline = new Sparkline(this.#view.sparkline)
    for (const name of PROPERTIES) {
      // Set before the element was defined: hides the accessor.
      if (!Object.hasOwn(this, name)) continue
      const value = this[name]
      delete this[name]
      this[name] = value
    }
    const written = this.getAttribute('payload') ?? this.querySelector('script[type="application/json"]')?.textContent
    if (written && !this.#record) this.#take(parse(written))
  }

  #begin() {
    this.#listeners = new AbortController()
    const { signal } = this.#listeners
    const ticker = setInterval(() => this.#view.tick(performance.now()), TICK_MS)
    signal.addEventListener('abort', () => clearInterval(ticker))
    globalThis.addEventListener('languagechange', () => this.#schedule(), { signal })
    // Whoever puts it there may say next what its client is: React does, where it cannot before.
    queueMicrotask(() => {
      if (!signal.aborted && !this.#source) this.#watch()
    })
  }

  #end() {
    if (this.isConnected) return
    this.#listeners?.abort()
    this.#listeners = null
    this.#source?.stop()
    this.#source = null
  }

  #restart() {
    if (!this.#source) return
    this.#source.stop()
    this.#forget()
    this.#watch()
    this.#schedule()
  }

  #watch() {
    const attribute = name => this.#attribute(name)
    this.#source = new ElementSource({ client: this.#client, attribute, handler: {
      state: payload => this.#take(payload),
      idle: last => {
        this.#forget()
        this.#last = last
        this.#schedule()
      },
      reset: () => {
        this.#forget()
        this.#schedule()
      },
      refused: () => {
        this.#forget()
        this.#refused = true
        this.#schedule()
      },
      failed: ({ action, ...error }) => this.#fail(action, error),
      connection: event => {
        // While it tries, it is not there yet.
        if (event.state !== 'connecting') this.#connection = event.state
        if (event.previous) this.#emit('connection', event)
        this.#schedule()
      }
    } })
    this.#source.start()
  }

  #forget() {
    this.#payload = undefined
    this.#record = null
    this.#last = undefined
    this.#refused = false
    this.#sparkline?.clear()
  }

  // What the state says is told at once, also where nobody sees it; showing it can wait.
  #take(payload) {
    const record = normalise(payload)
    const before = this.#record
    if (!record || (before?.id === record.id && record.version !== null && record.version <= before.version)) return
    if (before && before.id !== record.id) this.#sparkline?.clear()
    this.#payload = payload
    this.#record = record
    this.#receivedAt = performance.now()
    this.#last = undefined
    this.#refused = false
    const { status } = record
    if (before && before.status !== status && (status === 'completed' || status === 'failed')) {
      this.#emit(status === 'completed' ? 'complete' : status, { payload })
    }
    this.#schedule()
  }

  #fail(action, { status = 0, message, error = message, hint = null, current = null }) {
    this.#problem = error
    this.#emit('error', { action, status, error, hint, current })
    this.#schedule()
  }

  #emit(name, detail, cancelable = false) {
    return this.dispatchEvent(new CustomEvent(`sync-progress:${name}`, { detail, cancelable, bubbles: true, composed: true }))
  }

  #schedule() {
    if (this.#view) this.#frame ||= requestAnimationFrame(() => this.#render())
  }

  #render() {
    cancelAnimationFrame(this.#frame)
    this.#frame = 0
    if (!this.isConnected) return
    const start = performance.now()
    const model = this.#model(start)
    if (!model) return
    this.#sparkline.add(model.record?.rate ?? null, start)
    this.#view.render(model)
    performance.measure('sync-progress:render', { start })
    performance.clearMeasures('sync-progress:render') // observers have it; the buffer would grow
    this.#emit('update', { payload: this.#payload })
  }

  // null while the texts of its language are on their way.
  #model(now) {
    const locale = this.#locale()
    const given = textsOf(locale.language)
    if (given.then) {
      given.then(() => this.#schedule())
      return null
    }
    const texts = { ...given, ...this.#texts }
    const record = this.#record
    const kind = record?.kind ?? this.#attribute('channel').match(/^[A-Z][a-z]*/)?.[0].toLowerCase()
    return {
      record,
      now,
      receivedAt: this.#receivedAt,
      state: this.#refused ? 'refused' : record?.status ?? (this.#last === undefined ? 'loading' : 'idle'),
      last: this.#last,
      connection: this.#connection,
      problem: this.#problem,
      busy: this.#busy,
      locale: locale.baseName,
      format: formatFor(locale.baseName),
      say: (name, values) => phrase([texts[`${kind}.${name}`], texts[name]].find(text => typeof text === 'string') ?? name, values),
      options: {
        heading: this.#attribute('heading'),
        actions: new Set((this.#attribute('actions') ?? '').split(/\s+/)),
        accounts: this.#attribute('accounts') !== 'hidden',
        sparkline: this.#attribute('sparkline') !== null,
        times: this.#attribute('times') ?? undefined,
        urls: this.#urls()
      }
    }
  }

  #urls() {
    const { resultUrl } = this.#record ?? {}
    return {
      action: this.#attribute('action-url'),
      start: this.#attribute('start-url'),
      details: safeUrl(this.#attribute('details-url')),
      history: safeUrl(this.#attribute('history-url')),
      result: safeUrl(resultUrl, location.origin)
    }
  }

  #locale() {
    const given = this.#attribute('locale') ?? this.closest('[lang]')?.lang
    try {
      return new Intl.Locale(given || navigator.language)
    } catch {
      return new Intl.Locale('en')
    }
  }

  #attribute(name) {
    return this.getAttribute(name) ?? this.constructor.defaults[name] ?? null
  }
}

const formats = {}

function formatFor(locale) {
  return formats[locale] ??= createFormat(locale)
}

// The address of a result comes from a job: it must be a page of this site.
function safeUrl(address, origin) {
  try {
    const url = new URL(address ?? '', document.baseURI)
    return address && /^https?:$/.test(url.protocol) && (!origin || url.origin === origin) ? url.href : null
  } catch {
    return null
  }
}

function parse(json) {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}
