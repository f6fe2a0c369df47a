/*
 * bystander.js: a client that does nothing wrong, and must notice nothing of
 * those who do.
 */
import { RawClient, identifierOf } from './raw_client.js'

export class Bystander {
  #database
  #client
  #counted = 0

  static async of(database, bridge, token) {
    const bystander = new Bystander()
    bystander.#database = database
    bystander.session = await database.session('total_count => 1000000')
    bystander.#client = await RawClient.welcomed(bridge.cable(token))
    await bystander.#client.watch(identifierOf(bystander.session))
    return bystander
  }

  /** Messages still come to it, each in its time; how long this one took. */
  async isServed() {
    const counted = ++this.#counted
    const started = performance.now()
    await this.#database.increment(this.session, 1)
    await this.#client.message(identifierOf(this.session), ({ processed_count: count }) => count === counted)
    return performance.now() - started
  }

  close() {
    this.#client.close()
  }
}
