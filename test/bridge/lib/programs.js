/*
 * programs.js: programs that a test starts, and that end with it.
 *
 * A suite that is interrupted, or killed, must leave nothing behind, so none of
 * this is left to handlers of this process: the kernel ends its children, and a
 * guard outlives it to clean up.
 */
import { execFile, spawn } from 'node:child_process'
import { Recorder } from './recorder.js'

/**
 * Has a directory removed, after a command, when it is released or when this
 * process has ended, even by SIGKILL: the guard waits for the end of its stdin.
 */
export function guardDirectory(directory, command = ['true']) {
  const script = 'cat >/dev/null; dir=$1; shift; "$@"; rm -rf "$dir"'
  const guard = spawn('sh', ['-c', script, 'guard', directory, ...command], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  const ended = new Promise(resolve => guard.once('close', resolve))
  guard.unref()
  guard.stdin.unref()
  return {
    release() {
      guard.ref()
      guard.stdin.end()
      return ended
    }
  }
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
export function run(program, args) {
  return new Promise((resolve, reject) => {
    execFile(program, args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
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

  /** env: added to the environment. */
  constructor(program, args, { env = {} } = {}) {
    // becomes the program itself, which is killed when this process ends
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], { env: { ...process.env, ...env } })
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
      this.#child.once('close', (code, signal) => resolve(code ?? signal))
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
