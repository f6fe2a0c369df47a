-- A kind of one's own with functions that consult the application's tables:
-- README's example, by a role that is not superuser, word for word.
\ir include/helpers.psql
SELECT plan(17);

DROP SCHEMA IF EXISTS app CASCADE;
DROP ROLE IF EXISTS own_functions_app;
CREATE ROLE own_functions_app;
CREATE SCHEMA app AUTHORIZATION own_functions_app;
GRANT USAGE ON SCHEMA sync TO own_functions_app;

-- README: what the functions' owner needs
GRANT SELECT ON sync.sync_sessions TO own_functions_app;
GRANT EXECUTE ON FUNCTION sync.sync_may_watch TO own_functions_app;
SET ROLE own_functions_app;
CREATE TABLE app.projects (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE app.members (project_id bigint REFERENCES app.projects, user_id text, PRIMARY KEY (project_id, user_id));
INSERT INTO app.projects VALUES (7, 'Zürich'), (8, 'Bern');
INSERT INTO app.members VALUES (7, 'mia'), (7, 'noa'), (8, 'mia');

-- README: the functions
CREATE FUNCTION app.import_payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE AS $$
	SELECT s.id, json_build_object('project', p.name, 'status', s.status, 'rows', s.processed_count)
	FROM sync.sync_sessions AS s LEFT JOIN app.projects AS p ON p.id = s.source_id::bigint
	WHERE s.id = ANY (session_ids)
$$;
CREATE FUNCTION app.import_may_watch(session_id bigint, claims jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT sync.sync_may_watch(session_id, claims) OR EXISTS (
		SELECT FROM sync.sync_sessions AS s JOIN app.members AS m ON m.project_id = s.source_id::bigint
		WHERE s.id = session_id AND m.user_id = claims ->> 'sub'
			AND (claims -> 'sessions' IS NULL OR claims -> 'sessions' @> to_jsonb(s.id)))
$$;
RESET ROLE;
INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function)
VALUES ('import', 'ImportChannel', 'project_id', 'app.import_payload(bigint[])', 'app.import_may_watch(bigint, jsonb)');

SELECT sync.sync_session_start('olga', 'import', source_id => '7') AS z \gset
SELECT sync.sync_session_start('olga', 'import', source_id => '8') AS b \gset
SELECT sync.sync_session_start('olga', 'import', source_id => '9') AS nowhere \gset
SELECT sync.sync_progress_increment(:z, 12);
SELECT sync.sync_progress_flush();

CREATE FUNCTION pg_temp.ask(project integer, claims jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(refused, payload::text) FROM sync.sync_progress_subscribe(ARRAY[format('{"channel":"ImportChannel","project_id":%s}', project)], ARRAY[claims], '{1}')
$$;
SELECT is(pg_temp.ask(7, '{"sub":"mia"}')::jsonb, '{"project":"Zürich","status":"processing","rows":12}', '[002-01] a member may watch, and is sent what the application says');
SELECT is(pg_temp.ask(8, '{"sub":"mia"}')::jsonb ->> 'project', 'Bern', 'of each of their projects');
SELECT is(pg_temp.ask(7, '{"sub":"noa"}')::jsonb ->> 'project', 'Zürich', 'so may another');
SELECT is(pg_temp.ask(8, '{"sub":"noa"}'), 'not_found', '[000-35] who is no member may not');
SELECT is(pg_temp.ask(7, '{}'), 'not_found', 'nor nobody');
SELECT is(pg_temp.ask(8, '{"sub":"olga"}')::jsonb ->> 'project', 'Bern', 'its owner may, as for any kind');
SELECT is(pg_temp.ask(8, '{"scope":["admin"]}')::jsonb ->> 'project', 'Bern', 'and an admin');
SELECT is(pg_temp.ask(7, format('{"sub":"noa","sessions":[%s]}', :b)::jsonb), 'not_found', 'a token for other sessions is none for this');
SELECT isnt(pg_temp.ask(7, format('{"sub":"noa","sessions":[%s]}', :z)::jsonb), 'not_found', 'one for it is');
SELECT is(pg_temp.ask(9, '{"sub":"olga"}')::jsonb, '{"project":null,"status":"processing","rows":0}', 'a project that is not there any more has a state, too');

-- rights that change are asked for at the next subscribe
DELETE FROM app.members WHERE user_id = 'noa';
SELECT is(pg_temp.ask(7, '{"sub":"noa"}'), 'not_found', 'who is no member any more may not watch any more');

-- the functions run as their owner, who has these rights and no others
SET client_min_messages = error;
SET ROLE own_functions_app;
CREATE OR REPLACE FUNCTION app.import_payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE AS $$
	SELECT id, (SELECT to_json(jwk) FROM sync.sync_keys LIMIT 1) FROM unnest(session_ids) AS id
$$;
RESET ROLE;
SELECT is(pg_temp.ask(7, '{"sub":"mia"}'), 'unavailable', 'a payload function reads nothing that its owner may not read');
SET ROLE own_functions_app;
CREATE OR REPLACE FUNCTION app.import_payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN QUERY SELECT id, json_build_array(current_user, current_setting('search_path'), current_setting('timezone'), current_setting('transaction_read_only')) FROM unnest(session_ids) AS id;
END
$$;
RESET ROLE;
SET timezone = 'America/Costa_Rica';
SELECT is(pg_temp.ask(7, '{"sub":"mia"}')::jsonb - 3, '["own_functions_app", "pg_catalog, pg_temp", "UTC"]', 'it runs as its owner, with a fixed search_path and time zone');
SELECT is(format('%s %s', current_user, current_setting('timezone')), 'postgres America/Costa_Rica', 'and the caller''s are as before');
SET ROLE own_functions_app;
CREATE OR REPLACE FUNCTION app.import_payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS $$
BEGIN
	INSERT INTO app.members VALUES (7, 'mallory');
	RETURN QUERY SELECT id, '{}'::json FROM unnest(session_ids) AS id;
END
$$;
RESET ROLE;
SELECT is(pg_temp.ask(7, '{"sub":"mia"}'), 'unavailable', 'it cannot write');
SELECT is(count(*), 0::bigint, 'not even its owner''s tables') FROM app.members WHERE user_id = 'mallory';
DROP FUNCTION app.import_may_watch;
SELECT is(pg_temp.ask(7, '{"sub":"mia"}'), 'not_found', 'a function that was dropped refuses');

DELETE FROM sync.sync_sessions WHERE kind = 'import';
DELETE FROM sync.sync_kinds WHERE kind = 'import';
SELECT sync.sync_progress_flush();
SET client_min_messages = warning;
DROP OWNED BY own_functions_app CASCADE;
DROP ROLE own_functions_app;
SELECT * FROM finish();
