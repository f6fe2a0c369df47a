/*
 * fake_broadcast.js: BroadcastChannel between the tabs of a test, at once.
 */
export function fakeBroadcast() {
  const open = new Set()
  return class FakeBroadcastChannel {
    onmessage = null

    constructor(name) {
      this.name = name
      open.add(this)
    }

    postMessage(data) {
      const copy = structuredClone(data)
      for (const other of [...open]) if (other !== this && other.name === this.name) other.onmessage?.({ data: copy })
    }

    close() {
      open.delete(this)
    }

    static get open() {
      return open.size
    }
  }
}
