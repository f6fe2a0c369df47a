/*
 * fake_browser.js: the tabs of one browser, as far as they meet: locks and
 * channels.
 *
 * Each tab is a window of its own, that can be hidden, hang, wake up again and
 * crash.  As in a browser, what comes from outside comes later, never within the
 * call that causes it; a tab that hangs gets it when it wakes up.
 */
import { FakeClock } from './fake_clock.js'

export class FakeBrowser {
  #locks = new Map() // name → its holder, and who waits, in order
  tabs = []

  open(more = {}) {
    const tab = new FakeTab(this)
    Object.assign(tab, more)
    this.tabs.push(tab)
    return tab
  }

  request(tab, name, { signal, steal }, callback) {
    const queue = this.#queue(name)
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw signal.reason
      if (signal && steal) throw new DOMException('not both', 'NotSupportedError')
      const wish = { tab, callback, resolve, reject, held: false }
      signal?.addEventListener('abort', () => {
        if (wish.held) return
        this.#drop(queue, wish)
        reject(signal.reason)
      })
      if (steal && queue[0]?.held) {
        const [deposed] = queue.splice(0, 1)
        deposed.tab.later(() => deposed.reject(new DOMException('stolen', 'AbortError')))
      }
      queue.splice(steal ? 0 : queue.length, 0, wish)
      this.#grant(queue)
    })
  }

  /** Everything of a tab that is no more. */
  forget(tab) {
    this.tabs = this.tabs.filter(each => each !== tab)
    for (const queue of this.#locks.values()) {
      for (const wish of queue.filter(each => each.tab === tab)) this.#drop(queue, wish)
    }
  }

  #queue(name) {
    if (!this.#locks.has(name)) this.#locks.set(name, [])
    return this.#locks.get(name)
  }

  #drop(queue, wish) {
    const index = queue.indexOf(wish)
    if (index >= 0) queue.splice(index, 1)
    this.#grant(queue)
  }

  #grant(queue) {
    const [wish] = queue
    if (!wish || wish.held) return
    wish.held = true
    wish.tab.later(async () => {
      try {
        wish.resolve(await wish.callback({}))
      } catch (error) {
        wish.reject(error)
      } finally {
        this.#drop(queue, wish)
      }
    })
  }
}

class FakeTab extends EventTarget {
  clock = new FakeClock()
  channels = new Set()
  document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  #browser
  #hangs = false
  #crashed = false
  #waiting = []

  constructor(browser) {
    super()
    this.#browser = browser
    this.navigator = { locks: { request: (name, options, callback) => browser.request(this, name, options, callback) } }
    const tab = this
    this.BroadcastChannel = class extends FakeChannel {
      constructor(name) {
        super(browser, tab, name)
      }
    }
  }

  /** In a task of this tab, if it still runs any. */
  later(task) {
    setImmediate(() => {
      if (this.#crashed) return
      if (this.#hangs) this.#waiting.push(task)
      else task()
    })
  }

  show(visibilityState = 'visible') {
    this.document.visibilityState = visibilityState
    this.document.dispatchEvent(new Event('visibilitychange'))
  }

  get isGone() {
    return this.#crashed
  }

  get hangs() {
    return this.#hangs
  }

  hang() {
    this.#hangs = true
  }

  wakeUp() {
    this.#hangs = false
    for (const task of this.#waiting.splice(0)) this.later(task)
  }

  crash() {
    this.#crashed = true
    for (const channel of this.channels) channel.close()
    this.#browser.forget(this)
  }
}

class FakeChannel {
  onmessage = null
  #browser
  #tab
  #open = true

  constructor(browser, tab, name) {
    this.#browser = browser
    this.#tab = tab
    this.name = name
    tab.channels.add(this)
  }

  postMessage(message) {
    if (!this.#open) throw new DOMException('closed', 'InvalidStateError')
    for (const tab of this.#browser.tabs) {
      for (const channel of tab.channels) {
        if (channel !== this && channel.name === this.name) channel.#receive(structuredClone(message))
      }
    }
  }

  #receive(data) {
    this.#tab.later(() => {
      if (this.#open) this.onmessage?.({ data })
    })
  }

  close() {
    this.#open = false
    this.#tab.channels.delete(this)
  }
}
