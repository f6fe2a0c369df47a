/*
 * element_view.js: the widget's DOM, and how a state becomes it.
 *
 * This is the frame, which every widget has: heading, state, bar, error.  The
 * modules that element_widget.js loads fill in the rest; each has
 * create(parts, shadow), which returns a function that shows a model.
 *
 * What can be styled from outside has a part, named like what it shows; the
 * state is a second word of the root's, so that ::part(root failed) is a selector.
 */
import { adopt, builder, icon, set, setFill, setIcon, setTexts } from './element_dom.js'
import { styles } from './element_styles.js'
import { numbers } from './element_texts.js'
import { fractionOf } from './payloads.js'

/** Returns show(model, modules), with tick(now) for what time alone changes. */
export function createView(shadow) {
  const parts = {}
  const extras = {}
  build(shadow, parts)

  return {
    show(model, modules) {
      const { record, state, say, attribute, connection } = model
      const fraction = record && fractionOf(record)
      const notice = model.notice = /stale|backoff|offline|closed|rejected/.test(connection) && say(connection)
      const moving = record && fraction === null
      const isLoading = state === 'loading' && !notice
      set(parts.root, 'part', `root ${state}${moving ? ' indeterminate' : ''}${notice ? ' disconnected' : ''}`)
      set(parts.status, 'part', `status ${state}`)
      set(parts.root, 'aria-busy', isLoading && 'true')
      set(parts.progress, 'hidden', !record)
      setIcon(parts.icon, state)
      setTexts(parts, {
        heading: attribute('heading') ?? record?.title ?? say('heading'),
        status: (isLoading || state !== 'loading') && say(state)
      })
      if (record) showRecord(parts, model, fraction)
      for (const name in modules) extras[name] ??= modules[name].create?.(parts, shadow)
      for (const name in extras) extras[name]?.(model)
    },

    tick(now) {
      extras.live?.tick(now)
    }
  }
}

function showRecord(parts, model, fraction) {
  const { record, state, say, locale } = model
  const { message, error, percent, done, total } = record
  const format = numbers(locale)
  // Never rounded up: 100 % means all.
  const whole = fraction === null ? null : Math.floor(percent ?? fraction * 100)
  model.percentText = fraction !== null && numbers(locale, 'percent')(whole / 100)
  set(parts.bar, 'aria-valuenow', whole)
  setFill(parts.indicator, fraction)
  setTexts(parts, {
    message: message !== error && message,
    error: error ? say('error', { error }) : state === 'failed' && say(state),
    overall: say('overall'),
    percent: model.percentText,
    counts: done !== null && say(total === null ? 'soFar' : 'counts', { n: format(done), total: format(total) })
  })
}

function build(shadow, parts) {
  const h = builder(parts)
  adopt(shadow, styles)
  shadow.append(h('section', 'root', { role: 'group', 'aria-labelledby': 'heading' },
    h('header', 'header', {},
      icon(h, 'icon'),
      h('div', 'titles', {}, h('h2', 'heading', { id: 'heading' }), h('p', 'status')),
      h('div', 'actions')),
    h('div', 'progress', {},
      h('p', 'message'),
      h('p', 'figures', {}, h('span', 'label overall', { id: 'overall' }), h('span', 'percent'), h('span', 'counts', { id: 'counts' })),
      h('div', 'track bar', { role: 'progressbar', 'aria-labelledby': 'heading overall', 'aria-describedby': 'counts' }, h('div', 'indicator')),
      h('p', 'stats'),
      h('p', 'error', { role: 'alert' }),
      h('ul', 'accounts', { hidden: true })),
    h('p', 'announcement', { role: 'status' })))
}
