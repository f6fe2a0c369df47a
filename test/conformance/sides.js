/*
 * sides.js: the two servers, and one client's connection to one of them.
 */
import { createServer } from 'node:net'
import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import WebSocket from 'ws'
import { within } from '../browser/lib/wait.js'
import { Bridge } from '../bridge/lib/bridge.js'
import { Program } from '../bridge/lib/programs.js'
import { Recorder, until } from '../bridge/lib/recorder.js'

const APP = fileURLToPath(new URL('rails.ru', import.meta.url))

/** What is not closed by then stays open. */
const END_MS = 4_000

/** After so long another barrier is tried. */
const BARRIER_MS = 3_000

/** A port that was free a moment ago. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

/** Action Cable itself. */
export class Rails {
  name = 'Rails'
  #program
  #database
  #isEnding = false

  static async start(database, tokens) {
    const rails = new Rails()
    rails.#database = database
    rails.port = await freePort()
    rails.#program = new Program('env', [`RAILS_DB=${database.conninfo('postgres')}`, `TOKENS=${JSON.stringify(tokens)}`, 'RACK_ENV=production',
      'puma', '--quiet', '--threads', '8:8', '--bind', `tcp://127.0.0.1:${rails.port}`, APP])
    rails.#program.ended.then(status => { if (!rails.#isEnding) throw new Error(`puma ended: ${status}\n${rails.log}`) })
    await until(() => rails.#answers(), yes => yes, 'puma answers', 60_000)
    return rails
  }

  #answers() {
    return fetch(`http://127.0.0.1:${this.port}/`).then(() => true, () => false)
  }

  get log() {
    return `${this.#program.log}\n${this.#program.stdout}`
  }

  barrierOf(n) {
    return { identifier: JSON.stringify({ channel: 'BarrierChannel', n }), type: 'confirm_subscription' }
  }

  /** Its adapter looks for new channels once a second, or when a notification comes; somebody must be behind barrier 0. */
  nudge() {
    return this.#database.sql(`NOTIFY "barrier:0"`)
  }

  /** What a Rails application does after it has saved a session. */
  broadcast(session) {
    return this.#database.sql(`SELECT pg_notify('session:${session}', payload::text) FROM sync.sync_progress_snapshots('{sync:${session}}')`)
  }

  restart() {
    return fetch(`http://127.0.0.1:${this.port}/restart`)
  }

  stop() {
    this.#isEnding = true
    return this.#program.end()
  }
}

/** Ours. */
export class Ours {
  name = 'ours'
  #bridge

  static async start(database) {
    const ours = new Ours()
    ours.#bridge = await Bridge.start(database.conninfo(), ['--allowed-origin', 'https://app.example', '--log-level', 'debug'])
    await ours.#bridge.ready()
    return ours
  }

  get port() {
    return this.#bridge.port
  }

  get log() {
    return this.#bridge.log
  }

  barrierOf(n) {
    return { identifier: `barrier ${n}`, type: 'reject_subscription' }
  }

  async broadcast() {}

  restart() {
    return this.stop()
  }

  stop() {
    return this.#bridge.stop()
  }
}

let barriers = 0

/** One client's connection to one side: what it was answered, and what has come. */
export class Connection {
  frames = new Recorder()
  #side
  #socket

  constructor(side) {
    this.#side = side
  }

  /** Opens it; what the handshake was answered. */
  async open({ path = '/cable', token, origin, protocols = ['actioncable-v1-json', 'actioncable-unsupported'], headers = {} }) {
    const query = token === undefined ? '' : `?token=${token}`
    this.#socket = new WebSocket(`ws://127.0.0.1:${this.#side.port}${path}${query}`, protocols,
      { headers, origin, perMessageDeflate: false })
    this.#socket.on('error', () => {}) // how it ended is what is looked at
    this.#socket.on('message', data => this.frames.put(data.toString()))
    this.#socket.on('pong', data => this.frames.put(JSON.stringify({ pong: data.toString() })))
    this.closed = new Promise(resolve => this.#socket.on('close', code => resolve(code)))
    return within(new Promise((resolve, reject) => {
      this.#socket.on('open', () => resolve({ status: 101, protocol: this.#socket.protocol }))
      this.#socket.on('unexpected-response', async (request, response) => {
        resolve(await answerOf(response))
        request.destroy()
      })
      this.#socket.on('error', error => resolve({ error: error.message.replace(/\d{4,}/, 'PORT') }))
    }), `${this.#side.name} answers the handshake`)
  }

  get isOpen() {
    return this.#socket.readyState === WebSocket.OPEN
  }

  send(data, options = {}) {
    this.#socket.send(data, options)
  }

  ping(data) {
    this.#socket.ping(data)
  }

  close(code, reason) {
    this.#socket.close(code, reason)
  }

  /** Bytes as they are, past everything that a client library would refuse to send. */
  write(bytes) {
    this.#socket._socket.write(bytes)
  }

  /**
   * Waits until everything sent so far has been answered, as far as it is, or
   * the connection has been closed.  Confirmations of Rails come from several
   * threads: only a second barrier is sure to come after what was asked before.
   */
  async settle() {
    await this.barrier(++barriers)
    await this.barrier(++barriers)
  }

  /** Rails before 8.0.3 now and then loses a confirmation under load, so another barrier is tried then. */
  async barrier(n) {
    let isOver = false
    const passed = new Set()
    const over = Promise.race([this.closed, this.frames.find(text => {
      const frame = JSON.parse(text)
      return [...passed].some(({ identifier, type }) => frame.identifier === identifier && frame.type === type)
    }, `barrier ${n} of ${this.#side.name}`, { ms: 30_000 })]).finally(() => { isOver = true })
    over.catch(() => {}) // it is awaited below
    for (let next = n, at = -Infinity; !isOver && this.isOpen;) {
      if (performance.now() - at > BARRIER_MS) {
        passed.add(this.#side.barrierOf(next))
        this.#socket.send(JSON.stringify({ command: 'subscribe', identifier: this.#side.barrierOf(next).identifier }))
        next = ++barriers
        at = performance.now()
      }
      await Promise.race([over, this.#side.nudge?.() ?? sleep(BARRIER_MS, undefined, { ref: false })])
    }
    if (passed.size > 0) await over
  }

  /** The close code, once it is closed. */
  end() {
    return within(this.closed, 'closed', END_MS).catch(() => `not within ${END_MS / 1000} s`)
  }

  terminate() {
    this.#socket.terminate()
  }
}

async function answerOf(response) {
  let body = ''
  for await (const text of response.setEncoding('utf8')) body += text
  const { statusCode: status, headers } = response
  return status === 404 ? { status, type: headers['content-type']?.split(';')[0], body: body.trim() } : { status }
}

/** What a plain HTTP request is answered. */
export function request(side, { path = '/cable', method = 'GET', headers = {} }) {
  return within(new Promise((resolve, reject) => {
    const asked = get({ host: '127.0.0.1', port: side.port, path, method, headers, agent: false }, response => answerOf(response).then(resolve, reject))
    asked.on('error', error => resolve({ error: error.message }))
  }), `${side.name} answers ${method} ${path}`)
}
