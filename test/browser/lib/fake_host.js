/*
 * fake_host.js: a window, as far as a client listens to it.
 */
export class FakeHost extends EventTarget {
  document = Object.assign(new EventTarget(), { visibilityState: 'hidden' })
  navigator = { onLine: true }
  signals = []

  addEventListener(type, listener, options) {
    this.signals.push(options.signal)
    super.addEventListener(type, listener, options)
  }

  goOnline() {
    this.navigator.onLine = true
    this.dispatchEvent(new Event('online'))
  }

  goOffline() {
    this.navigator.onLine = false
    this.dispatchEvent(new Event('offline'))
  }

  show(visibilityState) {
    this.document.visibilityState = visibilityState
    this.document.dispatchEvent(new Event('visibilitychange'))
  }

  /** Into the back/forward cache, and back. */
  leave() {
    this.dispatchEvent(new Event('pagehide'))
  }

  comeBack() {
    this.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }))
  }

  freeze() {
    this.document.dispatchEvent(new Event('freeze'))
  }

  thaw() {
    this.document.dispatchEvent(new Event('resume'))
  }
}
