/*
 * Clients that stop reading: at most a frame is held for each, what is old when
 * they wake is little, then comes the newest, and nobody else notices.
 */
import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { PROTOCOL, SUBSCRIBE, Site } from '../load/lib/site.js'
import { Load, rssKb } from '../load/lib/tools.js'
import { memoryMax } from './lib/bridge.js'
import { guardDirectory, run } from './lib/programs.js'
import { until } from './lib/recorder.js'

const LOAD = fileURLToPath(new URL('../load', import.meta.url))
const CONNECTIONS = 150
const SLOW = 100
const STATE_BYTES = 8_000

let directory
let guard
let site

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sync-progress-slow.'))
  guard = guardDirectory(directory)
  await run('make', ['-s', '-C', LOAD, 'build/load'])
  site = await Site.start(directory)
})
after(async () => {
  await site?.stop()
  await guard?.release()
})

test('stopped readers: one frame is held of each at most, old data is little, then comes the newest', async t => {
  const bridge = await site.bridge(['--auth', 'none'])
  t.after(() => bridge.stop())
  await bridge.ready()
  const session = await site.sessions(1, STATE_BYTES)
  const load = await Load.start({
    url: bridge.cable(), protocol: PROTOCOL, subscribe: SUBSCRIBE, ids: session.range, connections: CONNECTIONS, pid: bridge.pid, slow: SLOW, rcvbuf: 4096
  })
  t.after(() => load.end())
  let seq = 0
  const tell = () => {
    site.increment(session.first)
    seq++
    return until(() => load.report(), ({ newest }) => newest >= seq, `state ${seq}`)
  }
  const conflated = async () => Number(/^sync_progress_bridge_conflated_total (\d+)/m.exec(await (await fetch(`${bridge.origin}/metrics`)).text())[1])

  for (let i = 0; i < 10; i++) await tell()
  await load.all(seq)
  const rssBefore = rssKb(bridge.pid)
  load.say('stop')
  load.begin()
  // Until each of them has been spared twenty states.
  await until(async () => {
    await tell()
    return conflated()
  }, count => count >= 20 * SLOW, 'the stopped ones are passed over')
  const heldKb = (rssKb(bridge.pid) - rssBefore) / SLOW
  load.say('wake')
  await tell()
  const report = await until(() => load.report(), ({ slow }) => slow.behind === 0, 'those who woke have the newest state')
  t.diagnostic(`${heldKb.toFixed(1)} KB held of each, ${report.slow.old_bytes_max} old bytes at most, ${report.slow.skipped} states left out`)
  assert.ok(heldKb < memoryMax(2 * STATE_BYTES / 1024), `${heldKb} KB of each`)
  assert.ok(report.slow.old_bytes_max <= 64 * 1024, `${report.slow.old_bytes_max} old bytes`)
  assert.ok(report.slow.skipped >= 20 * SLOW)
  assert.deepEqual([report.backward, report.lost, report.skipped], [0, 0, 0], 'the others got each state')
  await tell()
  await load.all(seq)
})
