/*
 * session_texts.js: what is said of edits of a list.
 */
const TEXTS = {
  en: {
    conflict: 'Conversation changed in another tab',
    reload: 'Reload',
    renamed: 'Conversation renamed',
    renameFailed: 'The conversation could not be renamed',
    pinned: 'Conversation pinned',
    unpinned: 'Conversation unpinned',
    pinFailed: 'The conversation could not be pinned',
    unpinFailed: 'The conversation could not be unpinned',
    deleted: 'Conversation deleted',
    deleteFailed: 'The conversation could not be deleted'
  },
  es: {
    conflict: 'Conversación modificada en otra pestaña',
    reload: 'Recargar',
    renamed: 'Conversación renombrada',
    renameFailed: 'Error al renombrar la conversación',
    pinned: 'Conversación fijada',
    unpinned: 'Conversación desfijada',
    pinFailed: 'Error al fijar la conversación',
    unpinFailed: 'Error al desfijar la conversación',
    deleted: 'Conversación eliminada',
    deleteFailed: 'Error al eliminar la conversación'
  }
}

/**
 * In the language of a locale like "es-CR", with others in place of those that are given.  A page's
 * lang may be anything ("es_CR"): that must not be a reason to show no list.
 */
export function sessionTexts(locale = 'en', overrides = {}) {
  return { ...(/^es\b|^es_/i.test(locale) ? TEXTS.es : TEXTS.en), ...overrides }
}
