/*
 * account_rows.js: the accounts of a sync, in the rows that the server has
 * rendered for them.
 *
 * A row is known by its data-account-id.  Rows are never removed, and made only
 * of a <template> in the list, if there is one: what a row looks like is the
 * server's to say.
 */
import { text } from './payloads.js'
import { setAttribute, setBar, setNumbers, setShown, setText } from './server_markup.js'

const SVG = 'http://www.w3.org/2000/svg'

const LOOKS = {
  processing: { colour: 'text-teal-600', path: 'M12 3a9 9 0 1 1-9 9', spins: true },
  completed: { colour: 'text-emerald-600', path: 'M5 13l4 4L19 7' },
  failed: { colour: 'text-rose-600', path: 'M6 6l12 12M18 6L6 18' },
  other: { colour: 'text-slate-400', path: 'M12 12h.01', width: 8 }
}

export class AccountRows {
  #part // (row, target name) → element
  #target
  #texts

  constructor({ identifier, texts }) {
    this.#texts = texts
    this.#target = `data-${identifier}-target`
    this.#part = (row, name) => row.querySelector(`[data-${identifier}-target~="${name}"]`)
  }

  show(rows, list, accounts) {
    const byId = new Map(rows.map(row => [row.dataset.accountId, row]))
    for (const account of accounts) {
      const id = String(account.id)
      const row = byId.get(id) ?? this.#add(list, account)
      if (!row) continue
      byId.set(id, row)
      this.#row(row, account)
    }
  }

  #add(list, account) {
    const template = list?.querySelector('template')
    const row = template?.content.firstElementChild?.cloneNode(true)
    if (!row) return null
    row.dataset.accountId = account.id
    // So that it is found the next time, whatever the template has forgotten.
    if (!row.matches(`[${this.#target}~="accountItem"]`)) row.setAttribute(this.#target, `${row.getAttribute(this.#target) ?? ''} accountItem`)
    setText(row.querySelector('[data-account-name]'), account.title ?? '')
    setText(row.querySelector('[data-account-email]'), truncate(text(account.payload.email) ?? ''))
    list.append(row)
    return row
  }

  #row(row, { title, status, percent, done, total, error }) {
    const part = name => this.#part(row, name)
    setAttribute(row, 'data-status', status)
    const icon = part('accountStatusIcon')
    if (icon) showIcon(icon, status, this.#texts.account[status] ?? status)
    const count = part('accountCount')
    if (count) setNumbers(count, [done, total], (done, total) => `${done}/${total}`)
    const progress = part('accountProgress')
    if (progress && progress.childElementCount === 0) setNumbers(progress, [percent], percent => `${percent}%`)
    const bar = part('accountProgressBar')
    if (bar) setBar(bar, status === 'completed' ? 100 : percent ?? (status === 'processing' ? null : 0), title ?? this.#texts.overall)
    showError(row, error)
  }
}

// Not by colour alone: each has a shape, and a name for who does not see it.
function showIcon(icon, status, name) {
  setAttribute(icon, 'role', 'img')
  setAttribute(icon, 'aria-label', name)
  if (icon.firstElementChild?.dataset.status === status && icon.childNodes.length === 1) return
  const { colour, path, spins, width = 2 } = LOOKS[status] ?? LOOKS.other
  const svg = drawing(path, width)
  svg.dataset.status = status
  svg.classList.add('h-4', 'w-4', colour, ...(spins ? ['animate-spin'] : []))
  icon.replaceChildren(svg)
}

function showError(row, error) {
  let line = row.querySelector('[data-account-error]')
  if (!error && !line) return
  if (!line) {
    line = document.createElement('p')
    line.dataset.accountError = ''
    line.classList.add('mt-1', 'flex', 'items-center', 'text-xs', 'text-rose-600')
    const svg = drawing('M12 8v5m0 3h.01M12 3l10 18H2z')
    svg.classList.add('mr-1', 'h-3', 'w-3', 'flex-shrink-0')
    line.append(svg, document.createElement('span'))
    row.append(line)
  }
  setText(line.querySelector('span') ?? line, error ?? '')
  setShown(line, Boolean(error))
}

function drawing(path, width = 2) {
  const svg = document.createElementNS(SVG, 'svg')
  for (const [name, value] of Object.entries({ viewBox: '0 0 24 24', width: 16, height: 16, fill: 'none', stroke: 'currentColor', 'stroke-width': width, 'stroke-linecap': 'round', 'aria-hidden': true })) {
    svg.setAttribute(name, value)
  }
  const shape = document.createElementNS(SVG, 'path')
  shape.setAttribute('d', path)
  svg.append(shape)
  return svg
}

// As the server's truncate(…, length: 25) has it.
function truncate(email) {
  return email.length > 25 ? `${email.slice(0, 22)}...` : email
}
