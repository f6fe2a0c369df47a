/*
 * paths.js: what of an identifier is part of an address.
 */

/** "SyncStatusChannel/42", as in sessions/…, events/… and snapshots/…; null if it cannot be one. */
export function pathOf(identifier) {
  const { channel, min_interval_ms: _, ...params } = parse(identifier)
  const [id] = Object.values(params)
  if (typeof channel !== 'string' || id == null) return null
  return `${encodeURIComponent(channel)}/${encodeURIComponent(id)}`
}

/** How far apart its states shall be, at least; 0 if it does not say. */
export function minIntervalOf(identifier) {
  return parse(identifier).min_interval_ms ?? 0
}

function parse(identifier) {
  try {
    return JSON.parse(identifier) ?? {}
  } catch {
    return {}
  }
}
