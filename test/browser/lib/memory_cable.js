/*
 * memory_cable.js: what fake_cable.js is, without a network: connections of the
 * tabs of a fake browser, as deterministic as these.
 *
 * What the server says reaches a tab in a task of its own; a tab that hangs gets
 * it when it wakes up, and one that crashes loses its connections.
 */
import { Mailbox } from './wait.js'

export class MemoryCable {
  url = 'ws://cable.test/cable'
  onConnection = null
  connections = new Mailbox()
  #refuse = false

  /** Connections fail from now on. */
  refuse(refuse = true) {
    this.#refuse = refuse
  }

  /** The WebSocket of that tab. */
  socketOf(window) {
    const cable = this
    return class {
      readyState = 0

      constructor(url) {
        const { searchParams } = new URL(url)
        setImmediate(() => {
          if (this.readyState !== 0) return
          const peer = new Peer(this, window, searchParams.get('token'))
          if (cable.#refuse) peer.drop()
          else cable.#accept(this, peer)
        })
      }

      send(text) {
        this.peer.receive(JSON.parse(text))
      }

      close() {
        this.readyState = 3
      }
    }
  }

  #accept(socket, peer) {
    socket.peer = peer
    socket.readyState = 1
    this.connections.put(peer)
    this.onConnection?.(peer)
  }
}

class Peer {
  commands = new Mailbox()
  onCommand = null
  #socket
  #window

  constructor(socket, window, token) {
    this.#socket = socket
    this.#window = window
    this.token = token
  }

  get isOpen() {
    return this.#socket.readyState === 1 && !this.#window.isGone
  }

  receive(command) {
    this.commands.put(command)
    this.onCommand?.(command)
  }

  nextCommand(name) {
    return this.commands.find(({ command }) => command === name, `a ${name}`)
  }

  commandsNamed(name) {
    return this.commands.all.filter(({ command }) => command === name)
  }

  send(frame) {
    this.#window.later(() => this.#socket.onmessage?.({ data: JSON.stringify(frame) }))
  }

  welcome() {
    this.send({ type: 'welcome' })
  }

  ping() {
    this.send({ type: 'ping', message: 1763776000 })
  }

  confirm(identifier) {
    this.send({ identifier, type: 'confirm_subscription' })
  }

  reject(identifier) {
    this.send({ identifier, type: 'reject_subscription' })
  }

  message(identifier, message) {
    this.send({ identifier, message })
  }

  disconnect(reason, reconnect) {
    this.send({ type: 'disconnect', reason, reconnect })
  }

  drop() {
    this.#window.later(() => {
      this.#socket.readyState = 3
      this.#socket.onclose()
    })
  }
}
