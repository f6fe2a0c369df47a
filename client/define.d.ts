export { SyncProgressElement } from './element.js'
