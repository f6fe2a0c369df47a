/*
 * stimulus.js: the controllers for pages that Rails renders.
 *
 *   import { Application } from '@hotwired/stimulus'
 *   import { register } from 'sync-progress/stimulus'
 *   register(Application.start())
 *
 * Stimulus is the application's own: it is imported by its name, never bundled,
 * and only by who imports this.
 */
import { MeshProgressController } from './mesh_progress_controller.js'
import { SyncWidgetController } from './sync_widget_controller.js'

export { MeshProgressController, SyncWidgetController }

/** Registers both, as "sync-widget" and "mesh-progress". */
export function register(application) {
  application.register('sync-widget', SyncWidgetController)
  application.register('mesh-progress', MeshProgressController)
  return application
}
