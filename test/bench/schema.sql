-- What the increment is compared with.
CREATE SCHEMA sync;
CREATE EXTENSION sync_progress SCHEMA sync;
CREATE SCHEMA bench;

-- sessions 1 to 1,000
SELECT count(sync.sync_session_start('bench', title => 'session ' || n, total_count => 1000000000))
FROM generate_series(1, 1000) AS n;

-- the usual way: a counter in a row, made as cheap as it can be (HOT updates)
CREATE TABLE bench.plain (
	id bigint PRIMARY KEY,
	processed bigint NOT NULL DEFAULT 0,
	updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
INSERT INTO bench.plain SELECT n FROM generate_series(1, 1000) AS n;

-- and with a trigger that tells every change
CREATE TABLE bench.with_trigger (LIKE bench.plain INCLUDING ALL) WITH (fillfactor = 50);
INSERT INTO bench.with_trigger SELECT n FROM generate_series(1, 1000) AS n;
CREATE FUNCTION bench.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('bench', json_build_object('session_id', NEW.id, 'processed_count', NEW.processed)::text);
	RETURN NULL;
END
$$;
CREATE TRIGGER tell AFTER UPDATE ON bench.with_trigger FOR EACH ROW EXECUTE FUNCTION bench.tell();

-- the least that a durable, transactional count can cost: a row in a plain heap
CREATE TABLE bench.heap (LIKE sync.sync_progress_ledger_0) WITH (autovacuum_enabled = off);

-- what a worker of the application writes before it counts
CREATE TABLE bench.mails (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	session_id bigint NOT NULL,
	subject text NOT NULL,
	stored_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE bench.runs (
	part text, load text, clients integer, round integer, variant text, transactions bigint, tps double precision, worker_percent double precision
);

-- what the worker has done so far, and what pgbench reports, once a second
CREATE TABLE bench.folds (
	run text, at timestamptz DEFAULT clock_timestamp(), folds bigint, fold_ms double precision, increments bigint, ledger_bytes bigint, cpu_ms bigint
);
CREATE TABLE bench.progress (run text, second numeric, tps numeric, latency_ms numeric);

-- a run in equal parts
CREATE FUNCTION bench.fold_parts(only_run text, parts integer)
RETURNS TABLE (part integer, folds bigint, ms double precision, increments bigint, cpu_ms bigint, ledger_bytes bigint) LANGUAGE sql AS $$
	SELECT part, sum(n)::bigint, sum(ms), sum(increments)::bigint, sum(cpu_ms)::bigint, max(ledger_bytes)
	FROM (
		SELECT ntile(parts) OVER (ORDER BY at) AS part, folds - lag(folds) OVER w AS n, fold_ms - lag(fold_ms) OVER w AS ms,
			increments - lag(increments) OVER w AS increments, cpu_ms - lag(cpu_ms) OVER w AS cpu_ms, ledger_bytes
		FROM bench.folds WHERE run = only_run WINDOW w AS (ORDER BY at)
	) AS steps GROUP BY part
$$;
CREATE FUNCTION bench.progress_parts(only_run text, parts integer)
RETURNS TABLE (part integer, tps numeric, latency_ms numeric) LANGUAGE sql AS $$
	SELECT part, avg(tps), avg(latency_ms)
	FROM (SELECT ntile(parts) OVER (ORDER BY second) AS part, tps, latency_ms FROM bench.progress WHERE run = only_run) AS seconds GROUP BY part
$$;

-- what is waited for: samples of pg_locks and pg_stat_activity
CREATE UNLOGGED TABLE bench.wait_samples (run text, count integer, ordinality integer GENERATED ALWAYS AS IDENTITY);
CREATE UNLOGGED TABLE bench.lock_waits (run text, kind text, ours boolean);
CREATE UNLOGGED TABLE bench.wait_events (run text, event text, n integer);
CREATE PROCEDURE bench.sample_waits(run text, length interval) LANGUAGE plpgsql AS $$
DECLARE
	ends timestamptz := clock_timestamp() + length;
	worker integer := (SELECT worker_pid FROM sync.pg_stat_sync_progress);
	samples integer := 0;
BEGIN
	SET LOCAL synchronous_commit = off;
	WHILE clock_timestamp() < ends LOOP
		INSERT INTO bench.lock_waits
		SELECT run, concat_ws(' ', l.locktype, l.relation::regclass),
			coalesce(c.relnamespace = 'sync'::regnamespace, false) OR l.pid = worker OR worker = ANY (pg_blocking_pids(l.pid))
		FROM pg_locks AS l LEFT JOIN pg_class AS c ON c.oid = l.relation
		WHERE NOT l.granted;
		INSERT INTO bench.wait_events
		SELECT run, CASE WHEN state = 'active' THEN coalesce(wait_event, 'on a CPU or ready') ELSE 'between statements' END, count(*)
		FROM pg_stat_activity WHERE application_name = 'pgbench' GROUP BY 2;
		samples := samples + 1;
		-- so that no snapshot and no transaction id is held
		COMMIT;
		PERFORM pg_sleep(0.01);
		PERFORM pg_stat_clear_snapshot();
	END LOOP;
	INSERT INTO bench.wait_samples VALUES (run, samples);
END
$$;

-- counts for so long, in one transaction
CREATE PROCEDURE bench.count_long(session bigint, length interval, INOUT counted integer DEFAULT 0) LANGUAGE plpgsql AS $$
DECLARE
	ends timestamptz := clock_timestamp() + length;
BEGIN
	WHILE clock_timestamp() < ends LOOP
		PERFORM sync.sync_progress_increment(session);
		counted := counted + 1;
		PERFORM pg_sleep(0.01);
	END LOOP;
END
$$;
