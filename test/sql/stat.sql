-- pg_stat_sync_progress: what the worker did, and what waits for it.
\ir include/helpers.psql
SELECT plan(27);

SELECT sync.sync_session_start('stat', total_count => 100) AS s \gset
-- The worker may come between a reset and the look, for a run of another file
-- that stands still: it does so every ten seconds, and not five times in a row.
CREATE FUNCTION pg_temp.after_reset() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	counts text;
BEGIN
	FOR attempt IN 1..5 LOOP
		PERFORM sync.sync_progress_flush();
		PERFORM sync.pg_stat_sync_progress_reset();
		SELECT format('%s %s %s %s %s %s', folds, notifications, increments_folded, backed_off_locked + backed_off_failed + backed_off_untold + backed_off_unknown, last_error_at, fold_p50_ms)
			INTO counts FROM sync.pg_stat_sync_progress;
		EXIT WHEN counts = '0 0 0 0  ';
	END LOOP;
	RETURN counts;
END
$$;
SELECT is(pg_temp.after_reset(), '0 0 0 0  ', 'a reset sets all counts to zero');
SELECT ok((SELECT stats_reset > now() - interval '1 minute' FROM sync.pg_stat_sync_progress), 'and says when it was');

SELECT sync.sync_progress_increment(:s, 5);
SELECT sync.sync_progress_increment(:s, 6);
SELECT sync.sync_progress_flush();
SELECT ok((SELECT folds > 0 AND increments_folded >= 2 AND notifications > 0 FROM sync.pg_stat_sync_progress), 'folds, rows folded and notifications are counted');
SELECT ok((SELECT fold_p50_ms > 0 AND fold_p50_ms <= fold_p95_ms AND fold_p95_ms <= fold_p99_ms FROM sync.pg_stat_sync_progress), 'how long a fold takes: p50, p95, p99');
SELECT ok((SELECT fold_p99_ms < 2 * fold_ms + 1 FROM sync.pg_stat_sync_progress), 'the longest not longer than all together');
SELECT ok((SELECT notify_p50_ms > 0 AND notify_p50_ms <= notify_p99_ms FROM sync.pg_stat_sync_progress), 'and how long a notification');
SELECT ok((SELECT worker_pid > 0 AND worker_started <= worker_beat AND worker_beat > now() - interval '1 minute' FROM sync.pg_stat_sync_progress), 'the worker, since when, its last beat');
SELECT ok((SELECT notify_queue_percent BETWEEN 0 AND 1 FROM sync.pg_stat_sync_progress), 'how full the NOTIFY queue is, in percent');
SELECT ok((SELECT shared_memory_used_bytes > 0 AND shared_memory_used_bytes < shared_memory_bytes FROM sync.pg_stat_sync_progress), 'shared memory in use, and reserved');
-- what the hash table allocates has no name there
SELECT ok((SELECT (SELECT sum(allocated_size) FROM pg_shmem_allocations WHERE name LIKE 'sync_progress%') BETWEEN 0.7 * shared_memory_bytes AND shared_memory_bytes FROM sync.pg_stat_sync_progress),
	'about as much as the server says');
SELECT ok((SELECT server_sessions >= sessions_tracked AND server_sessions_needed <= server_sessions AND sessions_held <= sessions_waiting FROM sync.pg_stat_sync_progress), 'sessions here and in all databases');
SELECT is((SELECT format('%s %s', late_ms < 60000, ledger_rows_exact) FROM sync.pg_stat_sync_progress), 't t', 'nothing is late, the ledger was counted');
SELECT is((SELECT ledger_rows FROM sync.pg_stat_sync_progress), 0::bigint, 'after a flush the ledger has nothing to fold');

-- what waits for the throttle, and what is not committed: told just before, it
-- waits for five seconds
SELECT sync.sync_progress_increment(:s, 1);
SELECT sync.sync_progress_flush();
SELECT sync.sync_progress_increment(:s, 1), sync.sync_progress_increment(:s, 1), sync.sync_progress_increment(:s, 1);
SELECT is((SELECT format('%s %s', ledger_rows, sessions_waiting > 0) FROM sync.pg_stat_sync_progress), '3 t', 'rows that wait for the throttle are counted');
BEGIN;
SELECT sync.sync_progress_increment(:s, 1), sync.sync_progress_increment(:s, 1);
SELECT is((SELECT ledger_rows_uncommitted FROM sync.pg_stat_sync_progress), 2::bigint, 'those of open transactions apart');
SELECT is((SELECT server_sessions_needed > 0 FROM sync.pg_stat_sync_progress), true, 'their session needs its place');
ROLLBACK;
SELECT is((SELECT ledger_rows_uncommitted FROM sync.pg_stat_sync_progress), 0::bigint, 'and no more when they are rolled back');
SELECT sync.sync_progress_flush();

-- the ledger grows, and is estimated beyond 2 MB
BEGIN;
SELECT count(sync.sync_progress_increment(:s, 1)) FROM generate_series(1, 50000);
COMMIT;
CREATE TEMP TABLE grown AS SELECT * FROM sync.pg_stat_sync_progress;
SELECT sync.sync_progress_flush();
SELECT ok((SELECT ledger_rows = 0 OR ledger_rows BETWEEN 45000 AND 55000 FROM grown), '50,000 rows are counted, if not folded already');
SELECT ok((SELECT ledger_bytes > 2000000 AND ledger_heaps > 0 FROM grown), 'in bytes, and heaps');
SELECT is((SELECT processed_count FROM sync.sync_sessions WHERE id = :s), 50015::bigint, 'and none is lost');

-- the view's columns
SELECT is((SELECT string_agg(attname, ', ') FROM pg_attribute WHERE attrelid = 'sync.pg_stat_sync_progress'::regclass AND attnum > 0 AND col_description(attrelid, attnum) IS NULL), NULL, 'every column says what it is');
SELECT is((SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'sync.pg_stat_sync_progress'::regclass AND attnum BETWEEN 1 AND 30),
	'worker_pid,worker_beat,attached,folds,fold_ms,last_fold_ms,increments_folded,notifications,suppressed,discarded,backed_off,last_error,blocked_by,sessions_tracked,sessions_waiting,max_sessions,current_heap,live_counters,max_live_counters,live_fallbacks,notify_p50_ms,notify_p95_ms,notify_p99_ms,stats_reset,ledger_bytes,eta_sessions,eta_estimates,eta_mape,eta_within_25,eta_bias',
	'those of 1.0 are where they were');
SELECT is((SELECT count(*) FROM sync.sync_progress_stat()), 1::bigint, 'the function that the view of 1.0 reads is there still');
SELECT is((SELECT worker_pid FROM sync.sync_progress_stat()), (SELECT worker_pid FROM sync.pg_stat_sync_progress), 'and says the same');

-- who may look
CREATE ROLE sync_test_monitor IN ROLE pg_monitor;
SET ROLE sync_test_monitor;
SELECT is((SELECT count(*) FROM sync.pg_stat_sync_progress), 1::bigint, 'pg_monitor may look');
SELECT ok((SELECT count(*) > 20 FROM sync.sync_progress_doctor()), 'and ask the doctor');
SELECT throws_ok('SELECT sync.pg_stat_sync_progress_reset()', '42501', NULL, 'but not reset it');
RESET ROLE;
DROP ROLE sync_test_monitor;

SELECT * FROM finish();
