/*
 * identifier.js: what is watched, as an object and as the text that goes over
 * the wire.
 */

/** The text; two equal texts are one stream. */
export function keyOf(identifier) {
  return typeof identifier === 'string' ? identifier : JSON.stringify(identifier)
}

/** The owner's list has events instead of states. */
export function isList(key) {
  return /"channel"\s*:\s*"SessionsChannel"/.test(key)
}
