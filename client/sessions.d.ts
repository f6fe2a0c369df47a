import type { Clock, RequestError, RunStatus, SyncProgressClient } from './index.js'

/** A run as lists show it. What is optional is not known of a session that was created a moment ago, and follows. */
export interface Session {
  readonly session_id: number
  readonly job_id: string
  readonly kind: string
  readonly source_id: string
  readonly title?: string | null
  readonly pinned: boolean
  readonly status: RunStatus
  /** As the list was read: what moves with every tick is for the session's own stream, or <sync-progress>. */
  readonly progress_percentage?: number | null
  readonly processed_count?: number
  readonly total_count?: number | null
  readonly error_message?: string | null
  readonly owner_id?: string
  readonly stream?: string
  readonly created_at?: string
  readonly started_at?: string | null
  readonly completed_at?: string | null
  readonly updated_at?: string
  readonly version: number
  /** Grows with each edit; own edits that are not answered are counted in. */
  readonly lock_version: number
}

export interface ListSnapshot {
  /** Pinned ones first, then the newest. Another array only when something in it is to be shown anew. */
  readonly sessions: readonly Session[]
  /** false: nothing is known yet. */
  readonly isLoaded: boolean
  /** The first page, or one more, is on its way; not while the list is read again behind the scenes. */
  readonly isLoading: boolean
  /** Changes arrive as they happen. */
  readonly isLive: boolean
  /** There are older ones: loadMore(). */
  readonly hasMore: boolean
  /** Why it could not be read the last time; tried again by itself, unless its status is 4xx. */
  readonly error: RequestError | null
}

/** What a server renders. */
export const EMPTY_SNAPSHOT: ListSnapshot

export interface SessionTexts {
  conflict: string
  reload: string
  renamed: string
  renameFailed: string
  pinned: string
  unpinned: string
  pinFailed: string
  unpinFailed: string
  deleted: string
  deleteFailed: string
}

export interface SessionListOptions {
  /** How many sessions are read at first, and with each loadMore(). Default 200. */
  limit?: number
  /** Default true: rows are changed as events say. false: each event has the list read again. */
  granular?: boolean
  /** How long to wait for more reasons before reading again. Default 500. */
  debounceMs?: number
  compare?(a: Session, b: Session): number
  /** The channels of kinds of your own: { report: 'ReportChannel' }. */
  channels?: Record<string, string>
  /** Default: the page's. */
  locale?: string
  texts?: Partial<SessionTexts>
  clock?: Clock
  random?: () => number
}

/** "notice": an own edit was done, or refused (error). "conflict": somebody else was quicker, whose row is shown now. */
export class EditEvent extends Event {
  constructor(type: string, detail: object)
  readonly action: 'rename' | 'pin' | 'delete'
  readonly id: number
  readonly error: RequestError | null
  /** What was wanted; null for a deletion. */
  readonly attempted: { readonly title?: string | null, readonly pinned?: boolean } | null
  /** The row as it is shown now, null if it is gone. */
  readonly current: Session | null
  /** To be shown, "Conversación modificada en otra pestaña". */
  readonly text: string
  /** For a button, "Recargar", that calls reload(); of a conflict only. */
  readonly actionText: string | null
  reload(): void
}

export interface ListEventMap {
  change: Event
  notice: EditEvent
  conflict: EditEvent
}

export class SessionList extends EventTarget {
  constructor(client: SyncProgressClient, options?: SessionListOptions)
  /** The page's one list of that client; the options are those of who asks first. */
  static for(client: SyncProgressClient, options?: SessionListOptions): SessionList
  readonly sessions: readonly Session[]
  /** Bound, and the same object until something else is to be shown: useSyncExternalStore(list.subscribe, list.snapshot, () => EMPTY_SNAPSHOT). */
  snapshot(this: void): ListSnapshot
  /** Bound. The list is open while anybody listens, and a second longer. */
  subscribe(this: void, listener: () => void): () => void
  /** For who uses addEventListener: begins to read and to listen; as many close() as open(). */
  open(): void
  close(): void
  reload(): void
  loadMore(): void
  /** Shown at once; true when done, false when it was refused and taken back. Needs a token with the scope "control". */
  rename(id: number | string, title: string | null): Promise<boolean>
  pin(id: number | string, pinned?: boolean): Promise<boolean>
  delete(id: number | string): Promise<boolean>
  addEventListener<Type extends keyof ListEventMap>(
    type: Type,
    listener: (this: SessionList, event: ListEventMap[Type]) => void,
    options?: boolean | AddEventListenerOptions
  ): void
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void
  removeEventListener<Type extends keyof ListEventMap>(
    type: Type,
    listener: (this: SessionList, event: ListEventMap[Type]) => void,
    options?: boolean | EventListenerOptions
  ): void
  removeEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | EventListenerOptions): void
}
