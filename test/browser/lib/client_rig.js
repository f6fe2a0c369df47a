/*
 * client_rig.js: a client between a scripted server and a surrounding that does
 * only what a test says, and everything that it tells.
 */
import WebSocket from 'ws'
import { SyncProgressClient } from '../../../client/index.js'
import { FakeClock } from './fake_clock.js'
import { FakeHost } from './fake_host.js'
import { Mailbox, patience } from './wait.js'

export const STREAM = { channel: 'SyncStatusChannel', session_id: 42 }
export const ID = JSON.stringify(STREAM)

/** A token as far as a page can read it. */
export const tokenOf = (sub, claims = {}) => `h.${btoa(JSON.stringify({ sub, ...claims }))}.s`

export class ClientRig {
  clock = new FakeClock()
  host = new FakeHost()
  states = new Mailbox()
  transports = []

  constructor(url, options = {}) {
    this.client = new SyncProgressClient({ url, WebSocket, clock: this.clock, host: this.host, random: () => 1, ...options })
    this.client.addEventListener('statechange', event => this.states.put(event))
    this.client.addEventListener('statechange', ({ transport }) => {
      if (transport !== (this.transports.at(-1) ?? null)) this.transports.push(transport)
    })
  }

  /** The next change to that state. */
  reach(state) {
    return this.states.find(event => event.state === state, `state ${state}`)
  }

  get names() {
    return this.states.all.map(({ state }) => state)
  }

  /** Subscribes; events has what its callbacks were told. */
  watch(identifier = STREAM) {
    const events = new Mailbox()
    const tell = name => detail => events.put([name, detail])
    const subscription = this.client.subscribe(identifier, {
      onProgress: payload => events.put(['progress', payload.version ?? payload]),
      onConnected: tell('connected'),
      onDisconnected: tell('disconnected'),
      onRejected: () => events.put(['rejected']),
      onReset: () => events.put(['reset']),
      onEvent: event => events.put(['event', event.type]),
      onError: tell('error')
    })
    return {
      events,
      subscription,
      next: () => events.take('an event of the subscription'),
      shows: version => events.find(([name, shown]) => name === 'progress' && shown === version, `version ${version}`)
    }
  }
}

/** Lets what has been promised happen. */
export const settled = () => new Promise(resolve => setImmediate(resolve))

/** Waits, without letting the clock go on, until it holds. */
export async function until(holds, what = holds.toString()) {
  const end = Date.now() + patience(10_000)
  while (!holds()) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`)
    await settled()
  }
}
