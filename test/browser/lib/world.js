/*
 * world.js: everything there is for an end-to-end test: PostgreSQL, the bridge,
 * the front that browsers come through, Chromium.
 */
import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Bridge } from '../../bridge/lib/bridge.js'
import { Database } from '../../bridge/lib/database.js'
import { guardDirectory } from '../../bridge/lib/programs.js'
import { until } from '../../bridge/lib/recorder.js'
import { Browser } from './devtools.js'
import { Front } from './front.js'

const CLIENT = fileURLToPath(new URL('../../../client', import.meta.url))
const PAGES = fileURLToPath(new URL('../pages', import.meta.url))

export class World {
  #www
  #guard
  #contexts = []
  #viewers = []
  #tokens = {}

  /** bridgeArgs: more of the bridge's flags. */
  static async start({ bridgeArgs = [] } = {}) {
    const world = new World()
    world.#www = mkdtempSync(join(tmpdir(), 'sync-progress-www.'))
    world.#guard = guardDirectory(world.#www)
    chmodSync(world.#www, 0o755)
    cpSync(PAGES, world.#www, { recursive: true })
    cpSync(CLIENT, join(world.#www, 'client'), { recursive: true })
    const browser = Browser.launch()
    world.database = await Database.start()
    world.bridge = await Bridge.start(world.database.conninfo(), ['--www', world.#www, ...bridgeArgs])
    await world.bridge.ready()
    world.front = await Front.start(world.bridge, owner => world.token(owner))
    world.browser = await browser
    return world
  }

  async stop() {
    await this.browser?.close()
    await this.front?.close()
    await this.bridge?.stop()
    await this.database?.destroy()
    await this.#guard?.release()
  }

  /** A token that is good for an hour, always the same. */
  token(owner) {
    return this.#tokens[owner] ??= this.database.token(owner)
  }

  /** A browser of its own, that ends with the test. */
  async context() {
    const context = await this.browser.context()
    this.#contexts.push(context)
    return context
  }

  /** What a test has opened is closed, and the front is what it was. */
  async reset() {
    for (const context of this.#contexts.splice(0)) await context.close()
    this.#viewers = []
    Object.assign(this.front, { asked: [], upgradedAt: [], refuseUpgrades: false, streams: 'pass', token: owner => this.token(owner) })
    this.front.silence(false)
    await this.socketsAre(0)
  }

  /** A tab of a context that watches a session as alice, if options say nothing else. */
  async watch(context, session, options = {}, { front = this.front, inNewWindow = false } = {}) {
    return this.viewer(await context.open(front.page({ session, tokenOf: 'alice', ...options }), { inNewWindow }))
  }

  /** A tab that waits to be told to begin(). */
  async open(context) {
    return this.viewer(await context.open(this.front.page()))
  }

  viewer(tab) {
    const viewer = new Viewer(tab)
    this.#viewers.push(viewer)
    return viewer
  }

  /** Adds to the run, and says what the table has then. */
  async count(session, amount = 1) {
    await this.database.increment(session, amount)
    return this.newest(session)
  }

  async newest(session) {
    await this.database.sql('SELECT sync.sync_progress_flush()')
    const { processed_count: count, status } = await this.database.row(session)
    return { count, status }
  }

  /** Waits until each of them shows what the table has now. */
  async allShowNewest(session, viewers = this.#viewers, ms = 5_000) {
    const { count, status } = await this.newest(session)
    for (const viewer of viewers) await viewer.shows({ count, status }, ms)
    return { count, status }
  }

  /** How many WebSockets the bridge has. */
  sockets() {
    return this.bridge.metric('cable_clients')
  }

  socketsAre(count, ms) {
    return until(() => this.sockets(), now => now === count, `the bridge has ${count} WebSockets`, ms)
  }
}

/** A tab with pages/watch.js in it. */
export class Viewer {
  constructor(tab) {
    this.tab = tab
  }

  begin(session, options = {}) {
    return this.tab.call(options => globalThis.begin(options), { session, tokenOf: 'alice', ...options })
  }

  /** What is shown now: { at, version, count, status }, or undefined. */
  shown() {
    return this.tab.call(() => globalThis.states.at(-1))
  }

  /** Waits for a state like that; it. */
  shows({ count, status }, ms) {
    return until(() => this.shown(), state => state && (count === undefined || state.count === count) && (status === undefined || state.status === status),
      `a tab shows ${count} ${status ?? ''}`, ms)
  }

  /** What a reader sees. */
  texts() {
    return this.tab.call(() => Object.fromEntries(['count', 'status'].map(id => [id, document.getElementById(id).textContent])))
  }

  /** Waits until the page was told that: connected, disconnected, rejected, reset. */
  isTold(what, ms) {
    return until(() => this.tab.call(() => globalThis.told ?? []), told => told.includes(what), `a tab is told: ${what}`, ms)
  }

  isLeader() {
    return this.tab.call(() => globalThis.client.isLeader)
  }

  /** Waits until the connection is in that state. */
  is(state, ms) {
    return this.tab.until(() => globalThis.client.state, now => now === state, `a tab is ${state}`, ms)
  }

  changes() {
    return this.tab.call(() => globalThis.changes)
  }

  /** All that it was ever shown was newer than what came before, and nothing went wrong in it. */
  async assertSound() {
    const { states, violations } = await this.tab.call(() => ({ states: globalThis.states, violations: globalThis.violations }))
    for (let i = 1; i < states.length; i++) {
      assert.ok(states[i].version > states[i - 1].version, `version ${states[i].version} after ${states[i - 1].version}`)
    }
    assert.deepEqual([...violations, ...this.tab.problems], [])
    return states
  }
}
