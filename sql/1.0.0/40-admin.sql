
-- ---------------------------------------------------------------------------
-- For administrators
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_progress_bar(fraction double precision, width integer DEFAULT 20)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN fraction IS NULL THEN repeat('▒', greatest(width, 0))
	ELSE repeat('▓', floor(greatest(least(fraction, 1), 0) * greatest(width, 0))::integer)
		|| repeat('░', greatest(width, 0) - floor(greatest(least(fraction, 1), 0) * greatest(width, 0))::integer) END;
COMMENT ON FUNCTION sync_progress_bar IS 'A text bar: fraction 0 to 1 (outside: clamped; NULL: unknown), width in characters';

CREATE FUNCTION sync_progress_percentage(processed_count bigint, total_count bigint, status text)
RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN total_count IS NULL THEN NULL
	WHEN total_count = 0 THEN CASE WHEN status = 'completed' THEN 100 ELSE 0 END
	ELSE greatest(least(trunc(processed_count::numeric * 100 / total_count), 100), 0)::integer END;
COMMENT ON FUNCTION sync_progress_percentage IS 'floor(100 x processed / total), 0 to 100; NULL without a total; total 0 is 0 until completed, then 100';

CREATE FUNCTION sync_progress_clamp(value numeric)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN greatest(least(value, 9007199254740991), -9007199254740991)::bigint;
COMMENT ON FUNCTION sync_progress_clamp IS 'Internal: sums saturate at ±(2^53-1), the largest integer that JSON readers keep exact';

CREATE FUNCTION sync_counters_add(counters jsonb, more jsonb)
RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(jsonb_object_agg(name, n), '{}')
	FROM (SELECT name, n, row_number() OVER by_age AS place, sum(length(name) + length(n::text) + 6) OVER by_age AS bytes
		FROM (SELECT name, sync_progress_clamp(sum(value::numeric)) AS n, bool_or(is_new) AS is_new
			FROM (SELECT name, value, false AS is_new FROM jsonb_each_text(counters) AS c (name, value)
				UNION ALL SELECT name, value, NOT counters ? name FROM jsonb_each_text(more) AS m (name, value)) AS each_name
			GROUP BY name) AS sums
		WINDOW by_age AS (ORDER BY is_new, name)) AS kept
	WHERE place <= 64 AND bytes <= 2048);
COMMENT ON FUNCTION sync_counters_add IS 'Internal: adds two flat objects of counters; new names beyond the 64th, or beyond 2 kB, are dropped';

CREATE FUNCTION sync_counters_nested(counters jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	result jsonb := '{}';
	name text;
	path text[];
	value jsonb;
	plain boolean;
BEGIN
	FOR name, value IN SELECT key, c.value FROM jsonb_each(counters) AS c ORDER BY key COLLATE "C" LOOP
		path := string_to_array(name, '.');
		-- a counter "a" beside "a.b" leaves no room for an object "a"
		plain := false;
		FOR i IN 1..cardinality(path) - 1 LOOP
			IF result #> path[:i] IS NULL THEN
				result := jsonb_set(result, path[:i], '{}');
			ELSIF jsonb_typeof(result #> path[:i]) <> 'object' THEN
				plain := true;
				EXIT;
			END IF;
		END LOOP;
		result := CASE WHEN plain THEN result || jsonb_build_object(name, value) ELSE jsonb_set(result, path, value) END;
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION sync_counters_nested IS 'Named counters as objects nested by dots: {"a.b":1} becomes {"a":{"b":1}}';

CREATE VIEW sync_progress AS
	SELECT s.id AS session_id, s.job_id, s.kind, s.source_id, s.owner_id, s.title,
		n.status,
		sync_progress_bar(CASE WHEN n.total > 0 THEN n.processed::double precision / n.total
			WHEN n.total = 0 THEN CASE WHEN n.status = 'completed' THEN 1 ELSE 0 END END) AS bar,
		sync_progress_percentage(n.processed, n.total, n.status) AS progress_percentage,
		n.processed AS processed_count, n.total AS total_count,
		coalesce(u.detected_count, s.detected_count) AS detected_count,
		coalesce(u.error_count, s.error_count) AS error_count,
		CASE WHEN u.counters IS NULL THEN s.counters ELSE sync_counters_add(s.counters, u.counters) END AS counters,
		round(p.rate::numeric, 1) AS rate,
		make_interval(secs => p.time_remaining) AS time_remaining, p.eta_seconds, p.eta_low, p.eta_high, p.eta_state,
		coalesce(u.message, s.message) AS message, s.error_message, s.result_url,
		s.started_at, s.completed_at, s.updated_at, s.version
	FROM sync_sessions AS s JOIN sync_kinds AS k USING (kind)
	LEFT JOIN sync_progress_unfolded() AS u ON u.session_id = s.id AND u.account_id IS NULL
	CROSS JOIN LATERAL (SELECT coalesce(u.processed_count, s.processed_count) AS processed,
		CASE WHEN u.session_id IS NULL THEN s.total_count ELSE u.total_count END AS total,
		CASE WHEN u.status IS NOT NULL THEN u.status WHEN s.status = 'pending' AND u.begins THEN 'processing'
			ELSE s.status END AS status) AS n
	CROSS JOIN LATERAL (SELECT array_agg(a.pace) AS paces, array_agg(greatest(a.total_count - a.processed_count, 0)) AS lefts,
			array_agg(a.status IN ('pending', 'processing', 'paused')) AS opens
		FROM sync_session_accounts AS a WHERE n.status = 'processing' AND a.sync_session_id = s.id AND a.total_count IS NOT NULL) AS x
	CROSS JOIN LATERAL sync_progress_pace(s.pace, n.processed, n.total, s.started_at, coalesce(s.completed_at, clock_timestamp()),
		n.status, k.stall_after, x.paces, x.lefts, x.opens, s.processed_count) AS p
	WHERE u.gone IS NOT TRUE;
COMMENT ON VIEW sync_progress IS 'The exact state of every session now: increments not folded yet, and the caller''s own uncommitted ones, included';

CREATE FUNCTION sync_progress(session_id bigint)
RETURNS SETOF sync_progress LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp ROWS 1 AS $$
BEGIN
	-- the newest, where a REPEATABLE READ transaction that has changed the status sees two
	RETURN QUERY SELECT v.* FROM @extschema@.sync_progress AS v WHERE v.session_id = sync_progress.session_id
		ORDER BY v.version DESC LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'sync session % does not exist', coalesce(sync_progress.session_id::text, 'NULL')
			USING ERRCODE = 'no_data_found', HINT = 'SELECT session_id, title, status FROM @extschema@.sync_progress; lists them.';
	END IF;
END
$$;
COMMENT ON FUNCTION sync_progress(bigint) IS 'The exact state of one session now; an error when there is none';

CREATE VIEW pg_stat_sync_progress AS
	SELECT s.worker_pid, s.worker_beat, s.attached, s.folds, round(s.fold_ms::numeric, 3) AS fold_ms, round(s.last_fold_ms::numeric, 3) AS last_fold_ms,
		s.increments_folded, s.notifications, s.suppressed, s.discarded, s.backed_off, s.last_error, s.blocked_by,
		s.sessions_tracked, s.sessions_waiting, s.max_sessions, s.current_heap,
		s.live_counters, s.max_live_counters, s.live_fallbacks,
		round(s.notify_p50_ms::numeric, 3) AS notify_p50_ms, round(s.notify_p95_ms::numeric, 3) AS notify_p95_ms,
		round(s.notify_p99_ms::numeric, 3) AS notify_p99_ms, s.stats_reset, (SELECT sum(pg_relation_size(c.oid)) FROM pg_class AS c
		WHERE c.relnamespace = '@extschema@'::regnamespace AND c.relname ~ '^sync_progress_ledger_\d+$')::bigint AS ledger_bytes,
		s.eta_sessions, s.eta_estimates, round(s.eta_mape::numeric, 1) AS eta_mape, round(s.eta_within_25::numeric, 1) AS eta_within_25,
		round(s.eta_bias::numeric, 2) AS eta_bias
	FROM sync_progress_stat() AS s;
COMMENT ON VIEW pg_stat_sync_progress IS 'What the worker of this database has done: folds, notifications, what the throttle suppressed, latency from commit to NOTIFY, who blocks, the worker''s last beat';

COMMENT ON COLUMN pg_stat_sync_progress.worker_pid IS 'The worker; NULL when nothing is open and it has left, or when it could not be started';
COMMENT ON COLUMN pg_stat_sync_progress.worker_beat IS 'When the worker began its last turn';
COMMENT ON COLUMN pg_stat_sync_progress.attached IS 'Bridges that listen';
COMMENT ON COLUMN pg_stat_sync_progress.folds IS 'Transactions that folded a batch of sessions';
COMMENT ON COLUMN pg_stat_sync_progress.fold_ms IS 'Milliseconds in all of them';
COMMENT ON COLUMN pg_stat_sync_progress.last_fold_ms IS 'Milliseconds of the last';
COMMENT ON COLUMN pg_stat_sync_progress.increments_folded IS 'Ledger rows folded';
COMMENT ON COLUMN pg_stat_sync_progress.notifications IS 'Notifications sent, heartbeats aside';
COMMENT ON COLUMN pg_stat_sync_progress.suppressed IS 'Commits that the throttle gave no notification of their own';
COMMENT ON COLUMN pg_stat_sync_progress.discarded IS 'Ledger rows of sessions that were deleted';
COMMENT ON COLUMN pg_stat_sync_progress.backed_off IS 'Folds put off: a locked row, a failing function';
COMMENT ON COLUMN pg_stat_sync_progress.last_error IS 'What failed last';
COMMENT ON COLUMN pg_stat_sync_progress.blocked_by IS 'Pid of who holds a session''s row locked';
COMMENT ON COLUMN pg_stat_sync_progress.sessions_tracked IS 'Sessions in shared memory';
COMMENT ON COLUMN pg_stat_sync_progress.sessions_waiting IS 'Those that wait for their turn to be told';
COMMENT ON COLUMN pg_stat_sync_progress.max_sessions IS 'Room for sessions in shared memory, all databases together';
COMMENT ON COLUMN pg_stat_sync_progress.live_counters IS 'Counters of live mode in use: a field of a session, or of one of its accounts, is one';
COMMENT ON COLUMN pg_stat_sync_progress.max_live_counters IS 'Room for them in shared memory, all databases together';
COMMENT ON COLUMN pg_stat_sync_progress.live_fallbacks IS 'Calls in live mode that counted at commit instead: no room, or no worker';
COMMENT ON COLUMN pg_stat_sync_progress.current_heap IS 'Heap of the ledger that is written to';
COMMENT ON COLUMN pg_stat_sync_progress.notify_p50_ms IS 'Milliseconds from when a session became due to its notification: median, to a fifth';
COMMENT ON COLUMN pg_stat_sync_progress.notify_p95_ms IS 'Likewise, 95 of 100';
COMMENT ON COLUMN pg_stat_sync_progress.notify_p99_ms IS 'Likewise, 99 of 100';
COMMENT ON COLUMN pg_stat_sync_progress.stats_reset IS 'Since when these are counted';
COMMENT ON COLUMN pg_stat_sync_progress.ledger_bytes IS 'Size of the ledger';
COMMENT ON COLUMN pg_stat_sync_progress.eta_sessions IS 'Completed sessions whose estimates of the time remaining were compared with the truth';
COMMENT ON COLUMN pg_stat_sync_progress.eta_estimates IS 'Their estimates: those made when 10, 25, 50, 75 and 90 % were done';
COMMENT ON COLUMN pg_stat_sync_progress.eta_mape IS 'How far off they were on average, in percent of the time that it really took (1000 at most each)';
COMMENT ON COLUMN pg_stat_sync_progress.eta_within_25 IS 'Percent of them that were within 25 % of the truth';
COMMENT ON COLUMN pg_stat_sync_progress.eta_bias IS 'Estimate divided by truth, geometric mean: above 1 they promised too long a time, below 1 too short a one';
