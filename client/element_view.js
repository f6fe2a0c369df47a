/*
 * element_view.js: the widget's DOM, and how a record becomes it.
 *
 * render() shows what is newest; tick() lets time pass between two of them: the
 * estimate counts down, the age grows.  Times of the server are compared among
 * themselves only, since the reader's clock may be wrong; ages are counted from
 * when something came.
 *
 * What can be styled from outside has a part; the state is a second word of
 * the root's, and of an account's, so that ::part(root failed) is a selector.
 */
import { AccountsView } from './accounts_view.js'
import { Announcer } from './announcer.js'
import { Countdown } from './countdown.js'
import { builder, icon, set, setFill, setIcon, setText } from './element_dom.js'
import { COUNTERS, fractionOf, hasEnded } from './payloads.js'
import { timeLeft } from './time_left.js'
import { timeInWords } from './time_in_words.js'

const BUTTONS = ['toggle', 'cancel', 'retry', 'start']
const LINKS = ['details', 'history', 'result']
const CONNECTION_TEXTS = { stale: 'reconnecting', backoff: 'reconnecting', offline: 'offline', closed: 'closed', rejected: 'rejected' }

export class ElementView {
  #root
  #parts
  #accounts
  #announcer
  #countdown = new Countdown()
  #model = null
  #advance = {}
  #connection = null

  /** act(action) is called for each press of a button. */
  constructor(root, act) {
    this.#root = root
    const { parts, h } = builder()
    this.#parts = parts
    root.append(build(h))
    for (const name of [...BUTTONS, 'startAll']) parts[name].addEventListener('click', () => act(parts[name].action))
    set(parts.heading, 'id', 'heading')
    set(parts.overall, 'id', 'overall')
    set(parts.counts, 'id', 'counts')
    set(parts.root, 'role', 'group')
    set(parts.root, 'aria-labelledby', 'heading')
    set(parts.bar, 'role', 'progressbar')
    set(parts.bar, 'aria-labelledby', 'heading overall')
    set(parts.bar, 'aria-describedby', 'counts')
    set(parts.error, 'role', 'alert')
    set(parts.problem, 'role', 'alert')
    set(parts.announcement, 'role', 'status')
    this.#accounts = new AccountsView(parts.accounts)
    this.#announcer = new Announcer(parts.announcement)
  }

  get sparkline() {
    return this.#parts.sparkline
  }

  render(model) {
    this.#model = model
    const { record, say, state, options } = model
    const moving = record && fractionOf(record) === null
    const stale = CONNECTION_TEXTS[model.connection]
    set(this.#parts.root, 'part', ['root', state, moving && 'indeterminate', stale && 'disconnected'].filter(Boolean).join(' '))
    set(this.#parts.root, 'aria-busy', state === 'loading' && 'true')
    setIcon(this.#parts.icon, state)
    setText(this.#parts.heading, options.heading ?? record?.title ?? say('heading'))
    setText(this.#parts.status, say(state))
    setText(this.#parts.problem, model.problem && say('notDone', { error: model.problem }))
    setText(this.#parts.refusal, state === 'refused' && say('refusedText'))
    set(this.#parts.progress, 'hidden', !record)
    set(this.#parts.idle, 'hidden', state !== 'idle')
    this.#renderConnection(stale, say)
    this.#renderControls(model)
    if (record) this.#renderRecord(model)
    else this.#renderIdle(model)
    this.tick(model.now)
  }

  tick(now) {
    if (!this.#model?.record) return
    const { record, receivedAt, say, format } = this.#model
    const age = Math.max(0, now - receivedAt) / 1000
    setText(this.#parts.remaining, this.#describeRemaining(now))
    setText(this.#parts.stalled, this.#describeStall(age))
    setText(this.#parts.age, !hasEnded(record.status) && say('age', { time: format.age(age) }))
  }

  #renderConnection(stale, say) {
    setText(this.#parts.connection, stale && say(stale))
    if (stale !== this.#connection) this.#announcer.say(say(stale ?? 'reconnected'))
    this.#connection = stale
  }

  #renderRecord({ record, say, format, options, now, receivedAt, state }) {
    const { message, error, status, percent, done, total, counters } = record
    const parts = this.#parts
    const ended = hasEnded(status)
    const fraction = fractionOf(record)
    const percentText = fraction === null ? '' : format.percentage(percent ?? fraction * 100)
    const counted = (name, value) => value ? say(name, { n: format.count(value) }) : null

    setText(parts.message, message === error ? null : message)
    setText(parts.error, status === 'failed' ? say('error', { error: error ?? say('failed') }) : error)
    setText(parts.overall, say('overall'))
    setText(parts.percent, percentText)
    setText(parts.counts, percentText ? total !== null && format.counts(done, total) : done !== null && say('soFar', { n: format.count(done) }))
    set(parts.bar, 'aria-valuenow', fraction === null ? null : String(percent ?? Math.floor(fraction * 100)))
    setFill(parts.indicator, fraction)
    setText(parts.detected, record.detected === null ? null : say('detected', { n: format.count(record.detected) }))
    setText(parts.errors, counted('errors', record.errors))
    COUNTERS.forEach((name, index) => setText(parts[name], counted(name, counters[index])))
    setText(parts.rate, !ended && record.rate > 0 && format.rate(record.rate))
    set(parts.sparkline, 'hidden', !options.sparkline || ended)
    this.#accounts.render(options.accounts ? record.accounts : [], { say, format, runEnded: ended })
    this.#estimate(record, now, receivedAt)
    this.#announcer.progress({ run: record.id, state: record.etaState === 'stalled' ? 'stalled' : state, isOver: ended, percent,
      stateText: say(record.etaState === 'stalled' ? 'stalled' : state), percentText })
  }

  #renderIdle({ say, last, locale }) {
    setText(this.#parts.none, say('none'))
    setText(this.#parts.last, last ? say('last', { time: timeInWords(last, locale) }) : say('first'))
  }

  // Which button or link is there; a press is answered by another state, so one
  // that had the focus may go, and the focus must not go with it.
  #renderControls({ record, say, state, options, busy }) {
    const parts = this.#parts
    const { actions, urls } = options
    const focused = this.#root.activeElement
    const open = record && !hasEnded(state)
    const paused = state === 'paused'
    const shown = {
      toggle: open && actions.has(paused ? 'resume' : 'pause') && (paused ? 'resume' : 'pause'),
      cancel: open && actions.has('cancel') && 'cancel',
      retry: /^(failed|cancelled)$/.test(state) && actions.has('retry') && 'retry',
      start: !open && state !== 'loading' && urls.start && 'start',
      startAll: state === 'idle' && urls.start && 'start'
    }
    for (const [name, action] of Object.entries(shown)) {
      const button = parts[name]
      button.action = action
      set(button, 'aria-disabled', busy ? 'true' : null)
      setText(button, action && say(busy === action && action === 'start' ? 'starting' : name === 'startAll' ? name : action))
      set(button, 'aria-label', name === 'toggle' && action ? say(`${action}Label`) : null)
    }
    for (const name of LINKS) {
      set(parts[name], 'href', urls[name] ?? null)
      setText(parts[name], urls[name] && say(name))
    }
    if (focused?.hidden) (BUTTONS.map(name => parts[name]).find(button => !button.hidden) ?? parts.root).focus()
  }

  // Hidden until it can be one: the first moments say little.
  #estimate({ status, eta, etaState, id, done, percent, updatedAt, startedAt }, now, receivedAt) {
    const early = etaState === 'estimating' || updatedAt - startedAt < 3_000
    this.#countdown.update(status === 'processing' && etaState !== 'stalled' && !(early && startedAt) ? eta : null, receivedAt)
    const last = this.#advance
    if (last.id !== id || last.done !== done || last.percent !== percent) {
      this.#advance = { id, done, percent, at: updatedAt, seen: last.id === id }
    }
  }

  #describeRemaining(now) {
    const { record, say, format, locale, options } = this.#model
    const { status, kind, eta, etaLow, etaHigh, startedAt, completedAt } = record
    if (hasEnded(status)) return completedAt && startedAt && say('took', { time: format.duration((completedAt - startedAt) / 1000) })
    const left = this.#countdown.left(now)
    if (!left) return null
    const style = options.times ?? (kind === 'mesh' ? 'clock' : 'words')
    const spread = etaHigh / etaLow > 1.5 ? [etaLow / eta * left, etaHigh / eta * left] : [left]
    return say('remaining', { time: timeLeft(spread, style, format, locale) })
  }

  #describeStall(age) {
    const { record, say, format } = this.#model
    if (record.etaState !== 'stalled' || record.status !== 'processing') return null
    const { seen, at } = this.#advance
    return seen ? say('stalledFor', { time: format.duration((record.updatedAt - at) / 1000 + age) }) : say('stalled')
  }
}

function build(h) {
  const button = name => {
    const node = h('button', `button ${name}`)
    set(node, 'type', 'button')
    return node
  }
  const root = h('section', 'root',
    h('header', 'header',
      icon(h, 'icon'),
      h('div', 'titles', h('h2', 'heading'), h('p', 'status')),
      h('div', 'actions', ...BUTTONS.map(button), h('a', 'link details'))),
    h('p', 'connection'),
    h('p', 'problem'),
    h('p', 'refusal'),
    h('div', 'progress',
      h('p', 'message'),
      h('p', 'figures', h('span', 'overall'), h('span', 'percent'), h('span', 'counts'), h('span', 'stalled'), h('span', 'remaining')),
      h('div', 'track bar', h('div', 'indicator')),
      h('p', 'stats', h('span', 'detected'), h('span', 'errors'), ...COUNTERS.map(name => h('span', name)),
        h('span', 'rate'), icon(h, 'sparkline'), h('span', 'age')),
      h('p', 'error'),
      h('ul', 'accounts'),
      h('a', 'link result')),
    h('div', 'idle', h('p', 'none'), h('p', 'last'), button('startAll'), h('a', 'link history')),
    h('p', 'announcement'))
  set(root, 'tabindex', '-1')
  return root
}
