/*
 * dom.js: the few ways in which the page is changed.
 *
 * Whatever comes from outside becomes text, never markup; nothing is touched
 * that already is as it should be, so that an update of 60 accounts costs what
 * has changed.
 */
const SVG = 'http://www.w3.org/2000/svg'

/** All elements that carry data-field, by its value. */
export function fieldsOf(root) {
  return Object.fromEntries([...root.querySelectorAll('[data-field]')].map(node => [node.dataset.field, node]))
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}

export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden
}

/** Shows the text, or hides the element if there is none. */
export function setOptional(node, text) {
  setText(node, text ?? '')
  setHidden(node, !text)
}

export function setData(node, name, value) {
  if (node.dataset[name] !== value) node.dataset[name] = value
}

export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name)
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value)
}

/** How far a bar is filled, 0 to 1; null leaves the width to the style sheet. */
export function setFill(node, fraction) {
  const width = fraction === null ? '' : `${Math.round(Math.min(1, Math.max(0, fraction)) * 10_000) / 100}%`
  if (node.style.width !== width) node.style.width = width
}

export function element(name, className, ...children) {
  const node = document.createElement(name)
  if (className) node.className = className
  node.append(...children)
  return node
}

/** An icon of the page's sheet; decoration, the text beside it says the same. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  svg.append(document.createElementNS(SVG, 'use'))
  setIcon(svg, name)
  return svg
}

export function setIcon(svg, name) {
  setAttribute(svg.firstElementChild, 'href', `#icon-${name}`)
}
