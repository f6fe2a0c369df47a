/*
 * site.js: a PostgreSQL with sessions of a measuring kind, and bridges on it.
 *
 * A state of this kind is a number that grows by one with each increment, the
 * time it was made, and padding up to the session's total_count in bytes.
 */
import { writeFileSync } from 'node:fs'
import { Bridge } from '../../bridge/lib/bridge.js'
import { Database } from '../../bridge/lib/database.js'
import { jwt, secondsFromNow } from '../../bridge/lib/jwt.js'

const KIND = `
  GRANT SELECT ON sync.sync_sessions TO app;
  GRANT EXECUTE ON FUNCTION sync.sync_may_watch, sync.sync_progress_increment_many TO app;
  GRANT pg_read_all_stats TO app;
  CREATE SCHEMA bench AUTHORIZATION app;
  SET ROLE app;
  CREATE FUNCTION bench.payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE AS $$
    SELECT s.id, pg_catalog.format('{"seq":%s,"sent_at":%s,"pad":"%s"}', s.processed_count, extract(epoch FROM clock_timestamp()),
      repeat('x', greatest(0, s.total_count::integer - 48)))::json
    FROM sync.sync_sessions AS s WHERE s.id = ANY (session_ids)
  $$;
  CREATE FUNCTION bench.may_watch(session_id bigint, claims jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT sync.sync_may_watch(session_id, claims)
  $$;
  RESET ROLE;
  INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function, every_count, min_interval, every_interval)
  VALUES ('bench', 'BenchChannel', 'session_id', 'bench.payload(bigint[])', 'bench.may_watch(bigint, jsonb)', 1, '10 milliseconds', '20 milliseconds');`

export class Site {
  #database
  #psql
  #directory

  static async start(directory) {
    const site = new Site()
    site.#directory = directory
    site.#database = await Database.start()
    await site.sql("ALTER SYSTEM SET shared_preload_libraries = sync_progress, pg_stat_statements")
    await site.#database.restart()
    await site.sql(`CREATE EXTENSION pg_stat_statements; ${KIND}`)
    site.#psql = site.#database.psql()
    return site
  }

  async stop() {
    await this.#psql.end()
    await this.#database.destroy()
  }

  sql(text) {
    return this.#database.sql(text)
  }

  /** New sessions with states of so many bytes; the ids, which follow one another. */
  async sessions(count, bytes, owner = "'bench'") {
    const ids = await this.sql(`SELECT min(id), max(id) FROM (
      SELECT sync.sync_session_start(${owner}, kind => 'bench', total_count => ${bytes}) AS id FROM generate_series(1, ${count}) AS n) AS new`)
    const [first, last] = ids.split('|').map(Number)
    return { first, last, range: `${first}-${last}` }
  }

  /** Counts one on a session, without waiting for it. */
  increment(id) {
    this.#psql.stdin.write(`SELECT sync.sync_progress_increment(${id});\n`)
  }

  /** Counts one on each of these, likewise. */
  incrementRange(first, last) {
    this.#psql.stdin.write(`SELECT count(sync.sync_progress_increment(id)) FROM generate_series(${first}, ${last}) AS id;\n`)
  }

  /** Counts one on all of them, and waits for it. */
  incrementAll({ first, last }) {
    return this.sql(`SELECT count(sync.sync_progress_increment(id)) FROM generate_series(${first}, ${last}) AS id`)
  }

  /** A file of as many tokens, each of a different user who may watch everything. */
  async tokens(count) {
    const { kid, jwk } = JSON.parse(await this.sql("SELECT to_json(k) FROM sync.sync_progress_keys() AS k WHERE alg = 'HS256' LIMIT 1"))
    const { k } = typeof jwk === 'string' ? JSON.parse(jwk) : jwk
    const path = `${this.#directory}/tokens`
    const lines = Array.from({ length: count }, (_, i) =>
      jwt({ alg: 'HS256', kid, typ: 'JWT' }, { sub: `user-${i}`, scope: ['read', 'admin'], iat: secondsFromNow(0), exp: secondsFromNow(7200) }, k))
    writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 })
    return path
  }

  /** A bridge; its limits are out of the way, by settings that everybody has. */
  bridge(args = []) {
    return Bridge.start(this.#database.conninfo(), ['--max-connections', '19000', '--max-connections-per-address', '0', '--accepts-per-second', '0', ...args])
  }

  /** How many queries bridges have sent since the last call of forgetQueries(). */
  async queries() {
    return Number(await this.sql("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE userid = 'bridge'::regrole"))
  }

  forgetQueries() {
    return this.sql('SELECT pg_stat_statements_reset()')
  }
}

/** How the load client subscribes to sessions of the kind. */
export const SUBSCRIBE = JSON.stringify({ command: 'subscribe', identifier: '{"channel":"BenchChannel","session_id":%d}' })
export const PROTOCOL = 'actioncable-v1-json'
