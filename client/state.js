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

/** The state of the connection has changed. */
export class StateChangeEvent extends Event {
  constructor(detail) {
    super('statechange')
    Object.assign(this, detail)
  }
}

/** Something newer came for a stream. */
export class SyncProgressEvent extends Event {
  constructor(identifier, payload) {
    super('progress')
    this.identifier = identifier
    this.payload = payload
  }
}

/** The server has answered a subscribe: "confirmed" or "rejected". */
export class SubscriptionEvent extends Event {
  constructor(type, identifier) {
    super(type)
    this.identifier = identifier
  }
}

/** The owner's list has changed: type and data as in the message. */
export class ListEvent extends Event {
  constructor(identifier, { type, data = null }) {
    super('listevent')
    Object.assign(this, { identifier, name: type, data })
  }
}
