/*
 * identifier.js: what is watched, as an object, as the text that goes over the
 * wire, and as a path below the bridge's address.
 */

/** The text; two equal texts are one stream. */
export function keyOf(identifier) {
  return typeof identifier === 'string' ? identifier : JSON.stringify(identifier)
}

/** The owner's list has events instead of states. */
export function isList(key) {
  return parse(key).channel === 'SessionsChannel'
}

/** "SyncStatusChannel/42", as in sessions/…, events/… and snapshots/…; null if it cannot be one. */
export function pathOf(key) {
  const { channel, min_interval_ms: _, ...params } = parse(key)
  const [id] = Object.values(params)
  if (typeof channel !== 'string' || id == null) return null
  return `${encodeURIComponent(channel)}/${encodeURIComponent(id)}`
}

function parse(key) {
  try {
    return JSON.parse(key) ?? {}
  } catch {
    return {}
  }
}
