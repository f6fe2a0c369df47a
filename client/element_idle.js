/*
 * element_idle.js: what is shown while there is no run.
 *
 * How long ago the last one was is by the reader's clock; there is no other to
 * compare with.
 */
import { button, controlStyles, safeUrl } from './element_controls.js'
import { adopt, builder, set, setTexts } from './element_dom.js'
import { timeInWords } from './time_in_words.js'

export const texts = {
  idle: 'No activity',
  none: 'Nothing is running',
  'sync.none': 'No active sync',
  last: 'The last run completed {time} ago',
  'sync.last': 'Last sync completed {time} ago',
  first: 'Nothing has been completed yet',
  'sync.first': 'Start your first sync to import expenses',
  startAll: 'Start a run',
  'sync.startAll': 'Sync all accounts',
  history: 'View history'
}

const styles = `
[part=empty]{display:grid;justify-items:center;gap:.5rem;margin-top:.75rem;text-align:center}
[part=none]{font-weight:500}
[part=last]{color:var(--quiet)}
`

export function create(parts, shadow) {
  const h = builder(parts)
  adopt(shadow, controlStyles)
  adopt(shadow, styles)
  parts.progress.after(h('div', 'empty', {}, h('p', 'none'), h('p', 'last'), button(h, 'startAll'), h('a', 'link history')))

  return ({ state, say, last, locale, attribute, busy, act }) => {
    const isIdle = state === 'idle'
    const history = safeUrl(attribute('history-url'))
    set(parts.empty, 'hidden', !isIdle)
    if (!isIdle) return
    parts.startAll.act = () => act('start')
    set(parts.startAll, 'aria-disabled', busy && 'true')
    set(parts.history, 'href', history)
    setTexts(parts, {
      none: say('none'),
      last: last === null ? say('first') : say('last', { time: timeInWords(last, locale) }),
      startAll: attribute('start-url') && say('startAll'),
      history: history && say('history')
    })
  }
}
