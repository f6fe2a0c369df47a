import { ConnectionState, StateChangeEvent, SyncProgressClient } from './index.js'

export type ElementAction = 'pause' | 'resume' | 'cancel' | 'retry' | 'start'

/** What the widget says, by name: see element_texts.js. "mesh.heading" is for runs of kind mesh only; "1 error|{n} errors". */
export type ElementTexts = Record<string, string>

export interface SyncProgressEventMap {
  /** A button was pressed. preventDefault(): the page does it itself. */
  'sync-progress:action': CustomEvent<{ action: ElementAction }>
  /** Something was drawn. */
  'sync-progress:update': CustomEvent<{ payload: unknown }>
  /** The run that was shown has ended well. */
  'sync-progress:complete': CustomEvent<{ payload: unknown }>
  'sync-progress:failed': CustomEvent<{ payload: unknown }>
  'sync-progress:connection': CustomEvent<StateChangeEvent>
  /** An action was refused; status 0: no answer. */
  'sync-progress:error': CustomEvent<{ action: string, status: number, error: string, hint: string | null, current: object | null }>
}

/**
 * Attributes: channel, session-id, source-id, url, token, token-url, payload, locale, theme, heading, actions,
 * action-url, start-url, details-url, history-url, accounts, sparkline, times.
 */
export class SyncProgressElement extends HTMLElement {
  /** What attributes say where they are not there. */
  static defaults: Record<string, string>
  static readonly observedAttributes: readonly string[]
  get client(): SyncProgressClient | undefined
  set client(client: SyncProgressClient | undefined)
  /** The state that is shown. One that is set is shown whatever was there before. */
  get payload(): unknown
  set payload(payload: unknown)
  get texts(): Partial<ElementTexts> | undefined
  set texts(texts: Partial<ElementTexts> | undefined)
  /** Does what the button of that name does. */
  act(action: ElementAction): Promise<void>
  addEventListener<Type extends keyof SyncProgressEventMap>(
    type: Type,
    listener: (this: SyncProgressElement, event: SyncProgressEventMap[Type]) => void,
    options?: boolean | AddEventListenerOptions
  ): void
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void
}

declare global {
  interface HTMLElementEventMap extends SyncProgressEventMap {}
  interface DocumentEventMap extends SyncProgressEventMap {}
  interface HTMLElementTagNameMap {
    'sync-progress': SyncProgressElement
  }
}

export { ConnectionState }
