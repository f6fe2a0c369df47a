import { SyncProgressClient } from 'sync-progress'
import { SyncProgressElement } from 'sync-progress/element'
import 'sync-progress/define'

const element: SyncProgressElement = document.createElement('sync-progress')
element.setAttribute('session-id', '42')
element.client = new SyncProgressClient()
element.texts = { pause: 'Detener' }
element.payload = { status: 'processing' }
element.addEventListener('sync-progress:action', event => {
  if (event.detail.action === 'cancel' && !confirm('?')) event.preventDefault()
})
element.addEventListener('sync-progress:error', ({ detail }) => [detail.status, detail.hint])
await element.act('pause')
SyncProgressElement.defaults.locale = 'es'

class Mine extends SyncProgressElement {}
customElements.define('my-progress', Mine)

// @ts-expect-error no such action
element.act('explode')
// @ts-expect-error a client is no text
element.client = '/cable'
// @ts-expect-error texts are texts
element.texts = { pause: 7 }
