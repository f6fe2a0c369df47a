/*
 * sync_widget_view.js: a state, in the targets of the widget that the server
 * has rendered.
 *
 * Each target may be missing, and each may be there more than once.  Nothing is
 * remembered of what was shown: the page itself is compared with what it should
 * be, so that a page that was morphed, or came from a cache, is put right by
 * showing the state again.  Only the speaker remembers, for it tells changes.
 */
import { AccountRows } from './account_rows.js'
import { fractionOf, hasEnded, normalise, number } from './payloads.js'
import { fill, setAttribute, setBar, setLabel, setLength, setNumbers, setShown, setStyle, setText } from './server_markup.js'
import { Speaker } from './speaker.js'
import { timeInWords } from './time_in_words.js'

/** What the targets need of a payload; null if it is none. */
export function stateOf(payload) {
  const record = normalise(payload)
  return record && {
    ...record,
    detected: number(payload.detected_count),
    errors: number(payload.error_count),
    eta: number(payload.eta_seconds ?? payload.time_remaining)
  }
}

export class SyncWidgetView {
  #controller
  #texts
  #language
  #rows
  #speaker

  constructor(controller, texts, language) {
    this.#controller = controller
    this.#texts = texts
    this.#language = language
    this.#rows = new AccountRows({ identifier: controller.identifier, texts })
    this.#speaker = new Speaker(controller.element)
  }

  /** The targets of that name. */
  #each(name, visit) {
    for (const element of this.#controller[`${name}Targets`]) visit(element)
  }

  /** The lengths that style attributes could not give, from the texts beside them. */
  prepare() {
    const [percentage] = this.#controller.progressPercentageTargets
    const percent = parseInt(percentage?.textContent.match(/\d+/)?.[0], 10)
    if (Number.isFinite(percent)) this.#bar(percent)
    this.#each('accountItem', row => {
      const numbers = row.querySelector(`[data-${this.#controller.identifier}-target~="accountCount"]`)?.textContent.match(/\d+/g)
      const bar = row.querySelector(`[data-${this.#controller.identifier}-target~="accountProgressBar"]`)
      if (bar && numbers?.length === 2) setLength(bar, numbers[1] > 0 ? Math.min(100, 100 * numbers[0] / numbers[1]) : 0)
    })
  }

  /** Whether the server had counted more than this state, which was kept from earlier. */
  isAheadOf({ done }) {
    const [count] = this.#controller.processedCountTargets
    return parseInt(count?.textContent.match(/\d[\d.,]*/)?.[0].replace(/\D/g, ''), 10) > done
  }

  showActive(state) {
    this.#sections(true)
    const { status, percent, done, total, detected, errors } = state
    const fraction = fractionOf(state)
    this.#each('statusText', element => setText(element, this.#statusText(state)))
    this.#each('progressPercentage', element => setNumbers(element, [percent], percent => `${percent}%`))
    this.#each('processedCount', element => setNumbers(element, [done, total], (done, total) => `${done}/${total}`))
    this.#each('detectedCount', element => setNumbers(element, [detected], String))
    this.#each('errorCount', element => setNumbers(element, [errors], String))
    this.#bar(fraction === null ? null : 100 * fraction)
    this.#remaining(state)
    this.#pauseButton(state)
    this.#rows.show(this.#controller.accountItemTargets, this.#controller.accountsListTargets[0], hasEnded(status) ? state.accounts.map(stopped) : state.accounts)
    this.#speak(state)
  }

  /** No run; secondsAgo: since the last one was completed, null if that is not known. */
  showIdle(secondsAgo = null) {
    this.#sections(false)
    this.#each('statusText', element => setText(element, this.#texts.idle))
    this.#each('pauseButton', element => setShown(element, false))
    if (secondsAgo === null) return
    this.#each('lastSync', element => setText(element, fill(this.#texts.lastSync, { time: timeInWords(secondsAgo, this.#language) })))
  }

  /** A notice about the connection, or about an action that failed; null: none. */
  showNotice(text) {
    this.#each('connectionWarning', element => setShown(element, text !== null))
    if (text !== null) this.#each('connectionMessage', element => setText(element, text))
  }

  say(text) {
    this.#speaker.say(text)
  }

  get texts() {
    return this.#texts
  }

  // A widget with one section only shows that, whatever there is.
  #sections(isActive) {
    const { hasInactiveSectionTarget, hasProgressSectionTarget } = this.#controller
    if (hasProgressSectionTarget) this.#each('progressSection', element => setShown(element, isActive || !hasInactiveSectionTarget))
    if (hasInactiveSectionTarget) this.#each('inactiveSection', element => setShown(element, !isActive || !hasProgressSectionTarget))
  }

  #bar(percent) {
    this.#each('progressBar', element => setBar(element, percent, this.#texts.overall))
    this.#each('progressIndicator', element => {
      setStyle(element, 'left', `${percent ?? 0}%`)
      setShown(element, percent !== null)
    })
  }

  #statusText({ status, error }) {
    if (status === 'failed' && error) return fill(this.#texts.failedBecause, { error })
    return this.#texts[status] ?? status
  }

  #remaining({ status, eta }) {
    const time = status === 'processing' ? timeInWords(eta, this.#language) : ''
    this.#each('timeRemaining', element => {
      setText(element, time && fill(this.#texts.remaining, { time }))
      setShown(element, time !== '')
    })
  }

  #pauseButton({ status }) {
    const isPaused = status === 'paused'
    this.#each('pauseButton', button => {
      setShown(button, isPaused || status === 'processing' || status === 'pending')
      setLabel(button, isPaused ? this.#texts.resume : this.#texts.pause)
      setAttribute(button, 'aria-label', isPaused ? this.#texts.resumeLabel : this.#texts.pauseLabel)
    })
  }

  #speak(state) {
    const { id, status, percent } = state
    this.#speaker.tell({ run: id, status, percent, text: this.#statusText(state), percentText: percent === null ? '' : `${percent}%` })
  }
}

// Nothing goes on in a run that has ended.
function stopped(account) {
  return hasEnded(account.status) || account.status === 'pending' ? account : { ...account, status: 'stopped' }
}
