/** What a stream of kind "sync" says; other channels have payloads of their own. */
export interface SyncPayload {
  session_id: number
  job_id: string
  kind: string
  source_id: string
  status: RunStatus
  title: string | null
  message: string | null
  error_message: string | null
  /** null: the total is not known. */
  progress_percentage: number | null
  processed_count: number
  total_count: number | null
  detected_count: number
  error_count: number
  time_remaining: number | null
  /** The three that follow: only from payload functions that give them. */
  eta_seconds?: number | null
  eta_low?: number | null
  eta_high?: number | null
  eta_state?: 'estimating' | 'steady' | 'stalled' | 'none' | null
  /** Per second. */
  rate: number | null
  counters: Record<string, unknown>
  accounts: AccountPayload[]
  result_url: string | null
  started_at: string | null
  completed_at: string | null
  updated_at: string | null
  /** Only grows. */
  version: number
  lock_version: number
}

export interface AccountPayload {
  id: number
  name: string
  email: string | null
  status: AccountStatus
  progress_percentage: number | null
  processed_count: number
  total_count: number | null
  detected_count: number
  error_count: number
  error_message: string | null
}

export type RunStatus = 'pending' | 'processing' | 'paused' | 'completed' | 'failed' | 'cancelled'
export type AccountStatus = RunStatus

export type ConnectionState = 'idle' | 'connecting' | 'live' | 'stale' | 'backoff' | 'offline' | 'closed' | 'rejected'

export const State: {
  readonly IDLE: 'idle'
  readonly CONNECTING: 'connecting'
  readonly LIVE: 'live'
  readonly STALE: 'stale'
  readonly BACKOFF: 'backoff'
  readonly OFFLINE: 'offline'
  readonly CLOSED: 'closed'
  readonly REJECTED: 'rejected'
}

/** An object with at least the channel's name, or the identifier as it goes over the wire. */
export type Identifier = string | { channel: string, [param: string]: unknown }

export type Token = string | null | undefined

export interface Clock {
  /** Milliseconds that never jump back. */
  now(): number
  setTimeout(callback: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
}

/** What the client takes from its surroundings: in a browser, the window. */
export interface Host {
  WebSocket?: unknown
  EventSource?: unknown
  fetch?: typeof fetch
  sessionStorage?: unknown
  navigator?: { readonly onLine: boolean }
  location?: { href: string }
  document?: { readonly visibilityState: string, addEventListener(type: string, listener: () => void, options?: object): void }
  addEventListener?(type: string, listener: () => void, options?: object): void
}

export interface ClientOptions {
  /** Where the bridge is; relative to the page. Default "/cable". */
  url?: string | URL
  /** A callback is asked again each time a connection is opened. */
  token?: Token | (() => Token | Promise<Token>)
  /** Who watches, where no token says it (cookies). */
  owner?: string
  /**
   * Default true: tabs of one browser with the same url and the same rights share a connection. Whose rights these
   * are must be known, from the token's claims or from owner; else, and with false, each client has its own.
   */
  shared?: boolean
  /**
   * Which may be used, always in this order. Default: all of "websocket", "sse" and "polling".
   * What is found to get through is remembered for the browser session, and what is above tried again.
   */
  transports?: Transport[]
  /** Default true: the last states are shown at once by the next page of the tab, if it has the same rights. */
  cache?: boolean
  /** Default true; false: never connects, whoever subscribes. */
  enabled?: boolean
  /** Retries in a row, then "closed" with the reason "max_attempts"; connect() tries again. Default: no end. */
  maxAttempts?: number
  /** A page that was hidden for so long closes its connection until it is seen. Default null: never. */
  pauseHiddenAfterMs?: number | null
  /** Default: globalThis. */
  host?: Host
  /** For surroundings without one of their own. */
  WebSocket?: unknown
  clock?: Clock
  random?: () => number
}

export interface Callbacks<Payload = SyncPayload> {
  /**
   * Whatever comes is newer than what came before. What an earlier page was shown may come first, while the
   * subscription is "pending".
   */
  onProgress?(payload: Payload, subscription: Subscription): void
  onConnected?(detail: { reconnected: boolean }): void
  onDisconnected?(detail: { willReconnect: boolean }): void
  /** The server refuses; nothing more will come. */
  onRejected?(): void
  /** The token that came last has other rights: what was shown is somebody else's. */
  onReset?(): void
  /** Of { channel: 'SessionsChannel' }: the owner's list has changed. */
  onEvent?(event: ListMessage, subscription: Subscription): void
  /** What perform() asked for was refused. */
  onError?(refusal: Refusal, subscription: Subscription): void
}

export type ListEventName = 'session_created' | 'session_renamed' | 'session_pinned' | 'session_deleted' | 'sessions_reloaded'

export interface ListMessage {
  type: ListEventName | (string & {})
  /** Left out where the server does not say: read the list again. */
  data?: Record<string, unknown>
}

export interface Refusal {
  type: 'error'
  action: string
  status: number
  error: string
  hint?: string
  /** A stale edit: the row as it is. */
  current?: Record<string, unknown>
}

export interface ActionAnswer<Payload = SyncPayload> {
  result: { session_id?: number, status?: RunStatus, lock_version?: number, deleted?: true }
  /** null: none for this token, or the last one of a run that ends follows. */
  state: Payload | null
}

/** A request that was refused, or not answered. */
export class RequestError extends Error {
  constructor(message: string, details?: { status?: number, hint?: string | null, current?: object | null, retryAfterMs?: number | null })
  /** Of HTTP; 0: no answer came. */
  readonly status: number
  readonly hint: string | null
  /** 409, a stale edit: the row as it is. */
  readonly current: Record<string, unknown> | null
  readonly retryAfterMs: number | null
}

export interface RequestOptions {
  method?: string
  body?: unknown
  signal?: AbortSignal
  headers?: Record<string, string>
}

export class Subscription {
  private constructor()
  readonly identifier: string
  readonly state: 'pending' | 'confirmed' | 'rejected' | 'ended'
  unsubscribe(): void
  requestUpdate(): void
  /** Sends an action over the connection; only a refusal is answered, by onError. */
  perform(action: string, data?: Record<string, unknown>): void
  /** The newest payload, undefined while there is none. */
  readonly latest: unknown
  /** These need a token with the scope "control"; they reject with a RequestError. */
  pause(): Promise<ActionAnswer>
  resume(): Promise<ActionAnswer>
  cancel(message?: string): Promise<ActionAnswer>
  /** A new run of the same source; who watches the source follows it. */
  retry(): Promise<ActionAnswer>
  rename(title: string, lockVersion?: number): Promise<ActionAnswer>
  pin(pinned: boolean, lockVersion?: number): Promise<ActionAnswer>
  delete(lockVersion?: number): Promise<ActionAnswer>
}

/** The state has changed; or it is "live" as before, by another transport. */
export class StateChangeEvent extends Event {
  private constructor()
  readonly state: ConnectionState
  readonly previous: ConnectionState
  /** The server's word for a disconnect, "stale", "token_unavailable", "max_attempts" or null. */
  readonly reason: string | null
  /** In backoff and offline: how long until the next attempt. */
  readonly retryInMs: number | null
  /** Attempts since the connection was lost. */
  readonly attempt: number
  /** What the connection is made of; null while there is none. */
  readonly transport: Transport | null
}

export class SyncProgressEvent<Payload = SyncPayload> extends Event {
  private constructor()
  readonly identifier: string
  readonly payload: Payload
}

export class SubscriptionEvent extends Event {
  private constructor()
  readonly identifier: string
}

export class ListEvent extends Event {
  private constructor()
  readonly identifier: string
  readonly name: ListMessage['type']
  readonly data: Record<string, unknown> | null
}

export interface ClientEventMap {
  listevent: ListEvent
  statechange: StateChangeEvent
  progress: SyncProgressEvent
  confirmed: SubscriptionEvent
  rejected: SubscriptionEvent
}

export type Transport = 'websocket' | 'sse' | 'polling'

export class SyncProgressClient extends EventTarget {
  constructor(options?: ClientOptions)
  /** The one client of this page for the same url, token (the same string or callback) and owner. */
  static for(options?: ClientOptions): SyncProgressClient
  readonly state: ConnectionState
  /** What the connection is made of; null while there is none. */
  readonly transport: Transport | null
  /** This tab holds the connection that the tabs of the browser share. */
  readonly isLeader: boolean
  /** Attempts since the connection was lost. */
  readonly attempt: number
  /** The newest payload known for it, undefined while there is none; the same object until a newer one comes. */
  latest<Payload = SyncPayload>(identifier: Identifier): Payload | undefined
  /** An authorised request for a path below the bridge's address, "sessions?limit=1"; its parsed answer, or a RequestError. */
  request(path: string, options?: RequestOptions): Promise<any>
  subscribe<Payload = SyncPayload>(identifier: Identifier, callbacks?: Callbacks<Payload>): Subscription
  connect(): void
  close(): void
  /** Disconnects, and nothing of what was seen is left, here and in the tab's storage: for a logout. */
  forget(): Promise<void>
  addEventListener<Type extends keyof ClientEventMap>(
    type: Type,
    listener: (this: SyncProgressClient, event: ClientEventMap[Type]) => void,
    options?: boolean | AddEventListenerOptions
  ): void
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void
  removeEventListener<Type extends keyof ClientEventMap>(
    type: Type,
    listener: (this: SyncProgressClient, event: ClientEventMap[Type]) => void,
    options?: boolean | EventListenerOptions
  ): void
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void
}

export { createFormat, Format, Phrases } from './format.js'
