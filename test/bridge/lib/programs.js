/*
 * programs.js: programs that a test starts, and that end with it.
 *
 * What was started is ended by its process id, also when the test itself is
 * interrupted: a suite that is stopped must leave nothing behind.
 */
import { execFile, spawn } from 'node:child_process'
import { Recorder } from './recorder.js'

const endings = new Set()

function endAll() {
  for (const end of [...endings].reverse()) end()
  endings.clear()
}

process.on('exit', endAll)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

/** Has a synchronous function called when this process ends, unless it is taken back. */
export function onExit(end) {
  endings.add(end)
  return () => endings.delete(end)
}

/** Signals a process that may have ended already. */
export function signalProcess(pid, signal) {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}

/** Runs a program to its end; what it wrote to stdout, or an error with what it wrote to stderr. */
export function run(program, args, { env = {} } = {}) {
  return new Promise((resolve, reject) => {
    execFile(program, args, { env: { ...process.env, ...env }, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${program}: ${stderr || error.message}`))
      else resolve(stdout)
    })
  })
}

/** A program that runs beside the test; its lines on stderr are recorded. */
export class Program {
  lines = new Recorder()
  stdout = ''
  #child

  constructor(program, args, { env = {} } = {}) {
    this.#child = spawn(program, args, { env: { ...process.env, ...env } })
    const forget = onExit(() => signalProcess(this.#child.pid, 'SIGKILL'))
    let rest = ''
    this.#child.stdout.setEncoding('utf8').on('data', text => { this.stdout += text })
    this.#child.stderr.setEncoding('utf8').on('data', text => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()
      for (const line of lines) this.lines.put(line)
    })
    this.#child.stdin.on('error', () => {}) // it ended before it had read everything
    /** Its exit status, or the name of the signal that ended it. */
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject)
      this.#child.once('close', (code, signal) => {
        forget()
        resolve(code ?? signal)
      })
    })
  }

  get pid() {
    return this.#child.pid
  }

  get stdin() {
    return this.#child.stdin
  }

  get log() {
    return this.lines.all.join('\n')
  }

  /** Ends it; returns what it ended with. */
  async end(signal = 'SIGTERM') {
    this.#child.kill(signal)
    return this.ended
  }
}
