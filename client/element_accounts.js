/*
 * element_accounts.js: the parts of a run, a row and a small bar each.
 *
 * Rows are kept by account and changed in place; they follow the order of the
 * payload.  Loaded by the first run that has accounts.
 */
import { adopt, builder, icon, set, setFill, setIcon, setTexts } from './element_dom.js'
import { numbers } from './element_texts.js'
import { fractionOf, hasEnded, number, text } from './payloads.js'
import { timeInWords } from './time_in_words.js'

export const texts = {
  accounts: 'Accounts',
  left: '{time} left',
  notStarted: 'Not started'
}

const styles = `
ul{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,15rem),1fr));gap:.75rem 1.5rem;margin-top:1rem;list-style:none}
li{display:grid;grid-template-columns:auto 1fr auto;gap:0 .5rem;align-content:start;align-items:center;min-width:0;font-size:.875em;--tone:var(--quiet)}
[part=account-icon]{color:var(--tone)}
[part=account-text]{min-width:0}
[part=account-name]{font-weight:500}
[part=account-email]{display:block;max-width:25ch;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
[part=account-email],[part=account-count],[part=account-eta]{color:var(--quiet)}
[part=account-count]{text-align:end}
[part=mini-bar]{grid-column:2/-1;overflow:hidden;height:.25rem;margin:.2rem 0;border-radius:1rem;background:var(--track)}
[part=mini-indicator]{width:33%;height:100%;border-radius:inherit;background:var(--tone)}
[part=account-eta]{display:block}
[part=account-error]{grid-column:2/-1}
[part=account-error]{color:var(--bad)}
[part=account-state]{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media(forced-colors:active){[part=mini-indicator]{background:Highlight}}
@media(prefers-reduced-motion:no-preference){
[part=mini-indicator]{transition:width .3s ease-out}
li[part~=indeterminate] [part=mini-indicator]{animation:wander 2.4s ease-in-out infinite alternate}
li[part~=processing]>svg{animation:turn 1.4s linear infinite}
}
`

export function create({ accounts: list }, shadow) {
  let rows = new Map() // account id → parts
  adopt(shadow, styles)

  return ({ record, locale, say, attribute }) => {
    const format = numbers(locale)
    const runEnded = record && hasEnded(record.status)
    const kept = new Map()
    const accounts = record && attribute('accounts') !== 'hidden' ? record.accounts : []
    accounts.forEach((account, index) => {
      const parts = rows.get(account.id) ?? row()
      kept.set(account.id, parts)
      if (list.children[index] !== parts.account) list.insertBefore(parts.account, list.children[index])
      show(parts, account, runEnded, say, format, locale)
    })
    while (list.children.length > kept.size) list.lastChild.remove()
    rows = kept
    set(list, 'hidden', !kept.size)
    set(list, 'aria-label', say('accounts'))
  }
}

function row() {
  const parts = {}
  const h = builder(parts)
  h('li', 'account', {},
    icon(h, 'account-icon'),
    h('div', 'account-text', {}, h('span', 'account-name'), h('span', 'account-email'), h('span', 'account-eta'), h('span', 'account-state')),
    h('span', 'account-count'),
    h('div', 'mini-bar', {}, h('div', 'mini-indicator')),
    h('p', 'account-error'))
  return parts
}

function show(parts, account, runEnded, say, format, locale) {
  const { id, title, done, total, error, payload } = account
  const state = stateOf(account, runEnded)
  const fraction = fractionOf(account)
  const moving = state === 'processing' && fraction === null
  set(parts.account, 'part', `account ${state}${moving ? ' indeterminate' : ''}`)
  setIcon(parts['account-icon'], state)
  setFill(parts['mini-indicator'], moving ? null : fraction ?? 0)
  setTexts(parts, {
    'account-name': title ?? String(id),
    'account-email': text(payload.email),
    'account-eta': state === 'processing' && number(payload.eta_seconds) !== null && say('left', { time: timeInWords(payload.eta_seconds, locale) }),
    'account-state': say(state),
    'account-count': done !== null && (total === null ? format(done) : `${format(done)}/${format(total)}`),
    'account-error': error
  })
}

// Nothing is in progress in a run that has ended, whatever an account said last.
function stateOf({ status }, runEnded) {
  if (!runEnded || hasEnded(status)) return status
  return status === 'processing' ? 'cancelled' : 'notStarted'
}
