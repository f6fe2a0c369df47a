/*
 * texts.js: what the widget says.
 *
 * A name may be said differently for one kind of run, as "mesh.heading".  Where
 * one and many differ there is a "|" between them.  English is here; another
 * language is a module of its own, loaded by the pages that speak it, and until
 * it is there nothing is shown: better late than in two languages.  An
 * element's own texts replace any of them.
 */
const EN = {
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
  skipped: 'Not started',
  idle: 'No activity',
  refused: 'Not available',
  refusedText: 'It does not exist, or you may not see it.',
  error: '{error}',
  'mesh.error': 'Failed: {error}',
  overall: 'Overall progress',
  soFar: '{n} so far',
  remaining: 'Time remaining: {time}',
  'mesh.remaining': 'Est. {time} remaining',
  stalled: 'No progress at the moment',
  stalledFor: 'No progress for {time}',
  detected: '{n} detected',
  errors: '1 error|{n} errors',
  inserted: '{n} inserted',
  updated: '{n} updated',
  deleted: '{n} deleted',
  kept: '{n} kept',
  skippedCount: '{n} skipped',
  age: 'Updated {time}',
  took: 'Took {time}',
  result: 'Open the result',
  accounts: 'Accounts',
  reconnecting: 'Reconnecting...',
  offline: 'No network connection',
  closed: 'Disconnected',
  rejected: 'The connection was refused',
  reconnected: 'Connected again',
  pause: 'Pause',
  pauseLabel: 'Pause sync',
  resume: 'Resume',
  resumeLabel: 'Resume sync',
  cancel: 'Cancel',
  retry: 'Try again',
  notDone: 'That did not work: {error}',
  details: 'View details',
  history: 'View history',
  start: 'Start sync',
  startAll: 'Sync all accounts',
  starting: 'Starting...',
  none: 'No active sync',
  last: 'Last sync completed {time} ago',
  first: 'Start your first sync to import expenses'
}

const loaders = { es: () => import('./texts_es.js') }
const loaded = { en: EN }

/** The texts of a language, or, the first time, a promise of them; English for all others. */
export function textsOf(language) {
  if (!loaders[language]) return EN
  return loaded[language] ?? loaders[language]().then(
    module => { loaded[language] = { ...EN, ...module.default } },
    () => { loaded[language] = EN }
  )
}

/** A text with its values put in; n chooses between one and many. */
export function phrase(text, values = {}) {
  const [one, many = one] = text.split('|')
  return (values.n === '1' ? one : many).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '')
}
