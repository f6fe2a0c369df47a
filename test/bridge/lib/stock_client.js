/*
 * stock_client.js: @rails/actioncable as it comes from npm, and a record of
 * all that it was sent and all that it told its application.
 */
import assert from 'node:assert/strict'
import ActionCable from '@rails/actioncable'
import WebSocket from 'ws'
import { Recorder } from './recorder.js'

// The stock client looks at the window's visibility; here there is no window.
globalThis.addEventListener ??= () => {}
globalThis.removeEventListener ??= () => {}

const clients = new Map()

/** A WebSocket that lets the client it belongs to see each frame. */
class WatchedWebSocket extends WebSocket {
  constructor(url, protocols) {
    super(url, protocols)
    const client = clients.get(new URL(url).searchParams.get('client'))
    client.sockets.push(this)
    this.on('message', data => client.frames.put({ at: performance.now(), socket: this, frame: JSON.parse(data) }))
    this.on('error', () => {}) // refused connections are what it is made for
  }
}

let last = 0

export class StockClient {
  frames = new Recorder()
  sockets = []
  watchers = []
  #name = String(++last)

  /** token: a string, or a function that is called at each (re)connection; library: another release of it. */
  constructor(bridge, token, library = ActionCable) {
    clients.set(this.#name, this)
    library.adapters.WebSocket = WatchedWebSocket
    this.consumer = library.createConsumer(() => {
      const url = new URL(bridge.cable())
      url.searchParams.set('token', typeof token === 'function' ? token() : token)
      url.searchParams.set('client', this.#name)
      return url.href
    })
  }

  /** Subscribes; params become the identifier. */
  watch(params) {
    const watcher = new Watcher(this, typeof params === 'object' ? params : { channel: 'SyncStatusChannel', session_id: params })
    this.watchers.push(watcher)
    return watcher
  }

  framesOf(type) {
    return this.frames.all.filter(({ frame }) => frame.type === type)
  }

  /** Ends it, and tells whether its watchers were ever sent something older than before. */
  close() {
    this.consumer.disconnect()
    for (const { subscription } of this.watchers) this.consumer.subscriptions.guarantor.forget(subscription)
    clients.delete(this.#name)
    for (const watcher of this.watchers) watcher.assertInOrder()
  }
}

class Watcher {
  states = new Recorder()
  events = new Recorder()
  asks = false

  constructor(client, params) {
    this.client = client
    this.subscription = client.consumer.subscriptions.create(params, {
      connected: details => this.#happened('connected', details),
      disconnected: details => this.#happened('disconnected', details),
      rejected: () => this.#happened('rejected'),
      received: payload => {
        this.states.put({ at: performance.now(), connection: client.sockets.length, ...payload })
      }
    })
  }

  get identifier() {
    return this.subscription.identifier
  }

  perform(action, data) {
    this.asks = true
    this.subscription.perform(action, data)
  }

  #happened(name, details) {
    this.events.put({ name, at: performance.now(), ...details })
  }

  /** The n-th time that this happened. */
  async event(name, nth = 1, ms = 10_000) {
    let seen = 0
    return this.events.find(event => event.name === name && ++seen === nth, `${this.identifier} is ${name} (${nth})`, { ms })
  }

  /** The first state that passes, past or to come. */
  state(passes, what = String(passes), options) {
    return this.states.find(passes, `a state of ${this.identifier} with ${what}; the last is ${JSON.stringify(this.latest)}`, options)
  }

  /** The first state with that count. */
  count(processed, options) {
    return this.state(state => state.processed_count === processed, `processed_count ${processed}`, options)
  }

  get latest() {
    return this.states.all.at(-1)
  }

  get subscriptionState() {
    return this.events.all.map(({ name }) => name)
  }

  assertInOrder() {
    // kind sync's have one; of the others the bridge alone knows it
    const states = this.states.all.filter(({ version }) => version !== undefined)
    for (let i = 1; i < states.length; i++) {
      const again = this.asks || states[i].connection !== states[i - 1].connection
      assert.ok(states[i].version > states[i - 1].version || (again && states[i].version === states[i - 1].version),
        `${this.identifier}: version ${states[i].version} after ${states[i - 1].version}`)
    }
  }
}
