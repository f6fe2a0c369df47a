/*
 * cross_tab.js: the tabs of one browser tell each other what was done.
 *
 *   const sync = getSyncInstance({ owner: 'ana' })
 *   const off = sync.on('session_renamed', ({ chatId, newTitle }) => …)
 *   await api.rename(7, 'Inbox')
 *   sync.broadcast('session_renamed', { chatId: 7, newTitle: 'Inbox' })
 *
 * For rows that are the application's own; rows that the server knows come from
 * sessions.js, which also reaches other devices.  Nothing here asks a server.
 *
 * The channel is a BroadcastChannel, where there is none storage_channel.js.
 * It is opened by the first on() or broadcast(), so that importing does nothing
 * and a server may render with it.  Its name has the owner in it: two people who
 * use one browser do not hear each other.
 *
 * Whatever listeners broadcast while they are told of an event stays here: two
 * tabs that answer each other's events would never stop.
 *
 * A page that comes back from the back/forward cache has missed what was said
 * meanwhile, and its listeners of sessions_reloaded are told so.
 */
export const SYNC_EVENTS = Object.freeze(['session_created', 'session_renamed', 'session_pinned', 'session_deleted', 'sessions_reloaded'])

const NAME = 'sync-progress'

const instances = new Map() // channel name → { sync, users }

/**
 * The page's one instance for an owner.  Each call wants a cleanup() of its own:
 * only the last one ends it, so a component that is mounted twice, or beside
 * another, takes nothing away.
 */
export function getSyncInstance(options = {}) {
  if (options.enabled === false) return new CrossTabSync(options)
  const name = channelName(options)
  if (!instances.has(name)) instances.set(name, { sync: new CrossTabSync(options), users: 0 })
  const instance = instances.get(name)
  instance.users += 1
  return instance.sync
}

export class CrossTabSync {
  #options
  #host
  #name
  #listeners = new Map() // type → Set of functions
  #channel = null
  #opening = null // who waits for it: an object each time
  #unsent = []
  #page = null // its comings and goings
  #isTelling = false
  #mode = 'off'

  constructor(options = {}) {
    this.#options = options
    this.#host = options.host ?? globalThis
    this.#name = channelName(options)
  }

  /** "broadcast" or "storage" once it is open, else "off". */
  get mode() {
    return this.#mode
  }

  /** Tells the other tabs, never this one.  Call it once the change is made, not before. */
  broadcast(type, payload) {
    if (this.#isTelling || !this.#open()) return
    const event = { type, payload, timestamp: Date.now() }
    if (this.#channel) this.#guard(() => this.#channel.postMessage(event))
    else this.#unsent.push(event)
  }

  /** Calls listener(payload, event) for each event of that type; returns how to stop it. */
  on(type, listener) {
    if (!this.#open()) return () => {}
    if (!this.#listeners.has(type)) this.#listeners.set(type, new Set())
    this.#listeners.get(type).add(listener)
    return () => this.#listeners.get(type)?.delete(listener)
  }

  /** Ends it, unless others have it too; a later on() or broadcast() begins anew. */
  cleanup() {
    const instance = instances.get(this.#name)
    if (instance?.sync === this) {
      instance.users = Math.max(0, instance.users - 1)
      if (instance.users > 0) return
    }
    this.#listeners.clear()
    this.#page?.abort()
    this.#page = null
    this.#close()
  }

  #open() {
    if (this.#options.enabled === false) return false
    this.#watchPage()
    if (this.#channel || this.#opening) return true
    try {
      this.#use(new this.#host.BroadcastChannel(this.#name), 'broadcast')
    } catch {
      // There is none, or none is allowed here.
      this.#openStorage()
    }
    return true
  }

  async #openStorage() {
    const opening = this.#opening = {}
    try {
      const { openStorageChannel } = await import('./storage_channel.js')
      if (opening !== this.#opening) return
      this.#use(openStorageChannel(this.#name, this.#options), 'storage')
    } catch (error) {
      if (opening !== this.#opening) return
      this.#close()
      this.#fail(error)
    }
  }

  #use(channel, mode) {
    this.#opening = null
    this.#channel = channel
    this.#mode = mode
    channel.onmessage = ({ data }) => {
      if (typeof data?.type === 'string') this.#tell(data)
    }
    // Under Node: no reason to stay alive.
    channel.unref?.()
    for (const event of this.#unsent.splice(0)) this.#guard(() => channel.postMessage(event))
  }

  #close() {
    this.#channel?.close()
    this.#channel = this.#opening = null
    this.#unsent = []
    this.#mode = 'off'
  }

  #tell(event) {
    if (this.#options.debug) console.debug(`Sync event: ${event.type}`, event.payload)
    this.#isTelling = true
    try {
      for (const listener of [...this.#listeners.get(event.type) ?? []]) this.#guard(() => listener(event.payload, event))
    } finally {
      this.#isTelling = false
    }
  }

  #watchPage() {
    if (this.#page) return
    this.#page = new AbortController()
    const { signal } = this.#page
    this.#host.addEventListener?.('pagehide', ({ persisted }) => {
      if (persisted) this.#close()
    }, { signal })
    this.#host.addEventListener?.('pageshow', ({ persisted }) => {
      if (!persisted) return
      this.#open()
      this.#tell({ type: 'sessions_reloaded', timestamp: Date.now() })
    }, { signal })
  }

  #guard(run) {
    try {
      run()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error) {
    const { onError = error => console.error(error) } = this.#options
    onError(error)
  }
}

const channelName = ({ name = 'list', owner }) => [NAME, name, owner ?? ''].map(encodeURIComponent).join(':')
