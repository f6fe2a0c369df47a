/*
 * list_tab.js: a tab with pages/list.js in it.
 */
import assert from 'node:assert/strict'
import { until } from '../../bridge/lib/recorder.js'

export class ListTab {
  constructor(tab) {
    this.tab = tab
  }

  static async open(world, context, options) {
    const address = `${world.front.origin}/list.html#${encodeURIComponent(JSON.stringify(options))}`
    const page = new ListTab(await context.open(address))
    await until(() => page.call(() => globalThis.list?.snapshot().isLoaded), loaded => loaded, 'the list is there')
    // a reload would lose it
    await page.call(() => { globalThis.loadedOnce = true })
    return page
  }

  call(action, ...args) {
    return this.tab.call(action, ...args)
  }

  /** Does an edit as a person does; whether it was done. */
  edit(action, ...args) {
    return this.call((action, args) => globalThis.list[action](...args), action, args)
  }

  rows() {
    return this.call(() => globalThis.rows())
  }

  /** Waits until a reader sees these rows: [id, title, pinned]. */
  async shows(expected) {
    const wanted = JSON.stringify(expected)
    await until(() => this.rows(), rows => JSON.stringify(rows) === wanted, `a tab shows ${wanted}`)
  }

  /**
   * Waits for a title; when it was heard of and shown.  A tab that was between
   * two leaders is told to read the list again instead: it has not heard.
   */
  sees(title) {
    return until(() => this.call(title => ({
      heard: globalThis.heard.find(each => each.title === title)?.at,
      shown: globalThis.shown[title],
      reloaded: globalThis.heard.findLast(({ name }) => name === 'sessions_reloaded')?.at
    }), title), ({ heard, shown, reloaded }) => shown && (heard || reloaded > shown - 3_000), `a tab shows ${title}`)
  }

  reads() {
    return this.call(() => globalThis.reads)
  }

  /** Whether no reload follows any more: one would within half a second. */
  rests() {
    return this.call(async () => {
      const before = globalThis.reads
      await new Promise(resolve => setTimeout(resolve, 700))
      return globalThis.reads === before
    })
  }

  async assertSound() {
    const { violations, loadedOnce } = await this.call(() => ({ violations: globalThis.violations, loadedOnce: globalThis.loadedOnce }))
    assert.deepEqual([...violations, ...this.tab.problems], [])
    assert.ok(loadedOnce, 'the page was not loaded again')
  }
}

export function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]
}
