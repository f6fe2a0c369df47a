/*
 * cache.js: what was shown last, for the next page of the same tab.
 *
 * A page that is loaded again shows it at once, until the server says what is:
 * after a failover, or from another database, that may be older, so what is
 * kept here does not count for versions.  It lies in sessionStorage under the
 * address and the rights of whoever saw it; nothing is read or written while
 * those are not known.  It is written once a second at most and when the page is
 * hidden or left, and is good for an hour.
 *
 * A tab that is duplicated takes the storage along, and finds the same there.
 */
import { SyncProgressEvent } from './events.js'

const PREFIX = 'sync-progress:states '
const TTL_MS = 3_600_000
const INTERVAL_MS = 1_000
const KEPT = 50

export class Cache {
  #options
  #timer = null
  #key = null // the storage's, while rights are known
  #listening = null // an AbortController, while the client may be shown anything

  /** options: client, url, identity, host, clock, wanted (identifier → stream). */
  constructor(options) {
    this.#options = options
    const { client } = options
    client.addEventListener('progress', () => this.#touch())
    client.addEventListener('rejected', ({ identifier }) => this.#drop(identifier))
    client.addEventListener('statechange', () => this.#attend())
    this.#attend()
    this.restore()
  }

  /** Shows what is known of streams of which nothing has come yet. */
  restore() {
    const { url, identity: { rights } } = this.#options
    const key = rights === null ? null : `${PREFIX}${url} ${rights}`
    if (key !== this.#key) this.#forget() // whoever watched before has left
    this.#key = key
    const entries = this.#read()
    for (const stream of this.#options.wanted.values()) {
      const [, payload] = entries[stream.identifier] ?? []
      if (payload !== undefined) this.#show(stream, payload)
    }
  }

  #show(stream, payload) {
    const { identifier } = stream
    if (!stream.restore(payload)) return
    this.#options.client.dispatchEvent(Object.assign(new SyncProgressEvent('progress'), { identifier, payload }))
  }

  save() {
    if (this.#timer === null) return
    this.#stop()
    const entries = this.#read()
    for (const [identifier, { latest, isList }] of this.#options.wanted) {
      if (isList || latest === undefined) continue
      delete entries[identifier] // the newest is the last
      entries[identifier] = [Date.now(), latest]
    }
    this.#write(entries)
  }

  /** Nothing is left, whoever saw it. */
  clear() {
    this.#stop()
    attempt(() => {
      const { sessionStorage } = this.#options.host
      for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key)
    })
  }

  #attend() {
    const { client, host } = this.#options
    if (client.state === 'closed' || client.state === 'rejected') {
      this.save()
      this.#listening?.abort()
      this.#listening = null
    } else if (!this.#listening) {
      this.#listening = new AbortController()
      const save = () => this.save()
      host.addEventListener?.('pagehide', save, this.#listening)
      for (const type of ['visibilitychange', 'freeze']) host.document?.addEventListener(type, save, this.#listening)
    }
  }

  #touch() {
    this.#timer ??= this.#options.clock.setTimeout(() => this.save(), INTERVAL_MS)
  }

  // Who watches it may not any more.
  #drop(identifier) {
    const { [identifier]: _, ...rest } = this.#read()
    this.#write(rest)
  }

  #forget() {
    this.#stop()
    attempt(() => this.#key && this.#options.host.sessionStorage.removeItem(this.#key))
  }

  #read() {
    const entries = attempt(() => this.#key && JSON.parse(this.#options.host.sessionStorage.getItem(this.#key))) ?? {}
    return Object.fromEntries(Object.entries(entries).filter(([, [at]]) => Date.now() - at < TTL_MS))
  }

  #write(entries) {
    const text = JSON.stringify(Object.fromEntries(Object.entries(entries).slice(-KEPT)))
    attempt(() => this.#key && this.#options.host.sessionStorage.setItem(this.#key, text))
  }

  #stop() {
    this.#options.clock.clearTimeout(this.#timer)
    this.#timer = null
  }
}

// Storage may be denied, full, or hold anything.
function attempt(action) {
  try {
    return action()
  } catch {
    return undefined
  }
}
