/*
 * event_stream.js: a reader of server-sent events that sees every byte of the
 * answer, and does what no well-behaved client does.
 */
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { within } from '../../browser/lib/wait.js'
import { Recorder } from './recorder.js'

/** The fields of one block of lines; comments under "comments". */
export function parseBlock(block) {
  const message = { lines: block, comments: [], data: [] }
  for (const line of block.split('\n')) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line)
    if (field === '') message.comments.push(value)
    else if (field === 'data') message.data.push(value)
    else message[field] = value
  }
  message.json = message.data.length ? JSON.parse(message.data.join('\n')) : undefined
  return message
}

export class EventStream {
  /** Blocks as they came: id, event, retry, comments, json. */
  blocks = new Recorder()
  /** What a page gets: the JSON of each message. */
  messages = new Recorder()
  text = ''
  #raw // the TCP handle below TLS
  #head = ''
  #rest = ''

  /**
   * Asks for a path. tls: what it trusts; more: bytes that are sent along with
   * the request.
   */
  static open(port, path, { tls, headers = {}, method = 'GET', more = '' } = {}) {
    const stream = new EventStream()
    const lines = Object.entries({ Host: `127.0.0.1:${port}`, Accept: 'text/event-stream', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
    const request = `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${more}`
    const begin = () => stream.socket.write(request, 'latin1')
    stream.socket = tls ? connectTls({ host: '127.0.0.1', port, ...tls }, begin) : connect(port, '127.0.0.1', begin)
    if (tls) stream.socket.once('secureConnect', () => { stream.#raw = stream.socket._handle._parent })
    stream.answered = new Promise(resolve => { stream.answer = resolve })
    /** 'end' when it was closed in order, else the error's code. */
    stream.closed = new Promise(resolve => {
      let how = 'end'
      stream.socket.on('error', error => { how = error.code })
      stream.socket.on('close', () => resolve(how))
    })
    stream.socket.setEncoding('utf8').on('data', text => stream.#take(text))
    return stream
  }

  #take(text) {
    this.text += text
    if (!this.status) {
      this.#head += text
      const end = this.#head.indexOf('\r\n\r\n')
      if (end < 0) return
      const [first, ...lines] = this.#head.slice(0, end).split('\r\n')
      this.status = Number(first.split(' ')[1])
      this.headers = Object.fromEntries(lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
      text = this.#head.slice(end + 4)
      this.answer(this.status)
    }
    if (this.headers['content-type'] !== 'text/event-stream') return
    const blocks = (this.#rest + text).split('\n\n')
    this.#rest = blocks.pop()
    for (const block of blocks) {
      const message = parseBlock(block)
      this.blocks.put(message)
      if (message.json !== undefined) this.messages.put(message.json)
    }
  }

  /** What was sent after the last whole block. */
  get rest() {
    return this.#rest
  }

  get lastId() {
    return this.blocks.all.findLast(({ id }) => id !== undefined)?.id
  }

  statusCode() {
    return within(this.answered, 'the request is answered', 20_000)
  }

  type(type, options) {
    return this.messages.find(message => message.type === type, `a message of type ${type}`, options)
  }

  /** States have no type. */
  state(passes = () => true, options) {
    return this.messages.find(message => message.type === undefined && passes(message), `a state with ${passes}`, options)
  }

  get states() {
    return this.messages.all.filter(({ type }) => type === undefined)
  }

  end(ms = 20_000) {
    return within(this.closed, 'the stream is closed', ms)
  }

  close() {
    this.socket.destroy()
  }

  /** Ends the connection with a reset, TLS or not. */
  reset() {
    if (!this.#raw) return this.socket.resetAndDestroy()
    this.socket.on('error', () => {})
    this.#raw.reset(() => this.socket.destroy())
  }
}
