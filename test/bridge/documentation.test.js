/*
 * What doc/protocol.md says of paths and of what is counted, against a bridge
 * that need not have a database for it; and the rights that a bridge has.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { Bridge } from './lib/bridge.js'
import { Plain, request } from './lib/plain.js'

const read = path => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

const PROTOCOL = read('doc/protocol.md')

let bridge
let metrics

before(async () => {
  bridge = await Bridge.start('host=/nonexistent')
  metrics = await (await fetch(`${bridge.origin}/metrics`)).text()
})
after(() => bridge?.stop())

/** The values of a label, as they are served. */
const served = (name, label) => [...metrics.matchAll(new RegExp(`^sync_progress_bridge_${name}\\{${label}="(\\w+)"\\}`, 'gm'))].map(match => match[1]).sort()

/** A part of the document, from its headline to the next. */
const section = title => PROTOCOL.split(/^## /m).find(text => text.startsWith(title)) ?? assert.fail(`there is no section ${title}`)

/** The methods that a path has, without what is answered to a GET: streams do not end. */
async function methodsOf(path) {
  const text = await Plain.exchange(bridge, request(`OPTIONS ${path}`, ['Connection: close']))
  return /^allow: (.*)\r$/im.exec(text)?.[1].split(', ') ?? []
}

test('each path that is described is there, with its method and no other', async () => {
  const rows = [...section('HTTP').matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell]) => [...cell.matchAll(/`(GET|POST) ([^`?]+)/g)])
    .concat([...section('Server-sent events').split('\n')[0].matchAll(/`(GET) ([^`]+)`/g)])
  assert.ok(rows.length >= 10, `${rows.length} paths`)
  for (const [, method, shown] of rows) {
    const path = shown.replace('<channel>', 'SyncStatusChannel').replace('<id>', '1').replace('<action>', 'pause')
    if (path === '/') continue // has files only with --www
    assert.deepEqual(await methodsOf(path), ['OPTIONS', ...(method === 'GET' ? ['GET', 'HEAD'] : [method])], shown)
  }
  assert.deepEqual(await methodsOf('/nothing'), [])
})

test('each reason of a refusal that is counted is described, and no other', () => {
  const limits = section('Limits')
  const table = [...limits.matchAll(/^\|.*\| `([a-z_]+)` \|$/gm)].map(match => match[1]).filter(reason => !/_total$/.test(reason))
  const [, also] = /^Also counted: (.*?)\. /m.exec(limits)
  const described = [...table, ...[...also.matchAll(/`(\w+)`/g)].map(match => match[1])].filter(reason => !served('timed_out_total', 'stage').includes(reason))
  assert.deepEqual([...new Set(described)].sort(), served('refused_total', 'reason'))
})

test('each stage that has a time is described, and no other', () => {
  const table = section('Limits').split('`timed_out_total{stage=…}`')[1].split('\n\n')[0]
  const described = [...table.matchAll(/\| `(\w+)` \|$/gm)].map(match => match[1])
  assert.deepEqual([...new Set(described)].sort(), served('timed_out_total', 'stage'))
})

test('each metric has its help, its type, and a value', () => {
  const values = metrics.split('\n').filter(line => line && !line.startsWith('#'))
  assert.ok(values.length > 20)
  for (const line of values) {
    const [, series, value] = /^((?:sync_progress_bridge|process)_\w+)(?:\{(?:,?\w+="[^"]+")+\})? (\d+(?:\.\d+)?)$/.exec(line) ?? assert.fail(line)
    const name = series.replace(/(_seconds)_(bucket|sum|count)$/, '$1')
    const type = name === series ? (name.endsWith('_total') ? 'counter' : 'gauge') : 'histogram'
    assert.match(metrics, new RegExp(`^# HELP ${name} \\S.*\\.$`, 'm'))
    assert.match(metrics, new RegExp(`^# TYPE ${name} ${type}$`, 'm'))
    assert.ok(Number(value) >= 0)
  }
})

test('what sync_progress_grant gives a bridge is what the document lists, but for the doctor, and what all these tests have', () => {
  const listed = [...section('SQL, for the bridge').matchAll(/^(sync_progress_\w+)\(/gm)].map(match => match[1]).sort()
  const [, given] = /\('bridge', '\{([^}]*)\}'\)/.exec(read('sql/1.1.0/42-grant.sql'))
  assert.deepEqual(given.split(',').filter(name => name !== 'sync_progress_doctor').sort(), listed)
  const [, had] = /GRANT EXECUTE ON FUNCTION (sync\.sync_progress_attach[^;]*?) TO bridge;/.exec(read('test/bridge/lib/database.js'))
  assert.deepEqual([...had.matchAll(/sync\.(\w+)/g)].map(match => match[1]).sort(), listed)
  assert.match(read('README.md'), /sync_progress_grant\('bridge', 'bridge'\)/)
})
