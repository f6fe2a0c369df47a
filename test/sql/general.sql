-- The payload of kind sync is made in C: byte for byte what the SQL function
-- of version 1.0.0 made of the same rows.
\ir include/helpers.psql
SELECT plan(12);

-- that function, as it was released
\set was `sed -n '/^CREATE FUNCTION sync_payload(/,/^\$\$;/p' ../../sql/1.0.0/70-payloads.sql | sed 's/^CREATE FUNCTION sync_payload/CREATE FUNCTION pg_temp.payload_1_0_0/; s/@extschema@/sync/g'`
:was
SELECT is((SELECT l.lanname::text FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang WHERE p.oid = 'sync.sync_payload'::regproc), 'c', 'the one is in C');
SELECT is((SELECT l.lanname::text FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang WHERE p.oid = 'pg_temp.payload_1_0_0'::regproc), 'sql', 'the other in SQL');

CREATE FUNCTION pg_temp.odd(n integer) RETURNS text LANGUAGE sql AS $$
	SELECT (ARRAY[NULL, '', 'plain', E'tab\t, "quotes", \\ and \n \r \b \f \u0001', 'ü € 🎉 <b>&amp;</b>', repeat('é', 199), repeat('é', 200), repeat('é', 201),
		repeat('x', 320), repeat('x', 321), repeat('🎉', 500), repeat('🎉', 501), repeat('y', 1000), repeat('ÿ', 1001), repeat('z', 2000), repeat('ž', 2001),
		repeat('a', 10000), repeat('ä', 10001), repeat('long and wide, ', 3000)])[1 + n % 19]
$$;
CREATE FUNCTION pg_temp.number(n integer) RETURNS bigint LANGUAGE sql AS $$
	SELECT (ARRAY[0, 1, 2, 3, 7, 99, 100, 333, 1000, 999999999999, 1000000000000, 1000000000001, 3000000000000, 9007199254740991, 9007199254740990, 4611686018427387904])[1 + n % 16]
$$;

DELETE FROM sync.sync_sessions WHERE owner_id = 'general';
-- rows of all sorts; nobody is told of them before they are deleted again
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO sync.sync_sessions (kind, source_id, owner_id, title, status, message, error_message, result_url, total_count, processed_count, detected_count, error_count,
	counters, started_at, completed_at, updated_at, version, lock_version)
SELECT (ARRAY['sync', 'mesh', 'batch', 'connection'])[1 + n % 4], coalesce(nullif(left(pg_temp.odd(n), 150), ''), 'none') || n, 'general', pg_temp.odd(n / 2),
	(ARRAY['pending', 'processing', 'processing', 'paused', 'completed', 'failed', 'cancelled'])[1 + n % 7], pg_temp.odd(n / 3), pg_temp.odd(n / 5), pg_temp.odd(n / 7),
	CASE WHEN n % 5 > 0 THEN pg_temp.number(n) END, CASE WHEN n % 11 = 0 THEN -1 ELSE 1 END * pg_temp.number(n / 3), pg_temp.number(n / 7), n,
	(ARRAY['{}', '{"a":1}', '{"a.b":1,"a":2,"c.d.e":3}', '{"kept.new":5,"kept":-9007199254740991,"x_1":0}'])[1 + n % 4]::jsonb,
	(ARRAY[NULL, now(), now() - interval '1 hour', '-infinity', '1970-01-01 00:00:00.000001Z', '2026-03-29 02:30:00.5+01'])[1 + n % 6],
	CASE n % 9 WHEN 0 THEN 'infinity' WHEN 1 THEN now() END, CASE WHEN n % 13 = 0 THEN 'infinity' ELSE now() + n * interval '1 day 1 ms' END, n * 1000, n % 3
FROM generate_series(1, 1000) AS n;
INSERT INTO sync.sync_session_accounts (sync_session_id, name, email, position, status, total_count, processed_count, detected_count, error_count, error_message, version)
SELECT s.id, coalesce(pg_temp.odd(s.error_count::integer + n), '?'), pg_temp.odd(n + 3), -n, (ARRAY['pending', 'processing', 'processing', 'paused', 'completed', 'failed', 'cancelled'])[1 + (s.error_count + n) % 7],
	CASE WHEN n % 4 > 0 THEN pg_temp.number(n) END, pg_temp.number(n / 2), n, s.error_count, pg_temp.odd(n / 2), s.error_count * 1000 + n - 2
FROM sync.sync_sessions AS s CROSS JOIN LATERAL generate_series(1, s.error_count::integer % 6) AS n WHERE s.owner_id = 'general';
COMMIT;
-- and paces that the worker has made of real increments
SELECT sync.sync_session_start('general', total_count => 1000, accounts => '[{"name":"one","total_count":400},{"name":"two","total_count":600},{"name":"three"}]') AS live \gset

CREATE VIEW pg_temp.both AS
	WITH x AS MATERIALIZED (SELECT array_agg(id) AS ids FROM sync.sync_sessions WHERE owner_id = 'general'),
		o AS MATERIALIZED (SELECT p.* FROM x, pg_temp.payload_1_0_0(x.ids) AS p),
		n AS MATERIALIZED (SELECT p.* FROM x, sync.sync_payload(x.ids) AS p)
	SELECT session_id, o.payload::text AS was, n.payload::text AS now FROM o FULL JOIN n USING (session_id);
CREATE FUNCTION pg_temp.differ() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format(E'session %s\nwas %s\nis  %s', session_id, was, now) FROM pg_temp.both WHERE was IS DISTINCT FROM now LIMIT 3
$$;

SELECT cmp_ok((SELECT count(*) FROM pg_temp.both), '>=', 1000::bigint, 'a thousand rows');
SELECT cmp_ok((SELECT count(DISTINCT was) FROM pg_temp.both), '>=', 1000::bigint, 'all of them different');
SELECT is_empty('SELECT pg_temp.differ()', 'texts, numbers, times, statuses, counters, accounts: the same');
SET timezone = 'America/St_Johns';
SELECT is_empty('SELECT pg_temp.differ()', 'in any time zone');
RESET timezone;

-- a pace, and estimates
DO $$
BEGIN
	FOR n IN 1..12 LOOP
		PERFORM sync.sync_progress_increment(sync_session_id, 10 + id % 2, account_id => id) FROM sync.sync_session_accounts
		WHERE sync_session_id = (SELECT max(id) FROM sync.sync_sessions WHERE owner_id = 'general');
		COMMIT;
		PERFORM pg_sleep(0.02), sync.sync_progress_flush();
		COMMIT;
	END LOOP;
END
$$;
UPDATE sync.sync_sessions SET pace = (SELECT pace FROM sync.sync_sessions WHERE id = :live) WHERE owner_id = 'general' AND id % 2 = 0;
UPDATE sync.sync_session_accounts SET pace = (SELECT a.pace FROM sync.sync_session_accounts AS a WHERE a.sync_session_id = :live AND a.name = 'one') WHERE sync_session_id % 3 = 0;
SELECT isnt_empty('SELECT FROM sync.sync_sessions WHERE owner_id = ''general'' AND pace IS NOT NULL', 'with paces');
SELECT is_empty('SELECT pg_temp.differ()', 'rates and times remaining: the same');

-- what is asked for
SELECT is((SELECT count(*) FROM sync.sync_payload(ARRAY[:live, NULL, :live, -1, :live])), 1::bigint, 'a row for each session, however often it is named; none for what is not there');
SELECT is((SELECT count(*) FROM sync.sync_payload(NULL)), 0::bigint, 'none for nothing');
DROP ROLE IF EXISTS general_reader;
CREATE ROLE general_reader;
GRANT USAGE ON SCHEMA sync TO general_reader;
GRANT EXECUTE ON FUNCTION sync.sync_payload TO general_reader;
SET ROLE general_reader;
SELECT throws_ok('SELECT sync.sync_payload(''{1}'')', '42501', 'permission denied for table sync_sessions', 'with the caller''s rights');
RESET ROLE;
GRANT SELECT ON sync.sync_sessions, sync.sync_session_accounts, sync.sync_kinds TO general_reader;
SET ROLE general_reader;
SELECT lives_ok('SELECT sync.sync_payload(''{1}'')', 'which are those to read the tables');
RESET ROLE;
DROP OWNED BY general_reader;
DROP ROLE general_reader;
DELETE FROM sync.sync_sessions WHERE owner_id = 'general';
SELECT * FROM finish();
