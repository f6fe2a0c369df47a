/*
 * libraries.js: clients of Action Cable, each started in the same way.
 *
 * Each is handed a WebSocket class that counts, and an address in which it is
 * numbered; nothing else differs from how the library comes.
 */
import ActionCable from '@rails/actioncable'
import { createCable } from '@anycable/core'
import { SyncProgressClient } from '../../../client/index.js'

// actioncable looks at the window; here there is none.
globalThis.addEventListener ??= () => {}
globalThis.removeEventListener ??= () => {}

/** name → (url, session, WebSocket) → a function that ends the client. */
export const libraries = {
  'sync-progress': (url, session, WebSocket) => {
    const client = new SyncProgressClient({ url, WebSocket, shared: false, cache: false })
    client.subscribe({ channel: 'SyncStatusChannel', session_id: session })
    return () => client.close()
  },

  actioncable: (url, session, WebSocket) => {
    ActionCable.adapters.WebSocket = WebSocket
    const consumer = ActionCable.createConsumer(url)
    const subscription = consumer.subscriptions.create({ channel: 'SyncStatusChannel', session_id: session }, {})
    return () => {
      consumer.disconnect()
      consumer.subscriptions.guarantor.forget(subscription)
    }
  },

  anycable: (url, session, WebSocket) => {
    const cable = createCable(url, { websocketImplementation: WebSocket, logLevel: 'error' })
    cable.subscribeTo('SyncStatusChannel', { session_id: session })
    return () => cable.disconnect()
  }
}
