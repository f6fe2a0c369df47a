/*
 * tabs_rig.js: tabs that share a connection to a server which answers every
 * subscribe with a confirmation and the state as it is then.
 */
import { SyncProgressClient } from '../../../client/index.js'
import { until } from '../../bridge/lib/recorder.js'
import { Mailbox } from './wait.js'

export const ID = '{"channel":"SyncStatusChannel","session_id":42}'
export const OTHER = '{"channel":"SyncStatusChannel","session_id":43}'
export const LIST = '{"channel":"SessionsChannel"}'

export class TabsServer {
  version = 1

  /** cable: a FakeCable or a MemoryCable. */
  constructor(cable) {
    this.cable = cable
    cable.onConnection = peer => {
      peer.onCommand = ({ command, identifier }) => {
        if (command !== 'subscribe') return
        peer.confirm(identifier)
        if (identifier !== LIST) peer.message(identifier, { version: this.version })
      }
      peer.welcome()
    }
  }

  /** Every connection that there ever was. */
  get connections() {
    return this.cable.connections.all
  }

  get open() {
    return this.connections.filter(({ isOpen }) => isOpen)
  }

  /** The one that is open, once there is just one. */
  async only() {
    const [peer] = await until(() => this.open, open => open.length === 1, 'one connection')
    return peer
  }

  /** What is watched on it. */
  watched(peer) {
    const watched = new Set()
    for (const { command, identifier } of peer.commands.all) {
      if (command === 'subscribe') watched.add(identifier)
      if (command === 'unsubscribe') watched.delete(identifier)
    }
    return [...watched].sort()
  }

  async watches(peer, ...identifiers) {
    await until(() => this.watched(peer), watched => String(watched) === String([...identifiers].sort()), `watched are ${identifiers}`)
  }

  ping() {
    for (const peer of this.open) peer.ping()
  }

  /** A newer state, to every connection. */
  push(version, identifier = ID) {
    this.version = version
    for (const peer of this.open) peer.message(identifier, { version })
  }

  /** Any message. */
  tell(message, identifier) {
    for (const peer of this.open) peer.message(identifier, message)
  }
}

export class Tab {
  states = new Mailbox()

  constructor(server, window, options) {
    this.window = window
    this.client = new SyncProgressClient({ url: server.cable.url, owner: 'ana', clock: window.clock, host: window, random: () => 0, WebSocket: server.cable.socketOf(window), ...options })
    this.client.addEventListener('statechange', ({ state }) => this.states.put(state))
  }

  reach(state) {
    return until(() => this.client.state, found => found === state, `state ${state}`)
  }

  leads() {
    return until(() => this.client.isLeader, found => found, 'this tab leads')
  }

  watch(identifier = ID) {
    const events = new Mailbox()
    const subscription = this.client.subscribe(identifier, {
      onProgress: payload => events.put(payload.version ?? payload),
      onConnected: ({ reconnected }) => events.put(reconnected ? 'reconnected' : 'connected'),
      onDisconnected: ({ willReconnect }) => events.put(willReconnect ? 'disconnected' : 'ended'),
      onRejected: () => events.put('rejected'),
      onEvent: ({ type }) => events.put(type),
      onError: ({ action, error }) => events.put(`${action}: ${error}`)
    })
    const sees = what => until(() => events.all.includes(what), Boolean, `${what} among ${events.all}`)
    return { events, subscription, sees }
  }
}
