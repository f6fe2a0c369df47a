/*
 * element_dom.js: the few ways in which the widget's DOM is made and changed.
 *
 * Whatever comes from outside becomes text or a number, never markup.  Each
 * node remembers what was set last, so that an update of fifty accounts costs
 * what has changed, and no reading from the DOM.
 */
const SVG = 'http://www.w3.org/2000/svg'

const ICONS = {
  __proto__: null,
  pending: 'M8 2.3a5.7 5.7 0 1 0 .01 0',
  processing: 'M13.7 8A5.7 5.7 0 1 1 8 2.3',
  paused: 'M5.5 3.5v9M10.5 3.5v9',
  completed: 'M3 8.5 6.5 12 13 4.5',
  failed: 'M4 4l8 8M12 4l-8 8',
  cancelled: 'M8 2.3a5.7 5.7 0 1 0 .01 0M4 12l8-8'
}

/**
 * Returns h(tag, part, ...children), which makes elements, and the parts that
 * it made, by the last word of their names.
 */
export function builder() {
  const parts = {}
  const h = (tag, name, ...children) => {
    const isSvg = tag === 'svg' || tag === 'path'
    const node = isSvg ? document.createElementNS(SVG, tag) : document.createElement(tag)
    set(node, 'part', name)
    node.append(...children)
    parts[name.split(' ').pop()] = node
    return node
  }
  return { parts, h }
}

/** An icon: decoration, a text beside it says the same. */
export function icon(h, name, box = '0 0 16 16') {
  const svg = h('svg', name, h('path', `${name}-path`))
  set(svg, 'viewBox', box)
  set(svg, 'aria-hidden', 'true')
  return svg
}

export function setIcon(svg, status) {
  set(svg.firstChild, 'd', ICONS[status] ?? ICONS.pending)
}

/** Sets an attribute (null and false: none, true: empty), or "text", or "fill", how much of it is filled. */
export function set(node, name, value) {
  const last = node.shown ??= {}
  if (last[name] === value) return
  last[name] = value
  if (name === 'text') node.textContent = value
  else if (name === 'fill') node.style.setProperty('width', value)
  else if (value === null || value === false) node.removeAttribute(name)
  else node.setAttribute(name, value === true ? '' : value)
}

/** Shows the text, or hides the node if there is none. */
export function setText(node, text) {
  set(node, 'text', text ?? '')
  set(node, 'hidden', !text)
}

/** How far a bar is filled, 0 to 1; null leaves the width to the style sheet. */
export function setFill(node, fraction) {
  set(node, 'fill', fraction === null ? '' : `${Math.round(fraction * 1e4) / 100}%`)
}
