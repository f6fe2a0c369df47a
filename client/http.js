/*
 * http.js: one request to the bridge, and its answer or the reason why not.
 */
import { RequestError } from './errors.js'
import { claimsOf } from './identity.js'
import { pathOf } from './paths.js'

// A token that expires this soon is not used for a request.
const TOKEN_MARGIN_MS = 30_000

// What the actions take, if anything.
const BODIES = {
  cancel: message => ({ message }),
  rename: (title, lockVersion) => ({ title, lock_version: lockVersion }),
  pin: (pinned, lockVersion) => ({ pinned, lock_version: lockVersion }),
  delete: lockVersion => ({ lock_version: lockVersion })
}

/** An address below the bridge's, where the cable is at url. */
export const addressOf = (url, path) => new URL(path, url.replace(/^ws/, 'http'))

/** Milliseconds until the token expires; Infinity if it does not say. */
export function expiresInMs(token) {
  const { exp } = claimsOf(token)
  return typeof exp === 'number' ? exp * 1_000 - Date.now() : Infinity
}

/** The token, another one if it will not be good for long. */
export async function tokenOf(identity) {
  if (identity.token === undefined || expiresInMs(identity.token) < TOKEN_MARGIN_MS) await identity.renew()
  return identity.token
}

/** A request as whoever watches, for a path below the bridge's address. */
export async function requestAs({ url, identity, host }, path, options) {
  return request(addressOf(url, path), { token: await tokenOf(identity), fetch: host.fetch, ...options })
}

/** An action, with what it takes, as whoever watches; resolves with { result, state }. */
export function act(watching, identifier, action, ...args) {
  return post(watching, identifier, action, BODIES[action]?.(...args))
}

/** What the cable would say to an action: the state that it leads to, or its refusal; undefined if nothing. */
export async function answerTo(watching, identifier, action, data) {
  try {
    const { state } = await post(watching, identifier, action, data)
    return state
  } catch ({ status, message: error, hint, current }) {
    return { type: 'error', action, status, error, hint, current }
  }
}

function post(watching, identifier, action, body) {
  return requestAs(watching, `sessions/${pathOf(identifier)}/${action}`, { method: 'POST', body })
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
    retryAfterMs: response.headers.get('Retry-After') * 1_000 || null // a proxy's may be a date
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
