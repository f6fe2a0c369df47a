/*
 * state.js: the states of a connection, and the events that tell of it.
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

class DetailedEvent extends Event {
  constructor(type, detail) {
    super(type)
    Object.assign(this, detail)
  }
}

/** "statechange": the state of the connection has changed. */
export class StateChangeEvent extends DetailedEvent {}

/** "progress": something newer came for a stream. */
export class SyncProgressEvent extends DetailedEvent {}

/** "confirmed" or "rejected": the server has answered a subscribe. */
export class SubscriptionEvent extends DetailedEvent {}

/** "listevent": the owner's list has changed; name and data are the message's type and data. */
export class ListEvent extends DetailedEvent {}
