/*
 * widget.js: a page with a widget whose attributes come in the fragment, as
 * JSON, and that notices whatever gets the better of it.
 */
import './client/define.js'

globalThis.violations = []
globalThis.owned = false // what a text that is taken for a program sets

addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
  globalThis.violations.push(`${effectiveDirective} ${blockedURI}`))

const element = globalThis.element = document.createElement('sync-progress')
for (const [name, value] of Object.entries(JSON.parse(decodeURIComponent(location.hash.slice(1))))) element.setAttribute(name, value)
document.body.append(element)

/** All that a reader sees of the widget, what it is made of, and where it leads. */
globalThis.look = () => {
  const nodes = [...element.shadowRoot.querySelectorAll('*')]
  return {
    text: element.shadowRoot.textContent,
    elements: [...new Set(nodes.map(({ localName }) => localName))],
    handlers: nodes.flatMap(node => [...node.attributes].filter(({ name }) => /^on/.test(name)).map(({ name }) => name)),
    addresses: nodes.flatMap(node => ['href', 'src', 'action'].filter(name => node.hasAttribute(name)).map(name => node[name])),
    violations: globalThis.violations,
    owned: globalThis.owned,
    title: document.title
  }
}
