/*
 * storage_channel.js: a BroadcastChannel over localStorage, for browsers or
 * partitioned frames that have none.
 *
 * One item holds the last 50 events, each with its sender and that sender's
 * count.  Other tabs are told by the "storage" event; where that does not come
 * they find what is new by looking, each 5 s, then 10, 20, 40 and at most 60 s
 * while nothing happens.  Either way an event is delivered once, for of each
 * sender only what it counted higher than the last is new; a tab that opens
 * starts with what comes from then on.
 *
 * Two tabs that write in the same millisecond can overwrite each other's event.
 * Both are in "storage" events all the same; only who must look loses one.
 * So what is said here has to be a hint, or be said again.
 *
 * As with a BroadcastChannel, postMessage() throws for what cannot be copied,
 * and here also where there is no room.  Unlike there, a second channel of the
 * same name on the same page is only reached by looking.
 */
const POLL_MS = 5_000
const MAX_POLL_MS = 60_000
const KEPT = 50

/** The events after one more: only the last ones are kept. */
export const append = (events, event, keep = KEPT) => [...events, event].slice(-keep)

/** Those of the events that are new to whoever has seen so much of each sender. */
export function unseen(events, seen) {
  return events.filter(([from, count]) => {
    if (count <= (seen.get(from) ?? 0)) return false
    seen.set(from, count)
    return true
  })
}

/** How long to wait after a look that found nothing. */
export const longer = (ms, most = MAX_POLL_MS) => Math.min(2 * ms, most)

/** Opens one: { postMessage(data), onmessage, close() }; throws where there is no storage. */
export function openStorageChannel(name, { host = globalThis, storage = host.localStorage, clock = host, pollMs = POLL_MS, maxPollMs, keep } = {}) {
  const self = Math.random()
  const seen = new Map() // sender → the count of its last event
  const listening = new AbortController()
  let count = 0
  let wait
  let timer

  const read = () => parse(storage.getItem(name))
  const write = events => storage.setItem(name, JSON.stringify(events))

  function lookIn(ms) {
    clock.clearTimeout(timer)
    wait = ms
    timer = clock.setTimeout(look, ms)
  }

  function look() {
    lookIn(longer(wait, maxPollMs))
    take(read())
  }

  function take(events) {
    const fresh = unseen(events, seen)
    if (fresh.length) lookIn(pollMs)
    for (const [,, data] of fresh) channel.onmessage?.({ data })
  }

  const channel = {
    onmessage: null,

    postMessage(data) {
      const event = [self, ++count, data]
      seen.set(self, count)
      try {
        write(append(read(), event, keep))
      } catch {
        // Full, perhaps: the newest event matters most.
        write([event])
      }
    },

    close() {
      listening.abort()
      clock.clearTimeout(timer)
      channel.onmessage = null
    }
  }

  unseen(read(), seen)
  host.addEventListener?.('storage', event => {
    if (event.key === name) take(parse(event.newValue))
  }, listening)
  lookIn(pollMs)
  return channel
}

// Whatever else may write there: an array of events, or nothing.
function parse(text) {
  try {
    return JSON.parse(text).filter(Array.isArray)
  } catch {
    return []
  }
}
