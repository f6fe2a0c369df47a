/*
 * anycable_client.js: @anycable/core as it comes from npm, seen the way a
 * StockClient is.
 */
import { createCable } from '@anycable/core'
import WebSocket from 'ws'
import { Recorder } from './recorder.js'

export class AnyCableClient {
  frames = new Recorder()

  constructor(bridge, token) {
    const { frames } = this
    class WatchedWebSocket extends WebSocket {
      constructor(...args) {
        super(...args)
        this.on('message', data => frames.put({ at: performance.now(), frame: JSON.parse(data) }))
      }
    }
    this.cable = createCable(bridge.cable(), { websocketImplementation: WatchedWebSocket, auth: { token }, logLevel: 'error' })
  }

  watch(session) {
    return new Watcher(this.cable.subscribeTo('SyncStatusChannel', { session_id: session }))
  }

  close() {
    this.cable.disconnect()
  }
}

class Watcher {
  states = new Recorder()
  events = new Recorder()

  constructor(channel) {
    this.channel = channel
    channel.on('connect', () => this.events.put('connected'))
    channel.on('disconnect', () => this.events.put('disconnected'))
    channel.on('close', reason => this.events.put(reason?.name === 'SubscriptionRejectedError' ? 'rejected' : `closed: ${reason}`))
    channel.on('message', state => this.states.put(state))
  }

  async event(name, nth = 1, ms = 10_000) {
    let seen = 0
    return this.events.find(event => event === name && ++seen === nth, `it is ${name} (${nth}); so far ${this.events.all}`, { ms })
  }

  count(processed, options) {
    return this.states.find(state => state.processed_count === processed, `processed_count ${processed}`, options)
  }

  perform(action, data) {
    this.channel.perform(action, data)
  }
}
