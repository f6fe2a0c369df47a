/*
 * element.js: <sync-progress>, the progress of a run as a widget.
 *
 *   <sync-progress session-id="42" token-url="/sync_progress_token" actions="pause resume cancel"></sync-progress>
 *
 * The class; define.js gives it its name.  It is the outside: attributes,
 * properties, and when it comes into a page and leaves it.  The inside is
 * element_widget.js.
 *
 * On a server the class is there and does nothing.
 */
import { createWidget } from './element_widget.js'

const WATCHED = 'channel session-id source-id url token token-url'.split(' ') // another run
const SHOWN = 'payload locale heading actions start-url details-url history-url accounts sparkline times'.split(' ')
const defaults = { channel: 'SyncStatusChannel' }

export class SyncProgressElement extends (globalThis.HTMLElement ?? class {}) {
  #widget = createWidget(this, name => this.getAttribute(name) ?? defaults[name] ?? null)

  static get observedAttributes() {
    return WATCHED.concat(SHOWN)
  }

  /** What attributes say where they are not there. */
  static get defaults() {
    return defaults
  }

  /** The connection; by default that of everything on the page with the same url and token. */
  get client() {
    return this.#widget.client
  }

  set client(client) {
    this.#widget.client = client
  }

  /** The state that is shown.  One that is set is shown whatever was there before. */
  get payload() {
    return this.#widget.payload
  }

  set payload(payload) {
    this.#widget.payload = payload
  }

  /** Texts of its own, over those of element_texts.js. */
  get texts() {
    return this.#widget.texts
  }

  set texts(texts) {
    this.#widget.texts = texts
  }

  connectedCallback() {
    for (const name of ['client', 'payload', 'texts']) {
      // Set before the element was defined: hides the accessor.
      if (!Object.keys(this).includes(name)) continue
      const value = this[name]
      delete this[name]
      this[name] = value
    }
    this.#widget.enter()
  }

  disconnectedCallback() {
    this.#widget.leave()
  }

  attributeChangedCallback(name, old, value) {
    if (old !== value) this.#widget.changed(WATCHED.includes(name), name === 'payload')
  }

  /** Does what the button of that name does: pause, resume, cancel, retry or start. */
  act(action) {
    return this.#widget.act(action)
  }
}
