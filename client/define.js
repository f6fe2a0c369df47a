/*
 * define.js: names the element, and does nothing else; where there is no DOM, not even that.
 */
import { SyncProgressElement } from './element.js'

export { SyncProgressElement }

const { customElements } = globalThis
if (customElements && !customElements.get('sync-progress')) customElements.define('sync-progress', SyncProgressElement)
