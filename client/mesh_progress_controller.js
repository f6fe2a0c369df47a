/*
 * mesh_progress_controller.js: the Stimulus controller "mesh-progress", which
 * keeps the progress of a mesh that the server has rendered up to date.
 *
 * What it knows comes from a MeshProgressSubscriber; here is only how the page
 * shows it.  A result is shown as a link, and a picture as a picture too.  It
 * is never loaded into the page as HTML: the address comes with a worker's
 * report, so that would let whoever can upload a file run scripts as the reader.
 * The event mesh-progress:completed has it for pages that know better.
 */
import { Controller } from '@hotwired/stimulus'
import { MeshProgressSubscriber, formatTime } from './mesh_subscriber.js'
import { languageOf, ownAddress, post } from './page.js'
import { fill, release, setAttribute, setBar, setBusy, setShown, setText } from './server_markup.js'
import { Speaker } from './speaker.js'

const STATUSES = ['pending', 'processing', 'paused', 'completed', 'failed', 'cancelled']

const EN = {
  initializing: 'Initializing...',
  completed: 'Mesh generation completed!',
  failed: 'Failed: {message}',
  unknown: 'unknown error',
  cancelled: 'Cancelled',
  remaining: 'Est. {time} remaining',
  label: 'Mesh Generation Progress',
  connected: 'Connected',
  disconnected: 'Disconnected',
  result: 'View result',
  notDone: 'That did not work: {error}',
  unauthorized: 'Unauthorized to view mesh progress',
  maxAttempts: 'Max reconnection attempts reached'
}

const ES = {
  initializing: 'Iniciando...',
  completed: '¡Malla generada!',
  failed: 'Error: {message}',
  unknown: 'error desconocido',
  cancelled: 'Cancelado',
  remaining: '{time} restante',
  label: 'Generación de la malla',
  connected: 'Conectado',
  disconnected: 'Desconectado',
  result: 'Ver el resultado',
  notDone: 'No se pudo: {error}',
  unauthorized: 'No tiene permiso para ver este progreso',
  maxAttempts: 'No se pudo conectar'
}

export class MeshProgressController extends Controller {
  static targets = ['container', 'progressBar', 'status', 'time', 'result', 'connection', 'cancelButton', 'retryButton']

  static values = {
    meshId: String, // numbers and names
    retryUrl: { type: String, default: '/api/v1/meshes/{id}/retry' },
    cancelUrl: { type: String, default: '/api/v1/meshes/{id}/cancel' },
    url: String,
    token: String,
    tokenUrl: String
  }

  /** For all of them: a client of the application's own, and texts that replace those here. */
  static client = null
  static texts = {}

  #life = null
  #texts
  #speaker
  #subscriber
  #state = null
  #notice = null // in place of the status
  #isConnected = false
  #frame = null
  #morphed = null

  connect() {
    this.#life = new AbortController()
    this.#texts = { ...(/^es\b/i.test(languageOf(this.element, 'en')) ? ES : EN), ...this.constructor.texts }
    this.#speaker = new Speaker(this.element)
    release(this.element)
    this.progressBarTargets.forEach(bar => setBar(bar, Number(bar.getAttribute('aria-valuenow')), this.#texts.label))
    this.element.addEventListener('turbo:morph-element', () => this.#scheduleAfterMorph(), { signal: this.#life.signal })
    if (this.meshIdValue && this.meshIdValue !== '0') this.#subscribe()
    this.#render()
  }

  disconnect() {
    this.#life?.abort()
    this.#life = null
    cancelAnimationFrame(this.#frame)
    this.#subscriber?.unsubscribe()
    this.#subscriber = this.#state = this.#notice = this.#frame = null
    this.#isConnected = false
  }

  meshIdValueChanged() {
    if (!this.#life) return // not connected yet
    this.disconnect()
    this.connect()
  }

  // -- actions -------------------------------------------------------------------

  /** Asks the application to begin anew, and follows that. */
  retry(event) {
    return this.#ask('retry', this.retryUrlValue, event, () => {
      this.resetProgress()
      this.#subscriber?.retry()
    })
  }

  cancel(event) {
    return this.#ask('cancel', this.cancelUrlValue, event, () => {
      this.#subscriber?.unsubscribe()
      this.#received({ progress: 0, ...this.#state, status: 'cancelled', estimated_remaining: null })
    })
  }

  async #ask(action, url, event, done) {
    event?.preventDefault()
    if (this.dispatch('action', { detail: { action }, cancelable: true }).defaultPrevented) return
    const { signal } = this.#life
    const buttons = [...this.cancelButtonTargets, ...this.retryButtonTargets]
    buttons.forEach(button => setBusy(button, true))
    try {
      await post(url, { id: this.meshIdValue }, { signal })
      if (!signal.aborted) done()
    } catch (error) {
      if (!signal.aborted) {
        this.showErrorMessage(fill(this.#texts.notDone, { error: error.message }))
        this.dispatch('error', { detail: { action, error } })
      }
    } finally {
      buttons.forEach(button => setBusy(button, false))
    }
  }

  // -- what the page may call ------------------------------------------------------

  showSuccessMessage(message = this.#texts.completed) {
    this.#showMessage(message, 'status')
  }

  showErrorMessage(message) {
    this.#showMessage(message, 'alert')
  }

  /** As before anything is known. */
  resetProgress() {
    this.#state = this.#notice = null
    this.statusTargets.forEach(element => setText(element, this.#texts.initializing))
    this.progressBarTargets.forEach(element => this.#bar(element, 0))
    this.timeTargets.forEach(element => setText(element, ''))
    this.#container.classList.remove(...STATUSES)
    this.resultTargets.forEach(element => element.replaceChildren())
    this.#render()
  }

  requestUpdate() {
    this.#subscriber?.requestUpdate()
  }

  // -- what is known -----------------------------------------------------------------

  #subscribe() {
    const { client } = this.constructor
    const connection = isConnected => () => {
      this.#isConnected = isConnected
      this.#schedule()
    }
    this.#subscriber = new MeshProgressSubscriber(this.meshIdValue, {
      onConnected: connection(true),
      onDisconnected: connection(false),
      onProgress: state => this.#received(state),
      onComplete: state => this.dispatch('completed', { detail: { state, resultUrl: ownAddress(state.result_url ?? '') && state.result_url } }),
      onCancelled: state => this.dispatch('cancelled', { detail: { state } }),
      onError: message => this.#failed(message)
    }, { dom: false, texts: this.#texts, ...(client && { client }), url: this.urlValue, ...(this.hasTokenValue && { token: this.tokenValue }), ...(this.hasTokenUrlValue && { tokenUrl: this.tokenUrlValue }) }).subscribe()
  }

  #received(state) {
    this.#state = state
    this.#notice = null
    this.#schedule()
  }

  // Of the run, which its state says as well; or of the connection, which nothing else does.
  #failed(message) {
    this.dispatch('failed', { detail: { message, state: this.#state } })
    if (this.#state?.status === 'failed' && !this.#isRefusal(message)) return
    this.#isConnected = false
    this.showErrorMessage(message)
    this.#schedule()
  }

  #isRefusal(message) {
    return message === this.#texts.unauthorized || message === this.#texts.maxAttempts
  }

  // -- what is shown -----------------------------------------------------------------

  get #container() {
    return this.hasContainerTarget ? this.containerTarget : this.element
  }

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
    this.#showConnection()
    const { status } = this.#state ?? {}
    const isOver = ['completed', 'failed', 'cancelled'].includes(status)
    this.cancelButtonTargets.forEach(button => setShown(button, !isOver, 'd-none'))
    this.retryButtonTargets.forEach(button => setShown(button, status === 'failed' || status === 'cancelled', 'd-none'))
    const remaining = this.#state?.estimated_remaining
    const isEstimated = Number.isFinite(remaining) && !isOver
    this.timeTargets.forEach(element => {
      if (isEstimated) setText(element, fill(this.#texts.remaining, { time: formatTime(remaining) }))
      setShown(element, isEstimated, 'd-none')
    })
    if (this.#state) this.#showState(this.#state)
  }

  #showState(state) {
    const { status, result_url: resultUrl } = state
    const progress = status === 'completed' ? 100 : state.progress
    const { classList } = this.#container
    for (const each of STATUSES) classList.toggle(each, each === status)
    this.progressBarTargets.forEach(element => this.#bar(element, progress))
    const text = this.#statusText(state)
    this.statusTargets.forEach(element => setText(element, this.#notice ?? text))
    if (status === 'completed') this.resultTargets.forEach(element => showResult(element, resultUrl, this.#texts.result))
    this.#speaker.tell({ run: this.meshIdValue, status, percent: progress, text, percentText: Number.isFinite(progress) ? `${progress}%` : '' })
  }

  #statusText({ status, message }) {
    if (status === 'completed') return this.#texts.completed
    if (status === 'cancelled') return this.#texts.cancelled
    if (status === 'failed') return fill(this.#texts.failed, { message: message ?? this.#texts.unknown })
    return message ?? this.#texts.initializing
  }

  #bar(element, progress) {
    const percent = Number.isFinite(progress) ? progress : null
    setBar(element, percent, this.#texts.label)
    if (element.childElementCount === 0) setText(element, percent === null ? '' : `${percent}%`)
  }

  #showConnection() {
    this.#container.classList.toggle('connected', this.#isConnected)
    for (const dot of this.connectionTargets) {
      dot.classList.toggle('connected', this.#isConnected)
      if (dot.textContent.trim()) continue
      setAttribute(dot, 'role', 'img')
      setAttribute(dot, 'aria-label', this.#isConnected ? this.#texts.connected : this.#texts.disconnected)
    }
  }

  #showMessage(message, role) {
    this.#notice = message
    this.statusTargets.forEach(element => setText(element, message))
    this.#speaker.say(message, role)
  }
}

// A page's own <a> keeps its words; one is made where there is none.
function showResult(element, url, text) {
  const address = ownAddress(url ?? '')
  if (!address || !url) return
  let link = element.querySelector('a')
  if (!link) {
    link = document.createElement('a')
    link.append(...(isPicture(address) ? [document.createElement('img')] : []), text)
    element.append(link)
  }
  const picture = link.querySelector('img')
  if (link.href === address && (!picture || picture.src === address)) return
  link.href = address
  if (picture) Object.assign(picture, { src: address, alt: '' })
}

function isPicture(address) {
  return /\.(png|jpe?g|webp|gif|avif|svg)$/i.test(new URL(address).pathname)
}
