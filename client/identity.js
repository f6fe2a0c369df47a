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

/** changed(isFirst) is called when the first answer is a token, and when one has other rights than were known before. */
export function createIdentity({ token: source, owner, clock, changed }) {
  // A callback can give another token; a string would only be refused again.
  const isRenewable = typeof source === 'function'
  let askedAt = -Infinity
  let asking

  async function ask(isFirst) {
    let timer
    try {
      const token = await Promise.race([source(), new Promise((_, reject) => {
        timer = clock.setTimeout(() => reject(new Error('no token came')), TIMEOUT_MS)
      })])
      const before = identity.rights
      identity.token = token
      if (isFirst || identity.rights !== before) changed(isFirst)
      return token
    } finally {
      askedAt = clock.now()
      clock.clearTimeout(timer)
    }
  }

  const identity = {
    isRenewable,

    /** The one that was given last, or undefined. */
    token: isRenewable ? undefined : source,

    /** Names the rights of that token; null if nobody knows whose they are. */
    get rights() {
      const { sub, sessions, scope } = claimsOf(identity.token)
      const who = sub ?? owner
      return who == null ? null : JSON.stringify([who, sessions, scope])
    },

    /** A token to open something with; a callback that never answers must not hold anybody for ever. */
    async renew() {
      if (!isRenewable) return source
      if (clock.now() - askedAt >= RECENT_MS) {
        askedAt = Infinity // until it has answered
        asking = ask(!asking)
      }
      return asking
    }
  }
  return identity
}

/** What a token says, believed or not. */
export function claimsOf(token) {
  try {
    const bytes = atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))
    return JSON.parse(bytes) ?? {} // a name beyond ASCII is garbled, and always in the same way
  } catch {
    return {}
  }
}
