-- sync_progress_perform: what people ask to be done, and what they are told.
\ir include/helpers.psql
SELECT plan(92);

CREATE FUNCTION pg_temp.ident(id bigint, channel text DEFAULT 'SyncStatusChannel') RETURNS text LANGUAGE sql AS $$
	SELECT format('{"channel":"%s","id":%s}', channel, id)
$$;
-- Does it as alice, who may; what comes of it.
CREATE FUNCTION pg_temp.does(session bigint, action text, data jsonb DEFAULT NULL, claims jsonb DEFAULT '{"sub":"perf-alice","scope":["read","control"]}') RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s %s %s %s', p.stream, coalesce(p.payload ->> 'status', '-'), p.final, p.result), ';')
	FROM sync.sync_progress_perform(pg_temp.ident(session), action, data, claims) AS p
$$;
CREATE FUNCTION pg_temp.call(identifier text, action text, data jsonb, claims jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT * FROM sync.sync_progress_perform(%L, %L, %L, %L)', identifier, action, data, claims)
$$;
SELECT '{"sub":"perf-alice","scope":["read","control"]}' AS alice \gset

-- request_update
SELECT sync.sync_session_start('perf-alice', title => 'Mail', total_count => 10) AS s \gset
SELECT sync.sync_progress_increment(:s, 5);
SELECT sync.sync_progress_flush();
SELECT is(array_agg(p.stream || ' ' || p.version || ' ' || p.payload || ' ' || p.final), array_agg(s.stream || ' ' || s.version || ' ' || s.payload || ' ' || s.final), '[002-02] request_update: the state, as subscribing gives it')
FROM sync.sync_progress_perform(pg_temp.ident(:s), 'request_update', NULL, '{"sub":"perf-alice"}') AS p,
	sync.sync_progress_subscribe(ARRAY[pg_temp.ident(:s)], ARRAY['{"sub":"perf-alice"}'::jsonb], '{1}') AS s;
SELECT is(result, '{}', 'nothing was done') FROM sync.sync_progress_perform(pg_temp.ident(:s), 'request_update', '{"any":"thing"}', '{"sub":"perf-alice"}');
SELECT is(count(*), 1::bigint, '[002-02] scope read is enough for it') FROM sync.sync_progress_perform(pg_temp.ident(:s), 'request_update', '{}', '{"sub":"perf-alice","scope":["read"]}');
SELECT sync.sync_progress_increment(:s);
SELECT count(*) FROM sync.sync_progress_perform(pg_temp.ident(:s), 'request_update', NULL, '{"sub":"perf-alice"}');
SELECT sync.sync_progress_flush();
SELECT is(payload ->> 'processed_count', '6', 'what is not folded follows') FROM sync.sync_progress_perform(pg_temp.ident(:s), 'request_update', NULL, '{"sub":"perf-alice"}');

-- pause, resume, cancel
SELECT is(pg_temp.does(:s, 'pause', '{"message":"lunch"}'), format('sync:%s paused f {"status": "paused", "session_id": %s, "lock_version": 0}', :s, :s), '[000-12] pause');
SELECT is(status || ' ' || message, 'paused lunch', 'with what to tell') FROM sync.sync_sessions WHERE id = :s;
SELECT is(sync.sync_progress_increment(:s), 'paused', 'its worker is told by its next increment');
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:s), 'pause', NULL, :'alice'), '55000', 'is paused', 'paused twice: the state does not allow it');
SELECT is(pg_temp.does(:s, 'resume'), format('sync:%s processing f {"status": "processing", "session_id": %s, "lock_version": 0}', :s, :s), '[000-12] resume');
SELECT sync.sync_progress_flush();  -- or the worker may fold between the two looks
SELECT is(version, (SELECT version FROM sync.sync_sessions WHERE id = :s), 'the version is the state''s') FROM sync.sync_progress_perform(pg_temp.ident(:s), 'request_update', NULL, :'alice');
SELECT is(pg_temp.does(:s, 'cancel', 'null'), format('sync:%s - f {"status": "cancelled", "session_id": %s, "lock_version": 0}', :s, :s), '[002-13] cancel: its last state follows');
SELECT sync.sync_progress_flush();
SELECT is(format('%s %s', payload ->> 'status', final), 'cancelled t', 'as a notification') FROM sync.sync_progress_perform(pg_temp.ident(:s), 'request_update', NULL, :'alice');
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:s), action, NULL, :'alice'), '55000', 'is cancelled', action || ' what has ended') FROM unnest('{pause,resume,cancel}'::text[]) AS action;

-- retry
SELECT result ->> 'session_id' AS retried, payload ->> 'session_id' AS shown, stream, result ->> 'status' AS status
FROM sync.sync_progress_perform(pg_temp.ident(:s), 'retry', NULL, :'alice') \gset again_
SELECT isnt(:'again_retried'::text, :'s'::text, '[002-13] retry starts another run');
SELECT is(:'again_shown'::text || ' ' || :'again_stream' || ' ' || :'again_status', :'again_retried' || ' sync:' || :'s' || ' pending', 'whose state is that of the stream now');
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:s), 'retry', NULL, :'alice'), '55000', 'pending', 'retried twice: the new run has not ended');
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:s), 'retry', jsonb_build_object('session_id', :s), :'alice'), '55000', 'not ended', 'nor can the old one be retried beside it');
SELECT is(count(*), 2::bigint, 'there are two runs') FROM sync.sync_sessions WHERE source_id = :'s' AND kind = 'sync';

-- one run of several
SELECT is(pg_temp.does(:s, 'rename', '{"title":"New"}'), format('sync:%s pending f {"status": "pending", "session_id": %s, "lock_version": 1}', :s, :again_retried), 'an id leads to the newest run');
SELECT is(pg_temp.does(:s, 'rename', format('{"title":"Old","session_id":%s}', :s)::jsonb), format('sync:%s pending f {"status": "cancelled", "session_id": %s, "lock_version": 1}', :s, :s), 'unless data names another of the same source');
SELECT is(string_agg(title, ',' ORDER BY id), 'Old,New', 'each was renamed') FROM sync.sync_sessions WHERE source_id = :'s' AND kind = 'sync';
SELECT sync.sync_session_start('perf-alice') AS other \gset
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:s), 'rename', format('{"title":"x","session_id":%s}', :other)::jsonb, :'alice'), 'P0002', 'no such', 'but not of another source');
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:s), 'rename', '{"title":"x","session_id":987654321987}', :'alice'), 'P0002', 'no such', 'nor one that does not exist');
UPDATE sync.sync_sessions SET owner_id = 'perf-bob' WHERE id = :s;
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:s), 'rename', format('{"title":"x","session_id":%s}', :s)::jsonb, :'alice'), 'P0002', 'no such', 'nor a run that was somebody else''s');

-- edits
SELECT sync.sync_session_start('perf-alice', title => 'Mail') AS e \gset
SELECT is(pg_temp.does(:e, 'rename', '{"title":"Post \"<b>\"","lock_version":0}'), format('sync:%s processing f {"status": "processing", "session_id": %s, "lock_version": 1}', :e, :e), '[004-03] rename');
SELECT is(title, 'Post "<b>"', 'as it was given') FROM sync.sync_sessions WHERE id = :e;
SELECT is(pg_temp.does(:e, 'pin', '{"pinned":true,"lock_version":1}'), format('sync:%s processing f {"status": "processing", "session_id": %s, "lock_version": 2}', :e, :e), '[004-03] pin');
SELECT is(pg_temp.does(:e, 'pin', '{"pinned":false}'), format('sync:%s processing f {"status": "processing", "session_id": %s, "lock_version": 3}', :e, :e), 'unpin, whatever the version');
SELECT is(pg_temp.does(:e, 'rename', '{"title":null}'), format('sync:%s processing f {"status": "processing", "session_id": %s, "lock_version": 4}', :e, :e), 'a title may be null');
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:e), action, data::jsonb, :'alice'), 'SP409', 'lock_version', '[004-12] a stale edit is refused: ' || action)
FROM (VALUES ('rename', '{"title":"x","lock_version":3}'), ('pin', '{"pinned":true,"lock_version":5}'), ('delete', '{"lock_version":0}')) AS v (action, data);
CREATE FUNCTION pg_temp.detail(statement text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE statement;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail::jsonb;
END
$$;
SELECT is(pg_temp.detail(pg_temp.call(pg_temp.ident(:e), 'pin', '{"pinned":true,"lock_version":0}', :'alice')) - '{version,updated_at}'::text[],
	jsonb_build_object('session_id', :e, 'title', NULL, 'pinned', false, 'status', 'processing', 'owner_id', 'perf-alice', 'lock_version', 4), '[004-12] with the row as it is in DETAIL');

-- delete
SELECT is(pg_temp.does(:e, 'delete', '{"lock_version":4}'), format('sync:%s - t {"deleted": true, "session_id": %s}', :e, :e), '[004-03] delete');
SELECT is(count(*), 0::bigint, 'it is gone') FROM sync.sync_sessions WHERE id = :e;
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:e), 'delete', NULL, :'alice'), 'P0002', 'no such', 'twice is once');
UPDATE sync.sync_sessions SET owner_id = 'perf-alice' WHERE id = :s;
SELECT is(pg_temp.does(:s, 'delete', format('{"session_id":%s}', :again_retried)::jsonb), format('sync:%s cancelled t {"deleted": true, "session_id": %s}', :s, :again_retried), 'the run before it is the stream''s state again');

SELECT sync.sync_session_start('perf-alice', source_id => 'perf-passed-on') AS mine \gset
SELECT sync.sync_session_complete(:mine);
UPDATE sync.sync_sessions SET owner_id = 'perf-bob' WHERE id = :mine;
SELECT sync.sync_session_start('perf-alice', source_id => 'perf-passed-on') AS mine \gset
SELECT is(pg_temp.does(:mine, 'delete'), format('sync:perf-passed-on - t {"deleted": true, "session_id": %s}', :mine), '[000-35] but not if that was another''s');
SELECT sync.sync_session_start('perf-alice', source_id => 'perf-limited') AS mine \gset
SELECT sync.sync_session_cancel(:mine);
SELECT payload IS NULL AS hidden, (result ->> 'session_id')::bigint > :mine AS made
FROM sync.sync_progress_perform(pg_temp.ident(:mine), 'retry', NULL, format('{"sub":"perf-alice","scope":["control"],"sessions":[%s]}', :mine)::jsonb) \gset limited_
SELECT ok(:'limited_made', 'a token for one session may retry it');
SELECT ok(:'limited_hidden', 'but is not shown the run that comes of it');

-- every channel
SELECT sync.sync_session_start('perf-alice', kind, source_id => 'perf-1') FROM sync.sync_kinds WHERE kind IN ('mesh', 'batch', 'connection');
SELECT is(stream || ' ' || (result ->> 'status'), kind || ':perf-1 paused', 'by channel ' || channel)
FROM sync.sync_kinds AS k, sync.sync_progress_perform(format('{"channel":"%s","%s":"perf-1"}', k.channel, k.param), 'pause', NULL, :'alice')
WHERE kind IN ('mesh', 'batch', 'connection') ORDER BY kind;
DELETE FROM sync.sync_sessions WHERE source_id = 'perf-1';

-- who may: unknown and forbidden are alike
SELECT sync.sync_session_start('perf-alice') AS w \gset
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:w), action, NULL, claims::jsonb), 'P0002', '^there is no such session$', '[000-35] [002-02] ' || action || ' refused: ' || what)
FROM unnest('{request_update,cancel}'::text[]) AS action, (VALUES
	(NULL, 'no claims'), ('{"sub":"perf-bob","scope":["control"]}', 'a stranger'), ('{"sub":"perf-alice","scope":["control"],"sessions":[1]}', 'a token for other sessions'),
	('{"sub":"perf-alice","scope":["control","admin"],"aud":"callback"}', 'a worker''s token')) AS v (claims, what);
SELECT pg_temp.refuses(pg_temp.call(identifier, 'cancel', NULL, '{"scope":["admin"]}'), 'P0002', '^there is no such session$', 'unknown: ' || identifier)
FROM (VALUES ('{"channel":"SyncStatusChannel","id":987654321987}'), ('{"channel":"NoSuchChannel","id":1}'), ('{"channel":"SyncStatusChannel"}'), ('{"channel":"SessionsChannel"}')) AS v (identifier);
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:w), action, '{"title":"x","pinned":true}', '{"sub":"perf-alice","scope":["read"]}'), '42501', 'scope control', '[000-35] ' || action || ' takes scope control')
FROM unnest('{pause,resume,cancel,retry,rename,pin,delete}'::text[]) AS action;
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:w), 'cancel', NULL, '{"sub":"perf-alice"}'), '42501', 'scope control', 'a token without scopes may only watch');
SELECT is(status || ' ' || lock_version, 'processing 0', 'none of them did anything') FROM sync.sync_sessions WHERE id = :w;
SELECT is(pg_temp.does(:w, 'pause', NULL, '{"scope":["admin"]}'), format('sync:%s paused f {"status": "paused", "session_id": %s, "lock_version": 0}', :w, :w), 'an admin may, whoever''s it is');

-- bad input
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:w), action, NULL, :'alice'), '22023', 'unknown action', 'unknown action ' || coalesce(action, 'NULL'))
FROM unnest(ARRAY['stop', '', NULL, 'Pause', 'refresh']) AS action;
SELECT pg_temp.refuses(pg_temp.call(identifier, 'cancel', NULL, :'alice'), '22023', 'identifier', 'bad identifier ' || coalesce(identifier, 'NULL'))
FROM (VALUES (NULL), (''), ('{'), ('[]'), ('{"id":1}')) AS v (identifier);
SELECT pg_temp.refuses(pg_temp.call(pg_temp.ident(:w), action, data::jsonb, :'alice'), '22023', pattern, format('bad data for %s: %s', action, left(data, 40)))
FROM (VALUES ('cancel', '[]', 'object'), ('cancel', '"x"', 'object'), ('cancel', '{"message":7}', '"message"'), ('cancel', format('{"message":"%s"}', repeat('m', 481)), '480'),
	('rename', '{}', 'title'), ('rename', '{"title":7}', '"title"'), ('rename', format('{"title":"%s"}', repeat('m', 501)), '500'),
	('rename', '{"title":"x","lock_version":"3"}', '"lock_version"'), ('rename', '{"title":"x","lock_version":2147483648}', '"lock_version"'), ('pin', '{}', 'pinned'), ('pin', '{"pinned":1}', '"pinned"'),
	('cancel', '{"session_id":"1"}', '"session_id"'), ('delete', '{"lock_version":-1}', '"lock_version"')) AS v (action, data, pattern);

-- whoever may change it, its payload may fail: then what was done stands
INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function)
VALUES ('perf_broken', 'PerfBrokenChannel', 'id', 'sync.sync_payload(bigint[])', 'sync.sync_may_watch(bigint,jsonb)') ON CONFLICT DO NOTHING;
CREATE SCHEMA perf_test;
CREATE FUNCTION perf_test.payload(session_ids bigint[]) RETURNS TABLE (session_id bigint, payload json) LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE EXCEPTION 'broken' USING HINT = 'none'; END $$;
UPDATE sync.sync_kinds SET payload_function = 'perf_test.payload(bigint[])' WHERE kind = 'perf_broken';
SELECT sync.sync_session_start('perf-alice', 'perf_broken') AS b \gset
SET client_min_messages = error;
SELECT is(format('%s %s %s', stream, coalesce(payload::text, '-'), result ->> 'status'), format('perf_broken:%s - paused', :b), 'a payload that fails takes nothing back')
FROM sync.sync_progress_perform(pg_temp.ident(:b, 'PerfBrokenChannel'), 'pause', NULL, :'alice');
SELECT is(status, 'paused', 'what was done is done') FROM sync.sync_sessions WHERE id = :b;
DELETE FROM sync.sync_sessions WHERE kind = 'perf_broken';
DELETE FROM sync.sync_kinds WHERE kind = 'perf_broken';
DROP SCHEMA perf_test CASCADE;

SELECT * FROM finish();
