/*
 * page.js: what the page around has to say to an adapter.
 *
 * Rails says it in meta tags: action-cable-url, csrf-token; ours to it is
 * sync-progress-token-url, where the token of whoever is logged in is to be
 * had.  Adapters that ask here for the same address and the same token get the
 * same client, and so one connection; so do elements.
 *
 * A request that changes something carries the page's CSRF token, which must
 * not get into other hands: it goes to the page's own origin or not at all.
 */
import { SyncProgressClient } from './client.js'
import { RequestError } from './errors.js'
import { request } from './http.js'
import { tokenFrom } from './token_url.js'

/** For so long a watcher's place is kept: a frame, or a page, is replaced by one that wants the same. */
const GRACE_MS = 1_000

export function meta(name) {
  return globalThis.document?.querySelector(`meta[name="${name}"]`)?.content
}

/** The client of this page for what the page says, unless the caller knows better. */
export function pageClient({ url, token, tokenUrl = meta('sync-progress-token-url') } = {}) {
  return SyncProgressClient.for({
    url: url || meta('action-cable-url') || '/cable',
    token: token || (tokenUrl ? tokenFrom(tokenUrl) : undefined)
  })
}

/** What names a run of that channel; null without an id (none, or 0). */
export function identifierOf(channel, id) {
  const text = String(id ?? '')
  if (text === '' || text === '0') return null
  return { channel, [channel === 'SyncStatusChannel' ? 'session_id' : 'id']: /^\d{1,15}$/.test(text) ? Number(text) : text }
}

/**
 * Watches, until leave() is called: from then on no callback is, but the place
 * is kept for a moment, for whoever wants the same next.
 */
export function watch(client, identifier, callbacks) {
  let isLeft = false
  const subscription = client.subscribe(identifier, Object.fromEntries(Object.entries(callbacks).map(([name, callback]) =>
    [name, (...args) => { if (!isLeft) callback(...args) }])))
  const leave = () => {
    if (isLeft) return
    isLeft = true
    setTimeout(() => subscription.unsubscribe(), GRACE_MS)
  }
  return { subscription, leave }
}

/** The address, if it is the page's own origin's; else null. */
export function ownAddress(url) {
  try {
    const { href, origin } = new URL(url, globalThis.location?.href)
    return origin === globalThis.location?.origin && /^https?:/.test(href) ? href : null
  } catch {
    return null
  }
}

/** As a form of the page would, with its CSRF token; "{name}" in the address is filled in. */
export async function post(template, values = {}, options = {}) {
  const url = template.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(values[name] ?? ''))
  const address = ownAddress(url)
  if (!address) throw new RequestError(`not an address of this page's: ${url}`)
  const csrf = meta('csrf-token')
  return request(address, { method: 'POST', headers: { Accept: 'application/json', ...(csrf && { 'X-CSRF-Token': csrf }) }, ...options })
}

/** The language of that part of the page, "es-CR". */
export function languageOf(element, fallback) {
  return element.closest('[lang]')?.lang || fallback
}
