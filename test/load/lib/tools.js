/*
 * tools.js: the programs that measure, driven from here.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Recorder } from '../../bridge/lib/recorder.js'

const tool = name => fileURLToPath(new URL(`../build/${name}`, import.meta.url))

/** What of a process's memory is in RAM. */
export function rssKb(pid) {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1])
}

/** A program that answers in lines on stdout. It is killed when this process ends. */
class Tool {
  lines = new Recorder()
  #child

  constructor(name, args) {
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', tool(name), ...args.map(String)], { stdio: ['pipe', 'pipe', 'inherit'] })
    let rest = ''
    this.#child.stdout.setEncoding('utf8').on('data', text => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()
      for (const line of lines) this.lines.put(line)
    })
    this.#child.stdin.on('error', () => {})
    this.ended = new Promise(resolve => this.#child.once('close', resolve))
  }

  get pid() {
    return this.#child.pid
  }

  say(line) {
    this.#child.stdin.write(`${line}\n`)
  }

  async end() {
    this.#child.stdin.end()
    await this.ended
  }

  /** Says something, and waits for the answer, a line that comes after. */
  async ask(line, passes, what, ms) {
    const from = this.lines.all.length
    this.say(line)
    return this.lines.find(passes, what, { from, ms })
  }
}

/** Many connections to one relay; see test/load/load.c. */
export class Load extends Tool {
  #next = 0

  /** Options as on its command line; resolves when all are ready. */
  static async start(options, ms = 120_000) {
    const args = Object.entries(options).filter(([, value]) => value !== undefined)
      .flatMap(([key, value]) => [value].flat().flatMap(one => [`--${key}`, one]))
    const load = new Load('load', args)
    load.began = performance.now()
    load.readyEvent = await load.event('ready', ms)
    if (load.readyEvent.over) throw new Error(`${load.readyEvent.over} of ${options.connections} connections did not become ready`)
    return load
  }

  /** The next event of a kind that was not taken yet. */
  async event(kind, ms = 60_000) {
    const line = await this.lines.find(text => text.startsWith(`{"event":"${kind}"`), `load says ${kind}`, { from: this.#next, ms })
    this.#next = this.lines.all.lastIndexOf(line) + 1
    return JSON.parse(line)
  }

  begin() {
    this.say('begin')
  }

  async report(ms = 60_000) {
    this.say('report')
    return this.event('report', ms)
  }

  /** All have this state; the event says when. */
  async all(seq, ms = 60_000) {
    this.say(`await ${seq}`)
    return this.event('all', ms)
  }
}

/** The bare loop. */
export class SendLoop extends Tool {
  static async start(sendBuffer) {
    const loop = new SendLoop('sendloop', [sendBuffer])
    loop.port = Number(await loop.lines.find(() => true, 'the loop says its port'))
    return loop
  }

  get url() {
    return `ws://127.0.0.1:${this.port}/`
  }

  async end() {
    await super.end()
    this.dropped = Number(/^(\d+) dropped/.exec(this.lines.all.at(-1))?.[1])
  }
}
