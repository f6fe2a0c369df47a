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

export type ConnectionState = 'idle' | 'connecting' | 'live' | 'stale' | 'backoff' | 'closed' | 'rejected'

export const State: {
  readonly IDLE: 'idle'
  readonly CONNECTING: 'connecting'
  readonly LIVE: 'live'
  readonly STALE: 'stale'
  readonly BACKOFF: 'backoff'
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
  location?: { href: string }
  document?: { readonly visibilityState: string, addEventListener(type: string, listener: () => void, options?: object): void }
  addEventListener?(type: string, listener: () => void, options?: object): void
}

export interface ClientOptions {
  /** Where the bridge is; relative to the page. Default "/cable". */
  url?: string | URL
  /** A callback is asked again each time a connection is opened. */
  token?: Token | (() => Token | Promise<Token>)
  /** Default: globalThis. */
  host?: Host
  /** For surroundings without one of their own. */
  WebSocket?: unknown
  clock?: Clock
  random?: () => number
}

export interface Callbacks<Payload = SyncPayload> {
  /** Whatever comes is newer than what came before. */
  onProgress?(payload: Payload, subscription: Subscription): void
  onConnected?(detail: { reconnected: boolean }): void
  onDisconnected?(detail: { willReconnect: boolean }): void
  /** The server refuses; nothing more will come. */
  onRejected?(): void
}

export class Subscription {
  private constructor()
  readonly identifier: string
  readonly state: 'pending' | 'confirmed' | 'rejected' | 'ended'
  unsubscribe(): void
  requestUpdate(): void
  perform(action: string, data?: Record<string, unknown>): void
}

export class StateChangeEvent extends Event {
  private constructor()
  readonly state: ConnectionState
  readonly previous: ConnectionState
  /** The server's word for a disconnect, "stale", "token_unavailable" or null. */
  readonly reason: string | null
  /** In backoff: how long until the next attempt. */
  readonly retryInMs: number | null
  /** Attempts since the connection was lost. */
  readonly attempt: number
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

export interface ClientEventMap {
  statechange: StateChangeEvent
  progress: SyncProgressEvent
  confirmed: SubscriptionEvent
  rejected: SubscriptionEvent
}

export class SyncProgressClient extends EventTarget {
  constructor(options?: ClientOptions)
  readonly state: ConnectionState
  subscribe<Payload = SyncPayload>(identifier: Identifier, callbacks?: Callbacks<Payload>): Subscription
  connect(): void
  close(): void
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
