/*
 * fake_list.js: a server's list of sessions, and a client as SessionList uses
 * one.  Requests wait until the test answers them, unless auto is set.
 */
import { RequestError } from '../../../client/errors.js'
import { Mailbox } from './wait.js'

const FIRST_VERSION = 1_763_776_000_000_000

/** A row as pages of the list have it. */
export function row(id, changes = {}) {
  return {
    session_id: id,
    job_id: `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`,
    kind: 'sync',
    source_id: String(id),
    title: `Mail ${id}`,
    pinned: false,
    status: 'processing',
    progress_percentage: 45,
    processed_count: 450,
    total_count: 1000,
    created_at: '2026-11-22T06:00:00+00:00',
    lock_version: 0,
    version: FIRST_VERSION + id,
    ...changes
  }
}

/** What an event says of a row. */
export function facts({ session_id, job_id, kind, source_id, title, pinned, status, lock_version, version }) {
  return { session_id, job_id, kind, source_id, title, pinned, status, lock_version, version }
}

export class FakeListClient {
  rows = new Map()
  requests = new Mailbox()
  subscriptions = 0
  auto = true
  #callbacks = null
  #version = FIRST_VERSION + 1_000_000

  constructor(count = 3) {
    for (let id = 1; id <= count; id++) this.rows.set(id, row(id))
  }

  subscribe(identifier, callbacks) {
    this.subscriptions += 1
    this.identifier = identifier
    this.#callbacks = callbacks
    return { unsubscribe: () => {
      this.#callbacks = null
      this.subscriptions -= 1
    } }
  }

  connect(reconnected = false) {
    this.#callbacks.onConnected({ reconnected })
  }

  disconnect() {
    this.#callbacks.onDisconnected({ willReconnect: true })
  }

  reject() {
    this.#callbacks.onRejected()
  }

  reset() {
    this.#callbacks.onReset()
  }

  event(type, data) {
    this.#callbacks?.onEvent(data === undefined ? { type } : { type, data })
  }

  // -- what others do -----------------------------------------------------------

  /** Changes a row as an edit by anybody does; the event, which is not sent. */
  edit(id, changes) {
    const { lock_version: lock } = this.rows.get(id)
    this.rows.set(id, { ...this.rows.get(id), lock_version: lock + 1, ...changes, version: ++this.#version })
    return facts(this.rows.get(id))
  }

  create(id, changes = {}) {
    this.rows.set(id, row(id, { ...changes, version: ++this.#version }))
    return facts(this.rows.get(id))
  }

  remove(id) {
    const gone = facts({ ...this.rows.get(id), version: ++this.#version })
    this.rows.delete(id)
    return gone
  }

  /** Counts go on: a newer version, the same lock_version. */
  tick(id, processed) {
    this.rows.set(id, { ...this.rows.get(id), processed_count: processed, version: ++this.#version })
  }

  // -- what the list asks for ---------------------------------------------------

  /** One that is given up may still be answered, as can happen. */
  request(path, { method = 'GET', body } = {}) {
    return new Promise((resolve, reject) => {
      const request = { path, method, body, resolve, reject, answer: () => this.answerTo(request) }
      this.requests.put(request)
      if (this.auto) request.answer()
    })
  }

  get reads() {
    return this.requests.all.filter(({ method }) => method === 'GET').length
  }

  /** Does what is asked for, and answers. */
  answerTo({ path, method, body, resolve, reject }) {
    const url = new URL(path, 'http://list/')
    if (method === 'GET') return resolve(this.page(url.searchParams))
    const action = url.pathname.split('/').at(-1)
    const current = this.rows.get(body.session_id)
    if (!current) return reject(new RequestError('there is no such session', { status: 404 }))
    if (body.lock_version !== current.lock_version) {
      return reject(new RequestError('it was edited meanwhile', { status: 409, current: facts(current) }))
    }
    if (action === 'delete') {
      this.remove(body.session_id)
      return resolve({ result: { session_id: body.session_id, deleted: true }, state: null })
    }
    const { lock_version, session_id, ...fields } = body
    const same = Object.keys(fields).every(name => fields[name] === current[name])
    const edited = same ? current : this.edit(session_id, fields)
    resolve({ result: { session_id, status: current.status, lock_version: edited.lock_version }, state: null })
  }

  page(query) {
    const limit = Number(query.get('limit'))
    const after = query.has('after') ? Number(query.get('after')) : Infinity
    const rows = [...this.rows.values()].filter(({ session_id: id }) => id < after).sort((a, b) => b.session_id - a.session_id)
    return { sessions: structuredClone(rows.slice(0, limit)), next: rows.length > limit ? rows[limit - 1].session_id : null }
  }
}

/** Lets what has been answered arrive. */
export const settled = () => new Promise(resolve => setImmediate(resolve))
