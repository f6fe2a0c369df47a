/*
 * react_client.js: where a component's client comes from.
 *
 * A source makes its client when somebody first asks in a browser, never on a
 * server, where it would be shared by all who are served.  With a token it is a
 * client of its own, which is closed a second after the provider has gone: an
 * inline callback is another function in each rendering, and must not leave a
 * client behind each time.  Without one it is the page's client for that
 * address, the same that elements have.
 *
 * No React in here.
 */
import { SyncProgressClient } from './client.js'

const GRACE_MS = 1_000

export class ClientSource {
  #make
  #isOwned
  #client = null
  #holders = 0
  #timer

  constructor({ client = null, token, ...options } = {}) {
    this.owner = options.owner
    this.enabled = options.enabled
    this.#isOwned = client === null && token != null
    this.#make = () => {
      if (client !== null) return client
      return this.#isOwned ? new SyncProgressClient({ ...options, token }) : SyncProgressClient.for(options)
    }
  }

  get = () => (this.#client ??= this.#make())

  /** While a provider is there; returns how to let go. */
  hold() {
    clearTimeout(this.#timer)
    this.#holders += 1
    return () => {
      this.#holders -= 1
      if (this.#isOwned && this.#holders === 0) this.#timer = setTimeout(() => this.#close(), GRACE_MS)
    }
  }

  // Whoever comes back later gets a new one.
  #close() {
    this.#client?.close()
    this.#client = null
  }
}

export const pageSource = new ClientSource()
