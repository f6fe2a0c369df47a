/*
 * event_parser.js: the text of a stream of server-sent events, as it arrives in
 * pieces, into its messages.
 *
 * For who reads such a stream by fetch(), which can send a token in a header
 * and can be told from a refusal, as EventSource cannot.  The rules are those
 * of the HTML standard; only a byte-order mark is left to the decoder.
 *
 * Pure.
 */
export class EventParser {
  /** The id that came last, '' before any: what to ask for after a loss. */
  lastId = ''
  /** When to come again, as the server said last; null: it did not. */
  retryMs = null
  #rest = ''
  #data = []
  #id = null

  /** What is complete by now: [{ id, data }] */
  push(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop()
    const messages = []
    for (const line of lines) {
      if (line === '') this.#dispatch(messages)
      else this.#field(line)
    }
    return messages
  }

  /** A new answer begins; what was not complete is void. */
  restart() {
    this.#rest = ''
    this.#data = []
    this.#id = null
  }

  #field(line) {
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line)
    if (name === 'data') this.#data.push(value)
    else if (name === 'id' && !value.includes('\0')) this.#id = value
    else if (name === 'retry' && /^\d+$/.test(value)) this.retryMs = Number(value)
    // A line without a name is a comment.
  }

  #dispatch(messages) {
    if (this.#id !== null) this.lastId = this.#id
    if (this.#data.length) messages.push({ id: this.#id, data: this.#data.join('\n') })
    this.#data = []
    this.#id = null
  }
}
