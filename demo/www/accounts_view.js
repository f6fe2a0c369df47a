/*
 * accounts_view.js: the parts of a run, a small bar each.
 *
 * Nodes are kept by account and changed in place; they follow the order of the
 * payload.
 */
import { element, fieldsOf, icon, setData, setFill, setIcon, setOptional, setText } from './dom.js'

const STATES = {
  pending: 'Pending',
  processing: 'In progress',
  completed: 'Completed',
  failed: 'Failed',
  // the run has ended, and this had not
  stopped: 'Stopped',
  skipped: 'Not started'
}
const ICONS = { stopped: 'cancelled', skipped: 'pending' }

export class AccountsView {
  #section
  #summary
  #list
  #format
  #items = new Map() // account id → { node, fields }

  constructor({ 'accounts-section': section, 'accounts-summary': summary, accounts: list }, format) {
    this.#section = section
    this.#summary = summary
    this.#list = list
    this.#format = format
  }

  /** runEnded: nothing is in progress any more, whatever its status was last. */
  render(accounts, runEnded) {
    const states = accounts.map(({ status }) => stateOf(status, runEnded))
    this.#section.hidden = accounts.length === 0
    setText(this.#summary, summaryOf(states, this.#format))
    const present = new Set()
    accounts.forEach((account, position) => {
      present.add(account.id)
      const item = this.#item(account.id)
      if (this.#list.children[position] !== item.node) {
        this.#list.insertBefore(item.node, this.#list.children[position] ?? null)
      }
      this.#show(item, account, states[position])
    })
    for (const [id, { node }] of this.#items) {
      if (present.has(id)) continue
      node.remove()
      this.#items.delete(id)
    }
  }

  #item(id) {
    let item = this.#items.get(id)
    if (!item) {
      const node = accountNode(id)
      item = { node, fields: fieldsOf(node) }
      this.#items.set(id, item)
    }
    return item
  }

  #show({ node, fields }, account, state) {
    setData(node, 'state', state)
    setIcon(fields['account-icon'], ICONS[state] ?? state)
    setText(fields['account-name'], account.name ?? `Account ${account.id}`)
    setOptional(fields['account-email'], account.email)
    setText(fields['account-state'], STATES[state])
    setText(fields['account-counts'], countsOf(account, this.#format))
    setFill(fields['account-fill'], fractionOf(account, state))
    setData(node, 'indeterminate', String(state === 'processing' && fractionOf(account, state) === null))
    setOptional(fields['account-error'], account.error_message)
  }
}

function accountNode(id) {
  const field = (node, name) => {
    node.setAttribute('data-field', name)
    return node
  }
  const node = element('li', 'account',
    element('p', 'account-head',
      field(icon('pending'), 'account-icon'),
      field(element('span', 'account-name'), 'account-name')),
    field(element('p', 'account-email'), 'account-email'),
    element('div', 'mini-bar', field(element('div', 'fill'), 'account-fill')),
    element('p', 'account-foot',
      field(element('span', 'account-state'), 'account-state'),
      field(element('span', 'account-counts'), 'account-counts')),
    field(element('p', 'account-error'), 'account-error'))
  node.dataset.accountId = id
  // The state and the counts say what the bar shows.
  node.querySelector('.mini-bar').setAttribute('aria-hidden', 'true')
  return node
}

function fractionOf({ processed_count: done, total_count: total, progress_percentage: percentage }, state) {
  if (state === 'completed') return 1
  if (total > 0) return done / total
  if (typeof percentage === 'number') return percentage / 100
  return state === 'processing' ? null : 0
}

// Shorter than the run's own "150 of 150": there may be sixty of these.
function countsOf({ processed_count: done, total_count: total }, format) {
  return total === null ? format.count(done) : `${format.count(done)}/${format.count(total)}`
}

function stateOf(status, runEnded) {
  if (runEnded && status === 'processing') return 'stopped'
  if (runEnded && status === 'pending') return 'skipped'
  return STATES[status] ? status : 'pending'
}

function summaryOf(states, format) {
  const number = state => states.filter(each => each === state).length
  const parts = [`${format.counts(number('completed'), states.length)} completed`]
  if (number('processing')) parts.push(`${format.count(number('processing'))} in progress`)
  if (number('stopped')) parts.push(`${format.count(number('stopped'))} stopped`)
  if (number('failed')) parts.push(`${format.count(number('failed'))} failed`)
  return parts.join(' · ')
}
