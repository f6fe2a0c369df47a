/*
 * address.js: what the page's address asks for.
 *
 * It stands in the fragment, #session=42&token=…, which no server sees and a
 * reload keeps.  &channel= and &id= name another run than the session's;
 * &theme=, &locale= and &scheme= what it looks like; &only=1 asks for the widget
 * alone.
 */
const LOOK = { theme: 'teal', locale: 'en', scheme: '' }

export function readAddress(hash = location.hash) {
  const given = new URLSearchParams(hash.slice(1))
  return {
    session: given.get('session') || null,
    token: given.get('token') || null,
    channel: given.get('channel') || 'SyncStatusChannel',
    id: given.get('id') || given.get('session') || null,
    only: given.has('only'),
    look: Object.fromEntries(Object.entries(LOOK).map(([name, value]) => [name, given.get(name) ?? value]))
  }
}

/** The address of this page with the widget alone. */
export function addressOf({ session, token, channel, id, look }) {
  const given = new URLSearchParams({ session: session ?? '', token: token ?? '', channel, id, ...look, only: '1' })
  return `${location.pathname}#${given}`
}

// Read to explain a refusal, never to decide anything.
export function hasExpired(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))).exp * 1_000 < Date.now()
  } catch {
    return false
  }
}
