/*
 * state.js: the states of a connection, by name, for those who use the client;
 * here they are what they are, strings.
 */
export const State = Object.freeze({
  IDLE: 'idle',
  CONNECTING: 'connecting',
  LIVE: 'live',
  STALE: 'stale',
  BACKOFF: 'backoff',
  OFFLINE: 'offline',
  CLOSED: 'closed',
  REJECTED: 'rejected'
})
