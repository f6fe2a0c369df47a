/*
 * front.js: what is between browsers and the bridge: a proxy that passes
 * everything on, or does what proxies and networks do to people.
 *
 * The page too comes through it, from the bridge, so that everything is of one
 * origin.  Only tokens are its own: an application gives those.
 */
import { createServer, request } from 'node:http'
import { connect } from 'node:net'

export class Front {
  /** Paths asked for, in order; upgrades as "UPGRADE /cable". Queries are left out: they hold tokens. */
  asked = []
  /** When upgrades were asked for: milliseconds since 1970. */
  upgradedAt = []
  /** WebSockets that are open through here. */
  webSockets = 0
  /** Event streams that are open through here. */
  eventStreams = 0
  /** Upgrades are answered 404. */
  refuseUpgrades = false
  /** Event streams: pass; cut (ended after a moment, again and again); hold (their beginning never gets out); refuse. */
  streams = 'pass'
  /** Called for a token: gives one, or null, which is answered 401. */
  token = () => null
  #bridge
  #server
  #sockets = new Set()
  #pairs = new Set() // of a browser's WebSocket and the bridge's
  #port = 0
  #pages = 0
  #silent = false

  /** bridge: what has a port; token(owner) gives a token. */
  static async start(bridge, token) {
    const front = new Front()
    front.#bridge = bridge
    if (token) front.token = token
    await front.open()
    return front
  }

  /** Begins to listen; again on the port that it had. */
  async open() {
    this.#server = createServer((ask, answer) => this.#request(ask, answer))
    this.#server.on('connection', socket => this.#keep(socket))
    this.#server.on('upgrade', (ask, socket, head) => this.#upgrade(ask, socket, head))
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = this.#server.address().port
  }

  get origin() {
    return `http://127.0.0.1:${this.#port}`
  }

  /** The page under test; without options it waits to be told to begin. */
  page(options, name = 'watch.html') {
    // two addresses that differ in their fragments only are one page
    const address = `${this.origin}/${name}?${++this.#pages}`
    return options ? `${address}#${encodeURIComponent(JSON.stringify(options))}` : address
  }

  /** Nobody is there any more: connections end, new ones are refused. */
  async cut() {
    const closed = new Promise(resolve => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  /** Connections stay, and nothing gets through, in either direction; new ones are taken and left alone. */
  silence(silent = true) {
    this.#silent = silent
    for (const pair of this.#pairs) join(pair, !silent)
  }

  async close() {
    if (this.#server.listening) await this.cut()
  }

  #keep(socket) {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
  }

  async #request(ask, answer) {
    const { pathname } = new URL(ask.url, 'http://localhost')
    this.asked.push(`${ask.method} ${pathname}`)
    if (pathname.startsWith('/token/')) return this.#answerToken(pathname.slice('/token/'.length), answer)
    if (pathname.startsWith('/events/')) return this.#stream(ask, answer)
    return this.#pass(ask, answer)
  }

  async #answerToken(owner, answer) {
    const token = await this.token(decodeURIComponent(owner))
    answer.writeHead(token === null ? 401 : 200, { 'Content-Type': 'text/plain', 'Cache-Control': 'no-store' }).end(token ?? '')
  }

  #pass(ask, answer, begun = () => {}) {
    const onward = request({ host: '127.0.0.1', port: this.#bridge.port, path: ask.url, method: ask.method, headers: ask.headers, agent: false }, reply => {
      answer.writeHead(reply.statusCode, reply.headers)
      answer.flushHeaders()
      reply.on('error', () => answer.destroy())
      reply.on('aborted', () => answer.destroy())
      reply.pipe(answer)
      begun()
    })
    onward.on('error', () => answer.headersSent ? answer.destroy() : answer.writeHead(502).end())
    answer.on('close', () => onward.destroy())
    ask.pipe(onward)
  }

  #stream(ask, answer) {
    if (this.streams === 'refuse') {
      answer.writeHead(501).end()
      return
    }
    // takes it and never says a word: what a proxy that gathers answers looks like
    if (this.streams === 'hold') return
    this.eventStreams++
    answer.on('close', () => this.eventStreams--)
    this.#pass(ask, answer, () => {
      if (this.streams === 'cut') setTimeout(() => answer.destroy(), 300)
    })
  }

  #upgrade(ask, socket, head) {
    this.asked.push(`UPGRADE ${new URL(ask.url, 'http://localhost').pathname}`)
    this.upgradedAt.push(Date.now())
    if (this.refuseUpgrades) {
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
      return
    }
    const upstream = connect(this.#bridge.port, '127.0.0.1')
    const lines = ask.rawHeaders.reduce((text, part, i) => text + part + (i % 2 ? '\r\n' : ': '), '')
    upstream.write(`${ask.method} ${ask.url} HTTP/1.1\r\n${lines}\r\n`)
    upstream.write(head)
    this.webSockets++
    const pair = [socket, upstream]
    this.#pairs.add(pair)
    socket.on('close', () => {
      this.webSockets--
      this.#pairs.delete(pair)
      upstream.destroy()
    })
    upstream.on('close', () => socket.destroy())
    upstream.on('error', () => {})
    join(pair, !this.#silent)
  }
}

function join([socket, upstream], passes) {
  for (const [from, to] of [[socket, upstream], [upstream, socket]]) {
    if (passes) from.pipe(to)
    else from.unpipe(to).pause()
  }
}
