/*
 * react_server.js: what renders the scenes on a server.
 */
import { createElement as h, Fragment, Profiler, StrictMode } from 'react'
import { renderToString } from 'react-dom/server'
import { sceneOf } from './react_scenes.js'

export function render(name, { strict = true, ...props } = {}) {
  const profiled = h(Profiler, { id: 'all', onRender() {} }, sceneOf(name, props))
  return renderToString(h(strict ? StrictMode : Fragment, null, profiled))
}
