/*
 * custom-elements.json, which editors and documentation tools read, says what
 * the element has.  (Its parts are in element_states.test.js, where they are drawn.)
 */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { SyncProgressElement } from '../../client/element.js'
import { offersOf } from './lib/api.js'
import { CLIENT, manifestOf } from './lib/packed.js'

// Read when they are needed, so not observed.
const UNOBSERVED = ['action-url', 'theme']

let declared
let sources
before(async () => {
  const { manifest } = await manifestOf()
  const { modules } = JSON.parse(await readFile(join(CLIENT, manifest.customElements)))
  declared = modules.flatMap(({ declarations }) => declarations).find(({ tagName }) => tagName === 'sync-progress')
  const names = (await readdir(CLIENT)).filter(name => /^element.*\.js$/.test(name))
  sources = (await Promise.all(names.map(name => readFile(join(CLIENT, name), 'utf8')))).join('\n')
})

const namesOf = list => list.map(({ name }) => name).sort()

test('its attributes, members and events', async () => {
  assert.equal(declared.name, 'SyncProgressElement')
  const observed = SyncProgressElement.observedAttributes
  assert.deepEqual(namesOf(declared.attributes), [...new Set([...observed, ...UNOBSERVED])].sort())

  const types = join(CLIENT, 'element.d.ts')
  const members = offersOf([types]).get(types).SyncProgressElement
  const own = members.filter(name => !['addEventListener', 'removeEventListener', 'static observedAttributes'].includes(name))
  assert.deepEqual(namesOf(declared.members), own.map(name => name.replace('static ', '')).sort())

  const events = [...(await readFile(types, 'utf8')).matchAll(/^ {2}'(sync-progress:\w+)':/gm)].map(([, name]) => name)
  assert.deepEqual(namesOf(declared.events), events.sort())
})

test('its variables', async () => {
  const variables = new Set([...sources.matchAll(/var\((--sp-[\w-]+)/g)].map(([, name]) => name))
  assert.deepEqual(namesOf(declared.cssProperties), [...variables].sort())
})
