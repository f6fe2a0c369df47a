
-- ---------------------------------------------------------------------------
-- For administrators: what the worker does
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_progress_stat_1_1(OUT worker_pid integer, OUT worker_beat timestamptz, OUT attached integer,
	OUT folds bigint, OUT fold_ms double precision, OUT last_fold_ms double precision, OUT increments_folded bigint,
	OUT notifications bigint, OUT suppressed bigint, OUT discarded bigint, OUT backed_off bigint, OUT last_error text,
	OUT blocked_by integer, OUT sessions_tracked integer, OUT sessions_waiting integer, OUT max_sessions integer,
	OUT current_heap integer, OUT notify_p50_ms double precision, OUT notify_p95_ms double precision, OUT notify_p99_ms double precision,
	OUT stats_reset timestamptz, OUT live_counters integer, OUT max_live_counters integer, OUT live_fallbacks bigint,
	OUT eta_sessions bigint, OUT eta_estimates bigint, OUT eta_mape double precision, OUT eta_within_25 double precision, OUT eta_bias double precision,
	OUT worker_started timestamptz, OUT worker_starts integer,
	OUT fold_p50_ms double precision, OUT fold_p95_ms double precision, OUT fold_p99_ms double precision,
	OUT backed_off_locked bigint, OUT backed_off_failed bigint, OUT backed_off_untold bigint, OUT backed_off_unknown bigint,
	OUT last_error_at timestamptz, OUT blocked_session bigint, OUT blocked_at timestamptz,
	OUT sessions_held integer, OUT late_ms double precision,
	OUT server_sessions integer, OUT server_sessions_needed integer, OUT server_live_counters integer,
	OUT ledger_rows bigint, OUT ledger_rows_exact boolean, OUT ledger_rows_uncommitted bigint, OUT ledger_bytes bigint,
	OUT ledger_heaps integer, OUT ledger_heaps_undrained integer, OUT ledger_heaps_held integer,
	OUT shared_memory_bytes bigint, OUT shared_memory_used_bytes bigint)
LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'sync_progress_stat_1_1';
COMMENT ON FUNCTION sync_progress_stat_1_1 IS 'Internal: what the view pg_stat_sync_progress shows';

CREATE OR REPLACE VIEW pg_stat_sync_progress AS
	SELECT s.worker_pid, s.worker_beat, s.attached, s.folds, round(s.fold_ms::numeric, 3) AS fold_ms, round(s.last_fold_ms::numeric, 3) AS last_fold_ms,
		s.increments_folded, s.notifications, s.suppressed, s.discarded, s.backed_off, s.last_error, s.blocked_by,
		s.sessions_tracked, s.sessions_waiting, s.max_sessions, s.current_heap,
		s.live_counters, s.max_live_counters, s.live_fallbacks,
		round(s.notify_p50_ms::numeric, 3) AS notify_p50_ms, round(s.notify_p95_ms::numeric, 3) AS notify_p95_ms,
		round(s.notify_p99_ms::numeric, 3) AS notify_p99_ms, s.stats_reset, s.ledger_bytes,
		s.eta_sessions, s.eta_estimates, round(s.eta_mape::numeric, 1) AS eta_mape, round(s.eta_within_25::numeric, 1) AS eta_within_25,
		round(s.eta_bias::numeric, 2) AS eta_bias,
		s.worker_started, s.worker_starts,
		round(s.fold_p50_ms::numeric, 3) AS fold_p50_ms, round(s.fold_p95_ms::numeric, 3) AS fold_p95_ms, round(s.fold_p99_ms::numeric, 3) AS fold_p99_ms,
		s.backed_off_locked, s.backed_off_failed, s.backed_off_untold, s.backed_off_unknown,
		s.last_error_at, s.blocked_session, s.blocked_at, s.sessions_held, round(s.late_ms::numeric, 3) AS late_ms,
		s.server_sessions, s.server_sessions_needed, s.server_live_counters,
		s.ledger_rows, s.ledger_rows_exact, s.ledger_rows_uncommitted, s.ledger_heaps, s.ledger_heaps_undrained, s.ledger_heaps_held,
		s.shared_memory_bytes, s.shared_memory_used_bytes, round(100 * pg_notification_queue_usage()::numeric, 3) AS notify_queue_percent
	FROM sync_progress_stat_1_1() AS s;
COMMENT ON VIEW pg_stat_sync_progress IS 'What the worker of this database has done, and what waits for it: one row. Milliseconds, bytes and percent are in the columns'' names; counts are since stats_reset';

COMMENT ON COLUMN pg_stat_sync_progress.backed_off IS 'Folds put off; why is in the backed_off_* columns';
COMMENT ON COLUMN pg_stat_sync_progress.blocked_by IS 'Pid of who holds a session''s row locked (blocked_session); NULL: nobody, or a prepared transaction';
COMMENT ON COLUMN pg_stat_sync_progress.ledger_bytes IS 'Size of the ledger in bytes, with rows that are folded and not yet cleared away';
COMMENT ON COLUMN pg_stat_sync_progress.worker_started IS 'When the worker began, or the last one that there was';
COMMENT ON COLUMN pg_stat_sync_progress.worker_starts IS 'How many workers have begun in the last minute (8: or more): above 2, they do not stay';
COMMENT ON COLUMN pg_stat_sync_progress.fold_p50_ms IS 'Milliseconds that a transaction which folds a batch takes: median, to a fifth';
COMMENT ON COLUMN pg_stat_sync_progress.fold_p95_ms IS 'Likewise, 95 of 100';
COMMENT ON COLUMN pg_stat_sync_progress.fold_p99_ms IS 'Likewise, 99 of 100';
COMMENT ON COLUMN pg_stat_sync_progress.backed_off_locked IS 'Folds put off because somebody held the session''s row';
COMMENT ON COLUMN pg_stat_sync_progress.backed_off_failed IS 'Folds put off because they failed: see last_error';
COMMENT ON COLUMN pg_stat_sync_progress.backed_off_untold IS 'Folds that were done, but not told: the payload function or NOTIFY failed, see last_error';
COMMENT ON COLUMN pg_stat_sync_progress.backed_off_unknown IS 'Folds put off because there is no such session (yet): a restore goes on, or it was deleted';
COMMENT ON COLUMN pg_stat_sync_progress.last_error_at IS 'When last_error happened last';
COMMENT ON COLUMN pg_stat_sync_progress.blocked_session IS 'The session that was found locked last; NULL when it is through';
COMMENT ON COLUMN pg_stat_sync_progress.blocked_at IS 'When it was found so last; it is looked at again within a second';
COMMENT ON COLUMN pg_stat_sync_progress.sessions_held IS 'Those of sessions_waiting that are put off: locked, failing or not to be told';
COMMENT ON COLUMN pg_stat_sync_progress.late_ms IS 'Milliseconds for which the session that is due for longest has waited for the worker; 0: none is due';
COMMENT ON COLUMN pg_stat_sync_progress.server_sessions IS 'Sessions in shared memory, all databases together: of max_sessions';
COMMENT ON COLUMN pg_stat_sync_progress.server_sessions_needed IS 'Those of them that cannot make place for another now: they wait to be told, or a transaction counts for them';
COMMENT ON COLUMN pg_stat_sync_progress.server_live_counters IS 'Counters of live mode in use, all databases together: of max_live_counters';
COMMENT ON COLUMN pg_stat_sync_progress.ledger_rows IS 'Rows of the ledger that are committed and not folded yet';
COMMENT ON COLUMN pg_stat_sync_progress.ledger_rows_exact IS 'Whether ledger_rows was counted; false: estimated from the first 2 MB, or a heap is locked';
COMMENT ON COLUMN pg_stat_sync_progress.ledger_rows_uncommitted IS 'Rows of transactions that have not ended, among those looked at';
COMMENT ON COLUMN pg_stat_sync_progress.ledger_heaps IS 'Heaps of the ledger that are not empty, of 16';
COMMENT ON COLUMN pg_stat_sync_progress.ledger_heaps_undrained IS 'Of these, those that are written to no more and have rows that are not folded, or not committed';
COMMENT ON COLUMN pg_stat_sync_progress.ledger_heaps_held IS 'Of these, those that are all folded and not emptied yet: an old snapshot may need them';
COMMENT ON COLUMN pg_stat_sync_progress.shared_memory_bytes IS 'Shared memory that is reserved, in bytes, for all databases: by max_sessions and max_live_counters';
COMMENT ON COLUMN pg_stat_sync_progress.shared_memory_used_bytes IS 'How much of it is in use';
COMMENT ON COLUMN pg_stat_sync_progress.notify_queue_percent IS 'Percent of the server''s NOTIFY queue in use; at 100 nobody can NOTIFY';

CREATE FUNCTION sync_progress_inspect(session_id bigint,
	OUT waiting boolean, OUT urgent boolean, OUT commits bigint, OUT pending bigint, OUT marked_at timestamptz, OUT told_at timestamptz,
	OUT due_at timestamptz, OUT retry_at timestamptz, OUT backoff_ms integer, OUT untellable boolean,
	OUT rows bigint, OUT newest_at timestamptz, OUT uncommitted bigint, OUT uncommitted_since timestamptz, OUT uncommitted_xid xid, OUT uncommitted_pid integer)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'sync_progress_inspect';
COMMENT ON FUNCTION sync_progress_inspect IS 'Internal: what shared memory knows of a session (NULL: nothing), and its rows in the ledger';

CREATE FUNCTION sync_progress_holder(session_id bigint, OUT xid xid, OUT pid integer)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'sync_progress_holder';
COMMENT ON FUNCTION sync_progress_holder IS 'Internal: the transaction that holds a session''s row against a fold, and its process (NULL: it is prepared)';
