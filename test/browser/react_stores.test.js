/*
 * The stores that the React adapter reads, by a client that a test plays: what
 * cannot be told apart on a page.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionMap } from '../../client/react_connections.js'
import { StreamView } from '../../client/react_stream.js'
import { errorOf } from '../../client/run_end.js'

const KEY = '{"channel":"SyncStatusChannel","session_id":42}'

/** A client with one stream at a time. */
class FakeClient {
  state = 'pending'
  kept
  callbacks = new Map() // key → the callbacks of its one subscription

  latest(key) {
    return this.callbacks.has(key) ? this.kept : undefined
  }

  subscribe(key, callbacks) {
    this.callbacks.set(key, callbacks)
    if (this.kept) callbacks.onProgress(this.kept)
    const client = this
    return { get state() { return client.state }, unsubscribe: () => this.callbacks.delete(key) }
  }

  tell(name, ...args) {
    for (const callbacks of this.callbacks.values()) callbacks[name]?.(...args)
  }

  confirm() {
    this.state = 'confirmed'
    this.tell('onConnected', { reconnected: false })
  }
}

function recording(...names) {
  const told = []
  return [told, { current: Object.fromEntries(names.map(name => [name, (...args) => told.push([name, ...args])])) }]
}

const run = (job, status, changes) => ({ job_id: job, status, ...changes })

test('includeEnded: an end that was kept from an earlier page is none until the server says so', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  for (const [live, expected] of [[run('old', 'completed'), ['onComplete']], [run('new', 'processing'), []]]) {
    const client = new FakeClient()
    client.kept = run('old', 'completed')
    const [told, callbacks] = recording('onComplete')
    const view = new StreamView(client, KEY, callbacks, { includeEnded: true })
    const stop = view.subscribe(() => {})
    await null
    assert.equal(view.getSnapshot().isComplete, true, 'it is shown')
    assert.deepEqual(told, [])
    client.confirm()
    assert.deepEqual(told, [])
    client.tell('onProgress', live)
    assert.deepEqual(told.map(([name]) => name), expected)
    stop()
  }
})

test('a run that was going on when an earlier page was left, and has ended since, is news', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const client = new FakeClient()
  client.kept = run('old', 'processing')
  const [told, callbacks] = recording('onComplete')
  const stop = new StreamView(client, KEY, callbacks, {}).subscribe(() => {})
  await null
  client.confirm()
  client.tell('onProgress', run('old', 'completed'))
  assert.equal(told.length, 1)
  stop()
})

test('after a token with other rights, a run that is over when it is first seen is no news', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const client = new FakeClient()
  const [told, callbacks] = recording('onComplete', 'onReset')
  const view = new StreamView(client, KEY, callbacks, {})
  const stop = view.subscribe(() => {})
  client.confirm()
  client.tell('onProgress', run('of ana', 'processing'))
  client.tell('onReset')
  assert.equal(view.getSnapshot().payload, null)
  client.tell('onProgress', run('of ben', 'completed'))
  assert.deepEqual(told, [['onReset']])
  stop()
})

const syncing = (id, changes) => ({ id, status: 'syncing', ...changes })
const state = (job, changes) => ({ job_id: job, inserted: 1, is_complete: false, is_failed: false, error: null, ...changes })
const shown = map => [...map.getSnapshot().values()].map(({ connectionId, status }) => `${connectionId} ${status}`)

function mapOf(client) {
  const [told, callbacks] = recording('onComplete', 'onError')
  const map = new ConnectionMap(client, 'ConnectionSyncChannel', callbacks)
  const stop = map.subscribe(() => {})
  return { map, told, stop }
}

test('connections: what is syncing is not said to be done by what was kept from an earlier page', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const client = new FakeClient()
  client.kept = state('old', { is_complete: true })
  const { map, told, stop } = mapOf(client)
  map.follow([syncing('a')])
  await null
  client.confirm()
  client.tell('onProgress', state('new'))
  assert.deepEqual([told, shown(map)], [[], ['a active']])
  client.tell('onProgress', state('new', { is_complete: true }))
  assert.deepEqual(told.map(([name]) => name), ['onComplete'])
  stop()
})

test('connections: a token with other rights takes away what was seen, not what the list says is syncing', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const client = new FakeClient()
  const { map, told, stop } = mapOf(client)
  const list = [syncing('a', { job_id: 'job-1' })]
  map.follow(list)
  client.confirm()
  t.mock.timers.tick(16)
  client.tell('onProgress', state('job-1', { inserted: 7 }))
  assert.equal(map.getSnapshot().get('a').lastUpdate.inserted, 7)
  client.tell('onReset')
  assert.deepEqual([shown(map), map.getSnapshot().get('a').lastUpdate], [['a active'], null])
  map.follow([...list])
  client.tell('onProgress', state('job-1', { is_complete: true }))
  assert.deepEqual([told.length, shown(map)], [1, ['a completed']])
  stop()
})

test('connections: a list that names the job later than it ended does not bring it back', t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const client = new FakeClient()
  const { map, stop } = mapOf(client)
  map.follow([syncing('a')])
  client.confirm()
  client.tell('onProgress', state('job-1', { is_complete: true }))
  t.mock.timers.tick(2_000)
  assert.deepEqual(shown(map), [])
  map.follow([syncing('a', { job_id: 'job-1' })])
  assert.deepEqual(shown(map), [])
  map.follow([syncing('a', { job_id: 'job-2' })])
  assert.deepEqual(shown(map), ['a active'])
  stop()
})

test('connections: a list that is not there yet is an empty one', () => {
  const { map, stop } = mapOf(new FakeClient())
  for (const list of [null, undefined, []]) map.follow(list)
  assert.deepEqual(shown(map), [])
  stop()
})

test('why it failed is a text, whatever a payload function has put there: a component may show it', () => {
  for (const [payload, text] of [
    [{ status: 'failed', error_message: 'no route', error: 'x' }, 'no route'],
    [{ status: 'failed', error: { code: 7 }, message: 'IMAP said no' }, 'IMAP said no'],
    [{ status: 'failed', error_message: '', error: true, message: 7 }, 'failed'],
    [{ is_failed: true, error: null }, 'failed']
  ]) assert.equal(errorOf(payload), text)
})

test('whatever comes as a payload, nothing is thrown', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const later = t.mock.method(globalThis, 'queueMicrotask', () => {}) // what is caught is thrown again there
  for (const odd of [null, 'text', 7, [], [null], { status: null }, { status: {} }, { version: '9', accounts: 'x' }, JSON.parse('{"__proto__":{"is_complete":true},"counters":7}')]) {
    const client = new FakeClient()
    const [, callbacks] = recording('onProgress')
    const view = new StreamView(client, KEY, callbacks, {})
    const { map, stop: stopMap } = mapOf(client)
    const stop = view.subscribe(() => {})
    map.follow([syncing('a')])
    client.confirm()
    client.tell('onProgress', odd)
    assert.equal(view.getSnapshot().isComplete, false)
    assert.deepEqual(shown(map), ['a active'])
    stop()
    stopMap()
  }
  for (const { arguments: [callback] } of later.mock.calls) assert.doesNotThrow(callback)
})

test('a thousand components that come and go leave one subscription, and a second later none', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const client = new FakeClient()
  const counted = t.mock.method(client, 'subscribe')
  for (let i = 0; i < 1_000; i++) {
    const [, callbacks] = recording('onProgress')
    new StreamView(client, KEY, callbacks, {}).subscribe(() => {})()
    const { map, stop } = mapOf(client)
    map.follow([syncing('a')])
    stop()
  }
  assert.deepEqual([counted.mock.callCount(), client.callbacks.size], [2, 2])
  t.mock.timers.tick(1_000)
  assert.equal(client.callbacks.size, 0)
})
