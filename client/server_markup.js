/*
 * server_markup.js: small changes to a page that the server has rendered.
 *
 * Each leaves what is as it should be alone, so that it can be repeated: after
 * a morph the page is the server's again, and is brought up to date by doing
 * the same once more.  Texts go in as text; lengths through CSSOM, which a
 * strict policy allows where it refuses style attributes.
 */

// 1,000 and 1.000 are one number; "–" stands for one that is not known.
const NUMBER = /\d[\d.,]*|–/g

export function fill(phrase, values) {
  return phrase.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '')
}

export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text
}

export function setAttribute(element, name, value) {
  const text = value === null ? null : String(value)
  if (element.getAttribute(name) === text) return
  if (text === null) element.removeAttribute(name)
  else element.setAttribute(name, text)
}

export function setStyle(element, name, value) {
  if (element.style.getPropertyValue(name) !== value) element.style.setProperty(name, value)
}

/** As Tailwind's class hides, and as the attribute does, whichever the page has. */
export function setShown(element, isShown, className = 'hidden') {
  element.classList.toggle(className, !isShown)
  if (element.hidden === isShown) element.hidden = !isShown
}

/**
 * The numbers in a text, and nothing else of it: "(450/1000)" and "31 gastos
 * detectados" stay as the server words them.  A text without enough of them is
 * replaced by the fallback.
 */
export function setNumbers(element, numbers, fallback) {
  const known = numbers.map(number => number ?? '–')
  const text = element.textContent
  const places = text.match(NUMBER)?.length ?? 0
  if (places === 0) return setText(element, fallback(...known))
  let next = 0
  setText(element, text.replace(NUMBER, place => known[next++] ?? place))
}

/** How long a bar is; percent null: nobody knows how far. */
export function setLength(bar, percent) {
  const isKnown = percent !== null
  bar.toggleAttribute('data-indeterminate', !isKnown)
  setStyle(bar, 'width', `${isKnown ? Math.round(percent * 10) / 10 : 100}%`)
  setStyle(bar, 'opacity', isKnown ? '' : '0.35')
}

/** A bar, its name, and its value, which is no more than all; one that is not known is left out. */
export function setBar(bar, given, name) {
  const percent = given === null ? null : Math.min(100, Math.max(0, given))
  const role = bar.closest('[role=progressbar]') ?? bar
  setAttribute(role, 'role', 'progressbar')
  setAttribute(role, 'aria-valuemin', 0)
  setAttribute(role, 'aria-valuemax', 100)
  setAttribute(role, 'aria-valuenow', percent === null ? null : Math.floor(percent))
  if (!role.hasAttribute('aria-labelledby') && !role.hasAttribute('aria-label')) setAttribute(role, 'aria-label', name)
  setLength(bar, percent)
}

/** A button's words, and not the picture beside them; returns what they were. */
export function setLabel(button, text) {
  if (button.matches('input')) {
    const { value } = button
    button.value = text
    return value
  }
  const words = document.createTreeWalker(button, NodeFilter.SHOW_TEXT)
  while (words.nextNode()) {
    const { currentNode } = words
    const before = currentNode.data.trim()
    if (before === '') continue
    if (before !== text) currentNode.data = currentNode.data.replace(before, () => text)
    return before
  }
}

export function setBusy(button, isBusy) {
  button.disabled = isBusy
  setAttribute(button, 'aria-busy', isBusy ? 'true' : null)
}

/** Buttons that were busy when the page was put into a cache. */
export function release(element) {
  for (const button of element.querySelectorAll('[aria-busy="true"]')) setBusy(button, false)
}
