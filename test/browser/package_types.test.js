/*
 * The hand-written types: that they compile where they are used, refuse what is
 * wrong, and say no more and no less than what the modules have.
 */
import assert from 'node:assert/strict'
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isRecord, offersOf } from './lib/api.js'
import { CLIENT, manifestOf, packed, run, specifier } from './lib/packed.js'

const TSC = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url))

// What TypeScript needs to be told, what is set by a computed name, and Stimulus' values.
const TYPES_ONLY = /^(addEventListener|removeEventListener|meshId|batchId|\w+Value)$/

// What browsers and Stimulus call, and read.
const FOR_OTHERS = /^(\w+Callback|connect|disconnect|initialize|static (targets|values|classes)|\w+(TargetConnected|TargetDisconnected|ValueChanged))$/

let app
let entries
before(async () => {
  app = await packed('types')
  const { manifest, modules } = await manifestOf()
  entries = modules.map(entry => ({ entry, ...manifest.exports[entry] }))
})

for (const [resolution, project] of [['bundler', 'tsconfig.json'], ['nodenext', 'tsconfig.nodenext.json']]) {
  test(`an application compiles strictly, and its mistakes do not; moduleResolution ${resolution}`, async () => {
    const { stdout } = await run(process.execPath, [TSC, '-p', project, '--pretty', 'false'], { cwd: app.directory })
    assert.equal(stdout, '')
  })
}

test('every entry is used by an application that compiles, with a mistake that does not', async () => {
  const sources = (await readdir(app.directory)).filter(name => /\.tsx?$/.test(name))
  const texts = await Promise.all(sources.map(name => readFile(join(app.directory, name), 'utf8')))
  for (const { entry } of entries) {
    const using = texts.find(text => text.includes(`'${specifier(entry)}'`))
    assert.ok(using, entry)
    assert.match(using, /@ts-expect-error/, entry)
  }
})

/** The sources alone: where types lie beside them, TypeScript reads those. */
async function sources() {
  const directory = join(app.directory, 'sources')
  await mkdir(directory)
  for (const name of app.files.filter(each => each.endsWith('.js'))) await copyFile(join(CLIENT, name), join(directory, name))
  return directory
}

test('the types name what the modules have, and nothing else', async () => {
  const directory = await sources()
  const pathsOf = ({ types, default: source }) => [join(CLIENT, types), join(directory, source)]
  const offers = offersOf(entries.flatMap(pathsOf))
  for (const each of entries) {
    const { entry } = each
    const [said, had] = pathsOf(each).map(path => offers.get(path))
    assert.deepEqual(Object.keys(said).sort(), Object.keys(had).sort(), entry)
    for (const [name, members] of Object.entries(said)) {
      if (members === null || had[name] === null) continue
      if (isRecord(name)) continue
      const wanted = members.filter(member => !TYPES_ONLY.test(member))
      assert.deepEqual(wanted, had[name].filter(member => wanted.includes(member) || !FOR_OTHERS.test(member)), `${entry}: ${name}`)
    }
  }
})
