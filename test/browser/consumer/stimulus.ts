import { Application } from '@hotwired/stimulus'
import { BatchProgressSubscriber, formatTime, MeshProgressSubscriber } from 'sync-progress/mesh-subscriber'
import { MeshProgressController, register, SyncWidgetController } from 'sync-progress/stimulus'

register(Application.start())
SyncWidgetController.texts = { paused: 'En pausa' }
class Mine extends MeshProgressController {
  override showSuccessMessage(message?: string) {
    super.showSuccessMessage(message ?? '!')
  }
}

const subscriber: MeshProgressSubscriber = new MeshProgressSubscriber(7, {
  onProgress: ({ progress, estimated_remaining: left }) => [progress?.toFixed(), left && formatTime(left)],
  onError: message => message.length
}, { maxAttempts: 5, dom: false }).subscribe()
new BatchProgressSubscriber('b', { onComplete: ({ failed }) => failed.toFixed() }).subscribe().unsubscribe()

// @ts-expect-error it needs an application
register()
// @ts-expect-error callbacks come as an object
new MeshProgressSubscriber(7, () => {})
// @ts-expect-error a number of attempts
new MeshProgressSubscriber(7, {}, { maxAttempts: 'many' })

export { Mine, subscriber }
