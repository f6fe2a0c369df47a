-- What watchers of kind sync are sent: every key of the contract, of its type.
\ir include/helpers.psql
SELECT plan(21);

SELECT sync.sync_session_start('payload-owner', title => E'Mail "é" <b>\n', accounts => '[{"name":"BAC San José","email":"b@example.com","total_count":3},{"name":"Zweite","total_count":997}]') AS s \gset
SELECT sync.sync_progress_increment_many(:s, '{"processed":3,"detected":2}', pg_temp.account(:s, 'BAC San José'));
SELECT sync.sync_progress_increment_many(:s, '{"processed":447,"error":1,"kept.new":5}');
SELECT sync.sync_progress_flush();
SELECT payload::text AS p, version AS v FROM sync.sync_progress_snapshots(ARRAY['sync:' || :s]) \gset

SELECT set_has(format('SELECT json_object_keys(%L)', :'p'), $$VALUES ('session_id'), ('job_id'), ('kind'), ('source_id'), ('status'), ('title'), ('message'), ('error_message'),
	('progress_percentage'), ('processed_count'), ('total_count'), ('detected_count'), ('error_count'), ('time_remaining'), ('eta_seconds'), ('eta_low'), ('eta_high'), ('eta_state'), ('rate'), ('counters'), ('accounts'),
	('result_url'), ('started_at'), ('completed_at'), ('updated_at'), ('version'), ('lock_version')$$, '[000-13] [001-03] every key of the contract is there');
SELECT set_hasnt(format('SELECT json_object_keys(%L)', :'p'), $$VALUES ('owner_id'), ('pinned'), ('pace'), ('processed_set_at')$$, 'nothing internal is');
SELECT is((:'p'::json -> 'session_id')::text, :'s', 'session_id is a number');
SELECT is(:'p'::json ->> 'job_id', (SELECT job_id::text FROM sync.sync_sessions WHERE id = :s), 'job_id');
SELECT is((:'p'::json -> 'source_id')::text, format('"%s"', :s), 'source_id is a string');
SELECT is(:'p'::json ->> 'kind', 'sync', 'kind');
SELECT is(:'p'::json ->> 'status', 'processing', 'status');
SELECT is(:'p'::json ->> 'title', E'Mail "é" <b>\n', '[000-35] the title arrives as it is');
SELECT is(format('%s/%s %s%% %s %s', :'p'::json -> 'processed_count', :'p'::json -> 'total_count', :'p'::json -> 'progress_percentage', :'p'::json -> 'detected_count', :'p'::json -> 'error_count'),
	'450/1000 45% 2 1', '[001-03] counts are numbers');
SELECT is((:'p'::json -> 'counters')::jsonb, '{"kept":{"new":5}}', 'counters nested');
SELECT is(string_agg(json_typeof(:'p'::json -> k), ',' ORDER BY k), 'null,null,null,null', 'completed_at, error_message, message and result_url are null')
FROM unnest('{completed_at,error_message,message,result_url}'::text[]) AS k;
SELECT ok((:'p'::json ->> 'started_at')::timestamptz <= (:'p'::json ->> 'updated_at')::timestamptz, 'times are times, with their zone');
SELECT matches(:'p'::json ->> 'started_at', '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)$', 'in ISO 8601, as JavaScript reads it');
SELECT is((:'p'::json ->> 'version')::bigint, :v::bigint, 'version is the row''s own');
SELECT is((:'p'::json -> 'lock_version')::text, '0', 'lock_version');
SELECT ok(json_typeof(:'p'::json -> 'time_remaining') = 'number' AND (:'p'::json ->> 'time_remaining') ~ '^\d+$', '[001-03] time_remaining is whole seconds');
SELECT is(json_typeof(:'p'::json -> 'rate'), 'number', 'rate is a number');
SELECT is((:'p'::json #> '{accounts,0}')::jsonb, jsonb_build_object('id', pg_temp.account(:s, 'BAC San José'), 'name', 'BAC San José', 'email', 'b@example.com', 'status', 'completed',
	'progress_percentage', 100, 'processed_count', 3, 'total_count', 3, 'detected_count', 2, 'error_count', 0, 'error_message', NULL, 'eta_seconds', NULL), '[000-14] an account, completely');
SELECT is(:'p'::json #>> '{accounts,1,name}', 'Zweite', 'accounts keep their order');

SELECT sync.sync_session_start('payload-owner') AS e \gset
SELECT is((SELECT format('%s %s %s %s %s', payload -> 'total_count', payload -> 'progress_percentage', payload -> 'time_remaining', payload -> 'accounts', payload -> 'counters')
	FROM sync.sync_progress_snapshots(ARRAY['sync:' || :e])), 'null null null [] {}', 'an empty run: nulls, an empty array, an empty object');
SELECT sync.sync_progress_increment(:e);
SELECT sync.sync_session_fail(:e, 'no route');
SELECT sync.sync_progress_flush();
SELECT is((SELECT format('%s %s %s', payload ->> 'status', payload ->> 'error_message', payload -> 'time_remaining')
	FROM sync.sync_progress_snapshots(ARRAY['sync:' || :e])), 'failed no route null', '[000-06] a failed run: its error, no time remaining');

SELECT * FROM finish();
