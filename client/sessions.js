/*
 * sessions.js: an owner's sessions as a list that stays right.
 *
 *   const list = SessionList.for(client)
 *   const unsubscribe = list.subscribe(() => render(list.snapshot().sessions))
 *   await list.rename(42, 'Inbox')
 *
 * It reads the list once, and from then on takes what the server tells of it,
 * row by row, wherever the change was made: another tab, another device, SQL.
 * Only where an event does not say enough, or some may have been missed, the
 * rows are read again (session_loads.js: when; session_rows.js: what is newer).
 * A reload tells nobody anything, so lists cannot set each other going.
 *
 * Own edits are shown at once and asked of the server one after the other, with
 * the lock_version that was on the screen.  What it refuses is taken back.
 *
 * snapshot() is the same object until something else is to be shown, as
 * useSyncExternalStore wants it.
 */
import { Loads } from './session_loads.js'
import { SessionRows } from './session_rows.js'
import { sessionTexts } from './session_texts.js'

const LIST = { channel: 'SessionsChannel' }

/** The channels of the built-in kinds; others by the option "channels". */
const CHANNELS = { sync: 'SyncStatusChannel', mesh: 'MeshProgressChannel', batch: 'BatchProgressChannel', connection: 'ConnectionSyncChannel' }

const PAGE_MAX = 200

// Where no connection comes about, the list is read all the same.
const UNCONNECTED_MS = 2_000

// A component that is mounted again at once finds the list as it was.
const GRACE_MS = 1_000

export const EMPTY_SNAPSHOT = Object.freeze({
  sessions: Object.freeze([]), isLoaded: false, isLoading: false, isLive: false, hasMore: false, error: null
})

const systemClock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: timer => clearTimeout(timer)
}

const lists = new WeakMap() // client → SessionList

/** What became of an own edit: "notice", or "conflict" if somebody else was quicker. */
export class EditEvent extends Event {
  constructor(type, detail) {
    super(type)
    Object.assign(this, detail)
  }
}

export class SessionList extends EventTarget {
  #client
  #options
  #texts
  #clock
  #rows
  #loads
  #subscription = null
  #users = 0
  #unconnected = null // a timer: the list is read all the same
  #ending = null // a timer: nobody has it open
  #limit
  #wanted = new Set() // ids of rows to be read, while not all are
  #wantsAll = true
  #lastEdits = new Map() // id → the promise of the last own edit
  #era = 0 // steps when everything is forgotten
  #snapshot = EMPTY_SNAPSHOT

  constructor(client, options = {}) {
    super()
    const { limit = PAGE_MAX, granular = true, debounceMs, compare, channels, locale = pageLocale(), texts, clock = systemClock, random } = options
    this.#client = client
    this.#clock = clock
    this.#limit = limit
    this.#options = { granular, pageSize: limit, channels: { ...CHANNELS, ...channels } }
    this.#texts = sessionTexts(locale, texts)
    this.#rows = new SessionRows(compare)
    this.#loads = new Loads({ load: signal => this.#load(signal), failed: (error, retryInMs) => this.#failed(error, retryInMs), clock, random, debounceMs })
  }

  /** The page's one list of that client; the options are those of who asks first. */
  static for(client, options) {
    if (!lists.has(client)) lists.set(client, new this(client, options))
    return lists.get(client)
  }

  get sessions() {
    return this.#snapshot.sessions
  }

  snapshot = () => this.#snapshot

  /** Calls listener when something else is to be shown; the list is open while anybody listens. */
  subscribe = listener => {
    const listening = new AbortController()
    this.addEventListener('change', () => listener(), { signal: listening.signal })
    this.open()
    return () => {
      if (listening.signal.aborted) return
      listening.abort()
      this.#release(GRACE_MS)
    }
  }

  /** Begins to read and to listen; as many close() as open(). */
  open() {
    this.#users += 1
    this.#clock.clearTimeout(this.#ending)
    if (this.#subscription) return
    this.#publish({ isLoading: true })
    this.#unconnected = this.#clock.setTimeout(() => this.#loads.now(), UNCONNECTED_MS)
    this.#subscription = this.#client.subscribe(LIST, {
      onConnected: () => this.#connected(true),
      onDisconnected: () => this.#publish({ isLive: false }),
      onRejected: () => this.#connected(false),
      onReset: () => {
        this.#forget()
        this.#loads.soon()
      },
      onEvent: event => this.#take(event)
    })
  }

  close() {
    this.#release(0)
  }

  /** Reads the list again, now. */
  reload() {
    this.#wantsAll = true
    this.#loads.now()
  }

  /** Reads one page more of older sessions. */
  loadMore() {
    if (!this.#snapshot.hasMore) return
    this.#limit += this.#options.pageSize
    this.#publish({ isLoading: true })
    this.reload()
  }

  // -- own edits: true if done, false if refused and taken back -------------------

  rename(id, title) {
    return this.#edit('rename', id, { title })
  }

  pin(id, pinned = true) {
    return this.#edit('pin', id, { pinned })
  }

  delete(id) {
    return this.#edit('delete', id, null)
  }

  async #edit(action, anyId, fields) {
    const id = Number(anyId) // it may come from an attribute
    const row = this.#rows.find(id)
    const edit = this.#rows.edit(id, fields)
    if (!edit) return false
    edit.action = action
    this.#show()
    const before = this.#lastEdits.get(id)
    const answered = this.#answer(edit, row, before)
    this.#lastEdits.set(id, answered)
    const { isDone } = await answered
    if (this.#lastEdits.get(id) === answered) this.#lastEdits.delete(id)
    return isDone
  }

  // One after the other, and each with what the one before has left: its own
  // lock_version, or a conflict that this one has to share.
  async #answer(edit, row, before) {
    const era = this.#era
    const last = await before
    if (last) edit.lockVersion = last.lockVersion
    let outcome
    if (last?.conflict) outcome = { error: last.conflict }
    else {
      try {
        outcome = { answer: await this.#post(edit, row) }
      } catch (error) {
        outcome = { error }
      }
    }
    if (era !== this.#era) return { isDone: false }
    return this.#settle(edit, outcome)
  }

  #post({ action, id, fields, lockVersion }, { kind, source_id: source }) {
    const channel = this.#options.channels[kind] ?? kind
    // A path cannot have a slash within a part, nor a part that is dots; a run's own id leads to it as well.
    const name = /\/|^\.{1,2}$/.test(source ?? id) ? id : source ?? id
    return this.#client.request(`sessions/${encodeURIComponent(channel)}/${encodeURIComponent(name)}/${action}`, {
      method: 'POST',
      body: { session_id: id, ...fields, lock_version: lockVersion }
    })
  }

  #settle(edit, { answer, error }) {
    const { id, fields } = edit
    const current = error?.current
    const isThereAlready = current && fields && Object.keys(fields).every(name => current[name] === fields[name])
    const isGone = error?.status === 404 && !fields
    if (!error || isThereAlready || isGone) return this.#succeed(edit, answer?.result?.lock_version ?? current?.lock_version)

    this.#rows.undo(edit)
    if (current) this.#rows.correct({ session_id: id, ...current })
    this.#show()
    // Whether it was done, and what it is now, is for the server to say.
    if (!current && (error.status === 0 || error.status === 404 || error.status >= 500)) this.#wants(id)
    this.#say(edit, error)
    return { isDone: false, lockVersion: edit.lockVersion, conflict: current ? error : undefined }
  }

  #succeed(edit, lockVersion) {
    this.#rows.done(edit, lockVersion)
    this.#show()
    this.#say(edit, null)
    return { isDone: true, lockVersion: lockVersion ?? edit.lockVersion }
  }

  #say({ action, id, fields }, error) {
    const isConflict = Boolean(error?.current)
    const verb = action === 'pin' && !fields.pinned ? 'unpin' : action
    const done = { rename: 'renamed', pin: 'pinned', unpin: 'unpinned', delete: 'deleted' }[verb]
    this.dispatchEvent(new EditEvent(isConflict ? 'conflict' : 'notice', {
      action,
      id,
      error,
      attempted: fields,
      current: this.#rows.find(id) ?? null,
      text: this.#texts[isConflict ? 'conflict' : error ? `${verb}Failed` : done],
      actionText: isConflict ? this.#texts.reload : null,
      reload: () => this.reload()
    }))
  }

  // -- what the server tells --------------------------------------------------------

  // Whatever came before the answer to the subscribe may have been missed.
  #connected(isLive) {
    this.#clock.clearTimeout(this.#unconnected)
    this.#publish({ isLive })
    this.reload()
  }

  #take({ type, data }) {
    if (type === 'sessions_reloaded' || !this.#options.granular || !data) this.#wants(null)
    else if (this.#rows.apply(type, data)) this.#wants(data.session_id)
    this.#show()
  }

  // null: all of them.
  #wants(id) {
    if (id === null) this.#wantsAll = true
    else this.#wanted.add(id)
    this.#loads.soon()
  }

  async #load(signal) {
    const ids = this.#wantsAll ? null : [...this.#wanted]
    const wantedAll = this.#wantsAll
    this.#wantsAll = false
    this.#wanted = new Set()
    this.#rows.beginLoad()
    try {
      if (ids) await this.#readSome(ids, signal)
      else await this.#readAll(signal)
    } catch (error) {
      if (!signal.aborted) {
        this.#rows.dropLoad()
        this.#wantsAll ||= wantedAll
        for (const id of ids ?? []) this.#wanted.add(id)
      }
      throw error
    }
  }

  async #readAll(signal) {
    const rows = []
    let page
    let next = null
    do {
      page = await this.#read(next, Math.min(this.#limit - rows.length, PAGE_MAX), signal)
      rows.push(...page.sessions)
      next = page.next
    } while (next !== null && page.sessions.length && rows.length < this.#limit)
    this.#rows.endLoad(rows, { lowest: next ?? -Infinity, isWindow: true })
    this.#rows.show()
    this.#publish({ isLoaded: true, isLoading: false, hasMore: next !== null, error: null })
  }

  #failed(error, retryInMs) {
    this.#publish({ error, isLoading: this.#snapshot.isLoading && retryInMs !== null })
  }

  // A page that begins with the newest of them, and no longer than needed.
  async #readSome(ids, signal) {
    const highest = Math.max(...ids)
    const lowest = Math.min(...ids)
    const between = this.#rows.count(lowest, highest, ids)
    if (ids.length + between > PAGE_MAX) return this.#readAll(signal)
    const { sessions, next } = await this.#read(highest + 1, ids.length + between, signal)
    const last = sessions.at(-1)?.session_id
    const isShort = next !== null && last > lowest
    this.#rows.endLoad(sessions.filter(row => row.session_id >= lowest), { highest, lowest: isShort ? last : lowest })
    if (isShort) this.#wants(null)
    this.#rows.show()
    this.#publish({ error: null })
  }

  async #read(after, limit, signal) {
    const page = await this.#client.request(`sessions?limit=${limit}${after === null ? '' : `&after=${after}`}`, { signal })
    signal.throwIfAborted()
    return page
  }

  // -- what is shown ----------------------------------------------------------------

  #show() {
    if (this.#rows.show()) this.#publish({})
  }

  #publish(changes) {
    const next = { ...this.#snapshot, ...changes }
    next.sessions = next.isLoaded ? this.#rows.shown : EMPTY_SNAPSHOT.sessions
    if (Object.keys(next).every(name => next[name] === this.#snapshot[name])) return
    this.#snapshot = Object.freeze(next)
    this.dispatchEvent(new Event('change'))
  }

  #forget() {
    this.#era += 1
    this.#loads.cancel()
    this.#rows.clear()
    this.#lastEdits.clear()
    this.#wantsAll = true
    this.#wanted.clear()
    this.#publish(EMPTY_SNAPSHOT)
  }

  #release(graceMs) {
    if (this.#users === 0) return
    this.#users -= 1
    if (this.#users > 0) return
    this.#clock.clearTimeout(this.#ending)
    if (graceMs) this.#ending = this.#clock.setTimeout(() => this.#end(), graceMs)
    else this.#end()
  }

  #end() {
    this.#clock.clearTimeout(this.#unconnected)
    this.#subscription?.unsubscribe()
    this.#subscription = null
    this.#limit = this.#options.pageSize
    // Whose list it is when somebody opens it again is not known.
    this.#forget()
  }
}

function pageLocale() {
  return globalThis.document?.documentElement.lang || globalThis.navigator?.language || 'en'
}
