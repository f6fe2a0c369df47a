/*
 * react_stream.js: one stream as a store that components read.
 *
 * All components of a page that watch the same stream of the same client read
 * one SharedStream, and so never show two different states side by side.  It
 *
 *   - holds one subscription, and keeps it for a second after the last
 *     component has gone: StrictMode, a Suspense boundary and a change of page
 *     take components away and bring them back, which the server need not know;
 *   - changes what is shown at most once in 16 ms, at once when it was quiet
 *     and always to the newest; the callbacks get every state, and an end is
 *     shown before its callback runs;
 *   - tells what was kept from an earlier page from what the server says: the
 *     first may be the end of a run before this one, and is no news.
 *
 * A StreamView is what one component makes of it: a snapshot that is the same
 * object until something changed, and its callbacks, each end once.
 *
 * Nothing here happens while rendering: a view that is never mounted has
 * subscribed to nothing, and leaves nothing behind.  No React in here.
 */
import { endOf, errorOf, RunEnds } from './run_end.js'

const GRACE_MS = 1_000
const FRAME_MS = 16

const shared = new WeakMap() // client → Map of key → SharedStream

/** Begins to watch; returns the function that stops. */
export function watch(client, key, watcher) {
  if (!shared.has(client)) shared.set(client, new Map())
  const streams = shared.get(client)
  if (!streams.has(key)) streams.set(key, new SharedStream(client, key, () => streams.delete(key)))
  return streams.get(key).add(watcher)
}

/** The stream, if somebody watches it. */
export function peek(client, key) {
  return shared.get(client)?.get(key) ?? null
}

/** Calls it, and reports what it throws as any uncaught error. */
export function safely(callback, ...args) {
  try {
    return callback?.(...args)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

class SharedStream {
  #watchers = new Set()
  #forget
  #newest
  #isKept
  #changed = false
  #frame = null
  #grace = null

  constructor(client, key, forget) {
    this.#forget = forget
    this.payload = this.#newest = client.latest(key) ?? null
    this.status = 'pending'
    this.heardAt = null
    this.subscription = client.subscribe(key, {
      onProgress: payload => this.#receive(payload),
      onConnected: detail => this.#setStatus('confirmed', 'onConnected', detail),
      onDisconnected: detail => this.#setStatus('pending', 'onDisconnected', detail),
      onRejected: () => this.#setStatus('rejected', 'onRejected'),
      onReset: () => this.#reset(),
      onError: refusal => this.#tell('called', 'onActionError', refusal)
    })
    this.#isKept = !this.#isConfirmed
  }

  get #isConfirmed() {
    return this.subscription?.state === 'confirmed' // what was kept may come before subscribe() returns
  }

  add(watcher) {
    clearTimeout(this.#grace)
    this.#watchers.add(watcher)
    if (this.#newest !== null) {
      queueMicrotask(() => {
        if (this.#watchers.has(watcher)) safely(watcher.received, this.#newest, this.#isKept)
      })
    }
    return () => this.#remove(watcher)
  }

  #remove(watcher) {
    this.#watchers.delete(watcher)
    if (this.#watchers.size > 0) return
    clearTimeout(this.#grace)
    // What was rejected may be allowed the next time.
    this.#grace = setTimeout(() => this.#end(), this.status === 'rejected' ? 0 : GRACE_MS)
  }

  #end() {
    clearTimeout(this.#frame)
    this.#forget()
    this.subscription.unsubscribe()
  }

  #receive(payload) {
    this.#newest = payload
    this.#isKept = !this.#isConfirmed
    this.heardAt = Date.now()
    if (this.#frame === null || endOf(payload)) this.#show()
    else this.#changed = true
    this.#tell('received', payload, this.#isKept)
  }

  #setStatus(status, ...called) {
    this.status = status
    this.#show()
    this.#tell('called', ...called)
  }

  // The token that came last is somebody else's.
  #reset() {
    this.payload = this.#newest = null
    this.#tell('reset')
    this.#show()
  }

  #show() {
    clearTimeout(this.#frame)
    this.#changed = false
    this.payload = this.#newest
    this.#frame = setTimeout(() => {
      this.#frame = null
      if (this.#changed) this.#show()
    }, FRAME_MS)
    this.#tell('changed')
  }

  #tell(name, ...args) {
    // A copy: whoever is told may stop watching.
    for (const watcher of [...this.#watchers]) safely(watcher[name], ...args)
  }
}

const ACTIONS = ['requestUpdate', 'pause', 'resume', 'cancel', 'retry', 'rename', 'pin', 'delete']

export class StreamView {
  #client
  #key
  #options
  #initial
  #ends
  #newEnds
  #received
  #snapshot = {}

  /** options: a ref whose "current" has the callbacks; key null: nothing to watch. */
  constructor(client, key, options, { initial = null, includeEnded = false }) {
    this.#client = client
    this.#key = key
    this.#options = options
    this.#initial = initial
    this.#newEnds = () => new RunEnds({ includeFirst: includeEnded })
    this.#ends = this.#newEnds()
    if (initial !== null) this.#ends.see(initial)
    this.#snapshot = this.getServerSnapshot()
    this.actions = Object.fromEntries(ACTIONS.map(name => [name, (...args) => this.#act(name, args)]))
  }

  getServerSnapshot = () => (this.#first ??= describe(this.#initial, this.#key === null ? 'idle' : 'pending'))
  #first

  getSnapshot = () => {
    if (!this.#isOn) return this.getServerSnapshot()
    const stream = peek(this.#client, this.#key)
    const payload = newer(stream ? stream.payload : this.#client.latest(this.#key), this.#initial)
    const status = stream?.status ?? 'pending'
    const { payload: shown, subscription } = this.#snapshot
    if (payload !== shown || status !== subscription) this.#snapshot = describe(payload, status)
    return this.#snapshot
  }

  subscribe = changed => {
    if (!this.#isOn) return () => {}
    return watch(this.#client, this.#key, {
      changed,
      received: (payload, isKept) => this.#receive(payload, isKept),
      called: (name, ...args) => this.#call(name, ...args),
      reset: () => {
        this.#initial = this.#received = null
        this.#ends = this.#newEnds()
        this.#call('onReset')
      }
    })
  }

  get #isOn() {
    return this.#client !== null && this.#key !== null
  }

  #receive(payload, isKept) {
    // Who comes back after a moment is told again what it knows.
    if (payload === this.#received || newer(payload, this.#initial) !== payload) return
    this.#received = payload
    const end = isKept && endOf(payload) ? null : this.#ends.see(payload)
    this.#call('onProgress', payload)
    if (end === 'completed') this.#call('onComplete', payload)
    if (end === 'failed') this.#call('onError', errorOf(payload), payload)
    if (end === 'cancelled') this.#call('onCancelled', payload)
  }

  #call(name, ...args) {
    safely(this.#options.current[name], ...args)
  }

  #act(name, args) {
    const subscription = this.#isOn ? peek(this.#client, this.#key)?.subscription : null
    if (subscription) return subscription[name](...args)
    return name === 'requestUpdate' ? undefined : Promise.reject(new Error(`${name}: nothing is watched`))
  }
}

function describe(payload, subscription) {
  const end = endOf(payload)
  return Object.freeze({
    payload,
    subscription,
    isActive: payload !== null && end === null,
    isComplete: end === 'completed',
    isFailed: end === 'failed',
    isCancelled: end === 'cancelled',
    error: end === 'failed' ? errorOf(payload) : null
  })
}

// What the page was rendered with may be newer than what the browser had kept.
function newer(payload, initial) {
  if (payload == null) return initial
  return initial?.version > payload.version ? initial : payload
}
