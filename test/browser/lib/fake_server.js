/*
 * fake_server.js: a scripted bridge with all its ways in: Action Cable, and
 * over HTTP snapshots, lists, events and actions.
 */
import { FakeCable } from './fake_cable.js'
import { Mailbox } from './wait.js'

export class FakeServer {
  requests = new Mailbox() // of HTTP, but for events
  streams = new Mailbox() // of events
  /** path below the server's → { status, json, headers }, what GET and POST answer. */
  answers = new Map()
  /** Whether requests for events are "served", "held" (nothing comes through) or "refused". */
  events = 'served'
  /** A status that everything over HTTP is answered with. */
  broken = null
  #cable

  static async start() {
    const server = new FakeServer()
    server.#cable = await FakeCable.start({ serve: (request, response) => server.#serve(request, response) })
    return server
  }

  /** Action Cable: refuse(), nextConnection() … */
  get cable() {
    return this.#cable
  }

  get url() {
    return this.#cable.url
  }

  stop() {
    return this.#cable.stop()
  }

  /** Comes back where it was. */
  listen() {
    return this.#cable.listen()
  }

  state(path, json, headers = {}) {
    this.answers.set(`/snapshots/${path}`, { status: 200, json, headers: { ETag: `"${json.version}"`, ...headers } })
  }

  /** The next request for that path, others before it are passed over. */
  nextRequest(path) {
    return this.requests.find(request => request.path === path, `a request for ${path}`)
  }

  nextStream() {
    return this.streams.take('a request for events')
  }

  async #serve(request, response) {
    const url = new URL(request.url, 'http://localhost')
    const path = decodeURI(url.pathname)
    if (path.startsWith('/events/')) {
      this.#serveEvents(url, path, response)
      return
    }
    let body = ''
    for await (const chunk of request) body += chunk
    const { method, headers } = request
    const found = this.broken ? { status: this.broken } : this.answers.get(path) ?? { status: 404, json: { error: 'not found' } }
    const isKnown = headers['if-none-match'] !== undefined && headers['if-none-match'] === found.headers?.ETag
    const status = isKnown ? 304 : found.status
    response.writeHead(status, found.headers ?? {}).end(isKnown || found.json === undefined ? '' : JSON.stringify(found.json))
    this.requests.put({ method, path, status, token: headers.authorization ?? null, body: body && JSON.parse(body) })
  }

  #serveEvents(url, path, response) {
    if (this.events === 'refused' || this.broken) {
      response.writeHead(this.broken ?? 502).end()
      return
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders()
    const stream = new EventsPeer(path, Object.fromEntries(url.searchParams), response)
    if (this.events === 'served') stream.say({ type: 'connected' })
    this.streams.put(stream)
  }
}

/** One client's request for events. */
class EventsPeer {
  #response

  constructor(path, query, response) {
    this.path = path
    this.query = query
    this.#response = response
    this.gone = new Promise(resolve => response.on('close', resolve))
  }

  say(message) {
    this.#response.write(`${message.version ? `id: ${message.version}\n` : ''}data: ${JSON.stringify(message)}\n\n`)
  }

  end() {
    this.#response.end()
  }
}
