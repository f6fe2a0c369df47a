/*
 * bridge.js: the real bridge.
 */
import { fileURLToPath } from 'node:url'
import { within } from '../../browser/lib/wait.js'
import { Program } from './programs.js'
import { until } from './recorder.js'

const PROGRAM = process.env.BRIDGE ?? fileURLToPath(new URL('../../../bridge/sync-progress-bridge', import.meta.url))

/** So many bytes it may use. Under a tool that watches memory it uses whatever that needs. */
export const memoryMax = bytes => (process.env.CHECK_TOOL ? Infinity : bytes)

/** Nor has time; what is waited for still has to come. */
export const timeMax = ms => (process.env.CHECK_TOOL ? Infinity : ms)

export class Bridge {
  port = 0
  #args
  #options
  #program

  /**
   * Starts one on a free port; conninfo names its database, options are those of a
   * Program. How often a client may be refused is not limited: tests are all the time. When it
   * is stopped its clients are sent away at once.
   */
  static async start(conninfo, args = [], options = {}) {
    const bridge = new Bridge()
    bridge.#options = options
    bridge.#args = ['--db', conninfo, '--refused-per-minute', '0', '--drain-seconds', '0', ...args]
    await bridge.start()
    return bridge
  }

  /** Runs one that is expected to end by itself; its status and what it wrote. */
  static async tries(args, options = {}) {
    const program = new Program(PROGRAM, args, options)
    const status = await within(program.ended, `the bridge ends by itself with ${args.join(' ')}`, 30_000)
    return { status, log: program.log, stdout: program.stdout }
  }

  /** Starts it, again on the port it had. */
  async start() {
    this.#program = new Program(PROGRAM, ['--listen', `127.0.0.1:${this.port}`, ...this.#args], this.#options)
    const ended = this.#program.ended.then(status => { throw new Error(`the bridge ended: ${status}\n${this.log}`) })
    ended.catch(() => {})
    const line = await Promise.race([ended, this.line(/ready listen=/)])
    this.port = Number(/ready listen=\S+:(\d+)/.exec(line)[1])
  }

  get log() {
    return this.#program.log
  }

  get pid() {
    return this.#program.pid
  }

  /** Its exit status, when it ends by itself. */
  get ended() {
    return this.#program.ended
  }

  /** A line of its log, past or to come. */
  line(pattern, options) {
    return this.#program.lines.find(line => pattern.test(line), `a line of the bridge's log like ${pattern}`, options)
  }

  get origin() {
    return `http://127.0.0.1:${this.port}`
  }

  cable(token) {
    return `ws://127.0.0.1:${this.port}/cable${token === undefined ? '' : `?token=${token}`}`
  }

  /** What it has counted: metric('refused_total{reason="token"}'). */
  async metric(name) {
    const text = await (await fetch(`${this.origin}/metrics`, { headers: { connection: 'close' } })).text()
    const line = text.split('\n').find(line => line.startsWith(`sync_progress_bridge_${name} `))
    if (!line) throw new Error(`there is no metric ${name} in\n${text}`)
    return Number(line.split(' ').at(-1))
  }

  /** Waits until it says that watchers can be served, or that they cannot. */
  ready(status = 200) {
    // a connection that is kept could be reused just when the bridge gives it up; one too many is hung up on
    const ask = () => fetch(`${this.origin}/readyz`, { headers: { connection: 'close' } }).then(answer => answer.status, error => error.cause?.code ?? error.message)
    return until(ask, answer => answer === status, `/readyz answers ${status}`)
  }

  /** Has it read its settings again; the line that says what came of it. */
  async reload() {
    const from = this.#program.lines.all.length
    process.kill(this.pid, 'SIGHUP')
    return this.line(/^(INFO|ERROR) reload: /, { from })
  }

  /** Ends it; its exit status, or the signal's name. */
  stop(signal = 'SIGTERM') {
    return within(this.#program.end(signal), `the bridge ends after ${signal}`, 20_000)
  }
}
