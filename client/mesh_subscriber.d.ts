import type { SyncProgressClient, Token } from './index.js'

export type ProgressStatus = 'pending' | 'processing' | 'paused' | 'completed' | 'failed' | 'cancelled'

export interface MeshProgress {
  mesh_id: number | string
  status: ProgressStatus
  /** null: the total is not known. */
  progress: number | null
  message: string | null
  updated_at: string | null
  /** Seconds. */
  estimated_remaining: number | null
  result_url?: string | null
}

export interface BatchProgress {
  batch_id: number | string
  total: number | null
  completed: number
  failed: number
  progress: number | null
  status: ProgressStatus
  estimated_remaining: number | null
}

export interface ProgressCallbacks<State> {
  onConnected?(): void
  onDisconnected?(): void
  onProgress?(state: State): void
  /** Each of these once a run. */
  onComplete?(state: State): void
  onCancelled?(state: State): void
  /** The message of a run that failed, 'Unauthorized to view mesh progress', or 'Max reconnection attempts reached'. */
  onError?(message: string): void
}

export interface SubscriberTexts {
  completed: string
  /** With {message}. */
  failed: string
  unknown: string
  cancelled: string
  /** With {time}. */
  remaining: string
  label: string
  unauthorized: string
  maxAttempts: string
  /** Of a batch, with {completed}, {total} and {failed}. */
  counts: string
}

export interface SubscriberOptions {
  /** Default: the page's, for url and token, or what its meta tags say. */
  client?: SyncProgressClient
  url?: string
  token?: Token | (() => Token | Promise<Token>)
  /** Where a token is to be had, as text or JSON. Default: the page's meta tag sync-progress-token-url. */
  tokenUrl?: string
  /** Keep #mesh-{id}-progress, -status and -time up to date. Default true. */
  dom?: boolean
  /** Default: Infinity. */
  maxAttempts?: number
  /** After the end. Default 5,000. */
  unsubscribeAfterMs?: number
  texts?: Partial<SubscriberTexts>
}

declare class ProgressSubscriber {
  /** Begins to watch; does nothing if it does already. */
  subscribe(): this
  unsubscribe(): void
  requestUpdate(): void
  /** Connects now; begins anew if it had given up, or ended. */
  retry(): this
}

export class MeshProgressSubscriber extends ProgressSubscriber {
  constructor(meshId: number | string, callbacks?: ProgressCallbacks<MeshProgress>, options?: SubscriberOptions)
  meshId: number | string
}

export class BatchProgressSubscriber extends ProgressSubscriber {
  constructor(batchId: number | string, callbacks?: ProgressCallbacks<BatchProgress>, options?: SubscriberOptions)
  batchId: number | string
}

/** Seconds as "45s" or "2m 5s". */
export function formatTime(seconds: number): string

export {} // what is not exported above is not there
