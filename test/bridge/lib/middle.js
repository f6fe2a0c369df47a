/*
 * middle.js: what is between a bridge and its database: it passes everything
 * on, or freezes, or plays a server of its own.
 */
import { createConnection, createServer } from 'node:net'

/** A port that nobody uses now. */
export async function freePort() {
  const server = createServer()
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise(resolve => server.close(resolve))
  return port
}

export class Middle {
  accepted = 0
  /** What is done with the next connections: plays a server; null passes them on. */
  play = null
  #database
  #server
  #pairs = new Set()
  #sockets = new Set()

  static async start(database) {
    const middle = new Middle()
    middle.#database = database
    middle.#server = createServer({ pauseOnConnect: true }, socket => middle.#accept(socket))
    await new Promise(resolve => middle.#server.listen(0, '127.0.0.1', resolve))
    return middle
  }

  get port() {
    return this.#server.address().port
  }

  conninfo(user = 'bridge') {
    return `host=127.0.0.1 port=${this.port} user=${user} dbname=app`
  }

  /** Passes a connection on to a database. */
  forward(socket, database = this.#database) {
    const upstream = createConnection(`${database.host}/.s.PGSQL.5432`)
    const pair = [socket, upstream]
    this.#pairs.add(pair)
    for (const [end, other] of [pair, [upstream, socket]]) {
      end.on('error', () => {})
      end.on('close', () => {
        other.destroy()
        this.#pairs.delete(pair)
      })
      end.pipe(other)
    }
  }

  #accept(socket) {
    this.accepted++
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    if (this.play) {
      this.play(socket, this.accepted)
      socket.resume()
    } else {
      this.forward(socket)
    }
  }

  /** The connections that there are stay open, and nothing gets through any more. */
  freeze() {
    for (const [client, upstream] of this.#pairs) {
      client.unpipe(upstream).pause()
      upstream.unpipe(client).pause()
    }
  }

  /** Ends the connections that there are. */
  cut() {
    for (const socket of this.#sockets) socket.destroy()
  }

  close() {
    this.cut()
    this.#server.close()
    this.#server.unref()
  }
}

// -- a server that speaks the protocol, and says what it likes -----------------

function message(type, ...parts) {
  const body = Buffer.concat(parts.map(part => (typeof part === 'string' ? Buffer.from(`${part}\0`) : part)))
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

function int(value, bytes = 4) {
  const buffer = Buffer.alloc(bytes)
  buffer.writeIntBE(value, 0, bytes)
  return buffer
}

const GREETING = Buffer.concat([
  message('R', int(0)),
  ...Object.entries({ server_version: '15.0', server_encoding: 'UTF8', client_encoding: 'UTF8', in_hot_standby: 'off',
    default_transaction_read_only: 'off', standard_conforming_strings: 'on', integer_datetimes: 'on' }).map(setting => message('S', ...setting)),
  message('K', int(4711), int(1)),
  message('Z', Buffer.from('I'))
])

/** The rows of an answer, as text. */
export function table(rows) {
  const columns = rows[0].map((_, i) => Buffer.concat([Buffer.from(`c${i}\0`), int(0), int(0, 2), int(25), int(-1, 2), int(-1), int(0, 2)]))
  return Buffer.concat([
    message('T', int(columns.length, 2), ...columns),
    ...rows.map(row => message('D', int(row.length, 2), ...row.flatMap(value => (value === null ? [int(-1)] : [int(Buffer.byteLength(value)), Buffer.from(value)])))),
    message('C', 'SELECT')
  ])
}

/** Plays a PostgreSQL: answer(sql) gives rows, bytes, or nothing. */
export function postgres(answer) {
  return socket => {
    let received = Buffer.alloc(0)
    let started = false
    let sql = ''
    const reply = text => {
      const said = answer(text)
      if (Buffer.isBuffer(said)) return said
      return said ? table(said) : message('C', 'SET')
    }
    const take = (type, body) => {
      if (type === 'Q') socket.write(Buffer.concat([reply(body.toString('utf8', 0, body.length - 1)), message('Z', Buffer.from('I'))]))
      else if (type === 'P') sql = body.toString('utf8').split('\0')[1]
      else if (type === 'E') socket.write(Buffer.concat([message('1'), message('2'), reply(sql)]))
      else if (type === 'S') socket.write(message('Z', Buffer.from('I')))
    }
    socket.on('data', data => {
      received = Buffer.concat([received, data])
      while (!started && received.length >= 8 && received.length >= received.readInt32BE()) {
        const code = received.readInt32BE(4)
        started = code === 196608
        received = received.subarray(received.readInt32BE())
        socket.write(started ? GREETING : 'N')
      }
      while (started && received.length >= 5 && received.length > received.readInt32BE(1)) {
        const end = received.readInt32BE(1) + 1
        take(String.fromCharCode(received[0]), received.subarray(5, end))
        received = received.subarray(end)
      }
    })
  }
}

/** What a bridge takes for a database with the extension; more answers first. */
export function extension(more = () => undefined) {
  return postgres(sql => {
    const said = more(sql)
    if (said !== undefined) return said
    if (sql.includes('pg_is_in_recovery')) return [['f', '4711', null, 'sync', 'app', '1']]
    if (sql.includes('sync_progress_attach')) return [['1', 'sync_progress', '10000']]
    return null
  })
}
