/** What the lists of the five systems tell each other; any other type will do as well. */
export type SyncEventType = 'session_created' | 'session_renamed' | 'session_pinned' | 'session_deleted' | 'sessions_reloaded'

export interface SyncEvent<Payload = unknown> {
  type: string
  payload: Payload
  /** Date.now() of the tab that said it. */
  timestamp: number
}

export interface CrossTabOptions {
  /** Whose rows they are. Two owners never hear each other; leave it out only where one person uses the browser. */
  owner?: string
  /** Several lists of one owner. Default "list". */
  name?: string
  /** Default true. false: on() and broadcast() do nothing. */
  enabled?: boolean
  /** What could not be sent (no structured clone, no room) or a listener's exception. Default: console.error. */
  onError?(error: unknown): void
  /** Default false: nothing is logged. */
  debug?: boolean
  /** Without BroadcastChannel: how soon to look for events, at first and at most, and how many are kept. Defaults 5000, 60000, 50. */
  pollMs?: number
  maxPollMs?: number
  keep?: number
  /** For tests: in a browser, the window. */
  host?: object
}

/** What the payloads are is the application's: CrossTabSync<{ session_renamed: { chatId: number } }>. */
export class CrossTabSync<Events extends object = Record<string, any>> {
  constructor(options?: CrossTabOptions)
  readonly mode: 'broadcast' | 'storage' | 'off'
  broadcast<Type extends keyof Events & string>(type: Type, payload?: Events[Type]): void
  on<Type extends keyof Events & string>(type: Type, listener: (payload: Events[Type], event: SyncEvent<Events[Type]>) => void): () => void
  cleanup(): void
}

export function getSyncInstance<Events extends object = Record<string, any>>(options?: CrossTabOptions): CrossTabSync<Events>

export const SYNC_EVENTS: readonly SyncEventType[]
