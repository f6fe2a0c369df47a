/*
 * element_texts.js: what the frame of the widget says.
 *
 * A name may be said differently for one kind of run, as "mesh.heading".  Where
 * one and many differ there is a "|" between them.  The modules have English
 * texts of their own; another language is one module for all of them, loaded by
 * the pages that speak it.  An element's own texts replace any.
 */
export const TEXTS = {
  heading: 'Progress',
  'sync.heading': 'Email Sync Status',
  'mesh.heading': 'Mesh Generation Progress',
  loading: 'Loading…',
  pending: 'Waiting to start',
  'mesh.pending': 'Initializing...',
  processing: 'In progress',
  'sync.processing': 'Sync in progress',
  paused: 'Paused',
  completed: 'Completed',
  'mesh.completed': 'Mesh generation completed!',
  failed: 'Failed',
  cancelled: 'Cancelled',
  refused: 'It does not exist, or you may not see it.',
  error: '{error}',
  'mesh.error': 'Failed: {error}',
  overall: 'Overall progress',
  counts: '{n} of {total}',
  soFar: '{n} so far',
  stale: 'Reconnecting...',
  backoff: 'Reconnecting...',
  offline: 'No network connection',
  closed: 'Disconnected',
  rejected: 'Connection refused'
}

/** A text with its values put in; n chooses between one and many. */
export function phrase(text, values = {}) {
  const [one, many = one] = text.split('|')
  return (values.n === '1' ? one : many).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '')
}

const formats = {}

/** How numbers are written there.  Kept, since making one costs more than many uses. */
export function numbers(locale, style) {
  return (formats[locale + style] ??= new Intl.NumberFormat(locale, { style })).format
}
