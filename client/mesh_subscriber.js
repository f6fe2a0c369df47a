/*
 * mesh_subscriber.js: the progress of a mesh, or of a batch, for pages that are
 * not made of components.
 *
 *   const subscriber = new MeshProgressSubscriber(42, {
 *     onComplete: state => show(state.result_url)
 *   }).subscribe()
 *
 * If the page has #mesh-42-progress, #mesh-42-status and #mesh-42-time they are
 * kept up to date.  It stops by itself some seconds after the end; a retry
 * within these is followed, as it is a run of the same source.
 *
 * Connecting again is the client's business: there is one subscription however
 * often the connection is lost, and no limit to the attempts unless maxAttempts
 * says so.  retry() is for the reader who does not want to wait.
 */
import { State } from './state.js'
import { identifierOf, pageClient, watch } from './page.js'

const END_MS = 5_000

const TEXTS = {
  completed: 'Completed!',
  failed: 'Failed: {message}',
  unknown: 'unknown error',
  cancelled: 'Cancelled',
  remaining: 'Est. {time} remaining',
  label: 'Progress',
  unauthorized: 'Unauthorized to view progress',
  maxAttempts: 'Max reconnection attempts reached'
}

/** Seconds as "45s" or "2m 5s". */
export function formatTime(seconds) {
  const whole = Math.max(0, Math.round(seconds))
  return whole < 60 ? `${whole}s` : `${Math.floor(whole / 60)}m ${whole % 60}s`
}

class ProgressSubscriber {
  #kind
  #callbacks
  #options
  #client = null
  #watch = null
  #stopped = null // an AbortController while it watches
  #attempts = 0
  #shown // the newest state
  #end = null // the end that was told
  #past = null // after retry(), until a new run begins: { at }, when the old one ended, if that is known
  #hasGivenUp = false
  #timer

  constructor(kind, id, callbacks, options) {
    this.#kind = kind
    this.#callbacks = callbacks
    this.#options = { dom: true, unsubscribeAfterMs: END_MS, maxAttempts: Infinity, ...options }
    this.#options.texts = { ...TEXTS, ...kind.texts, ...options.texts }
    this[`${kind.name}Id`] = id
  }

  get #id() {
    return this[`${this.#kind.name}Id`]
  }

  /** Begins to watch; does nothing if it does already. */
  subscribe() {
    if (this.#stopped) return this
    const identifier = identifierOf(this.#kind.channel, this.#id)
    if (!identifier) throw new TypeError(`not the id of a ${this.#kind.name}: ${this.#id}`)
    this.#client = this.#options.client ?? pageClient(this.#options)
    this.#stopped = new AbortController()
    this.#attempts = 0
    this.#hasGivenUp = false
    const { signal } = this.#stopped
    this.#client.addEventListener('statechange', event => this.#connection(event), { signal })
    this.#watch = watch(this.#client, identifier, this.#watcher())
    const { latest } = this.#watch.subscription
    const isSeen = latest !== undefined && latest === this.#shown
    if (!isSeen) this.#end = null
    queueMicrotask(() => {
      if (signal.aborted) return
      if (latest !== undefined && latest !== this.#shown) this.#received(latest)
      // Refused before: nothing would tell us again.
      if (this.#client.state === State.REJECTED) this.#giveUp('unauthorized')
    })
    return this
  }

  /** Stops watching; no callback is called any more. */
  unsubscribe() {
    clearTimeout(this.#timer)
    this.#stopped?.abort()
    this.#watch?.leave()
    this.#stopped = this.#watch = null
  }

  /** Asks the server for the state as it is now. */
  requestUpdate() {
    this.#watch?.subscription.requestUpdate()
  }

  /** Connects now; begins anew if it had given up, or ended. */
  retry() {
    this.#attempts = 0
    clearTimeout(this.#timer)
    // The new run may begin later than this: until then the server has only the end of the old one.
    const isOver = this.#end !== null || (!this.#stopped && !this.#hasGivenUp && this.#shown)
    this.#past = isOver ? { at: this.#end && this.#shown?.updated_at } : null
    this.subscribe()
    this.#client.connect()
    return this
  }

  #watcher() {
    return {
      onConnected: () => this.#call('onConnected'),
      onDisconnected: () => this.#call('onDisconnected'),
      onRejected: () => this.#giveUp('unauthorized'),
      onReset: () => { this.#end = this.#shown = this.#past = null },
      onProgress: state => {
        if (state !== this.#shown) this.#received(state)
      }
    }
  }

  #received(state) {
    if (typeof state !== 'object' || state === null) return
    this.#shown = state
    const { status } = state
    if (this.#options.dom) this.#show(state)
    this.#call('onProgress', state)
    if (this.#isPast(state) || status === this.#end || !this.#watch) return
    this.#past = null
    clearTimeout(this.#timer)
    this.#end = null
    // What was kept from before may be the end of an earlier run; the server's word follows.
    if (!['completed', 'failed', 'cancelled'].includes(status) || this.#watch.subscription.state !== 'confirmed') return
    this.#end = status
    this.#timer = setTimeout(() => this.unsubscribe(), this.#options.unsubscribeAfterMs)
    if (status === 'completed') this.#call('onComplete', state)
    else if (status === 'failed') this.#call('onError', state.message ?? this.#options.texts.unknown)
    else this.#call('onCancelled', state)
  }

  #isPast({ status, updated_at: at }) {
    return this.#past !== null && /^(failed|cancelled)$/.test(status) && (this.#past.at == null || this.#past.at === at)
  }

  #connection({ state, reason }) {
    if (state === State.LIVE) this.#attempts = 0
    else if (state === State.BACKOFF && ++this.#attempts > this.#options.maxAttempts) this.#giveUp('maxAttempts')
    else if (state === State.CLOSED && reason === 'max_attempts') this.#giveUp('maxAttempts')
    else if (state === State.REJECTED) this.#giveUp('unauthorized')
  }

  #giveUp(reason) {
    this.unsubscribe()
    this.#hasGivenUp = true
    this.#call('onError', this.#options.texts[reason])
  }

  // A mistake there is reported as any uncaught error, and does not keep the end from being seen.
  #call(name, ...args) {
    try {
      this.#callbacks[name]?.(...args)
    } catch (error) {
      queueMicrotask(() => { throw error })
    }
  }

  #show(state) {
    const { texts } = this.#options
    const part = name => document.getElementById(`${this.#kind.name}-${this.#id}-${name}`)
    const { progress, estimated_remaining: remaining } = state
    showBar(part('progress'), state.status === 'completed' ? 100 : progress, texts.label)
    showText(part('status'), statusText(state, texts, this.#kind))
    showText(part('time'), Number.isFinite(remaining) ? fill(texts.remaining, { time: formatTime(remaining) }) : '')
  }
}

/** Watches a mesh. */
export class MeshProgressSubscriber extends ProgressSubscriber {
  static #kind = {
    name: 'mesh',
    channel: 'MeshProgressChannel',
    texts: { completed: 'Mesh generation completed!', label: 'Mesh generation progress', unauthorized: 'Unauthorized to view mesh progress' },
    statusText: ({ message }) => message ?? ''
  }

  constructor(meshId, callbacks = {}, options = {}) {
    super(MeshProgressSubscriber.#kind, meshId, callbacks, options)
  }
}

/** Watches a batch. */
export class BatchProgressSubscriber extends ProgressSubscriber {
  static #kind = {
    name: 'batch',
    channel: 'BatchProgressChannel',
    texts: { completed: 'Batch completed!', label: 'Batch progress', unauthorized: 'Unauthorized to view batch progress', counts: '{completed} of {total} completed, {failed} failed' },
    statusText: ({ completed, total, failed }, texts) => fill(texts.counts, { completed, total: total ?? '?', failed })
  }

  constructor(batchId, callbacks = {}, options = {}) {
    super(BatchProgressSubscriber.#kind, batchId, callbacks, options)
  }
}

function statusText(state, texts, kind) {
  if (state.status === 'completed') return texts.completed
  if (state.status === 'failed') return fill(texts.failed, { message: state.message ?? texts.unknown })
  if (state.status === 'cancelled') return texts.cancelled
  return kind.statusText(state, texts)
}

// An unknown share has no value: that is what makes a progressbar indeterminate.
function showBar(bar, percent, label) {
  if (!bar) return
  const known = Number.isFinite(percent)
  bar.setAttribute('role', 'progressbar')
  bar.setAttribute('aria-valuemin', '0')
  bar.setAttribute('aria-valuemax', '100')
  if (!bar.hasAttribute('aria-label') && !bar.hasAttribute('aria-labelledby')) bar.setAttribute('aria-label', label)
  if (known) {
    bar.setAttribute('aria-valuenow', percent)
    bar.style.setProperty('width', `${percent}%`)
  } else bar.removeAttribute('aria-valuenow')
  showText(bar, known ? `${percent}%` : '')
}

function showText(element, text) {
  if (element && element.textContent !== text) element.textContent = text
}

function fill(phrase, values) {
  return phrase.replace(/\{(\w+)\}/g, (_, name) => values[name])
}
