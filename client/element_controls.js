/*
 * element_controls.js: the buttons and links of the header, and that to the result.
 *
 * Pause and resume are one button, so that whoever pressed it still has the
 * focus; when a button goes, the focus goes to another.  Loaded by elements
 * that have any of them.
 */
import './element_actions.js' // so that it is there when a button is pressed
import { adopt, builder, set, setTexts } from './element_dom.js'
import { hasEnded } from './payloads.js'

const BUTTONS = ['toggle', 'cancel', 'retry', 'start']
const LINKS = ['details', 'result']

export const texts = {
  pause: 'Pause',
  pauseLabel: 'Pause',
  'sync.pauseLabel': 'Pause sync',
  resume: 'Resume',
  resumeLabel: 'Resume',
  'sync.resumeLabel': 'Resume sync',
  cancel: 'Cancel',
  retry: 'Try again',
  start: 'Start',
  'sync.start': 'Start sync',
  starting: 'Starting...',
  details: 'View details',
  result: 'Open the result'
}

export const controlStyles = `
button{padding:.4em .9em;border:1px solid var(--button);border-radius:.5em;background:none;color:var(--button);font:inherit;font-weight:500;cursor:pointer}
[part~=start],[part~=startAll]{background:var(--button);color:var(--back)}
[aria-disabled]{opacity:.65;cursor:progress}
a{color:var(--button)}
[part~=result]{display:inline-block;margin-top:.75rem}
@media(forced-colors:active){[part~=start],[part~=startAll]{background:ButtonFace;color:ButtonText}}
`

/** A button that is told what to do when it is shown. */
export function button(h, name) {
  const node = h('button', `button ${name}`, { type: 'button' })
  node.onclick = () => node.act()
  return node
}

/** The address if it is one of the web, and of that origin if one is given; else null. */
export function safeUrl(address, origin) {
  try {
    const url = new URL(address, document.baseURI)
    return address && /^https?:$/.test(url.protocol) && (!origin || url.origin === origin) ? url.href : null
  } catch {
    return null
  }
}

export function create(parts, shadow) {
  const h = builder(parts)
  adopt(shadow, controlStyles)
  set(parts.root, 'tabindex', '-1') // for the focus, when there is no button left
  parts.actions.append(...BUTTONS.map(name => button(h, name)), h('a', 'link details'))
  parts.progress.append(h('a', 'link result'))

  return model => {
    const { say, busy, act } = model
    const focused = shadow.activeElement
    const offered = actionsOf(model)
    for (const name of BUTTONS) {
      const action = offered[name]
      parts[name].act = () => act(action)
      set(parts[name], 'aria-disabled', busy && 'true')
      // Who says what is written there must be understood: a page may have a text of its own for it.
      const label = name === 'toggle' && action && say(`${action}Label`)
      set(parts[name], 'aria-label', label && label.includes(say(action)) && label)
      setTexts(parts, { [name]: action && say(busy === 'start' && name === busy ? 'starting' : action) })
    }
    // The address of a result comes from a job: it must be a page of this site.
    const addresses = { details: safeUrl(model.attribute('details-url')), result: safeUrl(model.record?.resultUrl, location.origin) }
    for (const name of LINKS) {
      set(parts[name], 'href', addresses[name])
      setTexts(parts, { [name]: addresses[name] && say(name) })
    }
    if (focused?.hidden) (BUTTONS.map(name => parts[name]).find(each => !each.hidden) ?? parts.root).focus()
  }
}

// The action of each button, or what is no action where there is nothing to press.
function actionsOf({ record, state, attribute }) {
  const allowed = (attribute('actions') ?? '').split(/\s+/)
  const isOpen = record && !hasEnded(state)
  const toggle = state === 'paused' ? 'resume' : 'pause'
  const only = (action, condition) => condition && allowed.includes(action) && action
  return {
    toggle: only(toggle, isOpen),
    cancel: only('cancel', isOpen),
    retry: only('retry', /^(failed|cancelled)$/.test(state)),
    start: !isOpen && state !== 'loading' && attribute('start-url') && 'start'
  }
}
