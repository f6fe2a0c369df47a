/*
 * promtool.js: Prometheus' own tool, which knows what it would take.
 */
import { spawn } from 'node:child_process'

/** Runs it with that on its stdin; what it wrote. An error if it found something. */
export function promtool(args, input = '') {
  return new Promise((resolve, reject) => {
    const child = spawn('promtool', args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', text => { said += text })
    child.on('error', reject)
    child.on('close', status => (status === 0 ? resolve(said) : reject(new Error(`promtool ${args.join(' ')}: ${status}\n${said}`))))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}
