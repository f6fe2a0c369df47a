/*
 * accounts_view.js: the parts of a run, a row and a small bar each.
 *
 * Rows are kept by account and changed in place; they follow the order of the
 * payload.
 */
import { builder, icon, set, setFill, setIcon, setText } from './element_dom.js'
import { fractionOf, hasEnded } from './payloads.js'

export class AccountsView {
  #list
  #rows = new Map() // account id → parts

  constructor(list) {
    this.#list = list
  }

  /** runEnded: nothing is in progress any more, whatever an account said last. */
  render(accounts, { say, format, runEnded }) {
    const rows = new Map()
    accounts.forEach((account, index) => {
      const parts = this.#rows.get(account.id) ?? row()
      rows.set(account.id, parts)
      if (this.#list.children[index] !== parts.account) this.#list.insertBefore(parts.account, this.#list.children[index])
      show(parts, account, stateOf(account, runEnded), say, format)
    })
    while (this.#list.children.length > rows.size) this.#list.lastChild.remove()
    this.#rows = rows
    set(this.#list, 'hidden', !rows.size)
    set(this.#list, 'aria-label', say('accounts'))
  }
}

function row() {
  const { parts, h } = builder()
  h('li', 'account',
    icon(h, 'account-icon'),
    h('div', 'account-text', h('span', 'account-name'), h('span', 'account-email'), h('span', 'account-eta')),
    h('span', 'account-state'),
    h('span', 'account-count'),
    h('div', 'mini-track', h('div', 'mini-indicator')),
    h('p', 'account-error'))
  return parts
}

function show(parts, account, state, say, format) {
  const { id, title, email, done, total, eta, error } = account
  const fraction = fractionOf(account)
  const moving = state === 'processing'
  set(parts.account, 'part', `account ${state}${moving && fraction === null ? ' indeterminate' : ''}`)
  setIcon(parts['account-icon'], state === 'skipped' ? 'pending' : state)
  setText(parts['account-name'], title ?? String(id))
  setText(parts['account-email'], email)
  setText(parts['account-eta'], moving && eta ? format.duration(eta) : '')
  setText(parts['account-state'], say(state))
  setText(parts['account-count'], total === null ? format.count(done) : `${format.count(done)}/${format.count(total)}`)
  setFill(parts['mini-indicator'], fraction ?? (moving ? null : 0))
  setText(parts['account-error'], error)
}

function stateOf({ status }, runEnded) {
  if (!runEnded || hasEnded(status)) return status
  return status === 'processing' ? 'cancelled' : 'skipped'
}
