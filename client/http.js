/*
 * http.js: one request to the bridge, and its answer or the reason why not.
 */
import { RequestError } from './errors.js'
import { pathOf } from './paths.js'

// A token that expires this soon is not used for a request.
const TOKEN_MARGIN_MS = 30_000

/** An address below the bridge's, where the cable is at url. */
export const addressOf = (url, path) => new URL(path, url.replace(/^ws/, 'http'))

/** A request as whoever watches, for the path that pathBy(pathOf) gives. */
export async function requestAs({ url, identity, host }, pathBy, options) {
  if (identity.token === undefined || identity.expiresInMs < TOKEN_MARGIN_MS) await identity.renew()
  return request(addressOf(url, pathBy(pathOf)), { token: identity.token, fetch: host.fetch, ...options })
}

/** Resolves with the parsed body, null if there is none; rejects with a RequestError. */
export async function request(url, options) {
  const response = await send(url, options)
  const answer = await response.json().catch(() => null)
  if (response.ok) return answer
  throw new RequestError(answer?.error ?? `the server answered ${response.status}`, {
    status: response.status,
    hint: answer?.hint,
    current: answer?.current,
    retryAfterMs: response.headers.has('Retry-After') ? response.headers.get('Retry-After') * 1_000 : null
  })
}

/** Resolves with the response, whatever it says. */
export async function send(url, { token, method = 'GET', body, signal, headers, fetch = globalThis.fetch }) {
  try {
    return await fetch(url, {
      method,
      signal,
      // Who has a token needs no cookie, and is then let in from any page that a server allows.
      credentials: token == null ? 'include' : 'same-origin',
      headers: {
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...(token != null && { Authorization: `Bearer ${token}` }),
        ...headers
      },
      body: body === undefined ? undefined : JSON.stringify(body)
    })
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new RequestError('the server could not be reached')
  }
}
