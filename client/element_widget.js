/*
 * element_widget.js: what an element shows, and when.
 *
 * It draws at most once a frame, and not at all in a hidden page, which catches
 * up as soon as it is seen: frames are what a hidden page does not get.  What
 * changed of a run's status is told at once all the same.
 *
 * Where states come from is element_source.js, what they look like
 * element_view.js.  What not every page needs is loaded by those that do:
 * another language, accounts, actions, and how fast and how long, which nobody
 * knows in the first moment anyway.  The first drawing waits for the language
 * and the accounts, so that nothing is shown in two languages and nothing jumps.
 *
 * A state may be there before the first connection, as the attribute payload or
 * in a <script type="application/json"> child: a server's page starts with it.
 *
 * Functions over one closure, since the names of its variables cost nothing.
 */
import { watch } from './element_source.js'
import { TEXTS, phrase } from './element_texts.js'
import { createView } from './element_view.js'
import { normalise } from './payloads.js'

const TICK_MS = 1_000

// Turbo takes a page apart and puts it together again; that is no reason to ask the server anew.
const LEAVE_AFTER_MS = 1_000

const LOADERS = {
  accounts: () => import('./element_accounts.js'),
  controls: () => import('./element_controls.js'),
  idle: () => import('./element_idle.js'),
  live: () => import('./element_live.js'),
  sparkline: () => import('./element_sparkline.js'),
  es: () => import('./element_texts_es.js')
}
const CONTROLS = ['actions', 'start-url', 'details-url']
const modules = {}

/** attribute(name) is what the page says. */
export function createWidget(host, attribute) {
  let client, texts, payload, written
  let view, source, ticker, leaving, frame
  let record = null
  let receivedAt
  let last // without a run: seconds since one was completed, or null
  let state = 'loading'
  let connection
  let problem, busy

  // The module, or undefined while it is on its way.
  function loaded(name) {
    modules[name] ??= LOADERS[name]().catch(console.error).then((module = {}) => { modules[name] = module })
    if (!modules[name].then) return modules[name]
    modules[name].then(schedule)
  }

  function emit(name, detail, cancelable) {
    return host.dispatchEvent(new CustomEvent(`sync-progress:${name}`, { detail, cancelable, bubbles: true, composed: true }))
  }

  function schedule() {
    frame ??= requestAnimationFrame(draw)
  }

  // What is there of the modules that are wanted; undefined while something is
  // on its way without which it would be wrong, or jump.
  function gather(language) {
    const ready = {}
    let complete = true
    const gatherOne = (name, isWanted, canWait) => {
      if (!isWanted) return
      const module = loaded(name)
      if (module) ready[name] = module
      else complete &&= canWait
    }
    gatherOne('controls', CONTROLS.some(attribute) || record?.resultUrl, view)
    gatherOne('accounts', record?.accounts[0], view)
    gatherOne('idle', state === 'idle', view)
    gatherOne('live', true, true)
    gatherOne('sparkline', ready.live && attribute('sparkline') !== null, true)
    gatherOne(language, LOADERS[language], false)
    return complete && ready
  }

  function draw() {
    frame = null
    if (!host.isConnected) return
    const now = performance.now()
    const locale = localeOf(attribute('locale') ?? host.closest('[lang]')?.lang)
    const ready = gather(locale.split('-')[0])
    if (!ready) return
    const all = Object.assign({}, TEXTS, ...Object.values(ready).map(module => module.texts), texts)
    const kind = record?.kind ?? attribute('channel').match(/^[A-Z]?[a-z]*/)[0].toLowerCase()
    const text = name => typeof all[name] === 'string' && all[name]
    view ??= createView(host.attachShadow({ mode: 'open' }))
    view.show({
      record, state: record?.status ?? state, now, receivedAt, last, connection, problem, busy, locale, attribute, act,
      say: (name, values) => phrase(text(`${kind}.${name}`) || text(name) || name, values)
    }, ready)
    performance.measure('sync-progress:render', { start: now })
    performance.clearMeasures('sync-progress:render') // observers have it; the buffer would grow
    emit('update', { payload })
  }

  function show(newState) {
    payload = last = undefined
    record = null
    state = newState
    schedule()
  }

  function take(given) {
    const newest = normalise(given)
    const isSame = record && newest?.id === record.id
    if (!newest || isSame && newest.version !== null && newest.version <= record.version) return
    const news = record && record.status !== newest.status && newest.status
    payload = given
    record = newest
    receivedAt = performance.now()
    if (news === 'completed' || news === 'failed') emit(news === 'failed' ? news : 'complete', { payload })
    schedule()
  }

  function read() {
    const json = attribute('payload') ?? host.querySelector('script[type="application/json"]')?.textContent
    try {
      // Once: it is of the run that was named when it was written.
      if (json && json !== written) take(JSON.parse(written = json))
    } catch {
      // not JSON: the server's answer will come
    }
  }

  /** Something is under way (or null), and the one before went wrong (or not). */
  function working(action, error) {
    busy = action
    problem = error
    draw()
  }

  // Busy from the press on, so that a second one does not count.
  async function act(action) {
    if (busy) return
    busy = action
    const { perform } = await import('./element_actions.js') // there already, where there are buttons
    return perform(action, { host, attribute, emit, working, id: record?.id, subscription: source?.subscription })
  }

  function restart() {
    show('loading')
    source.stop()
    begin()
  }

  function begin() {
    source = watch(client, attribute, {
      state: take,
      idle(seconds) {
        show('idle')
        last = seconds
      },
      reset: () => show('loading'),
      refused: () => show('refused'),
      fail(refusal) {
        emit('error', refusal)
        working(null, refusal.error)
      },
      connection(event) {
        // While it tries, it is not there yet.
        if (event.state !== 'connecting') connection = event.state
        if (event.previous) emit('connection', event)
        schedule()
      }
    })
  }

  return {
    enter() {
      clearTimeout(leaving)
      read()
      // Whoever puts it there may say next what its client is: React does, where it cannot before.
      queueMicrotask(() => {
        if (source || !host.isConnected) return
        begin()
        ticker = setInterval(() => view?.tick(performance.now()), TICK_MS)
      })
      draw()
    },

    leave() {
      leaving = setTimeout(() => {
        if (host.isConnected) return
        clearInterval(ticker)
        source?.stop()
        source = null
      }, LEAVE_AFTER_MS)
    },

    /** An attribute has: of which run, of which state, or only of how it looks. */
    changed(ofRun, ofState) {
      if (!source) return
      if (ofRun) restart()
      else if (ofState) read()
      else schedule()
    },

    act,

    get client() {
      return client ?? source?.client
    },

    set client(given) {
      client = given
      if (source) restart()
    },

    get payload() {
      return payload
    },

    set payload(given) {
      record = null
      take(given)
    },

    get texts() {
      return texts
    },

    set texts(given) {
      texts = given
      schedule()
    }
  }
}

function localeOf(given) {
  try {
    return new Intl.Locale(given || navigator.language).baseName
  } catch {
    return 'en'
  }
}
