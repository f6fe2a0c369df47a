/*
 * rails_markup.js: pages as the Rails applications render them.
 *
 * The widget has all the targets of its document, in Spanish, and the style
 * attributes that a strict policy refuses; the mesh page has the ids of the
 * subscriber and the targets of the controller.
 */
const escape = text => String(text).replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`)

const target = (...names) => `data-sync-widget-target="${names.join(' ')}"`

/** app/views/sync_sessions/_unified_widget.html.erb; session null: nothing is running. */
export function syncWidget({ session = null, inactive = session === null, frame = true, values = {}, lastSync = '' } = {}) {
  const attributes = Object.entries({ 'session-id': session?.id ?? 0, active: session !== null, url: '/sync_status', 'websocket-url': '/cable', ...values })
    .map(([name, value]) => `data-sync-widget-${name}-value="${escape(value)}"`).join(' ')
  const widget = `<section class="card" data-controller="sync-widget" ${attributes}>
    <header class="head">
      <h2>Sincronización de Correos</h2>
      <p ${target('statusText')}>${session ? 'Sincronización en progreso' : 'Sin actividad'}</p>
      ${session ? `<button type="button" ${target('pauseButton')} data-action="sync-widget#togglePause" aria-label="Pausar sincronización"><svg viewBox="0 0 8 8" width="8" height="8" aria-hidden="true"><path d="M1 0h2v8H1zM5 0h2v8H5z"/></svg> Pausar</button>
      <a href="/sync_sessions/${session.id}" data-turbo-frame="_top">Ver detalles</a>` : ''}
    </header>
    <div class="warning hidden" ${target('connectionWarning')}><span ${target('connectionMessage')}>Reconectando...</span></div>
    ${session ? active(session) : ''}
    ${inactive ? idle(lastSync, session !== null) : ''}
  </section>`
  return frame ? `<turbo-frame id="sync_status_widget" class="block">${widget}</turbo-frame>` : widget
}

function active({ processed = 0, total = 0, percentage = 0, detected = 0, errors = 0, accounts = [] }) {
  return `<div ${target('progressSection')}>
    <div class="row"><span>Progreso General</span>
      <span><span ${target('progressPercentage')}>${percentage}%</span> <span ${target('processedCount')}>(${processed}/${total})</span></span></div>
    <div class="track"><div class="fill" ${target('progressBar')} style="width: ${percentage}%"></div>
      <div class="line" ${target('progressIndicator')} style="left: ${percentage}%"></div></div>
    <div class="row small"><span><b ${target('detectedCount')}>${detected}</b> gastos detectados • <b ${target('errorCount')}>${errors}</b> errores</span>
      <span ${target('timeRemaining')}></span></div>
    <ul ${target('accountsList')}>${accounts.map(account).join('')}</ul>
  </div>`
}

function account({ id, name, email = '', processed = 0, total = 0 }) {
  return `<li class="account" ${target('accountItem')} data-account-id="${id}">
    <span class="icon" ${target('accountStatusIcon')}><i class="dot"></i></span>
    <span class="name">${escape(name)} <small>${escape(email)}</small></span>
    <span ${target('accountProgress')}><span ${target('accountCount')}>${processed}/${total}</span>
      <span class="mini"><span class="fill" ${target('accountProgressBar')} style="width: 0%"></span></span></span>
  </li>`
}

function idle(lastSync, isHidden) {
  return `<div ${target('inactiveSection')}${isHidden ? ' class="hidden"' : ''}>
    <p>No hay sincronización activa</p>
    <p ${target('lastSync')}>${lastSync ? `Última sincronización completada hace ${lastSync}` : 'Comienza tu primera sincronización para importar gastos'}</p>
    <form action="/sync_sessions" method="post" data-action="submit->sync-widget#startSync" data-turbo-frame="_top">
      <input type="hidden" name="authenticity_token" value="csrf-42">
      <button type="submit" name="accounts" value="all" data-disable-with="Iniciando...">Sincronizar Todas las Cuentas</button>
    </form>
    <a href="/sync_sessions">Ver Historial</a>
  </div>`
}

/** app/views/meshes/show.html.erb: the controller's targets. */
export function meshPage({ id = 42, values = {}, result = '' } = {}) {
  const attributes = Object.entries({ 'mesh-id': id, url: '/cable', ...values })
    .map(([name, value]) => `data-mesh-progress-${name}-value="${escape(value)}"`).join(' ')
  return `<div class="mesh-progress-container" data-controller="mesh-progress" data-mesh-progress-target="container" ${attributes}>
    <h3>Mesh Generation Progress <span class="dot-connection" data-mesh-progress-target="connection"></span></h3>
    <div class="progress"><div class="progress-bar progress-bar-striped progress-bar-animated" data-mesh-progress-target="progressBar"
      role="progressbar" style="width: 0%" aria-valuenow="0" aria-valuemin="0" aria-valuemax="100">0%</div></div>
    <div class="progress-info"><span class="status" data-mesh-progress-target="status">Initializing...</span>
      <span class="time d-none" data-mesh-progress-target="time">Est. time remaining</span></div>
    <div data-mesh-progress-target="result">${result}</div>
    <button type="button" data-mesh-progress-target="cancelButton" data-action="mesh-progress#cancel">Cancel</button>
    <button type="button" class="d-none" data-mesh-progress-target="retryButton" data-action="mesh-progress#retry">Retry</button>
  </div>`
}

/** What MeshProgressSubscriber looks for, and BatchProgressSubscriber. */
export function subscriberPage(name = 'mesh', id = 42) {
  return `<div id="${name}-${id}-progress" class="progress-bar" style="width: 0%"></div><p id="${name}-${id}-status"></p><p id="${name}-${id}-time"></p>`
}

export const STYLE = `
  body { margin: 1rem; font: 15px/1.5 system-ui, "Noto Sans", "DejaVu Sans", sans-serif; color: #0f172a; max-width: 46rem }
  .hidden, .d-none { display: none !important }
  turbo-frame { display: block }
  .card { position: relative; border: 1px solid #e2e8f0; border-radius: .75rem; overflow: hidden; padding: 1rem }
  .head { display: flex; gap: .75rem; align-items: center; background: linear-gradient(#f0fdfa, #fff); flex-wrap: wrap } .head h2 { font-size: 1.1rem; margin: 0 } .head p { margin: 0; flex: 1 }
  .warning { background: #fffbeb; color: #92400e; border: 1px solid #fde68a; padding: .5rem; border-radius: .5rem; margin: .5rem 0 }
  .row { display: flex; justify-content: space-between; margin: .5rem 0 } .small { font-size: .85rem; color: #475569 }
  .track { position: relative; height: .75rem; background: #e2e8f0; border-radius: 1rem } .fill { display: block; height: 100%; background: #0f766e; border-radius: 1rem; transition: width .5s ease-out }
  .line { position: absolute; top: 0; width: 2px; height: 100%; background: #134e4a80; transition: left .5s ease-out }
  ul { list-style: none; padding: 0 } .account { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; padding: .25rem 0 } .account .name { flex: 1 } .account p { flex-basis: 100%; margin: 0 } .mini { display: inline-block; width: 6rem; height: .25rem; background: #f1f5f9 }
  .dot { display: inline-block; width: .5rem; height: .5rem; border-radius: 50%; background: #64748b } .icon { width: 1rem; display: inline-flex }
  .text-teal-600 { color: #0d9488 } .text-emerald-600 { color: #059669 } .text-rose-600 { color: #e11d48 } .text-slate-400 { color: #94a3b8 } .text-xs { font-size: .75rem } .flex { display: flex; align-items: center } .mr-1 { margin-right: .25rem }
  .mesh-progress-container { padding: 1.5rem; border: 1px solid #e0e0e0; border-radius: 8px; background: #f8f9fa; margin: 1rem 0 }
  .processing { border-color: #0d6efd; background: #e7f1ff } .completed { border-color: #198754; background: #d1e7dd } .failed { border-color: #dc3545; background: #f8d7da }
  .dot-connection { display: inline-block; width: 10px; height: 10px; border-radius: 50%; background: #6c757d } .dot-connection.connected { background: #198754 }
  .progress { background: #e9ecef; border-radius: 4px; overflow: hidden } .progress-bar { background: #0d6efd; color: #fff; text-align: center; white-space: nowrap; transition: width .6s }
  .progress-info { display: flex; justify-content: space-between; font-size: .875rem; color: #6c757d; margin: .5rem 0 } .status { font-weight: 500 }`
