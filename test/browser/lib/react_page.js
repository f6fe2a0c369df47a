/*
 * react_page.js: pages and servers with the real React in them, 18 or 19.
 *
 * esbuild puts together react_app.js, the adapter and React, as a bundler does
 * for an application.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const TEST = join(HERE, '../..')

/** The names under which test/package.json has them. */
const ALIASES = { 18: { react: 'react18', 'react-dom': 'react-dom18' }, 19: {} }

function bundle(entry, version, options) {
  return build({
    entryPoints: [join(HERE, entry)],
    bundle: true,
    write: false,
    outdir: '/',
    logLevel: 'error',
    nodePaths: [join(TEST, 'node_modules')],
    alias: ALIASES[version],
    // React's development build: it is the one that warns.
    define: { 'process.env.NODE_ENV': '"development"' },
    ...options
  })
}

/** Answers a page whose script is react_app.js; body: what the server has rendered. */
export async function reactSite({ version = 19, body = () => '', answer = () => false } = {}) {
  const { outputFiles } = await bundle('react_app.js', version, { format: 'esm', splitting: true, platform: 'browser' })
  const scripts = new Map(outputFiles.map(({ path, contents }) => [path, contents]))
  return (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    if (answer(request, response)) return
    if (scripts.has(pathname)) {
      response.writeHead(200, { 'Content-Type': 'text/javascript; charset=utf-8' }).end(scripts.get(pathname))
    } else if (pathname === '/') {
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' })
        .end(`<!doctype html><html lang="en"><title>React</title><link rel="icon" href="data:,"><div id="root">${body()}</div><script type="module" src="/react_app.js"></script>`)
    } else {
      response.writeHead(404).end()
    }
  }
}

/** render(name, props) → markup, as a server of that React makes it. */
export async function serverRenderer(version = 19) {
  const { outputFiles: [{ contents }] } = await bundle('react_server.js', version, { format: 'cjs', platform: 'node' })
  const directory = join(TEST, 'tmp')
  await mkdir(directory, { recursive: true })
  const path = join(directory, `react_server_${version}_${process.pid}.cjs`)
  await writeFile(path, contents)
  return createRequire(import.meta.url)(path)
}
