/*
 * cuttable_socket.js: WebSockets that can be cut, as a tunnel or a bad network
 * would.
 *
 * Tabs share one connection, and only the one that holds it has something to
 * cut; so the word goes to all of them.
 */
const CUT_MS = 10_000

const open = new Set()
const word = typeof BroadcastChannel === 'function' ? new BroadcastChannel('sync-progress-demo-cut') : null
let cutUntil = 0

export class CuttableSocket extends WebSocket {
  constructor(...args) {
    if (performance.now() < cutUntil) throw new Error('the connection is cut')
    super(...args)
    open.add(this)
    this.addEventListener('close', () => open.delete(this))
  }
}

/** Cuts what is open, in all tabs, and lets nothing be opened for 10 s. */
export function cut() {
  word?.postMessage('cut')
  cutHere()
}

function cutHere() {
  cutUntil = performance.now() + CUT_MS
  for (const socket of open) socket.close()
}

word?.addEventListener('message', cutHere)
