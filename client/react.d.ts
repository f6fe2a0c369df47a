import type { DetailedHTMLProps, ForwardRefExoticComponent, HTMLAttributes, ReactElement, ReactNode, RefAttributes } from 'react'
import type {
  ActionAnswer, ClientOptions, ConnectionState, Identifier, Refusal, SyncPayload, SyncProgressClient
} from './index.js'
import type { ConnectionStatus, SyncProgressUpdate } from './connection_update.js'
import type { CrossTabOptions, CrossTabSync, SyncEvent } from './cross_tab.js'
import type { EditEvent, ListSnapshot, SessionList, SessionListOptions } from './sessions.js'
import type { ElementAction, ElementTexts, SyncProgressElement, SyncProgressEventMap } from './element.js'

export type { ConnectionStatus, SyncProgressUpdate }

export interface SyncProviderProps extends ClientOptions {
  children?: ReactNode
  /** Instead of the options. */
  client?: SyncProgressClient
}

/** Gives the components below it their client. Without it they have the page's: SyncProgressClient.for(). */
export function SyncProvider(props: SyncProviderProps): ReactElement

/** null on a server, and until its markup is taken over. */
export function useSyncClient(): SyncProgressClient | null

/** Of the nearest provider's client, unless another is given. */
export function useConnectionState(client?: SyncProgressClient | null): ConnectionState

export interface UseSyncProgressOptions<Payload = SyncPayload> {
  /** Default: the nearest provider's. */
  client?: SyncProgressClient
  /** Default true; false watches nothing. */
  enabled?: boolean
  /** The state that the server rendered with: shown until there is a newer one. */
  initial?: Payload | null
  /** Default false; true: the callbacks are called as well for a run that was over when it was first seen. */
  includeEnded?: boolean
  /** Every state, each newer than the one before. */
  onProgress?(payload: Payload): void
  /** These three: once a run. */
  onComplete?(payload: Payload): void
  onError?(message: string, payload: Payload): void
  onCancelled?(payload: Payload): void
  onConnected?(detail: { reconnected: boolean }): void
  onDisconnected?(detail: { willReconnect: boolean }): void
  /** Unknown, or not allowed. */
  onRejected?(): void
  /** The token that came last is somebody else's; nothing of before is shown any more. */
  onReset?(): void
  /** An action that was sent over the connection was refused. */
  onActionError?(refusal: Refusal): void
}

export interface SyncProgressResult<Payload = SyncPayload> {
  /** null until there is one. */
  payload: Payload | null
  /** "idle": nothing to watch. */
  subscription: 'idle' | 'pending' | 'confirmed' | 'rejected'
  connection: ConnectionState
  isActive: boolean
  isComplete: boolean
  isFailed: boolean
  isCancelled: boolean
  /** Why it failed. */
  error: string | null
  requestUpdate(): void
  /** These need a token with the scope "control"; they reject with a RequestError. */
  pause(): Promise<ActionAnswer>
  resume(): Promise<ActionAnswer>
  cancel(message?: string): Promise<ActionAnswer>
  retry(): Promise<ActionAnswer>
  rename(title: string, lockVersion?: number): Promise<ActionAnswer>
  pin(pinned: boolean, lockVersion?: number): Promise<ActionAnswer>
  delete(lockVersion?: number): Promise<ActionAnswer>
}

export type ConnectionId = string | number

export interface SyncSubscription {
  connectionId: ConnectionId
  /** null until it is known. */
  jobId: string | null
  lastUpdate: SyncProgressUpdate | null
  /** Milliseconds since 1970, by this machine's clock. */
  lastMessageTime: number | null
  status: ConnectionStatus
}

export interface ListedConnection {
  id: ConnectionId
  status?: string
  /** Which run is meant, if the list knows. */
  job_id?: string | null
}

export interface UseConnectionsOptions<Connection extends ListedConnection = ListedConnection> {
  /** What is syncing among these is subscribed to, until its end has been shown. */
  connections?: readonly Connection[] | null
  /** Default: status is "syncing". */
  isSyncing?(connection: Connection): boolean
  /** Default "ConnectionSyncChannel". */
  channel?: string
  /** How long an end is shown. Default 2000. */
  removeAfterMs?: number
  client?: SyncProgressClient
  enabled?: boolean
  onProgress?(connectionId: ConnectionId, update: SyncProgressUpdate): void
  /** These two: once a run. */
  onComplete?(connectionId: ConnectionId, update: SyncProgressUpdate): void
  /** Failed, cancelled ("cancelled"), or not allowed, which has no update. */
  onError?(connectionId: ConnectionId, message: string, update: SyncProgressUpdate | null): void
}

export interface ConnectionsResult {
  /** A new Map, with new values, when something changed. */
  subscriptions: ReadonlyMap<ConnectionId, Readonly<SyncSubscription>>
  connection: ConnectionState
  subscribe(connectionId: ConnectionId, jobId?: string): void
  unsubscribe(connectionId: ConnectionId): void
}

/** Watches one stream; nothing while the identifier, or a parameter in it, is null or undefined. A component keeps to one of the two forms. */
export function useSyncProgress<Payload = SyncPayload>(
  identifier: Identifier | null | undefined | false,
  options?: UseSyncProgressOptions<Payload>
): SyncProgressResult<Payload>

/** Watches all that are being synced. */
export function useSyncProgress<Connection extends ListedConnection>(
  options: UseConnectionsOptions<Connection> & { channel?: undefined } | UseConnectionsOptions<Connection> & { connections: readonly Connection[] | null | undefined }
): ConnectionsResult

export interface SyncProgressProps extends Omit<HTMLAttributes<SyncProgressElement>, 'children' | 'onError'> {
  /** Which run; without one the reader's newest of the channel. */
  sessionId?: number | string
  sourceId?: number | string
  /** Default "SyncStatusChannel". */
  channel?: string
  /** Default: the nearest provider's, unless one of the next three is given. */
  client?: SyncProgressClient
  url?: string
  token?: string
  tokenUrl?: string
  /** The state that the server rendered with. */
  initial?: unknown
  locale?: string
  theme?: string
  heading?: string
  /** Which buttons: ['pause', 'resume', 'cancel', 'retry']. */
  actions?: ElementAction[] | string
  actionUrl?: string
  startUrl?: string
  detailsUrl?: string
  historyUrl?: string
  /** Default true. */
  accounts?: boolean
  sparkline?: boolean
  times?: 'words' | 'clock'
  texts?: Partial<ElementTexts>
  /** preventDefault(): the page does it itself. */
  onAction?(event: SyncProgressEventMap['sync-progress:action']): void
  onUpdate?(event: SyncProgressEventMap['sync-progress:update']): void
  onComplete?(event: SyncProgressEventMap['sync-progress:complete']): void
  onFailed?(event: SyncProgressEventMap['sync-progress:failed']): void
  onConnection?(event: SyncProgressEventMap['sync-progress:connection']): void
  onActionError?(event: SyncProgressEventMap['sync-progress:error']): void
}

/** <sync-progress>, which is loaded with the first one that is mounted. */
export const SyncProgress: ForwardRefExoticComponent<SyncProgressProps & RefAttributes<SyncProgressElement>>

/** Listeners by type: they may be written inline. The owner is the provider's unless options name another. */
export function useCrossTabSync<Events extends object = Record<string, any>>(
  listeners?: { [Type in keyof Events]?: (payload: Events[Type], event: SyncEvent<Events[Type]>) => void },
  options?: CrossTabOptions
): Pick<CrossTabSync<Events>, 'broadcast' | 'on'>

export interface UseSessionListOptions extends SessionListOptions {
  client?: SyncProgressClient
  /** An edit of one's own was done, or refused. */
  onNotice?(event: EditEvent): void
  /** Somebody else was quicker. */
  onConflict?(event: EditEvent): void
}

/** The owner's runs. A page has one list of a client; the options are those of who asks first. */
export function useSessionList(
  options?: UseSessionListOptions
): ListSnapshot & Pick<SessionList, 'rename' | 'pin' | 'delete' | 'reload' | 'loadMore'>

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'sync-progress': DetailedHTMLProps<HTMLAttributes<SyncProgressElement>, SyncProgressElement> & { [attribute: string]: unknown }
    }
  }
}
