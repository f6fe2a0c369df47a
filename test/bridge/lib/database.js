/*
 * database.js: a private PostgreSQL with the extension in it, and two roles
 * with just the rights that an application and a bridge need.
 */
import { chmodSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Program, guardDirectory, run, signalProcess } from './programs.js'
import { until } from './recorder.js'

const PG_SH = fileURLToPath(new URL('../../../scripts/pg.sh', import.meta.url))

/** Nothing here has to survive a power cut; tests that run side by side have a bridge each, with its connections. */
const SETTINGS = ['fsync=off', 'max_connections=150']

const SETUP = `
  CREATE SCHEMA sync;
  CREATE EXTENSION sync_progress SCHEMA sync;
  GRANT USAGE ON SCHEMA sync TO app, bridge;
  GRANT EXECUTE ON FUNCTION sync.sync_session_start, sync.sync_session_complete, sync.sync_session_fail,
    sync.sync_session_pause, sync.sync_session_resume, sync.sync_session_cancel, sync.sync_session_retry,
    sync.sync_progress_increment, sync.sync_progress_set, sync.sync_progress_token,
    sync.sync_progress_callback_token TO app;
  GRANT EXECUTE ON FUNCTION sync.sync_progress_attach, sync.sync_progress_keys,
    sync.sync_progress_subscribe, sync.sync_progress_snapshots, sync.sync_progress_sessions,
    sync.sync_progress_perform, sync.sync_progress_callback,
    sync.sync_progress_canary TO bridge;`

/**
 * Each change is told at once, so that no test waits for the throttle, and none
 * by itself: that a run has stalled would be, half a minute after its start.
 */
const UNTHROTTLED = `UPDATE sync.sync_kinds
  SET every_count = 1, min_interval = '10 milliseconds', every_interval = '20 milliseconds', stall_after = '1 hour'`

export class Database {
  #dir
  #bindir
  #socketDir
  #guard

  /** throttled: tells as seldom as an installation does. settings: PostgreSQL's, name=value. */
  static async start({ throttled = false, settings = [] } = {}) {
    const database = await Database.#make()
    await database.start(...settings)
    await database.sql('CREATE ROLE app LOGIN; CREATE ROLE bridge LOGIN', { database: 'postgres' })
    await database.sql('CREATE DATABASE app', { database: 'postgres' })
    await database.sql(SETUP)
    if (!throttled) await database.sql(UNTHROTTLED)
    return database
  }

  static async #make() {
    const database = new Database()
    database.#dir = mkdtempSync(join(tmpdir(), 'sync-progress-test.'))
    chmodSync(database.#dir, 0o755)
    database.#guard = guardDirectory(database.#dir, [PG_SH, 'stop', database.#dir])
    database.#bindir = (await run(process.env.PG_CONFIG ?? 'pg_config', ['--bindir'])).trim()
    return database
  }

  /** Starts it; settings are PostgreSQL's, name=value. */
  async start(...settings) {
    await run(PG_SH, ['start', this.#dir, this.#bindir, ...SETTINGS, ...settings])
    this.#socketDir = (await run(PG_SH, ['socket', this.#dir])).trim()
  }

  /** Starts a standby that follows this one. */
  async standby() {
    const standby = await Database.#make()
    await run(PG_SH, ['standby', standby.#dir, standby.#bindir, this.#dir])
    await standby.start()
    return standby
  }

  /** A standby receives nothing more from its primary, however long that lives. */
  async cutOff() {
    await this.sql(`ALTER SYSTEM SET primary_conninfo = ''`)
    await this.sql('SELECT pg_reload_conf()')
    await until(() => this.sql('SELECT count(*) FROM pg_stat_wal_receiver'), count => count === '0', 'the standby is cut off')
  }

  /** A standby becomes a primary. */
  promote() {
    return this.sql('SELECT pg_promote()')
  }

  /** The directory of its socket, which is its host. */
  get host() {
    return this.#socketDir
  }

  /** mode: fast, or immediate (as in a crash). */
  async stop(mode = 'fast') {
    const pid = this.postmaster()
    signalProcess(pid, mode === 'immediate' ? 'SIGQUIT' : 'SIGINT')
    await until(() => this.postmaster(), found => found === null, `the server ends after a ${mode} shutdown`, 30_000)
  }

  async restart(mode) {
    await this.stop(mode)
    await this.start()
  }

  destroy() {
    return this.#guard.release()
  }

  /** The server's process id, null when it does not run. */
  postmaster() {
    try {
      const pid = Number(readFileSync(join(this.#dir, 'data/postmaster.pid'), 'utf8').split('\n')[0])
      return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'postgres' ? pid : null
    } catch {
      return null
    }
  }

  /**
   * Stops the extension's worker while it holds nothing that others would wait
   * for, as it does amid a fold; its process id: SIGCONT lets it go on.
   */
  freezeWorker() {
    // between transactions it looks at what is shared, and waits for its latch when it is done with that
    const rests = `SELECT pid FROM sync.pg_stat_sync_progress JOIN pg_stat_activity ON pid = worker_pid WHERE xact_start IS NULL AND wait_event_type = 'Extension'`
    return until(async () => {
      await this.sql('SELECT sync.sync_progress_flush()')
      const pid = Number(await this.sql(rests))
      if (!pid) return null
      signalProcess(pid, 'SIGSTOP')
      if (Number(await this.sql(rests)) === pid) return pid
      signalProcess(pid, 'SIGCONT')
      return null
    }, pid => pid !== null, 'the worker is stopped')
  }

  conninfo(user = 'bridge', database = 'app') {
    return `host=${this.#socketDir} user=${user} dbname=${database}`
  }

  #psql(user, database) {
    return ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', this.conninfo(user, database)]
  }

  /** Runs statements, all in one transaction; what they return as text, without the last line's end. */
  async sql(text, { user = 'postgres', database = 'app' } = {}) {
    const answer = await run(join(this.#bindir, 'psql'), [...this.#psql(user, database), '-c', text])
    return answer.trimEnd()
  }

  async json(text) {
    return JSON.parse(await this.sql(text))
  }

  /** A psql that reads statements from its stdin, each a transaction of its own. */
  psql(user = 'app') {
    return new Program(join(this.#bindir, 'psql'), this.#psql(user, 'app'))
  }

  // -- what an application does ------------------------------------------------

  /** Starts a run; its id. Arguments are SQL: owner 'alice' and whatever is given. */
  async session(args = 'total_count => 1000', owner = 'alice') {
    return Number(await this.sql(`SELECT sync.sync_session_start('${owner}', ${args})`, { user: 'app' }))
  }

  increment(session, amount = 1) {
    return this.sql(`SELECT sync.sync_progress_increment(${session}, ${amount})`, { user: 'app' })
  }

  complete(session) {
    return this.sql(`SELECT sync.sync_session_complete(${session})`, { user: 'app' })
  }

  token(owner = 'alice', more = '') {
    return this.sql(`SELECT sync.sync_progress_token('${owner}'${more && `, ${more}`})`, { user: 'app' })
  }

  /** Nobody who acts for a client waits for a row for more than a second; here for so many. */
  actionsWait(seconds) {
    return this.sql(`ALTER FUNCTION sync.sync_progress_perform SET lock_timeout = '${seconds}s'`)
  }

  /** The row, as the table has it. */
  row(session) {
    return this.json(`SELECT to_json(s) FROM sync.sync_sessions AS s WHERE id = ${session}`)
  }
}
