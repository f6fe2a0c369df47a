/*
 * element_dom.js: the few ways in which the widget's DOM is made and changed.
 *
 * Whatever comes from outside becomes text or a number, never markup.  Each
 * node remembers what was set last, so that an update of fifty accounts costs
 * what has changed, and no reading from the DOM.
 */
const SVG = 'http://www.w3.org/2000/svg'

const RING = 'M8 2.3a5.7 5.7 0 1 0 .01 0'
const ICONS = {
  __proto__: null,
  processing: 'M13.7 8A5.7 5.7 0 1 1 8 2.3',
  paused: 'M5.5 3.5v9M10.5 3.5v9',
  completed: 'M3 8.5 6.5 12 13 4.5',
  failed: 'M4 4l8 8M12 4l-8 8',
  cancelled: `${RING}M4 12l8-8`
}

/** Returns h(tag, part, attributes, ...children), which keeps what it makes in parts, by the last word of the name. */
export function builder(parts) {
  return (tag, name, attributes = {}, ...children) => {
    const node = tag === 'svg' || tag === 'path' ? document.createElementNS(SVG, tag) : document.createElement(tag)
    parts[name.split(' ').pop()] = node
    set(node, 'part', name)
    for (const attribute in attributes) set(node, attribute, attributes[attribute])
    node.append(...children)
    return node
  }
}

/** An icon: decoration, a text beside it says the same. */
export function icon(h, name, box = '0 0 16 16') {
  return h('svg', name, { viewBox: box, 'aria-hidden': 'true' }, h('path', `${name}-path`))
}

export function setIcon(svg, state) {
  set(svg.firstChild, 'd', ICONS[state] ?? RING)
}

/** Sets an attribute, or "text", or the "width"; an attribute that is nothing, or false, is not there. */
export function set(node, name, value) {
  const last = node.shown ??= {}
  if (last[name] === value) return
  last[name] = value
  if (name === 'text') node.textContent = value
  else if (name === 'width') node.style.setProperty(name, value)
  else if (value || value === 0) node.setAttribute(name, value)
  else node.removeAttribute(name)
}

/** Shows texts in the parts of those names, and hides the parts that have none. */
export function setTexts(parts, texts) {
  for (const name in texts) {
    set(parts[name], 'text', texts[name] || '')
    set(parts[name], 'hidden', !texts[name])
  }
}

/** How far a bar is filled, 0 to 1; null leaves the width to the style sheet. */
export function setFill(node, fraction) {
  set(node, 'width', fraction === null ? '' : `${Math.round(fraction * 1e4) / 100}%`)
}

/** Adds a style sheet to a shadow root: strict policies allow these, and no others. */
export function adopt(shadow, styles) {
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(styles)
  shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet]
}
