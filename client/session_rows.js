/*
 * session_rows.js: what is known of an owner's sessions, and what to show.
 *
 * Three sources tell of a row, in any order: pages of the list, events, and the
 * answers to own edits.  Two numbers say what is newer.  version grows with
 * every change of the row; lock_version with the edits by people, so it decides
 * for title and pinned.  An own edit that was accepted is known by its
 * lock_version only, and an older page, late, with a higher version and yet the
 * old title, must not bring that back.
 *
 * What is deleted leaves a tombstone, for events that come late.  A page that
 * was asked for after the deletion and has the row knows better: somebody has
 * restored it.
 *
 * Own edits that are not answered lie on top of the rows, so that taking one
 * back shows what the server said meanwhile, not what it was before.
 *
 * Pure; knows no server and no clock.
 */
const TOMBSTONES = 1_000

/** Decided by lock_version, not by version. */
const EDITED = ['title', 'pinned', 'lock_version']

/** Change with every tick of a run, or with what is seen anyway: no reason to show a row anew. */
const UNSEEN = new Set(['version', 'updated_at'])

const pinnedThenNewest = (a, b) => Boolean(b.pinned) - Boolean(a.pinned) || b.session_id - a.session_id

export class SessionRows {
  #rows = new Map() // id → row
  #tombstones = new Map() // id → version of the deletion
  #edits = new Map() // id → own edits that are not answered, in their order
  #touched = null // the ids that events told of since the load in flight began
  #shown = Object.freeze([])
  #lowest = -Infinity // older ones are on pages that are not loaded
  #highest = -Infinity // of what pages had
  #compare

  constructor(compare = pinnedThenNewest) {
    this.#compare = compare
  }

  get shown() {
    return this.#shown
  }

  find(id) {
    return this.#shown.find(row => row.session_id === id)
  }

  /** Forgets all; false if there was nothing. */
  clear() {
    for (const each of [this.#rows, this.#tombstones, this.#edits]) each.clear()
    this.#touched = null
    this.#lowest = -Infinity
    this.#highest = -Infinity
    return this.show()
  }

  // -- what the server tells ---------------------------------------------------

  /** Takes an event in; returns whether the row has to be read, for the event is not enough. */
  apply(type, data) {
    const { session_id: id, version } = data
    this.#touched?.add(id)
    if (type === 'session_deleted') {
      if (!(this.#rows.get(id)?.version > version)) this.#bury(id, version)
      return false
    }
    // From before the deletion; unless the row was restored.
    if (version <= this.#tombstones.get(id)) return type === 'session_created'
    const known = this.#rows.get(id)
    if (!known) {
      if (id < this.#lowest) return false
      // Pages that do not have it may be newer than this, and it be gone.
      const isNew = this.#tombstones.delete(id) || id > this.#highest
      if (isNew && type === 'session_created') this.#merge(data)
      return true
    }
    // A long title is left out of events.
    const lacksTitle = !('title' in data) && data.lock_version > known.lock_version
    this.#merge(data)
    return lacksTitle
  }

  /** Pages are being read from now on; what events tell meanwhile is newer. */
  beginLoad() {
    this.#touched = new Set()
  }

  /** These are all the rows from highest to lowest; isWindow: older ones are not shown. */
  endLoad(rows, { highest = Infinity, lowest = -Infinity, isWindow = false } = {}) {
    const touched = this.#touched ?? new Set()
    this.#touched = null
    if (isWindow) this.#lowest = lowest
    const loaded = new Set()
    for (const row of rows) {
      const id = row.session_id
      loaded.add(id)
      if (this.#tombstones.has(id) && touched.has(id)) continue
      this.#tombstones.delete(id)
      this.#merge(row)
      this.#highest = Math.max(this.#highest, id)
    }
    const isCovered = id => id <= highest && (isWindow || id >= lowest)
    for (const [id, { version }] of [...this.#rows]) {
      if (!isCovered(id) || loaded.has(id) || touched.has(id)) continue
      if (id < this.#lowest) this.#rows.delete(id) // it is on a page further down
      else this.#bury(id, version)
    }
  }

  /** The load came to nothing. */
  dropLoad() {
    this.#touched = null
  }

  #merge(row) {
    const known = this.#rows.get(row.session_id)
    this.#rows.set(row.session_id, known ? merged(known, row) : row)
  }

  #bury(id, version) {
    this.#rows.delete(id)
    this.#tombstones.delete(id) // so that it is the newest
    this.#tombstones.set(id, version)
    if (this.#tombstones.size > TOMBSTONES) this.#tombstones.delete(this.#tombstones.keys().next().value)
  }

  /** How many rows are known from lowest to highest, but for those. */
  count(lowest, highest, except) {
    return [...this.#rows.keys()].filter(id => id >= lowest && id <= highest && !except.includes(id)).length
  }

  // -- own edits ---------------------------------------------------------------

  /** Shows the fields at once, null for a deletion; returns the edit, null where there is no such row. */
  edit(id, fields) {
    const row = this.find(id)
    if (!row) return null
    const edit = { id, fields, lockVersion: row.lock_version }
    this.#edits.set(id, [...this.#edits.get(id) ?? [], edit])
    return edit
  }

  /** It was done; the row has that lock_version now. */
  done(edit, lockVersion) {
    this.undo(edit)
    const row = this.#rows.get(edit.id)
    if (!row) return
    if (!edit.fields) {
      this.#touched?.add(edit.id)
      this.#bury(edit.id, row.version)
    } else if (lockVersion > row.lock_version) {
      this.#rows.set(edit.id, { ...row, ...edit.fields, lock_version: lockVersion })
    }
  }

  /** It was not done. */
  undo(edit) {
    const rest = (this.#edits.get(edit.id) ?? []).filter(each => each !== edit)
    if (rest.length) this.#edits.set(edit.id, rest)
    else this.#edits.delete(edit.id)
  }

  /** Somebody else was quicker: this is the row as it is. */
  correct(row) {
    if (this.#rows.has(row.session_id)) this.#merge(row)
  }

  // -- what is shown -----------------------------------------------------------

  /** Brings "shown" up to date; returns whether that is another list than before. */
  show() {
    const before = new Map(this.#shown.map(row => [row.session_id, row]))
    const rows = []
    for (const row of this.#rows.values()) {
      const edited = withEdits(row, this.#edits.get(row.session_id))
      if (!edited) continue
      const known = before.get(row.session_id)
      rows.push(known && looksLike(known, edited) ? known : Object.freeze({ ...edited }))
    }
    rows.sort(this.#compare)
    if (rows.length === this.#shown.length && rows.every((row, i) => row === this.#shown[i])) return false
    this.#shown = Object.freeze(rows)
    return true
  }
}

/** What two tellings of one row come to. */
function merged(known, row) {
  const result = row.version >= known.version ? { ...known, ...row } : { ...row, ...known }
  const editor = newerEdit(known, row)
  for (const name of EDITED) if (name in editor) result[name] = editor[name]
  return result
}

function newerEdit(known, row) {
  if (row.lock_version !== known.lock_version) return row.lock_version > known.lock_version ? row : known
  return row.version >= known.version ? row : known
}

/** The row as own edits will leave it, null if they delete it. */
function withEdits(row, edits = []) {
  for (const { fields } of edits) {
    if (!fields) return null
    // An edit that has come back already steps nothing any more.
    if (Object.keys(fields).some(name => fields[name] !== row[name])) row = { ...row, ...fields, lock_version: row.lock_version + 1 }
  }
  return row
}

function looksLike(a, b) {
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...names].every(name => UNSEEN.has(name) || a[name] === b[name])
}
