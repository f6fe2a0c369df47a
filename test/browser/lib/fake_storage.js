/*
 * fake_storage.js: localStorage as several tabs of one browser have it.
 */
export class FakeStorage {
  items = new Map()
  tabs = new Set()
  quota = Infinity
  /** Whether the other tabs are told of a change. */
  tells = true

  getItem(key) {
    return this.items.get(key) ?? null
  }

  setItem(key, value) {
    if (value.length > this.quota) throw new DOMException('no room', 'QuotaExceededError')
    this.items.set(key, value)
  }

  removeItem(key) {
    this.items.delete(key)
  }

  /** A tab's window: its storage, with its "storage" events. */
  tab(more = {}) {
    return this.attach(Object.assign(new EventTarget(), more))
  }

  attach(tab) {
    const others = (key, newValue) => {
      if (this.tells) for (const other of this.tabs) if (other !== tab) other.dispatchEvent(Object.assign(new Event('storage'), { key, newValue }))
    }
    tab.localStorage = {
      getItem: key => this.getItem(key),
      setItem: (key, value) => {
        this.setItem(key, value)
        others(key, value)
      },
      removeItem: key => {
        this.removeItem(key)
        others(key, null)
      }
    }
    this.tabs.add(tab)
    return tab
  }
}
