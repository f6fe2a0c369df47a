/*
 * sync_widget_texts.js: what the controllers write into a page that the server
 * has rendered; all else there was said by the server.
 *
 * Spanish and English; a controller's static texts replace any of them.
 */
const ES = {
  processing: 'Sincronización en progreso',
  pending: 'Iniciando...',
  paused: 'Sincronización en pausa',
  completed: 'Sincronización completada',
  failed: 'La sincronización falló',
  failedBecause: 'La sincronización falló: {error}',
  cancelled: 'Sincronización cancelada',
  idle: 'Sin actividad',
  pause: 'Pausar',
  pauseLabel: 'Pausar sincronización',
  resume: 'Reanudar',
  resumeLabel: 'Reanudar sincronización',
  starting: 'Iniciando...',
  remaining: '{time} restante',
  lastSync: 'Última sincronización completada hace {time}',
  overall: 'Progreso General',
  reconnecting: 'Reconectando...',
  offline: 'Sin conexión a la red',
  closed: 'Desconectado',
  rejected: 'La conexión fue rechazada',
  refused: 'No existe o no tiene permiso para verla',
  reconnected: 'Conexión recuperada',
  notDone: 'No se pudo: {error}',
  account: { pending: 'Pendiente', processing: 'En progreso', paused: 'En pausa', completed: 'Completada', failed: 'Con error', cancelled: 'Cancelada', stopped: 'Detenida' }
}

const EN = {
  processing: 'Sync in progress',
  pending: 'Starting...',
  paused: 'Sync paused',
  completed: 'Sync completed',
  failed: 'The sync failed',
  failedBecause: 'The sync failed: {error}',
  cancelled: 'Sync cancelled',
  idle: 'No activity',
  pause: 'Pause',
  pauseLabel: 'Pause sync',
  resume: 'Resume',
  resumeLabel: 'Resume sync',
  starting: 'Starting...',
  remaining: '{time} remaining',
  lastSync: 'Last sync completed {time} ago',
  overall: 'Overall progress',
  reconnecting: 'Reconnecting...',
  offline: 'No network connection',
  closed: 'Disconnected',
  rejected: 'The connection was refused',
  refused: 'It does not exist, or you may not see it',
  reconnected: 'Connected again',
  notDone: 'That did not work: {error}',
  account: { pending: 'Waiting', processing: 'In progress', paused: 'Paused', completed: 'Completed', failed: 'Failed', cancelled: 'Cancelled', stopped: 'Stopped' }
}

/** The texts of a language, "es-CR"; Spanish, unless it is English. */
export function widgetTexts(language, overrides = {}) {
  const texts = /^en\b/i.test(language) ? EN : ES
  return { ...texts, ...overrides, account: { ...texts.account, ...overrides.account } }
}
