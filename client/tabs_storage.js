/*
 * tabs_storage.js: what tabs.js needs of a browser, over localStorage, where
 * there are no Web Locks (a page over plain http) or no BroadcastChannel.
 *
 * A lock is a lease: one item that says who has it until when.  A tab writes its
 * name where there is none, or an old one, and has the lock if it finds it there
 * a moment later; of two that write at once the last one wins, and the other
 * finds out.  A holder renews its lease, and learns so, or from the "storage"
 * event, that it was taken away.  The lease of a tab that cannot be seen is
 * long, for its timers may run once a minute; who can be seen need not wait for
 * its end (see tabs.js).
 *
 * Two tabs can both believe for a moment that they hold it, where a lock
 * excludes that; the greater term decides then.
 */
import { HIDDEN_LEASE_MS, LEASE_MS, RENEW_MS, SETTLE_MS } from './constants.js'
import { openStorageChannel } from './storage_channel.js'

/** Throws where there is no storage. */
export function standIn(host, clock) {
  const storage = host.localStorage
  const { length: _ } = storage

  return {
    navigator: { locks: { request: (name, options, hold) => lease(host, storage, clock, name, options, hold) } },
    BroadcastChannel: host.BroadcastChannel ?? function (name) {
      const channel = openStorageChannel(name, { host, storage, clock })
      const { postMessage } = channel
      channel.postMessage = data => {
        try {
          postMessage(data)
        } catch {} // no room: as if it had come too late
      }
      return channel
    }
  }
}

/** As navigator.locks.request(). */
function lease(host, storage, clock, name, { signal, steal }, hold) {
  const key = `sync-progress lease ${name}`
  const self = String(Math.random())
  const listening = new AbortController()
  let isHeld = false
  let timer

  return new Promise((resolve, reject) => {
    // Who has it until when; nobody whom there is, if there is none.
    const read = () => String(storage.getItem(key)).split(' ')

    function write() {
      const ms = host.document.visibilityState === 'hidden' ? HIDDEN_LEASE_MS : LEASE_MS
      storage.setItem(key, `${self} ${Date.now() + ms}`)
    }

    function end(settle, result) {
      listening.abort()
      clock.clearTimeout(timer)
      settle(result)
    }

    async function begin() {
      isHeld = true
      const result = await hold()
      if (read()[0] === self) storage.removeItem(key)
      end(resolve, result)
    }

    // How long until the next look.
    function look() {
      const [holder, until] = read()
      if (holder === self) {
        write()
        if (!isHeld) begin()
        return RENEW_MS
      }
      if (isHeld) throw new DOMException('stolen', 'AbortError')
      if (!steal && until > Date.now()) return until - Date.now()
      steal = false
      write()
      return SETTLE_MS
    }

    function check() {
      clock.clearTimeout(timer)
      try {
        timer = clock.setTimeout(check, look())
      } catch (error) {
        end(reject, error)
      }
    }

    signal?.addEventListener('abort', () => {
      if (!isHeld) end(reject, signal.reason)
    })
    host.addEventListener('storage', event => {
      if (event.key === key) check()
    }, listening)
    host.document.addEventListener('visibilitychange', check, listening)
    check()
  })
}
