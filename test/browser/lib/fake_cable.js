/*
 * fake_cable.js: a scripted Action Cable server.
 *
 * Says nothing by itself: a test takes each connection from it and each command
 * from the connection, and answers as it likes.
 */
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { Mailbox, within } from './wait.js'

export class FakeCable {
  /** Called with each connection, for tests that answer all of them alike. */
  onConnection = null
  connections = new Mailbox()
  #http
  #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'actioncable-v1-json' })
  #refuse = false
  #refusals = new Mailbox()
  #port = 0

  /** serve: answers what is not an upgrade, for pages that come from the same host. */
  static async start({ serve } = {}) {
    const cable = new FakeCable()
    cable.serve = serve
    await cable.listen()
    return cable
  }

  async listen() {
    this.#http = createServer(this.serve ?? ((request, response) => response.writeHead(404).end()))
    this.#http.on('upgrade', (request, socket, head) => {
      if (this.#refuse) {
        this.#refusals.put(request.url)
        socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n')
        return
      }
      this.#sockets.handleUpgrade(request, socket, head, webSocket => {
        const peer = new Peer(webSocket, new URL(request.url, 'http://localhost'))
        this.connections.put(peer)
        this.onConnection?.(peer)
      })
    })
    await new Promise((resolve, reject) => {
      this.#http.once('error', reject)
      this.#http.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = this.#http.address().port
  }

  get origin() {
    return `http://127.0.0.1:${this.#port}`
  }

  get url() {
    return `ws://127.0.0.1:${this.#port}/cable`
  }

  /** Handshakes are answered with 404 from now on. */
  refuse(refuse = true) {
    this.#refuse = refuse
  }

  /** How many were. */
  get refused() {
    return this.#refusals.all.length
  }

  nextRefusal() {
    return this.#refusals.take('a handshake to refuse')
  }

  nextConnection(ms) {
    return this.connections.take('a connection', ms)
  }

  /** The next connection, welcomed and with its first subscribe confirmed. */
  async nextWatcher(ms) {
    const peer = await this.nextConnection(ms)
    peer.welcome()
    const { identifier } = await peer.nextCommand('subscribe')
    peer.confirm(identifier)
    return { peer, identifier }
  }

  /** Ends everything; listen() opens the same port again. */
  async stop() {
    for (const peer of this.connections.all) peer.drop()
    this.#http.closeAllConnections()
    await new Promise(resolve => this.#http.close(resolve))
  }
}

class Peer {
  /** Called with each command. */
  onCommand = null
  commands = new Mailbox()
  #socket

  constructor(socket, url) {
    this.#socket = socket
    this.token = url.searchParams.get('token')
    this.protocol = socket.protocol
    this.gone = new Promise(resolve => socket.on('close', resolve))
    socket.on('message', data => {
      const command = JSON.parse(data.toString())
      this.commands.put(command)
      this.onCommand?.(command)
    })
    socket.on('error', () => {})
  }

  get isOpen() {
    return this.#socket.readyState === 1
  }

  /** The next command of that name; others before it are passed over. */
  nextCommand(name) {
    return this.commands.find(({ command }) => command === name, `a ${name}`)
  }

  commandsNamed(name) {
    return this.commands.all.filter(({ command }) => command === name)
  }

  closed() {
    return within(this.gone, 'the client closing its socket')
  }

  sendText(text) {
    this.#socket.send(text)
  }

  send(frame) {
    this.sendText(JSON.stringify(frame))
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
    this.#socket.close(1000)
  }

  /** As if the network had been cut. */
  drop() {
    this.#socket.terminate()
  }
}
