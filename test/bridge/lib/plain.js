/*
 * plain.js: a TCP connection that sends what it is told to, right or wrong.
 */
import { connect } from 'node:net'
import { Recorder } from './recorder.js'
import { within } from '../../browser/lib/wait.js'

export class Plain {
  pieces = new Recorder()
  #socket

  /** from: the address to connect from, 127.0.0.2 for instance. */
  static open(bridge, { from, ...options } = {}) {
    const plain = new Plain()
    const socket = connect({ port: bridge.port, host: '127.0.0.1', localAddress: from, ...options })
    plain.#socket = socket
    socket.setEncoding('latin1').setNoDelay(true).on('data', text => plain.pieces.put(text))
    plain.closed = new Promise(resolve => {
      socket.on('error', () => {}) // a reset is an end like any other
      socket.on('close', resolve)
    })
    return within(new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(plain))
      socket.once('error', reject)
    }), 'the connection is there')
  }

  /** Sends this on a new connection; everything that came back when the bridge has closed it. */
  static async exchange(bridge, bytes, options) {
    const plain = await Plain.open(bridge, options)
    try {
      plain.send(bytes)
      await plain.end(options?.ms)
      return plain.text
    } finally {
      plain.destroy()
    }
  }

  get socket() {
    return this.#socket
  }

  get text() {
    return this.pieces.all.join('')
  }

  /** The status codes that came, in order. */
  get statuses() {
    return [...this.text.matchAll(/^HTTP\/1\.\d (\d+) /gm)].map(match => Number(match[1]))
  }

  send(bytes) {
    this.#socket.write(bytes)
  }

  /** Waits until what has come matches. */
  async match(pattern, ms) {
    await this.pieces.find(() => pattern.test(this.text), `something like ${pattern}`, { ms })
    return pattern.exec(this.text)
  }

  /** Waits until the bridge has closed it. */
  end(ms = 15_000) {
    return within(this.closed, `the connection is closed after ${JSON.stringify(this.text.slice(0, 300))}`, ms)
  }

  destroy() {
    this.#socket.destroy()
  }

  reset() {
    this.#socket.resetAndDestroy()
  }
}

/** A request of these lines. */
export function request(target, headers = [], body = '') {
  const [method, path] = target.includes(' ') ? target.split(' ') : ['GET', target]
  return [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...headers, '', body].join('\r\n')
}

/** A WebSocket's handshake for the cable. */
export function upgrade(token, headers = []) {
  return request(`/cable${token === undefined ? '' : `?token=${token}`}`, ['Connection: Upgrade', 'Upgrade: websocket',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Protocol: actioncable-v1-json', ...headers])
}
