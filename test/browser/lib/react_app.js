/*
 * react_app.js: the script of a page with React, driven by a test.
 */
import { createElement as h, Fragment, Profiler, startTransition, StrictMode } from 'react'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { useSyncProgress } from '../../../client/react.js'
import { calls, sceneOf } from './react_scenes.js'

const container = document.getElementById('root')
let root = null
let commits = 0

function tree(name, { strict = true, ...props } = {}) {
  const profiled = h(Profiler, { id: 'all', onRender: () => { commits += 1 } }, sceneOf(name, props))
  return h(strict ? StrictMode : Fragment, null, profiled)
}

Object.assign(globalThis, {
  calls,
  useSyncProgress,
  commits: () => commits,
  show(name, props) {
    root ??= createRoot(container)
    root.render(tree(name, props))
  },
  showInTransition(name, props) {
    startTransition(() => root.render(tree(name, props)))
  },
  hydrate(name, props) {
    root = hydrateRoot(container, tree(name, props), { onRecoverableError: error => console.error(error) })
  },
  leave() {
    root.unmount()
    root = null
  },
  called: name => calls.filter(([each]) => each === name).map(([, ...args]) => args)
})
document.documentElement.dataset.ready = ''
