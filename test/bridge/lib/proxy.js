/*
 * proxy.js: nginx and HAProxy, with the very files that an installation takes;
 * only addresses, ports and paths are put in, as their heads say.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { within } from '../../browser/lib/wait.js'
import { Program, guardDirectory } from './programs.js'
import { until } from './recorder.js'

const PROXIES = fileURLToPath(new URL('../../../bridge/proxies/', import.meta.url))

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise(resolve => server.close(resolve))
  return port
}

const answers = port => new Promise(resolve => {
  const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true) })
  socket.on('error', () => resolve(false))
})

/** Each must be found, or the file has changed and the test with it. */
function replace(text, pairs) {
  for (const [from, to] of pairs) {
    const next = text.replaceAll(from, to)
    if (next === text) throw new Error(`there is no ${from} in it`)
    text = next
  }
  return text
}

const KINDS = {
  nginx({ dir, bridges, port, plainPort, certificate, times }) {
    const file = replace(readFileSync(join(PROXIES, 'nginx.conf'), 'utf8'), [
      ['server 127.0.0.1:8080 max_fails=1 fail_timeout=2s;', bridges.map(({ port }) => `server 127.0.0.1:${port} max_fails=1 fail_timeout=2s;`).join('\n')],
      ['listen 80;', `listen 127.0.0.1:${plainPort};`],
      ['listen 443 ssl http2;', `listen 127.0.0.1:${port} ssl http2;`],
      ['/etc/ssl/progress.example.com.pem', certificate.file('cert.pem')],
      ['/etc/ssl/progress.example.com.key', certificate.file('key.pem')],
      ['/var/log/nginx/sync-progress.log', join(dir, 'access.log')],
      ...times ? [['90s', times]] : []
    ])
    writeFileSync(join(dir, 'sync-progress.conf'), file)
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${dir}/${name};`).join(' ')
    writeFileSync(join(dir, 'nginx.conf'), `daemon off; pid ${dir}/pid; error_log stderr notice; events { worker_connections 512; }
      http { access_log off; ${temporary} include ${dir}/sync-progress.conf; }`)
    return { program: 'nginx', args: ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', 'stderr'], access: () => readFileSync(join(dir, 'access.log'), 'utf8') }
  },

  haproxy({ dir, bridges, port, plainPort, certificate, times }) {
    writeFileSync(join(dir, 'cert.pem'), readFileSync(certificate.file('cert.pem')) + readFileSync(certificate.file('key.pem')))
    const file = replace(readFileSync(join(PROXIES, 'haproxy.cfg'), 'utf8'), [
      ['server bridge1 127.0.0.1:8080 check port 8081', bridges.map(({ port, adminPort }, i) => `server bridge${i + 1} 127.0.0.1:${port} check port ${adminPort}`).join('\n    ')],
      ['bind :80\n', `bind 127.0.0.1:${plainPort}\n`],
      ['bind :443 ', `bind 127.0.0.1:${port} `],
      ['/etc/haproxy/progress.example.com.pem', join(dir, 'cert.pem')],
      // as many as this process may open files
      ['maxconn 25000', 'maxconn 200'],
      ...times ? [['90s', times]] : []
    ])
    writeFileSync(join(dir, 'haproxy.cfg'), file)
    return { program: 'haproxy', args: ['-db', '-W', '-f', join(dir, 'haproxy.cfg')] }
  }
}

export class Proxy {
  #program
  #guard
  #access

  /**
   * kind: nginx or haproxy. bridges: with an adminPort each. times: instead of
   * the 90 s after which a silent connection is given up.
   */
  static async start(kind, options) {
    const proxy = new Proxy()
    const dir = mkdtempSync(join(tmpdir(), 'sync-progress-proxy.'))
    proxy.#guard = guardDirectory(dir)
    proxy.port = await freePort()
    proxy.plainPort = await freePort()
    const { program, args, access } = KINDS[kind]({ ...options, dir, port: proxy.port, plainPort: proxy.plainPort })
    // where Debian has them, which users do not look at
    proxy.#program = new Program(program, args, { env: { PATH: `${process.env.PATH}:/usr/sbin` } })
    proxy.#access = access ?? (() => proxy.#program.stdout)
    const ended = proxy.#program.ended.then(status => { throw new Error(`${kind} ended: ${status}\n${proxy.#program.log}`) })
    ended.catch(() => {})
    await Promise.race([ended, until(() => answers(proxy.port), isUp => isUp, `${kind} listens`)])
    return proxy
  }

  /** What it has written about requests. */
  get accessLog() {
    return this.#access()
  }

  get origin() {
    return `https://127.0.0.1:${this.port}`
  }

  cable(token) {
    return `wss://127.0.0.1:${this.port}/cable${token === undefined ? '' : `?token=${token}`}`
  }

  async stop() {
    await within(this.#program.end('SIGTERM'), 'the proxy ends')
    await this.#guard.release()
  }
}
