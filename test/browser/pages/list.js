/*
 * list.js: a page that shows an owner's sessions, and keeps when it was shown
 * what. What to do comes in the fragment, as JSON: { token, owner, list, sync,
 * …options of the client }; tokenOf instead of token: somebody whose tokens are
 * asked for at /token/<name>, each time anew; and "without", what this browser is to lack:
 * BroadcastChannel, locks, storage events.
 */
const { token, tokenOf, owner, without = [], list: listOptions, sync: syncOptions, ...options } = JSON.parse(decodeURIComponent(location.hash.slice(1)))

if (without.includes('BroadcastChannel')) delete globalThis.BroadcastChannel
if (without.includes('locks')) Object.defineProperty(navigator, 'locks', { value: undefined })
if (without.includes('storage events')) addEventListener('storage', event => event.stopImmediatePropagation())

/** Milliseconds since 1970, finer than Date. */
const now = () => performance.timeOrigin + performance.now()

globalThis.reads = 0 // of the list
globalThis.requests = 0 // of any kind
const systemFetch = globalThis.fetch
globalThis.fetch = (address, settings) => {
  globalThis.requests += 1
  if (/\/sessions\?/.test(address)) globalThis.reads += 1
  return systemFetch(address, settings)
}

const [{ SyncProgressClient }, { SessionList }, { CrossTabSync }] = await Promise.all([
  import('./client/index.js'), import('./client/sessions.js'), import('./client/cross_tab.js')])

globalThis.violations = []
addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
  globalThis.violations.push(`${effectiveDirective} ${blockedURI}`))

// -- the sessions of this server ------------------------------------------------

globalThis.heard = [] // list events, as they come: { at, name, id, title }
globalThis.shown = {} // title → when it was first in the page
globalThis.said = [] // of own edits

async function freshToken() {
  const fresh = await (await systemFetch(`/token/${tokenOf}`)).text()
  globalThis.tokenCameAt = now()
  return fresh
}

const client = globalThis.client = new SyncProgressClient({ token: tokenOf ? freshToken : token, owner, ...options })
client.addEventListener('listevent', ({ name, data }) =>
  globalThis.heard.push({ at: now(), name, id: data?.session_id, title: data?.title }))

const list = globalThis.list = new SessionList(client, listOptions)
const notice = document.getElementById('notice')
for (const type of ['notice', 'conflict']) {
  list.addEventListener(type, ({ text, actionText }) => {
    notice.textContent = actionText ? `${text} · ${actionText}` : text
    globalThis.said.push(text)
  })
}

function render() {
  const rows = list.sessions.map(({ session_id: id, title, pinned }) => {
    const row = document.createElement('li')
    Object.assign(row.dataset, { id, pinned })
    row.textContent = title
    globalThis.shown[title] ??= now()
    return row
  })
  document.getElementById('sessions').replaceChildren(...rows)
}
list.subscribe(render)

/** What a reader sees: [id, title, pinned] of each. */
globalThis.rows = () => [...document.querySelectorAll('#sessions li')].map(({ dataset, textContent }) => [Number(dataset.id), textContent, dataset.pinned === 'true'])

// -- rows of the application's own ----------------------------------------------

globalThis.told = [] // { at, type, payload }
const sync = globalThis.sync = new CrossTabSync({ owner, ...syncOptions })
for (const type of ['session_created', 'session_renamed', 'session_pinned', 'session_deleted', 'sessions_reloaded']) {
  sync.on(type, payload => globalThis.told.push({ at: now(), type, payload }))
}
globalThis.now = now
