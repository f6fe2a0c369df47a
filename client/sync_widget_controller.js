/*
 * sync_widget_controller.js: the Stimulus controller "sync-widget", which keeps
 * the widget that the server has rendered up to date.
 *
 *   idle → (a run is created) → active → (it ends) → idle …
 *
 * The session's id comes with the page; without one (0) the owner's list says
 * when a run begins.  Where the widget is in a Turbo frame and has a url, a
 * beginning and an end are shown by loading the frame again: what the server
 * would render is more than the targets can say.  Elsewhere the two sections
 * are shown and hidden.
 *
 * A controller that is replaced, by a frame, a morph or the page cache, leaves
 * its place to the one that follows: the client has one subscription for both,
 * and the follower begins with the newest state, so that there is neither a gap
 * nor an older state.  States are shown with the next frame that is drawn: a
 * page that nobody looks at draws none, and catches up when it is looked at.
 */
import { Controller } from '@hotwired/stimulus'
import { identifierOf, languageOf, ownAddress, pageClient, post, watch } from './page.js'
import { hasEnded } from './payloads.js'
import { RunEnds } from './run_end.js'
import { Loads } from './session_loads.js'
import { release, setBusy, setLabel } from './server_markup.js'
import { SyncWidgetView, stateOf } from './sync_widget_view.js'
import { widgetTexts } from './sync_widget_texts.js'

const CHANNEL = 'SyncStatusChannel'
const KIND = 'sync'

// How long the end of a run is shown before the widget rests.
const END_MS = 5_000

// How many rows of the list are looked at; the newest first, of all kinds.
const ROWS = 50

const clock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: timer => clearTimeout(timer)
}

const NOTICES = { backoff: 'reconnecting', stale: 'reconnecting', offline: 'offline', closed: 'closed', rejected: 'rejected' }

// For which run a frame was loaded again: once for each, whatever the server answers.
const loadedFor = new WeakMap()

export class SyncWidgetController extends Controller {
  static targets = [
    'statusText', 'pauseButton', 'progressSection', 'progressPercentage', 'processedCount', 'progressBar', 'progressIndicator',
    'detectedCount', 'errorCount', 'timeRemaining', 'accountsList', 'accountItem', 'accountStatusIcon', 'accountProgress',
    'accountCount', 'accountProgressBar', 'inactiveSection', 'connectionWarning', 'connectionMessage',
    'lastSync' // ours: when the last run was completed
  ]

  static values = { sessionId: String, active: Boolean, url: String, websocketUrl: String, actionUrl: String, token: String, tokenUrl: String, version: Number }

  /** For all of them: a client of the application's own, and texts that replace those here. */
  static client = null
  static texts = {}

  #client
  #view
  #life = null
  #run = null // what is watched: the run, and
  #list = null // the owner's list; see watch()
  #looks = new Loads({ load: signal => this.#look(signal), failed() {}, clock })
  #ends = new RunEnds({ includeFirst: true })
  #payload = null // the newest state, as it came
  #state = null // and as a record
  #completedAt = null
  #frame = null
  #morphed = null
  #endTimer = null
  #isLost = false

  connect() {
    this.#life = new AbortController()
    this.#isLost = false
    const { signal } = this.#life
    const language = languageOf(this.element, 'es')
    this.#client = this.constructor.client ?? pageClient(this.#clientOptions)
    this.#view = new SyncWidgetView(this, widgetTexts(language, this.constructor.texts), language)
    this.#view.prepare()
    release(this.element)
    this.#client.addEventListener('statechange', ({ state }) => this.#connection(state), { signal })
    this.element.addEventListener('turbo:morph-element', () => this.#scheduleAfterMorph(), { signal })
    this.#connection(this.#client.state)
    this.#watch()
  }

  disconnect() {
    this.#life?.abort()
    this.#life = null
    this.#unwatch()
  }

  sessionIdValueChanged() {
    if (!this.#life) return // not connected yet
    this.#unwatch()
    this.#watch()
  }

  activeValueChanged() {
    // A morph has put the server's word there.
    if (this.#life) this.#showActive()
  }

  // -- actions -------------------------------------------------------------------

  /** Asks the bridge, or, with an action-url, the application. */
  async togglePause(event) {
    event?.preventDefault()
    const action = this.#state?.status === 'paused' ? 'resume' : 'pause'
    if (this.dispatch('action', { detail: { action }, cancelable: true }).defaultPrevented) return
    const buttons = this.pauseButtonTargets
    buttons.forEach(button => setBusy(button, true))
    const { signal } = this.#life
    try {
      if (this.actionUrlValue) await post(this.actionUrlValue, { action, id: this.sessionIdValue }, { signal })
      else await this.#run?.subscription[action]()
      if (!signal.aborted) this.#connection(this.#client.state)
    } catch (error) {
      if (!signal.aborted) this.#refused(action, error)
    } finally {
      buttons.forEach(button => setBusy(button, false))
    }
  }

  /** Of the form that starts a run: nobody starts two by impatience. */
  startSync(event) {
    const form = event.target.closest('form')
    const button = event.submitter ?? event.target.closest('button, input[type=submit]') ?? form?.querySelector('[type=submit]')
    if (!form || !button || button.disabled || isInvalid(event, form, button)) return
    const { disableWith, turboSubmitsWith } = button.dataset
    const { signal } = this.#life
    let label
    const start = () => {
      if (button.getAttribute('aria-busy') === 'true') return // not "disabled": Turbo was here
      setBusy(button, true)
      if (!turboSubmitsWith) label = setLabel(button, disableWith ?? this.#view.texts.starting) // else Turbo says it
    }
    // Not before the form has been read: a button that is disabled is not sent.  Who stops it may be
    // Turbo, which asks for confirmation first, and sends it itself if at all.
    setTimeout(() => event.defaultPrevented || start())
    form.addEventListener('turbo:submit-start', start, { once: true, signal })
    const enable = () => {
      setBusy(button, false)
      if (label) setLabel(button, label)
    }
    form.addEventListener('turbo:submit-end', enable, { once: true, signal })
    globalThis.addEventListener('pageshow', enable, { once: true, signal }) // the reader came back
  }

  // -- what is watched -------------------------------------------------------------

  get #clientOptions() {
    return {
      url: this.websocketUrlValue,
      ...(this.hasTokenValue && { token: this.tokenValue }),
      ...(this.hasTokenUrlValue && { tokenUrl: this.tokenUrlValue })
    }
  }

  #watch() {
    const identifier = identifierOf(CHANNEL, this.sessionIdValue)
    if (!identifier) return this.#rest()
    this.#run = watch(this.#client, identifier, {
      onConnected: () => this.#showActive(),
      onDisconnected: () => this.#showActive(),
      onProgress: payload => this.#received(payload),
      onRejected: () => this.#rejected(),
      onReset: () => this.#rest()
    })
    this.#showActive()
    // What is known already, before the page is drawn: the server's may be older.
    const { latest } = this.#run.subscription
    if (latest !== undefined) this.#received(latest)
    this.#render()
  }

  #unwatch() {
    clearTimeout(this.#endTimer)
    this.#endTimer = null
    cancelAnimationFrame(this.#frame)
    this.#looks.cancel()
    this.#run?.leave()
    this.#list?.leave()
    this.#run = this.#list = this.#frame = this.#payload = this.#state = null
  }

  #received(payload) {
    const state = stateOf(payload)
    if (!state || payload === this.#payload || this.#isOlder(state)) return
    this.#payload = payload
    const before = this.#state
    this.#state = state
    this.dispatch('update', { detail: { state: payload } })
    if (state.status !== before?.status) {
      clearTimeout(this.#endTimer)
      this.#endTimer = null
    }
    // What was kept from before may be the end of an earlier run: it is shown, and no more.
    if (this.#run?.subscription.state === 'confirmed') this.#heard(state.status, payload)
    this.#schedule()
  }

  // What comes from the server is newer than the page.  What was kept from before may not be: the
  // page has a version, or it has counted more.
  #isOlder(state) {
    if (this.#state || this.#run?.subscription.state === 'confirmed') return false
    return this.hasVersionValue ? state.version < this.versionValue : this.#view.isAheadOf(state)
  }

  #heard(status, payload) {
    if (this.#ends.see(payload)) {
      if (status === 'completed') this.#completedAt = Date.now()
      this.dispatch(status, { detail: { state: payload } })
    }
    if (!hasEnded(status) || !this.#life) return
    // What went wrong stays until there is something else to show.
    if (status === 'failed') this.#follow()
    else this.#endTimer ??= setTimeout(() => this.#ended(payload), END_MS)
  }

  #ended({ job_id: job }) {
    if (this.#loadFrame(`end of ${job}`)) this.#follow()
    else this.#rest()
  }

  #rejected() {
    this.#rest()
    this.#view.showNotice(this.#view.texts.refused)
  }

  // -- without a run ---------------------------------------------------------------

  #rest() {
    this.#run?.leave()
    this.#run = this.#payload = this.#state = null
    this.#showActive()
    this.#render()
    this.#follow()
  }

  // The list is asked when its events are coming: a run may have begun since the page was rendered.
  #follow() {
    if (this.#list) return
    this.#list = watch(this.#client, { channel: 'SessionsChannel' }, {
      onConnected: () => this.#looks.now(),
      onRejected: () => this.#looks.now(), // a token for some sessions only: it may read them, and hears no events
      onEvent: ({ type, data }) => {
        if (type === 'session_created' && data) this.#begin(data)
        else if (type === 'session_created' || type === 'sessions_reloaded') this.#looks.soon()
      }
    })
  }

  async #look(signal) {
    const { sessions } = await this.#client.request(`sessions?limit=${ROWS}`, { signal })
    const run = sessions.find(({ kind }) => kind === KIND)
    if (!signal.aborted && run && !hasEnded(run.status)) this.#begin(run)
  }

  #begin({ kind, source_id: id, job_id: job }) {
    if (kind !== KIND || this.#state && !hasEnded(this.#state.status)) return
    if (!this.#loadFrame(`start of ${job}`)) this.#become(String(id))
  }

  #become(id) {
    // Who watches a source follows its runs.
    if (this.#run && this.sessionIdValue === id) return
    if (this.sessionIdValue !== id) this.sessionIdValue = id
    else this.sessionIdValueChanged() // the same source, run again, after a rest
  }

  /** Returns false where there is no frame to load, or it was loaded for that already. */
  #loadFrame(reason) {
    const frame = this.element.closest('turbo-frame')
    const address = this.urlValue && ownAddress(this.urlValue)
    if (!frame?.reload || !address || loadedFor.get(frame) === reason) return false
    loadedFor.set(frame, reason)
    if (frame.src && ownAddress(frame.src) === address) frame.reload()
    else frame.src = address
    return true
  }

  // -- what is shown ---------------------------------------------------------------

  // When the morph is through, and before what it has brought is drawn.
  #scheduleAfterMorph() {
    this.#morphed ??= Promise.resolve().then(() => {
      this.#morphed = null
      if (this.#life) this.#render()
    })
  }

  #schedule() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null
      this.#render()
    })
  }

  #render() {
    if (this.#state) this.#view.showActive(this.#state)
    else if (!this.#run) this.#view.showIdle(this.#completedAt && (Date.now() - this.#completedAt) / 1_000)
  }

  // Whether states are coming: a run is watched, and the connection is there.
  #showActive() {
    const isActive = this.#run?.subscription.state === 'confirmed'
    if (this.activeValue !== isActive) this.activeValue = isActive
  }

  #connection(state) {
    const notice = NOTICES[state]
    const { texts } = this.#view
    if (notice) this.#view.showNotice(texts[notice])
    else if (state === 'live' || !this.#isLost) this.#view.showNotice(null)
    if (Boolean(notice) !== this.#isLost && (notice || state === 'live')) {
      this.#isLost = Boolean(notice)
      this.#view.say(notice ? texts[notice] : texts.reconnected)
      this.dispatch('connection', { detail: { state } })
    }
  }

  #refused(action, error) {
    this.#view.showNotice(this.#view.texts.notDone.replace('{error}', () => error.message))
    this.#view.say(this.#view.texts.notDone.replace('{error}', () => error.message))
    this.dispatch('error', { detail: { action, error } })
  }
}

// A click on a button whose form the browser will not send.
function isInvalid({ type }, form, button) {
  return type !== 'submit' && !form.noValidate && !button.formNoValidate && form.matches(':invalid')
}
