/*
 * demo.js: the page's boot script.
 *
 * What to watch stands in the fragment, #session=42&token=…, which no server
 * sees and a reload keeps; &channel= and &param= name other kinds of runs.
 * Messages come in as often as the server likes, and are drawn once a frame.
 */
import { SyncProgressClient, createFormat } from './client/index.js'
import { AccountsView } from './accounts_view.js'
import { Announcer } from './announcer.js'
import { ConnectionView } from './connection_view.js'
import { fieldsOf, setData, setHidden, setIcon, setOptional, setText } from './dom.js'
import { RunView, hasEnded, statusText } from './run_view.js'

const format = createFormat('en')
const page = document.querySelector('.page')
const fields = fieldsOf(page)
const announcer = new Announcer(fields.announcement)
const connectionView = new ConnectionView(page, fields, announcer)
const runView = new RunView(page, fields, format)
const accountsView = new AccountsView(fields, format)

const NOTICE_ICONS = { missing: 'search', disconnected: 'lost' }

/** Watches what the fragment names; returns the client, or null if it names nothing. */
function watch({ session, token, channel, param }) {
  if (session === null) {
    showNotice('missing', 'Which run?', 'The address of this page names no session. It looks like this:',
      `${location.origin}${location.pathname}#session=42&token=…`)
    return null
  }
  const client = new SyncProgressClient({ token })
  let latest = null

  client.addEventListener('statechange', event => {
    connectionView.render(event)
    if (event.state === 'rejected') showUnauthorized(event.reason, token, session)
  })
  client.subscribe({ channel, [param]: session }, {
    onProgress(payload) {
      if (latest === null) requestAnimationFrame(draw)
      latest = { payload, at: performance.now() }
      document.title = titleOf(payload) // a hidden page draws no frames, its tab shows this
    },
    onRejected() {
      latest = null
      showNotice('refused', 'You may not watch this session',
        `Session ${session} does not exist, or your token does not allow to watch it.`)
      client.close()
    }
  })
  return client

  function draw() {
    if (latest === null) return
    const { payload, at } = latest
    latest = null
    runView.render(payload, at)
    accountsView.render(payload.accounts ?? [], hasEnded(payload.status))
    announcer.progress(payload, statusText(payload.status))
  }
}

function showUnauthorized(reason, token, session) {
  const mint = `SELECT sync.sync_progress_token('owner', ARRAY[${Number(session) || '…'}]);`
  const expired = reason === 'token_expired' || expiryOf(token) * 1000 < Date.now()
  if (!token) {
    showNotice('unauthorized', 'A token is needed',
      'This page may only be opened with a token. Whoever runs the job can make one in psql:', mint)
  } else if (expired) {
    showNotice('expired', 'This link has expired', 'Whoever runs the job can make a new token in psql:', mint)
  } else if (reason === 'unauthorized') {
    showNotice('unauthorized', 'This link is not valid',
      'Its token was not accepted. Whoever runs the job can make a new one in psql:', mint)
  } else {
    showNotice('disconnected', 'The server has ended the connection', 'Reload the page to connect again.')
  }
}

/** Tells why there is nothing (more) to see; what may not be seen is hidden. */
function showNotice(state, title, text, sql = null) {
  const lastStateMayStay = (state === 'expired' || state === 'disconnected') && page.dataset.state !== 'loading'
  setData(page, 'notice', state)
  setIcon(fields.notice.querySelector('svg'), NOTICE_ICONS[state] ?? 'lock')
  setText(fields['notice-title'], title)
  setText(fields['notice-text'], text)
  setOptional(fields['notice-sql'], sql)
  setHidden(fields.notice, false)
  setHidden(fields.connection, true)
  runView.stop()
  if (!lastStateMayStay) {
    setData(page, 'state', state)
    for (const name of ['run', 'accounts-section', 'psql']) setHidden(fields[name], true)
    document.title = title
  }
  announcer.say(title)
}

function readFragment() {
  const given = new URLSearchParams(location.hash.slice(1))
  const session = given.get('session')
  return {
    session: /^\d{1,15}$/.test(session ?? '') ? Number(session) : session || null,
    token: given.get('token') || null,
    channel: given.get('channel') || 'SyncStatusChannel',
    param: given.get('param') || 'session_id'
  }
}

// Read to explain a refusal, never to decide anything.
function expiryOf(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))).exp ?? Infinity
  } catch {
    return Infinity
  }
}

function titleOf({ title, session_id: id, status, progress_percentage: percent }) {
  const where = status === 'processing' && percent !== null ? format.percentage(percent) : statusText(status)
  return `${where} · ${title || `Session ${id}`}`
}

watch(readFragment())
setInterval(() => {
  const now = performance.now()
  runView.tick(now)
  connectionView.tick(now)
}, 1000)
// Another run: a page begun anew is simpler than one taken back.
window.addEventListener('hashchange', () => location.reload())
