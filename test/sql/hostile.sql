-- What careless or hostile SQL can put into the tables, and into tokens, ends
-- nobody's worker, keeps nothing from being told, and opens nothing.
\ir include/helpers.psql
SELECT plan(36);

-- times near the end of time: adding to one, or subtracting two, is an error
-- (with these the worker died at its first sweep, each time that it was started)
CREATE TABLE hostile_meshes (id bigint PRIMARY KEY, owner text, done bigint, started timestamptz, created timestamptz);
SELECT sync.sync_progress_track('hostile_meshes', 'mesh', '{"id":"id","owner_id":"owner","processed_count":"done","started_at":"started","created_at":"created"}');
INSERT INTO hostile_meshes SELECT n, 'hostile', 5, t::timestamptz, c::timestamptz
FROM (VALUES (990001, '294276-12-31 23:59:50+00', '294276-12-31 23:59:50+00'), (990002, '-infinity', '-infinity'), (990003, 'infinity', 'infinity'), (990004, '4714-11-24 00:00:00+00 BC', '4714-11-24 00:00:00+00 BC')) AS v (n, t, c);
UPDATE sync.sync_sessions SET total_count = 100 WHERE owner_id = 'hostile';
SELECT sync.sync_progress_flush();
SELECT worker_pid AS worker FROM sync.pg_stat_sync_progress \gset
UPDATE hostile_meshes SET done = 50;
SELECT lives_ok('SELECT sync.sync_progress_flush()', 'runs from the beginning and the end of time are folded');
SELECT is((SELECT count(*) FROM sync.sync_sessions WHERE owner_id = 'hostile' AND processed_count = 50), 4::bigint, 'all of them');
SELECT is((SELECT worker_pid::text FROM sync.pg_stat_sync_progress), :'worker', 'by the worker that was there');
SELECT is((SELECT string_agg(payload ->> 'progress', ',') FROM sync.sync_progress_snapshots('{mesh:990001,mesh:990002,mesh:990003,mesh:990004}')), '50,50,50,50', 'and shown');
SELECT is((SELECT count(eta_state) FROM sync.sync_progress WHERE owner_id = 'hostile'), 4::bigint, 'in the exact view, too');
UPDATE sync.sync_kinds SET stall_after = '170000000 years' WHERE kind = 'mesh';
SELECT lives_ok('SELECT sync.sync_progress_flush()', 'a run may stand still for as long as an interval can say');
SELECT is((SELECT worker_pid::text FROM sync.pg_stat_sync_progress), :'worker', 'and the worker lives');
UPDATE sync.sync_kinds SET stall_after = DEFAULT WHERE kind = 'mesh';
DROP TABLE hostile_meshes;

-- texts of any length
SELECT sync.sync_session_start('hostile', title => repeat('é', 1000000), accounts => '[{"name":"in"}]') AS s \gset
UPDATE sync.sync_session_accounts SET name = repeat('n', 300000), email = repeat('e', 300000), error_message = repeat(E'\x01', 300000) WHERE sync_session_id = :s;
SELECT sync.sync_session_fail(:s, repeat(E'trace\n', 100000));
SELECT sync.sync_progress_flush();
SELECT payload::text AS p, version AS v FROM sync.sync_progress_snapshots(ARRAY['sync:' || :s]) \gset
SELECT is(:'p'::json ->> 'status', 'failed', '[000-06] a run with a very long error is told as failed');
SELECT is(length(:'p'::json ->> 'title'), 500, 'its title is cut');
SELECT matches(:'p'::json ->> 'title', '^é+…$', 'visibly');
SELECT is(length(:'p'::json ->> 'error_message'), 10000, 'so is the error');
SELECT is(length(:'p'::json #>> '{accounts,0,error_message}'), 1000, 'and that of an account');
SELECT is((SELECT length(title) FROM sync.sync_sessions WHERE id = :s), 1000000, 'the row has all of it');
SELECT is((SELECT length(data ->> 'title') FROM sync.sync_progress_sessions('{"sub":"hostile"}', NULL, 1)), 500, 'lists show as much');
SELECT sync.sync_session_start('hostile', kind) AS x, sync.sync_text_shown('abc', 3), sync.sync_text_shown(NULL, 3) FROM (VALUES ('mesh'), ('connection')) AS v (kind);
SELECT sync.sync_session_fail(id, repeat('x', 300000)) FROM sync.sync_sessions WHERE owner_id = 'hostile' AND status = 'processing' AND title IS NULL AND processed_count = 0;
SELECT sync.sync_progress_flush();
SELECT is((SELECT string_agg(length(coalesce(payload ->> 'message', payload ->> 'error'))::text, ',') FROM sync.sync_progress_snapshots(ARRAY(
	SELECT kind || ':' || source_id FROM sync.sync_sessions WHERE owner_id = 'hostile' AND length(error_message) = 300000))), '10000,10000', 'of the other kinds, too');

-- counters that are none
SELECT throws_ok($$INSERT INTO sync.sync_sessions (owner_id, counters) VALUES ('hostile', '[1]')$$, '23514', NULL, 'counters are an object');
SELECT throws_ok($$INSERT INTO sync.sync_sessions (owner_id, counters) VALUES ('hostile', '{"a":"x"}')$$, '23514', NULL, 'of numbers');
SELECT throws_ok($$INSERT INTO sync.sync_sessions (owner_id, version) VALUES ('hostile', 9223372036854775807)$$, '23514', NULL, 'a version leaves room for the next');

-- claims that look like others
SELECT sync.sync_session_start('true') AS s \gset
INSERT INTO sync.sync_sessions (owner_id, status) VALUES ('', 'processing') RETURNING id AS nobodys \gset
SELECT is(sync.sync_may_watch(:s, claims::jsonb), allowed, format('[000-35] %s %s', claims, CASE WHEN allowed THEN 'may' ELSE 'may not' END))
FROM (VALUES ('{"sub":"true"}', true), ('{"sub":true}', false), ('{"sub":["true"]}', false), ('{"sub":"other","scope":{"admin":false}}', false), ('{"sub":"true","scope":{"read":true}}', false),
	('{"sub":"other","scope":"admin"}', true), ('{"sub":"true","scope":"read control"}', false), ('{"sub":"true","scope":null}', false), ('["admin"]', false)) AS v (claims, allowed);
SELECT is(sync.sync_may_watch(:s, format('{"sub":"true","sessions":%s}', sessions)::jsonb), allowed, format('sessions %s: %s', replace(sessions, :'s', 'id'), allowed))
FROM (VALUES (format('[%s]', :s), true), (format('["%s"]', :s), false), (:'s', false), ('null', false)) AS v (sessions, allowed);
SELECT ok(NOT sync.sync_may_watch(:nobodys, '{"sub":""}'), 'what has no owner is not for who has no name');
SELECT is((SELECT count(*) FROM sync.sync_progress_sessions('{"sub":"other","scope":{"admin":false}}')), 0::bigint, 'such claims list nothing');
SET client_min_messages = error;
SELECT pg_temp.refuses(format($$SELECT sync.sync_progress_perform('{"channel":"SyncStatusChannel","session_id":%s}', 'cancel', NULL, '{"sub":"true","scope":{"control":true}}')$$, :s),
	'P0002', 'no such session', 'and do nothing');

-- functions that were renamed (their plans were kept under the old name)
CREATE SCHEMA hostile_app;
CREATE FUNCTION hostile_app.payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE AS $$ SELECT id, '{"a":1}'::json FROM unnest(session_ids) AS id $$;
CREATE FUNCTION hostile_app.may(session_id bigint, claims jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT true $$;
INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function) VALUES ('hostile', 'HostileChannel', 'id', 'hostile_app.payload(bigint[])', 'hostile_app.may(bigint,jsonb)');
SELECT sync.sync_session_start('hostile', 'hostile', source_id => 'r') AS r \gset
CREATE FUNCTION pg_temp.ask() RETURNS text LANGUAGE sql AS $$ SELECT coalesce(refused, payload::text) FROM sync.sync_progress_subscribe('{"{\"channel\":\"HostileChannel\",\"id\":\"r\"}"}', '{"{}"}', '{1}') $$;
SELECT is(pg_temp.ask(), '{"a":1}', 'functions are called');
ALTER FUNCTION hostile_app.payload RENAME TO payload_2;
ALTER FUNCTION hostile_app.may RENAME TO may_2;
UPDATE sync.sync_kinds SET payload_function = 'hostile_app.payload_2(bigint[])', authorize_function = 'hostile_app.may_2(bigint,jsonb)' WHERE kind = 'hostile';
SELECT is(pg_temp.ask(), '{"a":1}', 'and are when they have new names');

DELETE FROM sync.sync_sessions WHERE owner_id IN ('hostile', 'true', '');
DELETE FROM sync.sync_kinds WHERE kind = 'hostile';
DROP SCHEMA hostile_app CASCADE;
SELECT sync.sync_progress_flush();
SELECT * FROM finish();
