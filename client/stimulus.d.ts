import type { Application, Controller } from '@hotwired/stimulus'
import type { SyncProgressClient } from './index.js'

/** What a widget that the server has rendered says; see sync_widget_texts.js. */
export type SyncWidgetTexts = Record<string, string | Record<string, string>>

/** The controller "sync-widget". Dispatches sync-widget:update, :completed, :failed, :cancelled, :connection, :action (cancelable) and :error. */
export class SyncWidgetController extends Controller<HTMLElement> {
  static client: SyncProgressClient | null
  static texts: SyncWidgetTexts
  /** The source's id; "0" or "": none, whichever run begins is followed. */
  sessionIdValue: string
  /** Whether states are coming. */
  activeValue: boolean
  urlValue: string
  websocketUrlValue: string
  /** "/sync_sessions/{id}/{action}"; without it the bridge is asked. */
  actionUrlValue: string
  /** Of the state that the server has rendered: what was kept from before it is not shown. */
  versionValue: number
  togglePause(event?: Event): Promise<void>
  startSync(event: Event): void
}

/** The controller "mesh-progress". Dispatches mesh-progress:completed, :failed, :cancelled, :action (cancelable) and :error. */
export class MeshProgressController extends Controller<HTMLElement> {
  static client: SyncProgressClient | null
  static texts: Record<string, string>
  meshIdValue: string
  retryUrlValue: string
  cancelUrlValue: string
  retry(event?: Event): Promise<void>
  cancel(event?: Event): Promise<void>
  requestUpdate(): void
  showSuccessMessage(message?: string): void
  showErrorMessage(message: string): void
  resetProgress(): void
}

/** Registers both, as "sync-widget" and "mesh-progress". */
export function register(application: Application): Application
