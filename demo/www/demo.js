/*
 * demo.js: the page's boot script.
 *
 * The widget does all the showing; what is here chooses what it shows, prints
 * the same state as psql does, and makes trouble.
 */
import { SyncProgressClient } from './client/index.js'
import './client/define.js'
import { addressOf, hasExpired, readAddress } from './address.js'
import { CuttableSocket, cut } from './cuttable_socket.js'
import { answer, question } from './psql_view.js'

// What the tour keeps running beside the main job (demo/tour.sql).
const RUNS = {
  mesh: { channel: 'MeshProgressChannel', id: 'bracket' },
  batch: { channel: 'BatchProgressChannel', id: 'gearbox' },
  connection: { channel: 'ConnectionSyncChannel', id: 'crm' }
}

const byId = id => document.getElementById(id)
const address = readAddress()
const look = address.look
let client = null
let run = { channel: address.channel, id: address.id }
let subscription = null

if (address.id === null) {
  showNotice('Which run?', 'The address of this page names no session. It looks like this:',
    `${location.origin}${location.pathname}#session=42&token=…`)
} else {
  // Were it not for the cut, which shall be seen, it would have server-sent events to go on with.
  client = new SyncProgressClient({ token: address.token, WebSocket: CuttableSocket, transports: ['websocket'] })
  client.addEventListener('statechange', ({ state, reason }) => {
    showHolder()
    if (state === 'rejected') showUnauthorized(reason)
  })
  if (address.only) document.documentElement.classList.add('only')
  else setUpTools()
  watch()
}

function watch() {
  const widget = document.createElement('sync-progress')
  widget.client = client
  widget.setAttribute('channel', run.channel)
  widget.setAttribute('source-id', run.id)
  widget.setAttribute('actions', 'pause resume cancel retry')
  widget.setAttribute('sparkline', '')
  byId('stage').replaceChildren(widget)
  dress()

  subscription?.unsubscribe()
  subscription = client.subscribe(identifierOf(run), {
    onProgress: showState,
    onRejected: () => showNotice('You may not watch this run',
      `${run.id} does not exist, or your token does not allow to watch it.`)
  })
}

// As the widget names it, so that both are one subscription.
function identifierOf({ channel, id }) {
  const number = /^\d{1,15}$/.test(id) ? Number(id) : id
  return channel === 'SyncStatusChannel' ? { channel, session_id: number } : { channel, id: number }
}

function dress() {
  const widget = byId('stage').firstElementChild
  for (const name of ['theme', 'locale']) {
    if (look[name]) widget.setAttribute(name, look[name])
    else widget.removeAttribute(name)
  }
  document.documentElement.style.colorScheme = look.scheme || 'light dark'
}

function showState(payload) {
  showHolder()
  const asked = address.only ? null : question(run.channel, run.id, payload)
  byId('psql').hidden = asked === null
  byId('psql-query').textContent = asked ?? ''
  byId('psql-answer').textContent = answer(payload)
  byId('trouble').hidden = address.only
  const percent = payload.progress_percentage ?? payload.progress
  document.title = [typeof percent === 'number' ? `${percent}%` : payload.status, payload.title].filter(Boolean).join(' · ')
}

function showHolder() {
  byId('holder').hidden = client.state !== 'live'
  byId('holder').textContent = client.isLeader
    ? 'This tab holds the browser’s one connection'
    : 'Another tab holds the connection, this one listens to it'
}

function setUpTools() {
  const tools = byId('tools')
  for (const [name, value] of Object.entries(look)) tools.elements[name].value = value
  tools.addEventListener('change', ({ target: { name, value } }) => {
    if (name !== 'kind') {
      look[name] = value
      dress()
    } else {
      run = RUNS[value] ?? { channel: address.channel, id: address.id }
      byId('said').textContent = ''
      watch()
    }
    if (!byId('tabs').hidden) openTabs()
  })
  byId('fail').addEventListener('click', fail)
  byId('cut').addEventListener('click', () => {
    cut()
    say('Cut. Nothing is lost meanwhile: what you see next is the newest state.')
  })
  byId('beside').addEventListener('click', toggleTabs)
}

// A pinned run is the tour's word for one that fails.
async function fail() {
  try {
    await subscription.pin(true)
    say('The job is told to fail.')
  } catch ({ message }) {
    say(`That was refused: ${message}`)
  }
}

function toggleTabs() {
  const tabs = byId('tabs')
  tabs.hidden = !tabs.hidden
  byId('beside').setAttribute('aria-expanded', String(!tabs.hidden))
  if (tabs.hidden) tabs.replaceChildren()
  else openTabs()
}

// Frames of one origin are to each other what tabs are.
function openTabs() {
  byId('tabs').replaceChildren(...['One tab', 'Another tab'].map(title => {
    const frame = document.createElement('iframe')
    frame.title = title
    frame.src = addressOf({ ...address, ...run, look })
    return frame
  }))
}

function say(text) {
  byId('said').textContent = text
}

function showUnauthorized(reason) {
  const mint = 'SELECT sync.sync_progress_token(\'owner\');'
  if (!address.token) {
    showNotice('A token is needed', 'This page may only be opened with a token. Whoever runs the job can make one in psql:', mint)
  } else if (reason === 'token_expired' || hasExpired(address.token)) {
    showNotice('This link has expired', 'Whoever runs the job can make a new token in psql:', mint)
  } else if (reason === 'unauthorized') {
    showNotice('This link is not valid', 'Its token was not accepted. Whoever runs the job can make a new one in psql:', mint)
  } else {
    showNotice('The server has ended the connection', 'Reload the page to connect again.')
  }
}

/** Tells why there is nothing (more) to see. */
function showNotice(title, text, sql = null) {
  byId('notice-title').textContent = title
  byId('notice-text').textContent = text
  byId('notice-sql').textContent = sql ?? ''
  byId('notice-sql').hidden = sql === null
  byId('notice').hidden = false
  for (const id of ['psql', 'trouble', 'tabs', 'holder']) byId(id).hidden = true
  if (client === null) byId('tools').hidden = true
  document.title = title
}
