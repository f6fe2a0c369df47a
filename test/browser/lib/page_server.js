/*
 * page_server.js: serves the demo page as the bridge does, assembled from
 * demo/www/ and client/, under a policy as strict as it can be; and the tests'
 * own pages, below /pages/.
 */
import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** Where what is below a path is; the page itself is at the top. */
const FOLDERS = [['/client/', ''], ['/pages/', 'test/browser'], ['/', 'demo/www']]

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml'
}

export const POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "object-src 'none'; require-trusted-types-for 'script'"

export async function servePage(request, response) {
  const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname))
  const name = path === '/' ? '/index.html' : path
  const file = join(ROOT, FOLDERS.find(([path]) => name.startsWith(path))[1], name)
  try {
    const body = await readFile(file)
    response.writeHead(200, {
      'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream',
      'Content-Security-Policy': POLICY,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'no-referrer'
    })
    response.end(body)
  } catch {
    response.writeHead(404).end()
  }
}
