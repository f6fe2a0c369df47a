-- The built-in kinds beside "sync": their ids, percentages, estimates and
-- counters at their edges. Their forms as such are in wire.sql.
\ir include/helpers.psql
SELECT plan(68);

SELECT is(string_agg(format('%s %s %s', kind, channel, param), ', ' ORDER BY kind), 'batch BatchProgressChannel batch_id, connection ConnectionSyncChannel connection_id, '
	'mesh MeshProgressChannel mesh_id, sync SyncStatusChannel session_id', '[002-01] [002-04] [003-02] the built-in kinds') FROM sync.sync_kinds
WHERE kind IN ('sync', 'mesh', 'batch', 'connection');

-- from start to end through the public functions, each channel with each way to write an id
CREATE FUNCTION pg_temp.ask(identifier json) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(refused, stream) FROM sync.sync_progress_subscribe(ARRAY[identifier::text], ARRAY['{"sub":"built-in"}'::jsonb], '{1}')
$$;
SELECT set_config('test.' || kind, sync.sync_session_start('built-in', kind, source_id => '4711', status => 'pending')::text, false) FROM sync.sync_kinds WHERE kind IN ('mesh', 'batch', 'connection');
SELECT is(pg_temp.ask(json_build_object('channel', channel, name, value)), kind || ':4711', format('%s by %s %s', channel, name, value))
FROM sync.sync_kinds, LATERAL (VALUES (param, '4711'::json), (param, '"4711"'), ('id', '4711'), ('id', '"4711"')) AS v (name, value) WHERE kind IN ('mesh', 'batch', 'connection');
DELETE FROM sync.sync_sessions WHERE owner_id = 'built-in';

-- Rows within a transaction that is rolled back; a row is what is given, and the rest.
BEGIN;
CREATE FUNCTION pg_temp.row_of(kind text, status text, processed bigint, total bigint, error bigint DEFAULT 0, counters jsonb DEFAULT '{}', source text DEFAULT '7', seconds numeric DEFAULT 10,
	error_message text DEFAULT NULL, message text DEFAULT NULL) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
	result json;
	new_id bigint;
BEGIN
	INSERT INTO sync.sync_sessions AS s (kind, source_id, owner_id, status, processed_count, total_count, error_count, counters, created_at, updated_at, error_message, message)
	VALUES (row_of.kind, source, 'built-in', row_of.status, processed, total, error, row_of.counters, '2026-01-01 00:00:00Z', '2026-01-01 00:00:00Z'::timestamptz + make_interval(secs => seconds),
		row_of.error_message, row_of.message) RETURNING id INTO new_id;
	SELECT p.payload INTO result FROM sync.sync_kinds AS k, sync.sync_progress_payloads(k.payload_function, ARRAY[new_id]) AS p WHERE k.kind = row_of.kind;
	DELETE FROM sync.sync_sessions WHERE id = new_id;
	RETURN result;
END
$$;

-- ids
SELECT is((pg_temp.row_of('mesh', 'processing', 0, NULL, source => source) -> 'mesh_id')::text, expected, format('id %s', to_json(source)))
FROM (VALUES ('42', '42'), ('0', '0'), ('-5', '-5'), ('007', '"007"'), ('-0', '"-0"'), ('4.2', '"4.2"'), ('1e3', '"1e3"'), (' 42', '" 42"'), (E'42\n', '"42\n"'), ('123456789012345', '123456789012345'),
	('1234567890123456', '"1234567890123456"'), ('6f1c4c1e-8a52-4f7b-9f3e-1f0f6d3c2b1a', '"6f1c4c1e-8a52-4f7b-9f3e-1f0f6d3c2b1a"'), ('José "x"', '"José \"x\""')) AS v (source, expected);

-- mesh: progress and what remains
SELECT is(format('%s %s', p -> 'progress', p -> 'estimated_remaining'), expected, format('%s %s of %s after %s s: %s', tags, processed, coalesce(total::text, 'unknown'), seconds, status))
FROM (VALUES
	('[002-19]', 'pending', 0, NULL, 5, '0 null'), ('[002-19]', 'pending', 0, 100, 5, '0 null'), ('', 'pending', 0, 0, 5, '0 null'),
	('[002-03]', 'processing', 25, 100, 10, '25 30'), ('[002-03]', 'processing', 1, 3, 10, '33 20'), ('[002-03]', 'processing', 999, 1000, 1000, '99 10'),
	('[002-03]', 'processing', 99, 100, 1, '99 null'), ('[002-03]', 'processing', 100, 100, 10, '100 null'), ('[002-03]', 'processing', 4, 1000, 10, '0 null'),
	('[002-03]', 'processing', 50, 100, -10, '50 null'), ('[002-03]', 'processing', 0, 100, 10, '0 null'), ('[002-03]', 'processing', -5, 100, 10, '0 null'),
	('[002-03]', 'processing', 200, 100, 10, '100 null'), ('[003-14]', 'processing', 5, NULL, 10, 'null null'), ('', 'processing', 0, NULL, 10, '0 null'),
	('[002-03]', 'paused', 50, 100, 10, '50 null'), ('[002-09]', 'completed', 5, NULL, 10, '100 null'), ('[002-09]', 'completed', 0, 0, 10, '100 null'),
	('', 'completed', 50, 100, 10, '50 null'), ('', 'failed', 50, 100, 10, '50 null'), ('', 'cancelled', 5, NULL, 10, 'null null')) AS v (tags, status, processed, total, seconds, expected),
	pg_temp.row_of('mesh', status, processed, total, seconds => seconds) AS p;
SELECT is(pg_temp.row_of('mesh', 'failed', 5, 10, error_message => 'no route', message => 'm') ->> 'message', 'no route', '[002-09] a failed mesh''s message is why it failed');
SELECT is(pg_temp.row_of('mesh', 'failed', 5, 10, message => 'm') ->> 'message', 'm', 'or what it last did, where nobody has said why');
SELECT is(pg_temp.row_of('mesh', 'processing', 5, 10, error_message => 'e', message => 'm') ->> 'message', 'm', 'while it goes on, what is being done');

-- batch: what is done is both
SELECT is(format('%s %s %s %s %s', p -> 'total', p -> 'completed', p -> 'failed', p -> 'progress', p -> 'estimated_remaining'), expected, format('[002-04] %s and %s failed of %s: %s', processed, error, coalesce(total::text, 'unknown'), status))
FROM (VALUES ('processing', 3, 2, 10, '10 3 2 50 10'), ('processing', 0, 5, 10, '10 0 5 50 10'), ('processing', 1, 1, 3, '3 1 1 66 5'), ('processing', 0, 0, NULL, 'null 0 0 0 null'),
	('processing', 0, 1, NULL, 'null 0 1 null null'), ('completed', 0, 10, 10, '10 0 10 100 null'), ('processing', 9007199254740991, 9007199254740991, 9007199254740991, '9007199254740991 9007199254740991 9007199254740991 100 null'))
	AS v (status, processed, error, total, expected), pg_temp.row_of('batch', status, processed::bigint, total::bigint, error::bigint) AS p;

-- connection: counters
SELECT is(regexp_replace((pg_temp.row_of('connection', 'processing', 0, NULL, counters => counters) -> 'entities_encountered')::text, '\s', '', 'g'), expected, format('[003-04] entities_encountered of %s', counters))
FROM (VALUES ('{}'::jsonb, '{}'), ('{"entities_encountered.Message":45,"entities_encountered.A":1}', '{"A":1,"Message":45}'), ('{"entities_encountered.a.b":2,"entities_encountered.a":1}', '{"a":1,"a.b":2}'),
	('{"entities_encountered":3,"entitiesXencountered.Y":4,"other.Z":5}', '{}')) AS v (counters, expected);
SELECT is(format('%s %s %s %s %s', p -> 'inserted', p -> 'updated', p -> 'deleted', p -> 'kept', p -> 'skipped'), '1 2 -3 4 5', '[003-05] the five counts, corrections included')
FROM pg_temp.row_of('connection', 'processing', 0, NULL, counters => '{"inserted":1,"updated":2,"deleted":-3,"kept":4,"skipped":5,"inserted.x":9}') AS p;
SELECT is(format('%s %s %s', p -> 'is_complete', p -> 'is_failed', p ->> 'error'), expected, format('[003-05] %s, %s', status, coalesce(error_message, 'no error')))
FROM (VALUES ('processing', NULL, 'false false '), ('completed', NULL, 'true false '), ('failed', 'no route', 'false true no route'), ('failed', NULL, 'false true '), ('cancelled', NULL, 'false true cancelled'),
	('cancelled', 'by Ann', 'false true by Ann')) AS v (status, error_message, expected), pg_temp.row_of('connection', status, 1, NULL, error_message => error_message) AS p;
SELECT * FROM finish();
ROLLBACK;
