/*
 * The settings are told in several places: --help, the sample configuration,
 * the documentation, the unit file.  All of them must say the same.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Bridge } from './lib/bridge.js'
import { guardDirectory, run } from './lib/programs.js'

const read = path => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')

const SAMPLE = read('bridge/sync-progress-bridge.conf')
const PROTOCOL = read('doc/protocol.md')
const MANUAL = read('bridge/sync-progress-bridge.8')
const SETTINGS = read('doc/bridge-settings.md')
const DOCUMENTS = ['README.md', 'doc/bridge-settings.md', 'doc/protocol.md', 'doc/architecture.md'].map(read).join('\n')

/** What is done once, and is no setting. */
const VERBS = new Set(['config', 'check_config', 'doctor', 'version', 'help'])

/** What --help says needs a restart. */
let fixed

/** key: { value: what it takes, preset: its default or '' } */
const settings = new Map()

/** The lines of the sample, on or commented out: [key, value]. */
const sampled = SAMPLE.split('\n').flatMap(line => {
  const [, key, value] = /^#?([a-z_]+) =(?: (.*))?$/.exec(line) ?? []
  return key ? [[key, value ?? '']] : []
})

before(async () => {
  const { status, stdout } = await Bridge.tries(['--help'])
  assert.equal(status, 0)
  for (const [, flag, value, text] of stdout.matchAll(/^ {2}--([a-z-]+)(?: (\S+))? +(.*)$/gm)) {
    const key = flag.replaceAll('-', '_')
    if (!VERBS.has(key)) settings.set(key, { value, text, preset: / \(([^() ]+)\)$/.exec(text)?.[1] ?? '' })
  }
  fixed = /^With SIGHUP .* needs a restart: (.*)$/m.exec(stdout)[1].split(' ')
  assert.ok(settings.size > 20, `--help lists ${settings.size}`)
})

test('--help has a line for each setting: its value, what it does, its default', () => {
  for (const [key, { value, text }] of settings) {
    assert.ok(value, `${key} takes a value`)
    assert.match(text, /\S+ \S+/, `${key} is explained`)
  }
  for (const key of VERBS) assert.ok(!settings.has(key))
})

test('the sample configuration names each setting once (lists may have more examples), and no other', () => {
  const names = sampled.map(([key]) => key)
  assert.deepEqual([...new Set(names)].sort(), [...settings.keys()].sort())
  const twice = names.filter((key, i) => names.indexOf(key) !== i)
  assert.deepEqual([...new Set(twice)], ['route'])
})

test('[000-22] what it shows is the default, wherever there is one', () => {
  for (const [key, value] of sampled) {
    const { preset } = settings.get(key)
    if (preset) assert.equal(value, preset, key)
  }
  assert.deepEqual(sampled.filter(([key]) => key === 'max_connections'), [['max_connections', '10000']])
})

test('the table of settings has each of them, with its value, its default, and whether it changes on reload', () => {
  const rows = [...SETTINGS.matchAll(/^\| `([a-z_]+)` \| (\S.*?) \| (\S+) \| (.+?) \| (.+) \|$/gm)]
  assert.deepEqual(rows.map(([, key]) => key), [...settings.keys()])
  for (const [, key, value, preset, reload, text] of rows) {
    const setting = settings.get(key)
    assert.equal(value, setting.value === 'N' ? 'number' : `\`${setting.value.replaceAll('|', ' \\| ')}\``, key)
    assert.equal(preset, setting.preset ? `\`${setting.preset}\`` : '–', key)
    assert.equal(reload === '**no**', fixed.includes(key), key)
    assert.match(reload, /^\*\*no\*\*$|^yes\b|^with /, key)
    assert.match(text, /\S+ \S+/, key)
  }
  assert.ok(fixed.every(key => settings.has(key)))
})

test('the manual page is well-formed, and has each of them with its default, and whether it changes on reload', async () => {
  await run('mandoc', ['-T', 'lint', '-W', 'warning', fileURLToPath(new URL('../../bridge/sync-progress-bridge.8', import.meta.url))])
  const items = MANUAL.split(/^\.It /m).slice(1)
  const flags = items.flatMap(item => /^Fl -([a-z-]+)/.exec(item)?.[1].replaceAll('-', '_') ?? [])
  assert.deepEqual(flags.filter(key => !VERBS.has(key)), [...settings.keys()])
  for (const key of VERBS) assert.ok(flags.includes(key), key)
  for (const [key, { preset }] of settings) {
    const item = items.find(item => item.startsWith(`Fl -${key.replaceAll('_', '-')} `))
    assert.equal(/^The default is\n\.Ql (\S+) \.$/m.exec(item)?.[1] ?? '', preset, key)
    assert.equal(item.includes('\nA change needs a restart.\n'), fixed.includes(key), key)
  }
})

test('nothing is set in it as it comes, and all that it shows may be', async t => {
  assert.ok(!/^[a-z]/m.test(SAMPLE))
  const dir = mkdtempSync(join(tmpdir(), 'sync-progress-settings.'))
  const guard = guardDirectory(dir)
  t.after(() => guard.release())
  const path = join(dir, 'bridge.conf')
  // files that are on no machine, and what may not be together with another example
  const not = new Set(['tls_cert', 'tls_key', 'www'])
  for (const text of [SAMPLE, sampled.filter(([key]) => !not.has(key)).map(([key, value]) => `${key} = ${value}\n`).join('')]) {
    writeFileSync(path, text)
    const { status, log, stdout } = await Bridge.tries(['--config', path, '--check-config'])
    assert.equal(status, 0, log)
    assert.equal(stdout, 'configuration ok\n')
    assert.equal(log, '')
  }
})

test('each is explained in the documentation, by its name or its flag', () => {
  // what the log says is not the wire's, and the sample says all there is to say of it
  for (const key of settings.keys()) {
    if (key === 'log_level') continue
    assert.match(DOCUMENTS, new RegExp(`\\b${key}\\b|--${key.replaceAll('_', '-')}\\b`), key)
  }
})

test('the documentation names no flag that there is not', () => {
  // as they are written in text; what psql, curl, make or the demo take is in blocks of code
  const own = new Set([...settings.keys(), ...VERBS])
  const flags = [...PROTOCOL.matchAll(/`--([a-z-]+)[^`]*`/g)].map(([, flag]) => flag.replaceAll('-', '_'))
  assert.ok(flags.length > 0)
  for (const flag of flags) assert.ok(own.has(flag), `--${flag}`)
})

test('[000-22] [000-35] the tables of limits have the defaults that there are', () => {
  const rows = [...PROTOCOL.matchAll(/^\| ([^|]+) \| ([^|]+) \| `([a-z_]+)` \|/gm)]
  const seen = new Set()
  for (const [line, , shown, key] of rows) {
    assert.ok(settings.has(key), `${key} is no setting: ${line}`)
    // "64 KiB", "10 s", "10,000", "30 s, and 1 s for every 64 kB"
    const [, number, unit] = /^([\d,]+)(?: (KiB|s))?/.exec(shown)
    const factor = { KiB: 1024, s: key.endsWith('_ms') ? 1000 : 1 }[unit] ?? 1
    assert.equal(String(Number(number.replaceAll(',', '')) * factor), settings.get(key).preset, line)
    seen.add(key)
  }
  for (const key of settings.keys()) {
    if (/^max_|_per_|_timeout_ms$|^(body|frame)_bytes$|^header_pool$/.test(key)) assert.ok(seen.has(key), `${key} is in no table`)
  }
})

test('the unit file starts what there is, with a configuration that may be there', () => {
  const unit = read('bridge/sync-progress-bridge.service')
  const [, program, flags] = /^ExecStart=(\S+)(.*)$/m.exec(unit)
  assert.match(program, /\/sync-progress-bridge$/)
  for (const [, flag] of flags.matchAll(/--([a-z-]+)/g)) {
    const key = flag.replaceAll('-', '_')
    assert.ok(settings.has(key) || VERBS.has(key), flag)
  }
  const [, config] = /--config (\S+)/.exec(flags)
  assert.ok(read('README.md').includes(config), `README installs ${config}`)
})

test('a variable is named like its flag, and one that is none is said', async () => {
  const { status, log } = await Bridge.tries(['--check-config'], { env: { SYNC_PROGRESS_MAX_CONNECTIONS: 'many' } })
  assert.equal(status, 2)
  assert.match(log, /bad value for max_connections: "many" is not a number from 1 to 1000000/)
  const unknown = await Bridge.tries(['--check-config'], { env: { SYNC_PROGRESS_MAX_CONECTIONS: '5' } })
  assert.equal(unknown.status, 0)
  assert.match(unknown.log, /WARN config: unknown variable name=SYNC_PROGRESS_MAX_CONECTIONS/)
})
