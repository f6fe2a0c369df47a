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

CREATE TABLE bench.runs (
	load text, clients integer, round integer, variant text, transactions bigint, tps double precision
);
CREATE TABLE bench.folds (at timestamptz DEFAULT clock_timestamp(), folds bigint, fold_ms double precision, ledger_bytes bigint);
