import type { SyncProgressUpdate } from './connection_update.js'
import type { Clock, Token } from './index.js'

export { SyncProgressUpdate, ConnectionStatus, connectionStatus, connectionUpdate } from './connection_update.js'

export interface SyncProgressHandlers {
  onConnected?(detail: { job_id: string | null, reconnected: boolean }): void
  /** The stream was lost and will be opened again. */
  onDisconnected?(detail: { reason: string, retryInMs: number }): void
  onHeartbeat?(): void
  /** The database is away; what is shown may be old. */
  onStale?(): void
  onProgress?(update: SyncProgressUpdate): void
  /** Once a run. */
  onComplete?(update: SyncProgressUpdate): void
  /**
   * Once a run that has failed or was cancelled (with its update), or when the
   * watch is over because trying again is useless: "unauthorized", "not found" …
   */
  onError?(message: string, detail: { status: number, update: SyncProgressUpdate | null }): void
}

export interface SyncProgressWatchOptions {
  /** "{id}" in it is the connection's. Default "/events/ConnectionSyncChannel/{id}". */
  url?: string | URL
  /** A callback is asked again before each stream, and when its token is about to expire. */
  token?: Token | (() => Token | Promise<Token>)
  signal?: AbortSignal
  /** Go on after the end of a run, for what follows it. Default false. */
  keepAfterEnd?: boolean
  /** The server's; a stream that is silent for 2.5 of them is opened again. Default 30,000. */
  heartbeatMs?: number
  host?: object
  fetch?: typeof globalThis.fetch
  clock?: Clock
  random?: () => number
}

export interface SyncProgressWatch {
  close(): void
  readonly isClosed: boolean
  /** The newest update, null before the first. */
  readonly latest: SyncProgressUpdate | null
}

export function subscribeToSyncProgress(
  connectionId: string | number, handlers?: SyncProgressHandlers, options?: SyncProgressWatchOptions): SyncProgressWatch

/** A run, as the bridge's list has it. */
export interface ConnectionJob {
  session_id: number
  job_id: string
  status: string
  version: number
  [field: string]: unknown
}

export interface ConnectionJobsOptions {
  /** "{id}" in it is the connection's. Default "/sessions/ConnectionSyncChannel/{id}". */
  url?: string | URL
  token?: Token | (() => Token | Promise<Token>)
  limit?: number
  /** next of the page before. */
  after?: number | null
  signal?: AbortSignal
  fetch?: typeof globalThis.fetch
}

/** The connection's runs, newest first; rejects with a RequestError. */
export function getConnectionJobs(
  connectionId: string | number, options?: ConnectionJobsOptions): Promise<{ jobs: ConnectionJob[], next: number | null }>
