/*
 * certificate.js: a certificate of the test's own, and requests that trust it.
 */
import { mkdtempSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { within } from '../../browser/lib/wait.js'
import { guardDirectory, run } from './programs.js'

export class Certificate {
  #dir
  #guard

  static async make() {
    const certificate = new Certificate()
    certificate.#dir = mkdtempSync(join(tmpdir(), 'sync-progress-tls.'))
    certificate.#guard = guardDirectory(certificate.#dir)
    await certificate.issue('cert.pem', 'key.pem')
    return certificate
  }

  /** Another one, with its key; a passphrase locks the key. algorithm: of the key. */
  issue(cert, key, passphrase, { algorithm = ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'], days = 2 } = {}) {
    return run('openssl', ['req', '-x509', '-newkey', ...algorithm, '-days', String(days), '-subj', '/CN=localhost',
      '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', this.file(key), '-out', this.file(cert),
      ...passphrase ? ['-passout', `pass:${passphrase}`] : ['-noenc']])
  }

  /** One that is good no more. */
  async issueExpired(cert, key) {
    const request = this.file(`${cert}.request`)
    await run('openssl', ['req', '-newkey', 'rsa:2048', '-noenc', '-subj', '/CN=localhost', '-keyout', this.file(key), '-out', request])
    await run('openssl', ['x509', '-req', '-in', request, '-signkey', this.file(key), '-days', '0', '-out', this.file(cert)])
  }

  file(name) {
    return join(this.#dir, name)
  }

  /** Flags with which a bridge serves TLS. */
  get flags() {
    return ['--tls-cert', this.file('cert.pem'), '--tls-key', this.file('key.pem')]
  }

  /** Options with which a client trusts it. */
  get trust() {
    return { ca: readFileSync(this.file('cert.pem')), servername: 'localhost' }
  }

  /** An HTTPS request to the bridge: status, headers and body. */
  fetch(bridge, path, { method = 'GET', headers = {}, ...options } = {}) {
    return within(new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: bridge.port, path, method, headers, agent: false, ...this.trust, ...options }, answer => {
        let body = ''
        answer.setEncoding('utf8').on('data', text => { body += text })
        answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body }))
      })
      asked.on('error', reject).end()
    }), `the answer to https ${method} ${path}`)
  }

  destroy() {
    return this.#guard.release()
  }
}
