import { SyncProgressClient } from 'sync-progress'
import { CrossTabSync, getSyncInstance, SYNC_EVENTS } from 'sync-progress/cross-tab'
import { EMPTY_SNAPSHOT, SessionList, type ListSnapshot, type Session } from 'sync-progress/sessions'

const list = SessionList.for(new SyncProgressClient(), { granular: false, texts: { reload: 'Otra vez' } })
const stop = list.subscribe(() => list.snapshot().sessions.length)
const snapshot: ListSnapshot = list.snapshot() ?? EMPTY_SNAPSHOT
const title = (session: Session) => session.title ?? session.source_id
list.addEventListener('conflict', ({ text, actionText, reload }) => [text, actionText, reload])
const isDone: boolean = await list.pin(7)

const sync = getSyncInstance<{ session_deleted: { chatId: number } }>({ owner: 'ana' })
const off = sync.on('session_deleted', ({ chatId }) => chatId)
sync.broadcast('session_deleted', { chatId: 7 })
const any = new CrossTabSync()
any.broadcast('whatever', { it: 'is' })

// @ts-expect-error no such event
sync.broadcast('session_exploded', {})
// @ts-expect-error nobody sets them
list.sessions = []
// @ts-expect-error rows are read only
snapshot.sessions[0]!.title = 'x'

export { isDone, off, stop, SYNC_EVENTS, title }
