import { useState } from 'react'
import { SyncProgressClient, type SyncPayload } from 'sync-progress'
import {
  SyncProgress, SyncProvider, useConnectionState, useCrossTabSync, useSessionList, useSyncClient, useSyncProgress,
  type SyncSubscription, type SyncProgressUpdate
} from 'sync-progress/react'

interface Mesh { mesh_id: number, progress: number | null }

export function One({ initial }: { initial?: SyncPayload }) {
  const { payload, isComplete, error, pause, rename, connection } = useSyncProgress({ channel: 'SyncStatusChannel', session_id: 42 }, {
    initial,
    onComplete: ({ result_url }) => result_url?.length,
    onError: (message, last) => `${message} ${last.error_count}`
  })
  const mesh = useSyncProgress<Mesh>(payload && { channel: 'MeshProgressChannel', id: 7 }, { onProgress: ({ progress }) => progress })
  const state: string = useConnectionState()
  const client: SyncProgressClient | null = useSyncClient()
  return <p onClick={() => pause().then(({ result }) => rename('x', result.lock_version))} title={error ?? state}>
    {payload?.title} {isComplete} {mesh.payload?.progress} {connection} {client?.state}
  </p>
}

export function Many({ connections }: { connections: { id: string, status: string, name: string }[] }) {
  const [last, setLast] = useState<SyncProgressUpdate | null>(null)
  const { subscriptions, unsubscribe } = useSyncProgress({
    connections,
    isSyncing: ({ name, status }) => name !== '' && status === 'syncing',
    removeAfterMs: 5_000,
    onComplete: (id, update) => setLast(update),
    onError: (id, message, update) => console.log(id, message.length, update?.entities_kept)
  })
  const all: SyncSubscription[] = [...subscriptions.values()]
  return <ul>{all.map(({ connectionId, status }) => <li key={connectionId} onClick={() => unsubscribe(connectionId)}>{status} {last?.inserted}</li>)}</ul>
}

export function Lists() {
  const { sessions, isLoaded, rename } = useSessionList({ limit: 50, onConflict: ({ text, reload }) => [text, reload] })
  const { broadcast, on } = useCrossTabSync<{ session_renamed: { chatId: number } }>({ session_renamed: ({ chatId }) => chatId.toFixed() })
  broadcast('session_renamed', { chatId: 1 })
  on('session_renamed', ({ chatId }) => chatId)
  // @ts-expect-error it has a chatId
  broadcast('session_renamed', { id: 1 })
  return <p onClick={() => rename(1, 'x')}>{isLoaded && sessions[0]?.title}</p>
}

export function App() {
  return <SyncProvider url="/cable" token={async () => 'token'} owner="ana">
    <SyncProgress sessionId={42} actions={['pause', 'cancel']} className="wide" aria-label="Mail" accounts={false} initial={{}}
      onAction={event => event.preventDefault()} onComplete={({ detail }) => console.log(detail.payload)} />
    <sync-progress session-id="43"></sync-progress>
    <One />
  </SyncProvider>
}

export const alone = <SyncProvider />
// @ts-expect-error no such button
export const wrongAction = <SyncProgress sessionId={42} actions={['explode']} />
// @ts-expect-error it is a client, not its address
export const wrongClient = <SyncProvider client="/cable" />

export function Wrong() {
  // @ts-expect-error an identifier has a channel
  useSyncProgress({ session_id: 42 })
  // @ts-expect-error a Map is not to be written to
  useSyncProgress({ connections: [] }).subscriptions.set('a', null)
  return null
}
