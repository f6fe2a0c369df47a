-- Kinds of one's own: another channel, payload and rule of who may watch; and
-- functions that do not fit are refused when they are written down.
\ir include/helpers.psql
SELECT plan(45);

DROP SCHEMA IF EXISTS kinds_app CASCADE;
CREATE SCHEMA kinds_app;
CREATE TABLE kinds_app.friends (owner text, friend text);
INSERT INTO kinds_app.friends VALUES ('kim', 'lee');
CREATE FUNCTION kinds_app.payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE AS $$
	SELECT s.id, json_build_object('batch_id', s.source_id, 'completed', s.processed_count, 'total', s.total_count)
	FROM sync.sync_sessions AS s WHERE s.id = ANY (session_ids)
$$;
CREATE FUNCTION kinds_app.may_watch(session_id bigint, claims jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM sync.sync_sessions AS s JOIN kinds_app.friends AS f ON f.owner = s.owner_id
		WHERE s.id = session_id AND f.friend = claims ->> 'sub')
$$;
DELETE FROM sync.sync_sessions WHERE kind LIKE 'kinds\_%' OR owner_id IN ('kim', 'odd');
DELETE FROM sync.sync_kinds WHERE kind LIKE 'kinds\_%';

CREATE FUNCTION pg_temp.new_kind(name text, payload text, authorize text) RETURNS text LANGUAGE sql AS $$
	SELECT format('INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function) VALUES (%L, %L, %L, %L, %L)',
		name, name || 'Channel', 'batch_id', payload, authorize)
$$;
-- What each identifier ("channel id") of a watcher gets; an error is an answer too.
CREATE FUNCTION pg_temp.ask_many(channels text[], ids text[], subs text[]) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
	RETURN ARRAY(SELECT coalesce(refused, payload::text) FROM sync.sync_progress_subscribe(
		ARRAY(SELECT format('{"channel":"%s","id":"%s"}', c, i) FROM unnest(channels, ids) AS u (c, i)),
		ARRAY(SELECT jsonb_build_object('sub', s) FROM unnest(subs) AS s),
		ARRAY(SELECT n::integer FROM generate_series(1, cardinality(ids)) AS n)) ORDER BY ord);
EXCEPTION WHEN OTHERS THEN
	RETURN ARRAY['error: ' || SQLERRM];
END
$$;
CREATE FUNCTION pg_temp.ask(id text, sub text, channel text) RETURNS text LANGUAGE sql AS $$
	SELECT (pg_temp.ask_many(ARRAY[channel], ARRAY[id], ARRAY[sub]))[1]
$$;

-- the built-in one
SELECT is((channel, param, every_count, every_interval, min_interval, stall_after)::text, '(SyncStatusChannel,session_id,100,00:00:05,00:00:01,00:00:30)', '[000-02] [001-02] [001-07] kind sync, as promised')
FROM sync.sync_kinds WHERE kind = 'sync';

-- a kind of one's own
SELECT lives_ok(pg_temp.new_kind('kinds_batch', 'kinds_app.payload(bigint[])', 'kinds_app.may_watch(bigint, jsonb)'), 'a kind of one''s own');
SELECT is((every_count, every_interval, min_interval)::text, '(100,00:00:05,00:00:01)', 'is told as often as others by default') FROM sync.sync_kinds WHERE kind = 'kinds_batch';
SELECT sync.sync_session_start('kim', 'kinds_batch', total_count => 10, source_id => 'b1') AS s \gset
SELECT sync.sync_progress_increment(:s, 4);
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.ask('b1', 'lee', 'kinds_batchChannel')::jsonb, '{"batch_id":"b1","completed":4,"total":10}', 'its watchers get its own payload');
SELECT is(pg_temp.ask('b1', 'kim', 'kinds_batchChannel'), 'not_found', 'its own rule decides who may watch');
SELECT is(pg_temp.ask('b1', 'lee', 'SyncStatusChannel'), 'not_found', 'through its own channel only');
SELECT is((SELECT format('%s %s', stream, payload ->> 'completed') FROM sync.sync_progress_snapshots('{kinds_batch:b1}')), 'kinds_batch:b1 4', 'its stream bears its name');
SELECT is((SELECT count(*) FROM sync.sync_progress_snapshots(ARRAY['sync:b1'])), 0::bigint, 'sources of different kinds are different');
SELECT lives_ok($$SELECT sync.sync_session_start('kim', source_id => 'b1')$$, 'and may run at once');

-- functions that fail or know nothing
CREATE FUNCTION kinds_app.bad_payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS $$
BEGIN
	RAISE EXCEPTION 'no payload today';
END
$$;
CREATE FUNCTION kinds_app.bad_may_watch(session_id bigint, claims jsonb) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN CASE claims ->> 'sub' WHEN 'null' THEN NULL WHEN 'ok' THEN true ELSE (claims ->> 'sub')::boolean END;
END
$$;
SELECT lives_ok(pg_temp.new_kind('kinds_bad', 'kinds_app.bad_payload(bigint[])', 'kinds_app.bad_may_watch(bigint,jsonb)'), 'a kind whose payload fails');
SELECT sync.sync_session_start('kim', 'kinds_bad', source_id => 'x') AS x \gset
SELECT lives_ok(format('SELECT sync.sync_progress_increment(%s)', :x), 'is counted all the same');
SET client_min_messages = error;
SELECT is(pg_temp.ask('x', 'ok', 'kinds_badChannel'), 'unavailable', 'its watchers are told unavailable, not refused for good');
SELECT is(pg_temp.ask('x', 'null', 'kinds_badChannel'), 'not_found', 'a rule that says NULL refuses');
SELECT is(pg_temp.ask('x', 'nonsense', 'kinds_badChannel'), 'not_found', 'a rule that fails refuses');
SELECT is(pg_temp.ask_many('{kinds_badChannel,kinds_batchChannel,kinds_badChannel}', '{x,b1,x}', '{ok,lee,nonsense}'),
	ARRAY['unavailable', (SELECT payload::text FROM sync.sync_progress_snapshots('{kinds_batch:b1}')), 'not_found'], 'beside it others are served');
SELECT sync.sync_progress_flush();
SELECT is(processed_count, 1::bigint, 'the fold goes on, too') FROM sync.sync_sessions WHERE id = :x;
SET client_min_messages = warning;

-- a payload function that gives rows twice, or others'; nothing, NULL, or too much
CREATE FUNCTION kinds_app.odd_payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE AS $$
	SELECT s.id, json_build_object('n', s.id) FROM sync.sync_sessions AS s, generate_series(1, 2) WHERE s.kind = 'kinds_odd'
$$;
SELECT lives_ok(pg_temp.new_kind('kinds_odd', 'kinds_app.odd_payload(bigint[])', 'sync.sync_may_watch(bigint,jsonb)'), 'a kind whose payload function gives rows twice, and others''');
SELECT count(sync.sync_session_start('odd', 'kinds_odd', source_id => 'o' || n)) FROM generate_series(1, 3) AS n;
SET client_min_messages = error;
SELECT is(string_agg(refused, ','), 'unavailable,unavailable', 'which of two would be shown is nobody''s guess: none is')
FROM sync.sync_progress_subscribe('{"{\"channel\":\"kinds_oddChannel\",\"id\":\"o1\"}","{\"channel\":\"kinds_oddChannel\",\"id\":\"o2\"}"}', ARRAY['{"scope":["admin"]}'::jsonb], '{1,1}');
SET client_min_messages = warning;
CREATE OR REPLACE FUNCTION kinds_app.odd_payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE AS $$
	SELECT s.id, json_build_object('n', s.id) FROM sync.sync_sessions AS s WHERE s.kind = 'kinds_odd'
$$;
SELECT is(count(*), 1::bigint, 'others'' rows: one snapshot a stream, of no stream that was not asked for') FROM sync.sync_progress_snapshots('{kinds_odd:o1}');

-- what a function gives for o2, when asked for o1, o2 and o3 at once, and what its error says
CREATE FUNCTION pg_temp.odd(payload_of_o2 text) RETURNS text LANGUAGE plpgsql AS $f$
DECLARE
	said text;
BEGIN
	EXECUTE format($x$CREATE OR REPLACE FUNCTION kinds_app.odd_payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE AS $$
		SELECT s.id, CASE s.source_id WHEN 'o2' THEN (SELECT %s) ELSE '{"n":1}' END FROM sync.sync_sessions AS s WHERE s.id = ANY (session_ids) $$$x$, payload_of_o2);
	BEGIN
		PERFORM sync.sync_progress_payloads('kinds_app.odd_payload(bigint[])', (SELECT array_agg(id) FROM sync.sync_sessions WHERE source_id = 'o2' AND kind = 'kinds_odd'));
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS said = PG_EXCEPTION_HINT;
		said := format('%s %s%s', SQLSTATE, SQLERRM, CASE WHEN said <> '' THEN ' (hint)' END);
	END;
	RETURN format('%s: %s', array_to_string(pg_temp.ask_many('{kinds_oddChannel,kinds_oddChannel,kinds_oddChannel}', '{o1,o2,o3}', ARRAY['odd', 'odd', 'odd']), ' '), said);
END
$f$;
SET client_min_messages = error;
SELECT is(pg_temp.odd($$'{"n":2}'::json$$), '{"n":1} {"n":2} {"n":1}: ', 'all is well');
SELECT matches(pg_temp.odd('NULL::json'), '^{"n":1} unavailable {"n":1}: P0002 kinds_app.odd_payload\(\) gave nothing for session \d+ \(hint\)$', 'NULL for one: that one is unavailable, the error says why');
SELECT is(pg_temp.odd('(1 / (s.id - s.id))::text::json'), '{"n":1} unavailable {"n":1}: 22012 division by zero', 'an error for one');
SELECT matches(pg_temp.odd('to_json(repeat(''x'', 1000000))'), '^{"n":1} unavailable {"n":1}: 54000 kinds_app.odd_payload\(\) gave 1000002 bytes for session \d+ \(hint\)$', '1 MB for one');
SELECT is(length(pg_temp.odd('to_json(repeat(''x'', 262142))')), length('{"n":1}  {"n":1}: ') + 262144, '256 kB are served');
SELECT matches(pg_temp.odd('to_json(repeat(''x'', 262143))'), 'gave 262145 bytes', 'and not a byte more');
SET client_min_messages = warning;

-- functions that take too long for a question's deadline
CREATE FUNCTION kinds_app.slow_payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM pg_sleep(600);
END
$$;
CREATE FUNCTION kinds_app.slow_may_watch(session_id bigint, claims jsonb) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
	n bigint := 0;
BEGIN
	LOOP
		n := n + 1;
	END LOOP;
EXCEPTION WHEN OTHERS THEN
	RETURN true;  -- nor does this get it a yes
END
$$;
SELECT pg_temp.refuses($$SELECT * FROM sync.sync_progress_payloads('kinds_app.slow_payload(bigint[])', '{1}', clock_timestamp() + '60 ms')$$, 'SP408', 'kinds_app.slow_payload\(\) took too long', 'a payload function that sleeps is ended');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_authorized('kinds_app.slow_may_watch(bigint,jsonb)', 1, '{}', clock_timestamp() + '60 ms')$$, 'SP408', 'kinds_app.slow_may_watch\(\) took too long', 'an authorize function that loops is ended');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_authorized('sync.sync_may_watch(bigint,jsonb)', 1, '{}', clock_timestamp() - '1 ms'::interval)$$, 'SP408', 'took too long', 'after the deadline none is begun');
SELECT is(sync.sync_progress_authorized('sync.sync_may_watch(bigint,jsonb)', 1, '{}', clock_timestamp() + '1 hour'), false, 'one that is quick is not');
SELECT is((SELECT refused FROM sync.sync_progress_subscribe('{"{\"channel\":\"kinds_batchChannel\",\"id\":\"b1\"}"}', '{"{\"sub\":\"lee\"}"}', '{1}')), NULL, 'and what comes after is served as before');

-- functions that do not fit
CREATE FUNCTION kinds_app.volatile_payload(bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql AS 'SELECT 1::bigint, ''{}''::json';
CREATE FUNCTION kinds_app.text_payload(bigint[]) RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT ''x''';
CREATE FUNCTION kinds_app.int_payload(bigint[]) RETURNS TABLE (a integer, b integer) LANGUAGE sql STABLE AS 'SELECT 1, 2';
CREATE FUNCTION kinds_app.text_watch(bigint, jsonb) RETURNS text LANGUAGE sql STABLE AS 'SELECT ''t''';
CREATE FUNCTION kinds_app.swapped_watch(jsonb, bigint) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true';
SELECT pg_temp.refuses(pg_temp.new_kind('kinds_no', payload, authorize), '42883', 'kinds_no', 'refused: ' || what)
FROM (VALUES
	('kinds_app.nope(bigint[])', 'kinds_app.may_watch(bigint,jsonb)', 'a payload function that is not there'),
	('kinds_app.payload', 'kinds_app.may_watch(bigint,jsonb)', 'a name without arguments'),
	('kinds_app.payload(bigint[])', 'kinds_app.nope(bigint,jsonb)', 'an authorize function that is not there'),
	('kinds_app.volatile_payload(bigint[])', 'kinds_app.may_watch(bigint,jsonb)', 'a volatile payload function'),
	('kinds_app.text_payload(bigint[])', 'kinds_app.may_watch(bigint,jsonb)', 'one that returns text'),
	('kinds_app.int_payload(bigint[])', 'kinds_app.may_watch(bigint,jsonb)', 'one that returns other columns'),
	('kinds_app.payload(bigint[])', 'kinds_app.text_watch(bigint,jsonb)', 'an authorize function that returns text'),
	('kinds_app.payload(bigint[])', 'kinds_app.swapped_watch(jsonb,bigint)', 'one with other arguments'),
	('kinds_app.may_watch(bigint,jsonb)', 'kinds_app.payload(bigint[])', 'one for the other')) AS v (payload, authorize, what);
SELECT pg_temp.refuses($$UPDATE sync.sync_kinds SET payload_function = 'nope(bigint[])' WHERE kind = 'kinds_batch'$$, '42883', 'kinds_batch', 'by UPDATE as well');
SELECT throws_ok(pg_temp.new_kind('Kinds Bad', 'kinds_app.payload(bigint[])', 'kinds_app.may_watch(bigint,jsonb)'), '23514', NULL, 'a kind''s name is a word');
SELECT pg_temp.refuses($$UPDATE sync.sync_kinds SET channel = 'SessionsChannel' WHERE kind = 'kinds_batch'$$, '42939', 'SessionsChannel', 'the channel of lists is no kind''s');
SELECT pg_temp.refuses(pg_temp.new_kind('owner', 'kinds_app.payload(bigint[])', 'kinds_app.may_watch(bigint,jsonb)'), '42939', 'owner', 'nor are the owners'' streams');
SELECT throws_ok($$UPDATE sync.sync_kinds SET channel = 'SyncStatusChannel' WHERE kind = 'kinds_batch'$$, '23505', NULL, 'a channel belongs to one kind');
SELECT throws_ok($$UPDATE sync.sync_kinds SET min_interval = '10 seconds' WHERE kind = 'kinds_batch'$$, '23514', NULL, 'min_interval is at most every_interval');

-- gone again: other files meet the built-in kinds alone
DELETE FROM sync.sync_sessions WHERE kind LIKE 'kinds\_%' OR owner_id IN ('kim', 'odd');
DELETE FROM sync.sync_kinds WHERE kind LIKE 'kinds\_%';
SELECT sync.sync_progress_flush();
DROP SCHEMA kinds_app CASCADE;
SELECT * FROM finish();
