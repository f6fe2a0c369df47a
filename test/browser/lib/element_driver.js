/*
 * element_driver.js: an element with a client in the page itself, so that a test
 * gives it as many states as it likes without a server between.
 */

/** Gives the page's first element such a client: tell(payload), change(state). */
export function drive(page) {
  return page.evaluate(async () => {
    await customElements.whenDefined('sync-progress')
    const element = document.querySelector('sync-progress')
    let callbacks
    globalThis.tell = payload => callbacks.onProgress(payload)
    globalThis.shown = () => new Promise(resolve => element.addEventListener('sync-progress:update', resolve, { once: true }))
    globalThis.part = name => element.shadowRoot.querySelector(`[part~="${name}"]`)
    const client = Object.assign(new EventTarget(), {
      state: 'live',
      subscribe(identifier, given) {
        callbacks = given
        return { latest: undefined, unsubscribe() {} }
      }
    })
    globalThis.change = state => {
      const event = Object.assign(new Event('statechange'), { state, previous: client.state })
      client.state = state
      client.dispatchEvent(event)
    }
    element.client = client
    await globalThis.shown()
    // what comes after the first drawing
    while (!element.shadowRoot.querySelector('[part~=age]')) await globalThis.shown()
  })
}

/** Tells a state and waits until it is drawn. */
export function tell(page, payload) {
  return page.evaluate(payload => {
    const drawn = globalThis.shown()
    globalThis.tell(payload)
    return drawn.then(() => undefined)
  }, payload)
}
