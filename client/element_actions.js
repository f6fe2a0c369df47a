/*
 * element_actions.js: what a press of a button does.
 *
 * With action-url the application is asked, as a
 * form of its own would ask it; otherwise the bridge.  A start is a form, since
 * its answer is the application's: a page, or for Turbo a part of one.
 */
import { RequestError } from './errors.js'

const START_TIMEOUT_MS = 10_000

export async function perform(action, { host, attribute, emit, working, id, subscription }) {
  if (!emit('action', { action }, true)) return working(null)
  working(action)
  const url = attribute('action-url')
  try {
    if (action === 'start') await submit(host, attribute('start-url'))
    else if (url) await post(url.replace('{action}', action).replace('{id}', encodeURIComponent(id)))
    else await subscription[action]()
    working(null)
  } catch ({ status = 0, message: error, hint = null, current = null }) {
    emit('error', { action, status, error, hint, current })
    working(null, error)
  }
}

async function post(url) {
  const response = await fetch(url, {
    method: 'POST',
    credentials: 'same-origin',
    headers: { Accept: 'application/json', 'X-CSRF-Token': meta('csrf-token') }
  })
  if (response.ok) return
  const { error, hint } = await response.json().catch(() => ({}))
  throw new RequestError(typeof error === 'string' ? error : `HTTP ${response.status}`, { status: response.status, hint })
}

// In the light DOM, so that a Turbo frame around the element is what it answers to.
async function submit(host, url) {
  const form = document.createElement('form')
  form.method = 'post'
  form.action = url
  form.hidden = true
  const token = document.createElement('input')
  token.name = meta('csrf-param') || 'authenticity_token'
  token.value = meta('csrf-token')
  form.append(token)
  host.append(form)
  const done = new AbortController()
  try {
    await new Promise(resolve => {
      const { signal } = done
      form.addEventListener('turbo:submit-end', resolve, { signal })
      globalThis.addEventListener('pageshow', resolve, { signal }) // the reader came back
      setTimeout(resolve, START_TIMEOUT_MS)
      form.requestSubmit()
    })
  } finally {
    done.abort()
    form.remove()
  }
}

function meta(name) {
  return document.querySelector(`meta[name="${name}"]`)?.content ?? ''
}
