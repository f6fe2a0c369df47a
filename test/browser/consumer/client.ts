// What an application writes; what must not compile is marked.
import { createFormat, RequestError, State, Subscription, SyncProgressClient, type ConnectionState, type SyncPayload } from 'sync-progress'
import { createFormat as sameFormat } from 'sync-progress/format'

const client = new SyncProgressClient({ url: new URL('https://example.com/cable'), token: async () => 'token', owner: 'ana' })
const state: ConnectionState = client.state
const isLive = state === State.LIVE

interface Report { done: number }

const subscription: Subscription = client.subscribe({ channel: 'SyncStatusChannel', session_id: 42 }, {
  onProgress: (payload, which) => [payload.status, which.identifier],
  onConnected: ({ reconnected }) => reconnected,
  onError: ({ action, status }) => `${action}: ${status}`
})
client.subscribe<Report>('{"channel":"ReportChannel","id":7}', { onProgress: ({ done }) => done.toFixed() })
const latest: SyncPayload | undefined = client.latest({ channel: 'SyncStatusChannel', session_id: 42 })

client.addEventListener('statechange', event => [event.retryInMs, event.reason?.length])
client.addEventListener('progress', ({ payload, identifier }) => [payload.version, identifier], { signal: new AbortController().signal })

try {
  const { result, state: next } = await subscription.rename('Inbox', latest?.lock_version)
  console.log(result.lock_version, next?.title)
} catch (error) {
  if (error instanceof RequestError) console.log(error.status, error.hint, error.current)
}

const text: string = createFormat('es-CR', { remaining: 'faltan {time}' }).remaining(90)
const same: typeof createFormat = sameFormat

// @ts-expect-error a number is no address
new SyncProgressClient({ url: 42 })
// @ts-expect-error an identifier has a channel
client.subscribe({ session_id: 42 })
// @ts-expect-error no such state
const wrong: ConnectionState = 'open'
// @ts-expect-error only subscribe() makes one
new Subscription()
// @ts-expect-error nobody sets it
client.state = 'live'
// @ts-expect-error no such phrase
createFormat('es', { remains: '' })
// @ts-expect-error a title is a text
subscription.rename(7)

export { isLive, same, text, wrong }
