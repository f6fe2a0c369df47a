/*
 * events.js: the events of a client, each with the fields that its type has in index.d.ts.
 */
/** "statechange": the state of the connection has changed, or what it is made of. */
export class StateChangeEvent extends Event {}

/** "progress": something newer came for a stream. */
export class SyncProgressEvent extends Event {}

/** "confirmed" or "rejected": the server has answered a subscribe. */
export class SubscriptionEvent extends Event {}

/** "listevent": the owner's list has changed; name and data are the message's type and data. */
export class ListEvent extends Event {}
