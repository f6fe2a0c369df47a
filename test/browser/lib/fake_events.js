/*
 * fake_events.js: a scripted server of server-sent events.
 *
 * A test takes each request from it, with the token and the last id that came
 * along, and answers as it likes.
 */
import { createServer } from 'node:http'
import { Mailbox, within } from './wait.js'

export class FakeEvents {
  requests = new Mailbox()
  #http

  static async start() {
    const events = new FakeEvents()
    events.#http = createServer((request, response) => events.requests.put(new Visit(request, response)))
    await new Promise(resolve => events.#http.listen(0, '127.0.0.1', resolve))
    events.origin = `http://127.0.0.1:${events.#http.address().port}`
    return events
  }

  nextRequest() {
    return this.requests.take('a request')
  }

  /** The next request, answered with a stream that says it is connected. */
  async nextStream(jobId = 'job-1') {
    const visit = await this.nextRequest()
    visit.begin()
    visit.message({ type: 'connected', job_id: jobId })
    return visit
  }

  async stop() {
    this.#http.closeAllConnections()
    await new Promise(resolve => this.#http.close(resolve))
  }
}

class Visit {
  #response

  constructor(request, response) {
    this.#response = response
    this.path = request.url
    this.token = /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? null
    this.lastId = request.headers['last-event-id'] ?? null
    this.gone = new Promise(resolve => response.on('close', resolve))
  }

  begin(headers = { 'Content-Type': 'text/event-stream' }) {
    this.#response.writeHead(200, headers)
  }

  text(text) {
    this.#response.write(text)
  }

  message(json, id) {
    this.text(`${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(json)}\n\n`)
  }

  refuse(status, headers = {}, body = { error: 'no' }) {
    this.#response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body))
  }

  end() {
    this.#response.end()
  }

  /** As if the network had been cut. */
  drop() {
    this.#response.destroy()
  }

  closed() {
    return within(this.gone, 'the client closing its request')
  }
}
