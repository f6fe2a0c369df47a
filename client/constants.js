/*
 * constants.js: the figures by which the client waits, tries again and gives up.
 *
 * They are together because only of a module that imports nothing bundlers take
 * numbers out and write each where it is used.
 */

// -- link.js: one connection after the other

// An outage is over when a connection has held this long.  Were it over at the
// welcome, a server that accepts and drops would be asked again without end.
export const HELD_MS = 5_000

// How often to try although the browser says that it is useless.
export const OFFLINE_RETRY_MS = 60_000

// So often has a WebSocket to fail without a word from the server before it is
// asked whether the server is there at all.
export const FAILURES = 2

// A token that could not be had is asked for again while the old one is good.
export const REFRESH_RETRY_MS = 5_000

// -- tabs.js: who leads

// Whom a message is for: the leader, every tab, or the tab of that id.
export const LEADER = 0
export const ALL = 1

export const BEAT_MS = 1_000
export const MISSED_BEATS = 2
export const TERM_BEATS = 60

// After a change of network the next frame may take one ping and a bit.
export const ONLINE_GRACE_MS = 4_000

// -- fallback.js: the way back to a WebSocket

export const SOON_MS = 5_000
export const MINUTE_MS = 60_000
export const MAX_MINUTES = 30
export const TRIAL_MS = 20_000

// -- http_transport.js: all streams over HTTP

export const MAX_LISTENING = 4

// -- http_stream.js: one stream over HTTP

export const TIMEOUT_MS = 10_000
export const POLL_MS = 5_000
export const MAX_POLL_MS = 60_000
export const SILENT_MS = 75_000

// The first event comes at once, or something in between holds it back.
export const FIRST_MS = 7_500

// All streams end at once when a server restarts.
export const PAUSE_MS = 2_000

// -- tabs_storage.js: a lease instead of a lock

export const SETTLE_MS = 100
export const RENEW_MS = 2_000
export const LEASE_MS = 5_000
export const HIDDEN_LEASE_MS = 150_000
