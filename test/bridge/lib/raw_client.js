/*
 * raw_client.js: a WebSocket that sends what it is told to, right or wrong.
 */
import WebSocket from 'ws'
import { within } from '../../browser/lib/wait.js'
import { Recorder } from './recorder.js'

let barriers = 0

export class RawClient {
  frames = new Recorder()
  #socket

  /** Opens one; a refused handshake is an error with its status. */
  static open(url, { protocols = 'actioncable-v1-json', ...options } = {}) {
    const client = new RawClient()
    client.#socket = new WebSocket(url, protocols, options)
    client.closed = new Promise(resolve => {
      client.#socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
    })
    client.#socket.on('message', data => {
      client.frames.put({ at: performance.now(), text: data.toString(), ...JSON.parse(data) })
    })
    return within(new Promise((resolve, reject) => {
      client.#socket.on('open', () => resolve(client))
      client.#socket.on('error', reject)
      client.#socket.on('unexpected-response', (request, response) => {
        response.resume()
        request.destroy()
        reject(Object.assign(new Error(`the handshake was answered with ${response.statusCode}`), { status: response.statusCode }))
      })
    }), 'the handshake is answered', 20_000)
  }

  /** Opens one and waits to be let in. */
  static async welcomed(url, options) {
    const client = await RawClient.open(url, options)
    await client.type('welcome')
    return client
  }

  get socket() {
    return this.#socket
  }

  sendText(data, options = {}) {
    this.#socket.send(data, options)
  }

  send(command) {
    this.sendText(JSON.stringify(command))
  }

  subscribe(identifier) {
    this.send({ command: 'subscribe', identifier })
  }

  unsubscribe(identifier) {
    this.send({ command: 'unsubscribe', identifier })
  }

  /** Subscribes, and waits for the first state. */
  async watch(identifier) {
    this.subscribe(identifier)
    return this.message(identifier)
  }

  type(type, options) {
    return this.frames.find(frame => frame.type === type, `a ${type} frame`, options)
  }

  confirmed(identifier) {
    return this.frames.find(frame => frame.type === 'confirm_subscription' && frame.identifier === identifier, `${identifier} is confirmed`)
  }

  rejected(identifier) {
    return this.frames.find(frame => frame.type === 'reject_subscription' && frame.identifier === identifier, `${identifier} is rejected`)
  }

  /** The first message that passes. */
  async message(identifier, passes = () => true, options) {
    const frame = await this.frames.find(frame => frame.identifier === identifier && frame.message && passes(frame.message),
      `a message for ${identifier} with ${passes}`, options)
    return frame.message
  }

  messages(identifier) {
    return this.frames.all.filter(frame => frame.identifier === identifier && frame.message).map(({ message }) => message)
  }

  /**
   * Everything that was sent to this connection so far has arrived: what is
   * asked now is answered after it. While something is on its way to it a
   * refusal may be left out, and clients ask again.
   */
  async barrier() {
    const identifier = `barrier ${++barriers}`
    const again = setInterval(() => this.subscribe(identifier), 3_000)
    try {
      this.subscribe(identifier)
      await this.rejected(identifier)
    } finally {
      clearInterval(again)
    }
  }

  end() {
    return within(this.closed, 'the connection is closed', 20_000)
  }

  close() {
    this.#socket.terminate()
  }
}

export function identifierOf(session) {
  return JSON.stringify({ channel: 'SyncStatusChannel', session_id: session })
}
