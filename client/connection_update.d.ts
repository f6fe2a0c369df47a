/** A state of a connection, by the wire's names and by the applications'. */
export interface SyncProgressUpdate {
  job_id?: string
  entities_inserted: number
  entities_updated: number
  entities_deleted: number
  entities_kept: number
  entities_skipped: number
  inserted: number
  updated: number
  deleted: number
  kept: number
  skipped: number
  /** How many of each kind of entity were seen. */
  entities_encountered: Record<string, number>
  is_complete: boolean
  /** Failed or cancelled; error says which. */
  is_failed: boolean
  error: string | null
}

export type ConnectionStatus = 'active' | 'completed' | 'failed'

export function connectionUpdate(payload: object): SyncProgressUpdate
export function connectionUpdate(payload: unknown): SyncProgressUpdate | null
export function connectionStatus(update: Pick<SyncProgressUpdate, 'is_complete' | 'is_failed'>): ConnectionStatus
