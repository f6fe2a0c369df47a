/*
 * token_url.js: a token callback that asks the application, at an address that
 * the page names.
 *
 * It is the same callback whoever names the same address, an element or an
 * adapter: by that they get the same client, and so one connection.
 */
const callbacks = {} // by address

export function tokenFrom(url) {
  return callbacks[url] ??= () => fetchToken(url)
}

// A text, or JSON: "…" or {"token":"…"}.
async function fetchToken(url) {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  const text = (await response.text()).trim()
  const answer = /^["{]/.test(text) ? JSON.parse(text) : text
  const token = answer.token ?? answer
  // Such as a page to log in, to which the request was redirected.
  if (typeof token !== 'string' || /[\s<]/.test(token)) throw new Error(`${url}: no token`)
  return token
}
