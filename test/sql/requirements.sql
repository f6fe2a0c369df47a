-- Requirements that are no other file's subject: how counting fits into a job,
-- what it locks, what the tables cost, what is kept, who hears nothing.
\ir include/helpers.psql
SELECT plan(53);

-- Kinds that are told when their count says so, never by time.
DELETE FROM sync.sync_sessions WHERE owner_id LIKE 'req-%';
DELETE FROM sync.sync_kinds WHERE kind LIKE 'req\_%';
INSERT INTO sync.sync_kinds (kind, channel, param, min_interval, every_interval, stall_after, payload_function, authorize_function)
SELECT 'req_seldom', 'ReqSeldomChannel', 'id', '10 milliseconds', '1 hour', '1 hour', payload_function, authorize_function FROM sync.sync_kinds WHERE kind = 'sync';

-- The job as it was, with the extension's calls in place of its own: an
-- increment each hundred items and one at the end of the batch, by what was
-- done since the last one.
CREATE FUNCTION pg_temp.perform(session bigint, batch_size integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	said integer := 0;
	calls integer := 0;
BEGIN
	FOR done IN 1..batch_size LOOP
		IF done % 100 = 0 OR done = batch_size THEN
			PERFORM sync.sync_progress_increment(session, done - said);
			said := done;
			calls := calls + 1;
		END IF;
	END LOOP;
	RETURN calls;
END
$$;
SELECT sync.sync_session_start('req-job', total_count => 1137) AS s \gset
SELECT is(pg_temp.perform(:s, 1000), 10, '[001-02] a batch of 1,000 is reported ten times');
SELECT is((SELECT processed_count FROM sync.sync_progress(:s)), 1000::bigint, '[001-11] and counts as 1,000, not as 5,500');
SELECT is(pg_temp.perform(:s, 137), 2, '[001-02] each hundred, and at the batch''s end');
SELECT is((SELECT format('%s %s', processed_count, progress_percentage) FROM sync.sync_progress(:s)), '1137 100', '[001-11] batches add up');

-- [001-04] [001-10] what the hash of the session had, the row has
SELECT sync.sync_session_start('req-store', total_count => 900) AS h \gset
SELECT updated_at AS before, version AS v FROM sync.sync_sessions WHERE id = :h \gset
SELECT sync.sync_progress_increment_many(:h, '{"processed":450,"detected":31,"total":100}');
SELECT sync.sync_progress_flush();
SELECT is(format('%s %s %s', processed_count, total_count, detected_count), '450 1000 31', '[001-04] [001-10] processed, total and detected, in one call') FROM sync.sync_sessions WHERE id = :h;
SELECT ok(updated_at > :'before' AND version > :v, '[001-10] with updated_at, at a newer version') FROM sync.sync_sessions WHERE id = :h;
SELECT throws_ok(format('SELECT sync.sync_progress_increment_many(%s, %L)', :h, '{"processed":5,"detected":3,"total":"x"}'), '22023', NULL, '[001-10] all of a call''s fields');
SELECT is((SELECT format('%s %s %s', processed_count, total_count, detected_count) FROM sync.sync_progress(:h)), '450 1000 31', '[001-10] or none');

-- [000-29] [001-10] the table is the store: nothing expires
SELECT sync.sync_session_complete(:h, result_url => '/r');
UPDATE sync.sync_sessions SET created_at = now() - interval '1 year', started_at = now() - interval '1 year', completed_at = now() - interval '364 days' WHERE id = :h;
SELECT sync.sync_progress_flush();
SELECT is(format('%s %s %s %s', coalesce(refused, '-'), final, payload ->> 'status', payload ->> 'processed_count'), '- t completed 450', '[000-29] a run that ended a year ago has its state')
FROM sync.sync_progress_subscribe(ARRAY[format('{"channel":"SyncStatusChannel","session_id":%s}', :h)], '{"{\"sub\":\"req-store\"}"}', '{1}');
SELECT is((SELECT payload ->> 'result_url' FROM sync.sync_progress_snapshots(ARRAY['sync:' || :h])), '/r', '[000-29] and its result');

-- locks: what an open transaction that counts holds (pgTAP's own tables, __t…, aside)
SELECT sync.sync_session_start('req-locks', total_count => 1000, accounts => '[{"name":"a","total_count":10}]') AS l \gset
SELECT pg_temp.account(:l, 'a') AS la \gset
SELECT sync.sync_progress_increment(:l);
BEGIN;
SELECT sync.sync_progress_increment(:l), sync.sync_progress_increment(:l, 5, 'detected', :la);
SELECT sync.sync_progress_increment_many(:l, '{"processed":100,"x.y":3}'), sync.sync_progress_set(:l, total_count => 2000, message => 'm');
SELECT is((SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'), 0::bigint, '[001-14] counting takes no advisory lock');
SELECT is((SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'tuple'), 0::bigint, '[001-14] and waits for no row');
SELECT is((SELECT string_agg(DISTINCT relation::regclass::text || ' ' || mode, ', ') FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'
	AND mode <> 'AccessShareLock' AND relation::regclass::text !~ '^(sync.sync_progress_ledger_\d+|__t.*)$'), NULL, '[001-14] [000-25] it writes the ledger, and nothing else');
SELECT ok((SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation' AND mode = 'RowExclusiveLock' AND relation::regclass::text ~ 'sync_progress_ledger_\d+$') > 0, 'that one it does');
ROLLBACK;

-- [000-34] updates of hot rows stay HOT
SELECT is(string_agg(DISTINCT i.indexrelid::regclass || ': ' || a.attname, ', '), NULL, '[000-34] no index has a column that changes with progress, in its key, its predicate or an expression')
FROM pg_index AS i JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.refobjid = i.indrelid
JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE i.indrelid IN ('sync.sync_sessions'::regclass, 'sync.sync_session_accounts'::regclass)
	AND a.attname ~ '^(processed|total|detected|error)_(count|set_at)$|^(counters|message|message_set_at|updated_at|version|pace|live)$';
SELECT is(count(DISTINCT d.objid), 2::bigint, 'those of sessions by status are partial') FROM pg_index AS i JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid WHERE i.indrelid = 'sync.sync_sessions'::regclass AND a.attname = 'status' AND i.indpred IS NOT NULL;

CREATE TEMP VIEW updates AS
	SELECT relid::regclass::text AS name, n_tup_upd AS upd, n_tup_hot_upd AS hot FROM pg_stat_user_tables WHERE relid IN ('sync.sync_sessions'::regclass, 'sync.sync_session_accounts'::regclass);
CREATE TEMP TABLE before AS SELECT * FROM updates;
SELECT set_config('test.session', :'l', false), set_config('test.account', :'la', false);
DO $$
DECLARE
	session bigint := current_setting('test.session');
	account bigint := current_setting('test.account');
BEGIN
	FOR i IN 1..60 LOOP
		PERFORM sync.sync_progress_increment(session, 1, account_id => account);
		COMMIT;
		PERFORM sync.sync_progress_flush();
		COMMIT;
	END LOOP;
	-- the worker reports what it did a moment after it has done it
	FOR i IN 1..500 LOOP
		EXIT WHEN (SELECT bool_and(u.upd - b.upd >= 60) FROM updates AS u JOIN before AS b USING (name));
		COMMIT;
		PERFORM pg_sleep(0.02);
	END LOOP;
END
$$;
SELECT cmp_ok(u.upd - b.upd, '>=', 60::bigint, 'sixty folds have updated ' || name) FROM updates AS u JOIN before AS b USING (name) ORDER BY name;
SELECT cmp_ok(u.hot - b.hot, '>=', (0.9 * (u.upd - b.upd))::bigint, '[000-34] nine in ten or more of the updates were HOT: ' || name) FROM updates AS u JOIN before AS b USING (name) ORDER BY name;

-- [000-34] and its queries have their indexes, where most runs have ended
BEGIN;
INSERT INTO sync.sync_sessions (owner_id, status, completed_at) SELECT 'req-many' || n % 100, 'completed', now() - make_interval(mins => n) FROM generate_series(1, 5000) AS n;
ANALYZE sync.sync_sessions;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan::text;
END
$$;
SELECT matches(pg_temp.plan_of(query), index, '[000-34] ' || what) FROM (VALUES
	($$SELECT id FROM sync.sync_sessions WHERE status IN ('pending', 'processing', 'paused') ORDER BY updated_at DESC$$, 'sync_sessions_one_open_run', 'open runs, the last changed first'),
	($$SELECT id FROM sync.sync_sessions WHERE status IN ('completed', 'failed', 'cancelled') AND completed_at > now() - interval '10 minutes'$$, 'sync_sessions_ended', 'runs that ended lately'),
	($$SELECT id FROM sync.sync_sessions WHERE owner_id = 'req-many7' ORDER BY id DESC LIMIT 50$$, 'sync_sessions_owner', 'an owner''s runs, newest first')) AS v (query, index, what);
ROLLBACK;

-- [000-34] no N+1: many sessions with accounts are one read
CREATE SCHEMA req_app;
CREATE FUNCTION req_app.payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN QUERY SELECT * FROM sync.sync_payload(session_ids); END $$;
CREATE FUNCTION req_app.may_manage(session_id bigint, claims jsonb) RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT sync.sync_may_watch(session_id, claims) OR claims ->> 'sub' = 'req-manager'
$$;
INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function) VALUES ('req_many', 'ReqManyChannel', 'id', 'req_app.payload(bigint[])', 'sync.sync_may_watch(bigint,jsonb)');
SELECT count(sync.sync_session_start('req-n', 'req_many', source_id => 'n' || n, accounts => '[{"name":"a"},{"name":"b"},{"name":"c"}]')) FROM generate_series(1, 200) AS n;
SET track_functions = 'pl';
BEGIN;
SELECT count(*) AS states, sum(json_array_length(payload -> 'accounts')) AS accounts
FROM sync.sync_progress_subscribe(ARRAY(SELECT format('{"channel":"ReqManyChannel","id":"n%s"}', n) FROM generate_series(1, 200) AS n), '{"{\"sub\":\"req-n\"}"}', array_fill(1, '{200}')) \gset
SELECT is(format('%s %s', :states, :accounts), '200 600', 'two hundred states with their accounts');
SELECT is(calls, 1::bigint, '[000-34] are one call of the payload function') FROM pg_stat_xact_user_functions WHERE schemaname = 'req_app' AND funcname = 'payload';
COMMIT;
RESET track_functions;
BEGIN;
SELECT idx_tup_fetch AS rows, seq_scan AS scans FROM pg_stat_xact_user_tables WHERE relid = 'sync.sync_session_accounts'::regclass \gset before_
SELECT count(*) FROM sync.sync_payload(ARRAY(SELECT id FROM sync.sync_sessions WHERE owner_id = 'req-n'));
SELECT is(format('%s %s', idx_tup_fetch - :before_rows, seq_scan - :before_scans), '600 0', '[000-34] in which each account is read once, and nothing else')
FROM pg_stat_xact_user_tables WHERE relid = 'sync.sync_session_accounts'::regclass;
COMMIT;
-- atomic increments by a trigger
CREATE TABLE req_app.emails (session bigint, detected boolean);
CREATE FUNCTION req_app.count_emails() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM sync.sync_progress_increment_many(n.session, jsonb_build_object('processed', count(*), 'detected', count(*) FILTER (WHERE n.detected))) FROM new_emails AS n GROUP BY n.session;
	RETURN NULL;
END
$$;
CREATE TRIGGER count_emails AFTER INSERT ON req_app.emails REFERENCING NEW TABLE AS new_emails FOR EACH STATEMENT EXECUTE FUNCTION req_app.count_emails();
SELECT sync.sync_session_start('req-trigger') AS t \gset
INSERT INTO req_app.emails SELECT :t, n % 10 = 0 FROM generate_series(1, 250) AS n;
BEGIN;
INSERT INTO req_app.emails SELECT :t, true FROM generate_series(1, 50) AS n;
ROLLBACK;
SELECT is((SELECT format('%s %s', processed_count, detected_count) FROM sync.sync_progress(:t)), '250 25', '[000-34] a trigger of the application''s increments atomically');

-- [000-09] [000-06] the widget's figures, from what a sync says
SELECT sync.sync_session_start('req-widget', title => 'Email Sync Status', accounts => '[{"name":"BAC San José","email":"bac@example.com","total_count":150},
	{"name":"Scotia Bank","total_count":650},{"name":"Promerica","total_count":200}]') AS w \gset
SELECT sync.sync_progress_increment(:w, 150, account_id => pg_temp.account(:w, 'BAC San José')), sync.sync_progress_increment(:w, 300, account_id => pg_temp.account(:w, 'Scotia Bank'));
SELECT sync.sync_progress_flush();
CREATE FUNCTION pg_temp.widget(session bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s%% (%s/%s)', p ->> 'title', p ->> 'progress_percentage', p ->> 'processed_count', p ->> 'total_count') || coalesce(': ' || (p ->> 'error_message'), '') || string_agg(format(', %s %s (%s/%s)',
		CASE a ->> 'status' WHEN 'completed' THEN '✓' WHEN 'processing' THEN '⟳' WHEN 'failed' THEN '✗' ELSE '○' END, a ->> 'name', a ->> 'processed_count', a ->> 'total_count') || coalesce(': ' || (a ->> 'error_message'), ''), '')
	FROM (SELECT payload AS p FROM sync.sync_progress_snapshots(ARRAY['sync:' || session])) AS s, json_array_elements(p -> 'accounts') AS a GROUP BY p::text, p ->> 'title', p ->> 'progress_percentage', p ->> 'processed_count', p ->> 'total_count', p ->> 'error_message'
$$;
SELECT is(pg_temp.widget(:w), 'Email Sync Status 45% (450/1000), ✓ BAC San José (150/150), ⟳ Scotia Bank (300/650), ○ Promerica (0/200)', '[000-09] [000-14] [000-15] the widget''s figures');
SELECT sync.sync_session_fail(:w, 'no login', pg_temp.account(:w, 'Promerica'));
SELECT sync.sync_session_fail(:w, 'one bank of three failed');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.widget(:w), 'Email Sync Status 45% (450/1000): one bank of three failed, ✓ BAC San José (150/150), ⟳ Scotia Bank (300/650), ✗ Promerica (0/200): no login', '[000-06] errors of the session, and of an account');

-- [000-20] [000-17] what the widget shows while nothing goes on, and when that was
CREATE FUNCTION pg_temp.shows(owner text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(max(CASE WHEN data ->> 'status' IN ('pending', 'processing', 'paused') THEN 'active ' || (data ->> 'title') END),
		max(CASE WHEN data ->> 'status' = 'completed' THEN 'last sync ' || ((data ->> 'completed_at')::timestamptz <= clock_timestamp()) END), 'no sync yet')
	FROM sync.sync_progress_sessions(jsonb_build_object('sub', owner))
$$;
SELECT is(pg_temp.shows('req-idle'), 'no sync yet', '[000-20] an owner without a run has none in the list');
SELECT sync.sync_session_start('req-idle', title => 'T') AS i \gset
SELECT is(pg_temp.shows('req-idle'), 'active T', '[000-20] [000-12] one that is started is there, as active');
SELECT sync.sync_session_complete(:i);
SELECT is(pg_temp.shows('req-idle'), 'last sync true', '[000-20] [000-17] and when it has ended, when that was');

-- who may watch: through each channel, the state at once, or a refusal that says nothing
SELECT set_config('test.' || kind, sync.sync_session_start('req-watch', kind, source_id => 'req-1', status => 'pending')::text, false) FROM sync.sync_kinds WHERE kind IN ('sync', 'mesh', 'batch', 'connection');
CREATE FUNCTION pg_temp.ask(identifier jsonb, claims jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(refused, 'state ' || (payload IS NOT NULL)) FROM sync.sync_progress_subscribe(ARRAY[identifier::text], ARRAY[claims], '{1}')
$$;
SELECT is(array_to_string(ARRAY[
		pg_temp.ask(jsonb_build_object('channel', channel, param, 'req-1'), '{"sub":"req-watch"}'),
		pg_temp.ask(jsonb_build_object('channel', channel, param, 'req-1'), '{"sub":"req-stranger"}'),
		pg_temp.ask(jsonb_build_object('channel', channel, param, 'req-1'), NULL),
		pg_temp.ask(jsonb_build_object('channel', channel, param, 'req-unknown'), '{"sub":"req-watch"}'),
		pg_temp.ask(jsonb_build_object('channel', channel), '{"sub":"req-watch"}')], ', '), 'state true, not_found, not_found, not_found, not_found',
	format('%s %s: its owner the state; a stranger, nobody, an unknown %s and none are refused alike', tag, channel, param))
FROM sync.sync_kinds JOIN (VALUES ('sync', '[000-35]'), ('mesh', '[002-01] [002-19]'), ('batch', '[002-04]'), ('connection', '[003-01]')) AS v (kind, tag) USING (kind) ORDER BY kind;
SELECT is(payload::jsonb - '{updated_at,message,estimated_remaining}'::text[], '{"mesh_id":"req-1","progress":0,"status":"pending"}', '[002-19] on subscribe: mesh_id, progress 0, status pending')
FROM sync.sync_progress_subscribe('{"{\"channel\":\"MeshProgressChannel\",\"mesh_id\":\"req-1\"}"}', '{"{\"sub\":\"req-watch\"}"}', '{1}');
SELECT is(payload::jsonb, '{"batch_id":"req-1","total":null,"completed":0,"failed":0,"progress":0,"status":"pending","estimated_remaining":null}', '[002-04] on subscribe: the batch as it is')
FROM sync.sync_progress_subscribe('{"{\"channel\":\"BatchProgressChannel\",\"batch_id\":\"req-1\"}"}', '{"{\"sub\":\"req-watch\"}"}', '{1}');
BEGIN;
UPDATE sync.sync_kinds SET authorize_function = 'req_app.may_manage(bigint,jsonb)' WHERE kind = 'batch';
SELECT is(format('%s, %s, %s', pg_temp.ask('{"channel":"BatchProgressChannel","batch_id":"req-1"}', '{"sub":"req-watch"}'), pg_temp.ask('{"channel":"BatchProgressChannel","batch_id":"req-1"}', '{"sub":"req-manager"}'),
	pg_temp.ask('{"channel":"BatchProgressChannel","batch_id":"req-1"}', '{"sub":"req-stranger"}')), 'state true, state true, not_found', '[002-04] a batch may be watched by who manages it, too, where the application says so');
ROLLBACK;
-- ids that are guessed: a token that names its sessions is good for no other, of the same owner's even
SELECT sync.sync_session_start('req-watch') AS other \gset
SELECT is(string_agg(pg_temp.ask(jsonb_build_object('channel', 'SyncStatusChannel', 'session_id', id), format('{"sub":"req-watch","sessions":[%s]}', :other)::jsonb), ', ' ORDER BY id = :other, id), 'not_found, not_found, state true',
	'[000-35] [000-23] who has a token for one session finds no other by its id') FROM unnest(ARRAY[:other, :other - 1, current_setting('test.sync')::bigint]) AS id;

-- [004-05] only what is committed and done is told: looked at in the ledger
DO $$
BEGIN
	EXECUTE 'CREATE TEMP VIEW events AS SELECT label FROM (' ||
		(SELECT string_agg(format('SELECT xmin, op, label FROM sync.sync_progress_ledger_%s', n), ' UNION ALL ') FROM generate_series(0, 15) AS n) ||
		$q$) AS l WHERE op = 'E' AND xmin::text::bigint >= pg_current_xact_id()::xid::text::bigint$q$;
END
$$;
SELECT sync.sync_session_start('req-list', title => 'T') AS e \gset
SELECT '{"sub":"req-list","scope":["read","control"]}' AS claims \gset
BEGIN;
SELECT count(*) FROM sync.sync_progress_sessions(:'claims');
SELECT count(*) FROM sync.sync_progress_snapshots(ARRAY['sync:' || :e]);
SELECT count(*) FROM sync.sync_progress_subscribe(ARRAY['{"channel":"SessionsChannel"}', format('{"channel":"SyncStatusChannel","id":%s}', :e)], ARRAY[:'claims'::jsonb], '{1,1}');
SELECT count(*) FROM sync.sync_progress_perform(format('{"channel":"SyncStatusChannel","id":%s}', :e), 'request_update', NULL, :'claims');
SELECT is((SELECT count(*) FROM events), 0::bigint, '[004-05] reading lists and states again tells nobody anything: no loops');
SELECT pg_temp.refuses(format($q$SELECT * FROM sync.sync_progress_perform('{"channel":"SyncStatusChannel","id":%s}', 'rename', '{"title":"mine","lock_version":7}', %L)$q$, :e, :'claims'),
	'SP409', 'lock_version', 'an edit that is refused');
SELECT pg_temp.refuses(format('SELECT sync.sync_session_delete(%s, 7)', :e), 'SP409', 'lock_version', 'and a deletion');
SELECT is((SELECT count(*) FROM events), 0::bigint, '[004-05] [004-12] are told to nobody either');
SELECT count(*) FROM sync.sync_progress_perform(format('{"channel":"SyncStatusChannel","id":%s}', :e), 'rename', '{"title":"mine","lock_version":0}', :'claims');
SELECT is((SELECT string_agg(split_part(label, E'\n', 1), ',') FROM events), 'session_renamed', '[004-05] one that is done is');
ROLLBACK;

-- [000-36] [001-16] what a monitor reads
SELECT sync.sync_progress_flush();
SELECT pg_stat_sync_progress_reset FROM sync.pg_stat_sync_progress_reset();
SELECT sync.sync_session_start('req-stat', 'req_seldom') AS a, sync.sync_session_start('req-stat', 'req_seldom') AS b, sync.sync_session_start('req-stat', 'req_seldom') AS c \gset
SELECT sync.sync_progress_flush();
SELECT sync.sync_progress_increment(x) FROM unnest(ARRAY[:a, :b, :c]) AS x, generate_series(1, 4);
SELECT * FROM sync.pg_stat_sync_progress \gset before_
SELECT cmp_ok(:before_sessions_waiting, '>=', 3, '[001-16] queue depth: sessions that wait to be told');
SELECT sync.sync_progress_flush();
SELECT * FROM sync.pg_stat_sync_progress \gset
SELECT is(:before_sessions_waiting - :sessions_waiting >= 3, true, '[001-16] and no more when they were');
SELECT cmp_ok(:notifications, '>=', :before_notifications + 3, '[000-36] throughput: notifications');
SELECT cmp_ok(:increments_folded, '>=', :before_increments_folded + 12, '[000-36] and increments');
SELECT ok(:notify_p50_ms >= 0 AND :notify_p50_ms <= :notify_p95_ms AND :notify_p95_ms <= :notify_p99_ms, '[001-16] [000-36] latency: p50, p95 and p99');
SELECT ok(:sessions_tracked BETWEEN 3 AND :max_sessions, '[000-36] memory: sessions tracked, of how many');
SELECT ok(:ledger_bytes > 0 AND :ledger_bytes % current_setting('block_size')::bigint = 0, '[001-16] [000-36] memory: bytes of the ledger');
SELECT count(*) FROM sync.sync_progress_attach();
SELECT cmp_ok(attached, '>=', 1, '[000-36] connections: bridges that are attached') FROM sync.pg_stat_sync_progress;

DELETE FROM sync.sync_sessions WHERE owner_id LIKE 'req-%';
DELETE FROM sync.sync_kinds WHERE kind LIKE 'req\_%';
SELECT sync.sync_progress_flush();
DROP SCHEMA req_app CASCADE;
SELECT * FROM finish();
