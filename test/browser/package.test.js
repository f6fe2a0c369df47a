/*
 * The package as npm would publish it: what is in it, that it can be imported
 * anywhere, and what the tools that judge packages say.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { manifestOf, packed, run, specifier } from './lib/packed.js'

const ENTRIES = ['.', './cross-tab', './define', './element', './format', './mesh-subscriber', './react', './sessions', './sse', './stimulus']
const ATTW = fileURLToPath(new URL('../node_modules/@arethetypeswrong/cli/dist/index.js', import.meta.url))
const node = Number(process.versions.node.split('.')[0])

let app
let manifest
let modules
before(async () => {
  app = await packed('itself')
  ;({ manifest, modules } = await manifestOf(app.package))
})

test('every part has an entry, and the types beside it', () => {
  assert.deepEqual([...modules].sort(), ENTRIES)
  for (const entry of modules) {
    const { types, default: source } = manifest.exports[entry]
    assert.deepEqual(Object.keys(manifest.exports[entry]), ['types', 'default'], 'types come first')
    assert.equal(types, source.replace(/\.js$/, '.d.ts'))
    assert.ok(app.files.includes(types.slice(2)), types)
  }
})

test('the package holds what the entries need, and nothing else', async () => {
  const { metafile } = await build({
    entryPoints: modules.map(entry => join(app.package, manifest.exports[entry].default)),
    bundle: true,
    write: false,
    outdir: '/',
    format: 'esm',
    splitting: true,
    metafile: true,
    absWorkingDir: app.package,
    external: ['react', '@hotwired/stimulus']
  })
  const needed = new Set(Object.keys(metafile.inputs))
  const types = new Set()
  const addTypes = async file => {
    if (types.has(file)) return
    types.add(file)
    const text = await readFile(join(app.package, file), 'utf8')
    for (const [, name] of text.matchAll(/from '\.\/([\w/]+)\.js'/g)) await addTypes(`${name}.d.ts`)
  }
  for (const entry of modules) await addTypes(manifest.exports[entry].types.slice(2))

  const others = ['LICENSE', 'README.md', 'custom-elements.json', 'package.json', 'themes/mesh.css', 'themes/teal.css']
  assert.deepEqual(app.files, [...needed, ...types, ...others].sort())
})

test('each entry can be imported where there is no DOM, and nothing stays running', async () => {
  const script = `
    const before = Object.getOwnPropertyNames(globalThis).sort().join()
    for (const name of ${JSON.stringify(modules.map(specifier))}) {
      const module = await import(name)
      if (Object.keys(module).length === 0) throw new Error(name + ' exports nothing')
    }
    if (Object.getOwnPropertyNames(globalThis).sort().join() !== before) throw new Error('globals were made')
    if (typeof document !== 'undefined') throw new Error('there is a DOM')
    console.log('imported')`
  // It ends by itself, or is killed.
  const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: app.directory, timeout: 60_000 })
  assert.equal(stdout.trim(), 'imported')
  assert.equal(stderr, '')
})

test('an import alone is dropped by bundlers, but for define', async () => {
  for (const entry of modules) {
    const { outputFiles: [{ text }] } = await build({
      stdin: { contents: `import '${specifier(entry)}'`, resolveDir: app.directory },
      bundle: true,
      minify: true,
      write: false,
      format: 'esm',
      logLevel: 'silent',
      external: ['react', '@hotwired/stimulus']
    })
    assert.equal(text.trim() !== '', entry === './define', `${entry}: ${text.slice(0, 100)}`)
  }
})

test('frameworks are optional peers, and nothing is a dependency', () => {
  assert.equal(manifest.dependencies, undefined)
  const peers = Object.keys(manifest.peerDependencies)
  assert.deepEqual(peers.sort(), ['@hotwired/stimulus', 'react'])
  for (const peer of peers) assert.equal(manifest.peerDependenciesMeta[peer].optional, true, peer)
})

test('publint finds nothing', async () => {
  const { messages } = await publint({ pkgDir: app.package, strict: true })
  assert.deepEqual(messages.map(message => formatMessage(message, manifest)), [])
})

// ES modules only: what CommonJS's resolution makes of them does not count.
test('@arethetypeswrong finds nothing', { skip: node < 20 && `it needs Node 20, this is ${process.version}` }, async () => {
  // Ends with 1 if there is a problem.
  const { stdout } = await run(process.execPath, [ATTW, app.tarball, '--profile', 'esm-only', '--format', 'json'])
  const { analysis } = JSON.parse(stdout)
  for (const entry of modules) assert.ok(entry in analysis.entrypoints, entry)
})
