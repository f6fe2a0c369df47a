/*
 * conform.js: one script of frames, played against a real Action Cable server
 * and against ours.
 *
 *   node conform.js [word…]     only the cases whose names have one of these words
 *
 * What each side answers is brought into a normal form: pings are left out, of
 * states only what does not depend on the moment is kept, and frames keep their
 * order for each identifier.  What Rails answers, changed by the exceptions
 * that are documented (exceptions.js), must be what ours does.  Any other
 * difference is printed and fails, and so does an exception that changed nothing.
 */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { Database } from '../bridge/lib/database.js'
import { RawClient, identifierOf } from '../bridge/lib/raw_client.js'
import { EXCEPTIONS } from './exceptions.js'
import { CASES } from './script.js'
import { Connection, Ours, Rails, request } from './sides.js'

const AT_A_TIME = 4

/** Of a state what does not depend on when it was asked for, of an error what is not prose. */
function settled({ session_id, status, processed_count, total_count, ...rest }) {
  if (rest.type === 'error') return { type: 'error', status }
  return { session_id, status, processed_count, total_count, members: Object.keys(rest).length }
}

/** Frames by identifier, each in its order; no pings, no barriers. */
function normal(texts) {
  const byIdentifier = {}
  for (const text of texts) {
    const frame = JSON.parse(text)
    const { identifier = '', message } = frame
    if (frame.type === 'ping' || /^barrier \d|BarrierChannel/.test(identifier)) continue
    if (message !== undefined) frame.message = settled(message)
    const list = byIdentifier[identifier] ??= []
    // of pings that come together one may be answered (RFC 6455, 5.5.3)
    if (frame.pong === undefined || list.at(-1)?.pong !== frame.pong) list.push(frame)
  }
  return Object.fromEntries(Object.entries(byIdentifier).sort(([a], [b]) => (a < b ? -1 : 1)))
}

class Player {
  trace = []
  #side
  #connection
  #seen = 0

  constructor(side) {
    this.#side = side
    this.#connection = new Connection(side)
  }

  async open({ origin = 'http://HOST', ...handshake }, { isEarly, first }) {
    const page = origin && { origin: origin.replace('HOST', `127.0.0.1:${this.#side.port}`) }
    const answer = await this.#connection.open({ ...handshake, ...page })
    if (isEarly && answer.status === 101) this.#play(first)
    this.isIn = answer.status === 101
    await this.#record('handshake', answer)
  }

  async #record(step, more = {}) {
    if (this.isIn) await this.#connection.settle()
    const frames = normal(this.#connection.frames.all.slice(this.#seen))
    this.#seen = this.#connection.frames.all.length
    this.trace.push({ step, ...more, frames })
  }

  #play(step) {
    const connection = this.#connection
    if (typeof step === 'string') connection.send(step)
    else if (step.burst) for (const text of step.burst) connection.send(text)
    else if (step.binary) connection.send(step.binary)
    else if (step.write) connection.write(step.write)
    else if (step.fragments) {
      for (const [i, text] of step.fragments.entries()) {
        connection.send(text, { fin: i === step.fragments.length - 1 })
        if (step.ping) connection.ping(step.ping)
      }
    } else if ('ping' in step) connection.ping(step.ping)
    else if ('close' in step) connection.close(step.close)
    else if (step.restart) return this.#side.restart()
    else if (step.update) return this.#side.broadcast(step.update)
    else if (!step.end) assert.fail(`what is ${inspect(step)}?`)
  }

  async step(step) {
    await this.#play(step)
    const isEnd = step.end === true || (step.end && !this.#connection.isOpen)
    await this.#record(labelOf(step), isEnd ? { closed: await this.#connection.end() } : {})
  }

  /** Where it ended up. */
  leave() {
    if (this.isIn) this.trace.push({ step: 'at the end', isOpen: this.#connection.isOpen })
    this.#connection.terminate()
  }
}

function labelOf(step) {
  if (typeof step === 'string') return step
  return inspect(step, { breakLength: Infinity, maxStringLength: 60, maxArrayLength: 8 })
}

async function playOn({ sides, database, ids }, { handshake, steps, isEarly }) {
  const todo = steps(ids)
  const players = sides.map(side => new Player(side))
  const observer = todo.some(step => step.update) && await RawClient.welcomed(sides[1].observerUrl)
  if (observer) await observer.watch(identifierOf(ids.own))
  try {
    await Promise.all(players.map(player => player.open({ token: ids.token, ...handshake }, { isEarly, first: todo[0] })))
    let count = 0
    for (const step of todo.slice(isEarly ? 1 : 0)) {
      if (step.update) {
        count += 1
        await database.increment(step.update, 1)
        await observer.message(identifierOf(step.update), ({ processed_count: processed }) => processed === count)
      }
      await Promise.all(players.map(player => player.isIn && player.step(step)))
    }
  } finally {
    observer && observer.close()
    for (const player of players) player.leave()
  }
  return players.map(({ trace }) => trace)
}

async function play(context, test) {
  if (test.request) return Promise.all(context.sides.map(side => request(side, test.request)))
  return playOn(context, test)
}

async function playNamed(context, test) {
  try {
    return await play(context, test)
  } catch (error) {
    throw new Error(`case "${test.name}": ${error.message}`, { cause: error })
  }
}

/** Plays all cases, some at a time; those that must come last, last. */
async function playAll(cases, contextOf) {
  const results = []
  const todo = cases.map((test, i) => ({ test, i }))
  const some = todo.filter(({ test }) => !test.isLast)
  await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
    for (let next = some.shift(); next; next = some.shift()) results[next.i] = await playNamed(contextOf(next.i), next.test)
  }))
  await playAgain(cases, results, contextOf)
  for (const { test, i } of todo.filter(({ test }) => test.isLast)) results[i] = await playNamed(contextOf(i), test)
  return results
}

function short(value) {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 600 ? `${text.slice(0, 600)}… (${text.length})` : text
}

/** The steps in which two traces differ, or all there is of what has no steps. */
function differences(expected, ours) {
  if (!Array.isArray(expected) || !Array.isArray(ours)) return `    Rails ${short(expected)}\n    ours  ${short(ours)}`
  const lines = []
  for (let i = 0; i < Math.max(expected.length, ours.length); i++) {
    const [{ step, ...theirs } = {}, { step: step2, ...own } = {}] = [expected[i], ours[i]]
    if (short(theirs) !== short(own)) lines.push(`    ${short(step ?? step2)}\n      Rails ${short(theirs)}\n      ours  ${short(own)}`)
  }
  return lines.join('\n')
}

/** What Rails answered, as ours is expected to answer it; exceptions that changed something are noted. */
function expectedOf(name, trace, used) {
  for (const exception of EXCEPTIONS) {
    if (exception.cases && !exception.cases.includes(name)) continue
    const before = JSON.stringify(trace)
    const changed = structuredClone(trace)
    trace = exception.change(changed) ?? changed
    if (JSON.stringify(trace) === before) continue
    if (!used.has(exception.name)) used.set(exception.name, new Set())
    used.get(exception.name).add(name)
  }
  return trace
}

/** Is what Rails answered, exceptions applied, what ours did? Members in their order, as they are on the wire. */
function isSame(name, [rails, ours]) {
  return JSON.stringify(expectedOf(name, rails, new Map())) === JSON.stringify(ours)
}

/**
 * A confirmation that Rails loses (before 8.0.3 it does, under load) is no
 * difference: what differs is played once more.  What ours does must be the same
 * both times.
 */
async function playAgain(cases, results, contextOf) {
  for (const [i, test] of cases.entries()) {
    if (test.isLast || isSame(test.name, results[i])) continue
    const again = await playNamed(contextOf(cases.length + i), test)
    const [first, second] = [[contextOf(i), results[i]], [contextOf(cases.length + i), again]]
      .map(([{ ids }, [, ours]]) => JSON.stringify(ours).replaceAll(RegExp(`\\b(${ids.own}|${ids.none})\\b`, 'g'), 'ID'))
    if (first !== second) continue
    console.log(`Played again: ${test.name}`)
    results[i] = again
  }
}

function report(cases, results) {
  const used = new Map()
  let different = 0
  for (const [i, { name }] of cases.entries()) {
    const [rails, ours] = results[i]
    const expected = expectedOf(name, rails, used)
    if (isSame(name, results[i])) continue
    different += 1
    console.log(`\nDIFFERENT: ${name}\n${differences(expected, ours)}`)
  }
  const all = cases.length === CASES.length
  const stale = EXCEPTIONS.filter(({ name, cases: of }) => all && (!used.has(name) || of?.some(one => !used.get(name).has(one))))
  console.log('\nDocumented differences:')
  for (const { name, reason } of EXCEPTIONS) {
    if (used.has(name)) console.log(`  ${name} (${used.get(name).size} cases)\n      ${reason}`)
  }
  for (const { name, cases: of = [] } of stale) {
    console.log(`NO LONGER SO: ${name} ${of.filter(one => !used.get(name)?.has(one)).join('; ')}`)
  }
  console.log(`\n${cases.length} cases, ${different} different, ${stale.length} documented differences that no longer are.`)
  return different === 0 && stale.length === 0
}

async function main(words) {
  const cases = CASES.filter(({ name }) => words.length === 0 || words.some(word => name.includes(word)))
  const database = await Database.start()
  const sides = []
  try {
    // nothing is told because time has passed
    await database.sql(`UPDATE sync.sync_kinds SET stall_after = '1 hour'`)
    const own = (await database.sql(`SELECT sync.sync_session_start('alice', total_count => 1000) FROM generate_series(1, ${2 * cases.length})`)).split('\n').map(Number)
    const bobs = await database.session('total_count => 1', 'bob')
    const token = await database.token()
    sides.push(await Rails.start(database, { [token]: 'alice' }), await Ours.start(database))
    sides[1].observerUrl = `ws://127.0.0.1:${sides[1].port}/cable?token=${token}`
    const first = new Connection(sides[0])
    await first.open({ token, origin: `http://127.0.0.1:${sides[0].port}` })
    await first.barrier(0)
    const started = performance.now()
    const contextOf = i => ({ sides, database, ids: { own: own[i], bobs, none: 900_000_000 + i, token } })
    const results = await playAll(cases, contextOf)
    console.log(`Played in ${Math.round((performance.now() - started) / 1000)} s.`)
    first.terminate()
    return report(cases, results)
  } catch (error) {
    for (const side of sides) console.error(`-- log of ${side.name}\n${side.log.slice(-2_000)}`)
    throw error
  } finally {
    await Promise.all(sides.map(side => side.stop().catch(() => {})))
    await database.destroy()
  }
}

// barriers of connections that were closed may still be waited for
process.exit(await main(process.argv.slice(2)) ? 0 : 1)
