/*
 * What the adapters for pages need, and what they do not.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'

const CLIENT = fileURLToPath(new URL('../../client', import.meta.url))
const MODULES = fileURLToPath(new URL('../node_modules', import.meta.url))

let dir
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'sync-progress-import.'))
  mkdirSync(join(dir, 'node_modules/@hotwired'), { recursive: true })
  cpSync(CLIENT, join(dir, 'node_modules/sync-progress'), { recursive: true })
  symlinkSync(join(MODULES, '@hotwired/stimulus'), join(dir, 'node_modules/@hotwired/stimulus'))
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
})
after(() => rmSync(dir, { recursive: true, force: true }))

const run = script => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { cwd: dir })

test('each can be imported where there is no page, and does nothing', async () => {
  const { stdout, stderr } = await run(`
    const { register, SyncWidgetController, MeshProgressController } = await import('sync-progress/stimulus')
    const { MeshProgressSubscriber, BatchProgressSubscriber } = await import('sync-progress/mesh-subscriber')
    const { subscribeToSyncProgress, getConnectionJobs } = await import('sync-progress/sse')
    new MeshProgressSubscriber(42)
    console.log([register, SyncWidgetController, MeshProgressController, MeshProgressSubscriber, BatchProgressSubscriber,
      subscribeToSyncProgress, getConnectionJobs].map(each => typeof each).join())`)
  assert.equal(stdout.trim(), Array(7).fill('function').join())
  assert.equal(stderr, '')
})

test('Stimulus is imported by its name by who imports ./stimulus, and by nobody else', async () => {
  const importsOf = async entry => {
    const { metafile } = await build({ stdin: { contents: `export * from '${entry}'`, resolveDir: dir }, bundle: true, write: false, format: 'esm', metafile: true, external: ['@hotwired/*', 'react'], logLevel: 'error' })
    return Object.values(metafile.outputs).flatMap(({ imports }) => imports).filter(({ external }) => external).map(({ path }) => path)
  }
  assert.deepEqual([...new Set(await importsOf('sync-progress/stimulus'))], ['@hotwired/stimulus'])
  for (const entry of ['sync-progress', 'sync-progress/mesh-subscriber', 'sync-progress/sse', 'sync-progress/element']) assert.deepEqual(await importsOf(entry), [], entry)
})

test('[000-11] the widget has the targets of its document', async () => {
  const { stdout } = await run(`
    const { SyncWidgetController, MeshProgressController } = await import('sync-progress/stimulus')
    console.log(JSON.stringify([SyncWidgetController.targets, MeshProgressController.targets]))`)
  const [widget, mesh] = JSON.parse(stdout)
  const wanted = ['statusText', 'pauseButton', 'progressSection', 'progressPercentage', 'processedCount', 'progressBar', 'progressIndicator', 'detectedCount',
    'errorCount', 'timeRemaining', 'accountsList', 'accountItem', 'accountStatusIcon', 'accountProgress', 'accountCount', 'accountProgressBar',
    'inactiveSection', 'connectionWarning', 'connectionMessage']
  assert.equal(wanted.length, 19)
  assert.deepEqual(wanted.filter(name => !widget.includes(name)), [])
  assert.deepEqual(['container', 'progressBar', 'status', 'time', 'result', 'connection', 'cancelButton'].filter(name => !mesh.includes(name)), [])
})
