-- Rights: nothing to PUBLIC, EXECUTE is all a writer needs.
\ir include/helpers.psql
SELECT plan(41);

CREATE TEMP VIEW extension_functions AS
	SELECT p.oid, p.proname, p.oid::regprocedure AS signature, p.proacl, p.proowner, p.prosecdef, p.proconfig
	FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid WHERE e.extname = 'sync_progress' AND d.deptype = 'e';
CREATE TEMP VIEW extension_relations AS
	SELECT c.oid, c.relname, c.relkind, c.relacl, c.relowner
	FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid WHERE e.extname = 'sync_progress' AND d.deptype = 'e';

SELECT cmp_ok(count(*), '>', 20::bigint, 'there are functions to look at') FROM extension_functions;
SELECT is(string_agg(signature::text, ', '), NULL, 'PUBLIC may execute no function')
FROM extension_functions, aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a WHERE a.grantee = 0;
SELECT is(string_agg(relname, ', '), NULL, 'PUBLIC may touch no table, view or sequence')
FROM extension_relations, aclexplode(coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) AS a WHERE a.grantee = 0;
SELECT is(string_agg(signature::text, ', '), NULL, 'every SECURITY DEFINER function has a fixed search_path that ends in pg_temp')
FROM extension_functions WHERE prosecdef AND NOT coalesce(proconfig::text ~ 'search_path=.*pg_temp', false);

DROP ROLE IF EXISTS sync_test_nobody;
DROP ROLE IF EXISTS sync_test_writer;
DROP ROLE IF EXISTS sync_test_bridge;
CREATE ROLE sync_test_nobody;
CREATE ROLE sync_test_writer;
CREATE ROLE sync_test_bridge;
GRANT USAGE ON SCHEMA sync TO sync_test_nobody, sync_test_writer, sync_test_bridge;
GRANT EXECUTE ON FUNCTION sync.sync_session_start, sync.sync_progress_increment, sync.sync_progress_increment_many, sync.sync_progress_set,
	sync.sync_session_pause, sync.sync_session_resume, sync.sync_session_cancel, sync.sync_session_complete, sync.sync_session_fail, sync.sync_session_retry, sync.sync_progress_token
	TO sync_test_writer;
GRANT EXECUTE ON FUNCTION sync.sync_progress_attach, sync.sync_progress_subscribe, sync.sync_progress_snapshots, sync.sync_progress_sessions, sync.sync_progress_keys,
	sync.sync_progress_perform, sync.sync_progress_callback TO sync_test_bridge;

SELECT pg_temp.start_with_accounts('rights') AS s \gset
SELECT pg_temp.account(:s, 'Inbox') AS inbox \gset
SELECT sync.sync_session_start('rights') AS other \gset
SELECT job_id AS job FROM sync.sync_sessions WHERE id = :s \gset

-- a plain role
SET ROLE sync_test_nobody;
SELECT throws_ok(statement, '42501', NULL, 'a plain role may not: ' || left(statement, 60))
FROM unnest(ARRAY['SELECT sync.sync_session_start(''x'')', format('SELECT sync.sync_progress_increment(%s)', :s), format('SELECT sync.sync_session_complete(%s)', :s),
	'SELECT sync.sync_progress_token(''x'')', 'SELECT * FROM sync.sync_progress_keys()', 'SELECT * FROM sync.sync_progress', 'SELECT * FROM sync.sync_sessions',
	'SELECT * FROM sync.sync_keys', 'SELECT sync.sync_progress_flush()', 'SELECT * FROM sync.sync_progress_snapshots(''{}'')', 'SELECT * FROM sync.sync_progress_ledger_0']) AS statement;
RESET ROLE;

-- an application
SET ROLE sync_test_writer;
SELECT lives_ok($$SELECT sync.sync_session_start('rights', total_count => 5, accounts => '[{"name":"x"}]')$$, 'EXECUTE is enough to start a session');
SELECT is(sync.sync_progress_increment(:s), 'processing', 'to increment');
SELECT is(sync.sync_progress_increment(:s, 2, 'processed', :inbox), 'processing', 'to increment an account');
SELECT is(sync.sync_progress_increment_many(:s, '{"detected":1,"x.y":2}'), 'processing', 'to increment many fields');
SELECT is(sync.sync_progress_set(:s, total_count => 50, message => 'm'), 'processing', 'to set');
SELECT is(sync.sync_session_pause(:s) || sync.sync_session_resume(:s), 'pausedprocessing', 'to pause and resume');
SELECT is(sync.sync_session_complete(:s, :inbox), 'processing', 'to complete an account');
SELECT is(sync.sync_session_complete(:s), 'completed', 'and to complete');
SELECT ok(sync.sync_session_retry(:s) > :s, 'to retry');
SELECT matches(sync.sync_progress_token('rights'), '^[^.]+\.[^.]+\.[^.]+$', 'and to mint a token');
SELECT throws_ok($$SELECT * FROM sync.sync_keys$$, '42501', NULL, 'but not to read keys');
SELECT throws_ok(format($$UPDATE sync.sync_sessions SET owner_id = 'me' WHERE id = %s$$, :s), '42501', NULL, 'nor to write tables');
RESET ROLE;

-- a bridge
SET ROLE sync_test_bridge;
SELECT is((SELECT count(*) FROM sync.sync_progress_attach()), 1::bigint, 'EXECUTE is enough for a bridge to attach');
SELECT is((SELECT refused FROM sync.sync_progress_subscribe(ARRAY[format('{"channel":"SyncStatusChannel","id":%s}', :s)], ARRAY['{"sub":"rights"}'::jsonb], '{1}')), NULL, 'to subscribe');
SELECT is((SELECT count(*) FROM sync.sync_progress_snapshots(ARRAY['sync:' || :s])), 1::bigint, 'to read snapshots');
SELECT ok((SELECT count(*) FROM sync.sync_progress_sessions('{"sub":"rights"}')) > 0, 'to list sessions');
SELECT ok((SELECT count(*) FROM sync.sync_progress_keys()) > 0, 'to read keys');
SELECT is((SELECT result ->> 'deleted' FROM sync.sync_progress_perform(format('{"channel":"SyncStatusChannel","id":%s}', :other), 'delete', NULL, '{"sub":"rights","scope":["control"]}')), 'true', 'to do what people ask for');
SELECT is(sync.sync_progress_callback(jsonb_build_object('aud', 'callback', 'job_id', :'job'::text), jsonb_build_object('job_id', :'job'::text, 'progress', 5)) ->> 'session_status', 'completed', 'and to take workers'' reports');
SELECT throws_ok(statement, '42501', NULL, 'but a bridge may not: ' || left(statement, 50))
FROM unnest(ARRAY['SELECT sync.sync_session_cancel(1)', 'SELECT sync.sync_progress_rotate_key()', 'SELECT sync.sync_progress_token(''rights'')', 'SELECT * FROM sync.sync_keys',
	'SELECT sync.sync_session_act(1, ''cancel'', NULL)', 'SELECT sync.sync_progress_report(1, 1, NULL, NULL, NULL, false)', 'SELECT sync.sync_progress_mint(''{}'', ''1 hour'')']) AS statement;
RESET ROLE;

SELECT sync.sync_progress_flush();
DROP OWNED BY sync_test_nobody, sync_test_writer, sync_test_bridge;
DROP ROLE sync_test_nobody, sync_test_writer, sync_test_bridge;
SELECT * FROM finish();
