/*
 * identity.js: who watches, as far as a page can know.
 *
 * The token comes from the application, as a string or from a callback.  What
 * it says is read for two things only, and never believed: tabs with the same
 * rights may share a connection, and a token is replaced before it expires.
 * A connection is shared among those with the same rights, not just the same
 * owner: a token may be good for some sessions only, and who watches through
 * another's connection would be refused, or shown, what that one may see.
 */
const TIMEOUT_MS = 15_000

// A callback that was asked this short a while ago is not asked again.
const RECENT_MS = 1_000

export class Identity {
  #source
  #owner
  #clock
  #changed
  #token
  #askedAt = -Infinity
  #asking = null

  /** changed(isFirst) is called when the first answer is a token, and when one has other rights than were known before. */
  constructor({ token, owner, clock, changed }) {
    this.#source = token
    this.#owner = owner
    this.#clock = clock
    this.#changed = changed
    if (!this.isRenewable) this.#token = token
  }

  /** A callback can give another token; a string would only be refused again. */
  get isRenewable() {
    return typeof this.#source === 'function'
  }

  /** The token that was given last, or undefined. */
  get token() {
    return this.#token
  }

  /** Names the rights of that token; null if nobody knows whose they are. */
  get rights() {
    const { sub, sessions = null, scope = null } = claimsOf(this.#token)
    const owner = sub ?? this.#owner
    return owner == null ? null : JSON.stringify([owner, sessions, scope])
  }

  /** Milliseconds until the token expires; Infinity if it does not say. */
  get expiresInMs() {
    const { exp } = claimsOf(this.#token)
    return typeof exp === 'number' ? exp * 1_000 - Date.now() : Infinity
  }

  /** A token to open something with; a callback that never answers must not hold anybody for ever. */
  renew() {
    if (!this.isRenewable) return Promise.resolve(this.#token)
    if (this.#clock.now() - this.#askedAt >= RECENT_MS) {
      const isFirst = !this.#asking
      this.#askedAt = Infinity // until it has answered
      this.#asking = this.#ask(isFirst)
    }
    return this.#asking
  }

  async #ask(isFirst) {
    let timer
    const late = new Promise((_, reject) => {
      timer = this.#clock.setTimeout(() => reject(new Error('no token came')), TIMEOUT_MS)
    })
    try {
      const token = await Promise.race([this.#source(), late])
      const before = this.rights
      this.#token = token
      if (isFirst || this.rights !== before) this.#changed(isFirst)
      return token
    } finally {
      this.#askedAt = this.#clock.now()
      this.#clock.clearTimeout(timer)
    }
  }
}

function claimsOf(token) {
  try {
    const bytes = atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))
    return JSON.parse(bytes) ?? {} // a name beyond ASCII is garbled, and always in the same way
  } catch {
    return {}
  }
}
