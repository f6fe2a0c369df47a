/*
 * The owner's list in whatever order things come: pages that are old when they
 * arrive, events late and twice, answers before and after them. In the end each
 * list has what the server has; on the way nothing goes back.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SessionList } from '../../client/sessions.js'
import { FakeClock } from './lib/fake_clock.js'
import { FakeListClient, settled } from './lib/fake_list.js'

const SEEDS = 150
const STEPS = 80

/** mulberry32: the same numbers for the same seed. */
function randomOf(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** A server, a list, and everything between them that is on its way. */
class World {
  client = new FakeListClient(4)
  clock = new FakeClock()
  events = []
  pages = []
  edits = []
  lastId = 4
  seen = new Map() // id → [lock_version, processed_count]

  constructor(seed, { edits }) {
    this.random = randomOf(seed)
    this.hasEdits = edits
    this.list = new SessionList(this.client, { clock: this.clock, random: () => 1 })
    this.list.addEventListener('change', () => this.look())
    this.list.open()
    this.client.connect()
    this.client.auto = false
  }

  pick(array) {
    return array[Math.floor(this.random() * array.length)]
  }

  look() {
    for (const { session_id: id, lock_version: lock, processed_count: done = 0 } of this.list.sessions) {
      const [lockBefore, doneBefore] = this.seen.get(id) ?? [0, 0]
      assert.ok(done >= doneBefore, `the count of ${id} went from ${doneBefore} to ${done}`)
      if (!this.hasEdits) assert.ok(lock >= lockBefore, `the lock_version of ${id} went from ${lockBefore} to ${lock}`)
      this.seen.set(id, [lock, done])
    }
  }

  step() {
    const ids = [...this.client.rows.keys()]
    const id = this.pick(ids)
    const does = {
      create: () => this.tell('session_created', this.client.create(++this.lastId)),
      rename: () => id && this.tell('session_renamed', this.client.edit(id, { title: `Mail ${this.random()}` })),
      pin: () => id && this.tell('session_pinned', this.client.edit(id, { pinned: !this.client.rows.get(id).pinned })),
      tick: () => id && this.client.tick(id, this.client.rows.get(id).processed_count + 1),
      remove: () => ids.length > 2 && this.tell('session_deleted', this.client.remove(id)),
      reload: () => this.list.reload(),
      deliver: () => this.deliver(),
      again: () => this.last && this.client.event(...this.last),
      time: () => this.clock.advance(this.random() * 700),
      server: () => this.serve(),
      network: () => this.pages.splice(0, 1).forEach(answer => answer()),
      own: () => this.hasEdits && this.own(this.pick(this.list.sessions)?.session_id)
    }
    does[this.pick(['create', 'rename', 'rename', 'pin', 'tick', 'remove', 'reload', 'deliver', 'deliver', 'deliver', 'again', 'time', 'server', 'server', 'network', 'network', 'own'])]()
  }

  tell(type, data) {
    this.events.push([type, data])
  }

  deliver() {
    const event = this.events.shift()
    if (event) this.client.event(...(this.last = event))
  }

  /** The server looks at a request; its answer is on its way then. */
  serve() {
    const request = this.client.requests.all.find(({ served }) => !served)
    if (!request) return
    request.served = true
    const { resolve, reject } = request
    const before = new Map(this.client.rows)
    request.resolve = answer => this.pages.push(() => resolve(answer))
    request.reject = error => this.pages.push(() => reject(error))
    const { method, path } = request
    if (method === 'GET') request.resolve(this.client.page(new URL(path, 'http://list/').searchParams))
    else this.act(request, before)
  }

  act(request, before) {
    this.client.answerTo(request)
    const { session_id: id } = request.body
    const [old, now] = [before.get(id), this.client.rows.get(id)]
    if (old && !now) this.tell('session_deleted', { ...old, version: old.version + 1 })
    else if (old !== now) this.tell(request.path.endsWith('pin') ? 'session_pinned' : 'session_renamed', { ...now })
  }

  own(id) {
    if (id === undefined) return
    const edits = [() => this.list.rename(id, `Own ${this.random()}`), () => this.list.pin(id, this.random() < 0.5), () => this.list.delete(id)]
    this.edits.push(edits[Math.floor(this.random() * 2.3)]())
  }

  /** Everything that is on its way arrives, and nothing new happens. */
  async rest() {
    for (let i = 0; i < 60; i++) {
      this.deliver()
      this.serve()
      for (const answer of this.pages.splice(0)) answer()
      await settled()
      if (i % 3 === 2) this.clock.advance(600)
    }
    await Promise.all(this.edits)
    assert.equal(this.events.length, 0)
  }
}

const known = ({ session_id, title, pinned, lock_version }) => ({ session_id, title, pinned, lock_version })

for (const edits of [false, true]) {
  test(`[004-12] whatever the order, the list is the server's in the end${edits ? ', own edits included' : ', and nothing goes back on the way'}`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new World(seed, { edits })
      try {
        await settled()
        for (let i = 0; i < STEPS; i++) {
          world.step()
          if (i % 2) await settled()
        }
        for (let i = 0; i < 3; i++) await world.rest()
        const server = [...world.client.rows.values()].sort((a, b) => b.pinned - a.pinned || b.session_id - a.session_id)
        assert.deepEqual(world.list.sessions.map(known), server.map(known))
      } catch (error) {
        error.message = `seed ${seed}: ${error.message}`
        throw error
      } finally {
        world.list.close()
      }
    }
  })
}
