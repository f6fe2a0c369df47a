-- sync_progress_sessions: an owner's runs, newest first, page by page.
\ir include/helpers.psql
SELECT plan(53);

DELETE FROM sync.sync_sessions WHERE owner_id LIKE 'list-%';
SELECT sync.sync_session_start('list-ann', 'sync', 'Run ' || n, source_id => 'list-' || n) FROM generate_series(1, 7) AS n;
SELECT sync.sync_session_start('list-bob', 'connection', source_id => 'list-conn') AS bob \gset
SELECT sync.sync_session_fail(:bob, 'no route');
SELECT sync.sync_session_retry(:bob) AS bob2 \gset
SELECT sync.sync_session_complete(:bob2);
SELECT sync.sync_session_retry(:bob2) AS bob3 \gset
SELECT array_agg(id ORDER BY id) AS ids, max(id) AS newest FROM sync.sync_sessions WHERE owner_id = 'list-ann' \gset
SELECT (:'ids'::bigint[])[4] AS fourth, (:'ids'::bigint[])[1] AS first \gset

-- "title title …, next" of a page; an error is an answer, too
CREATE FUNCTION pg_temp.page(claims jsonb, after bigint DEFAULT NULL, "limit" integer DEFAULT 50, stream text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(coalesce(data ->> 'title', data ->> 'session_id'), ' ' ORDER BY n), '-') || ', ' || coalesce(string_agg(DISTINCT next::text, ' '), 'end')
	FROM sync.sync_progress_sessions(claims, after, "limit", stream) WITH ORDINALITY AS r (session_id, version, data, next, n)
$$;

-- pages
SELECT is(pg_temp.page('{"sub":"list-ann"}'), 'Run 7 Run 6 Run 5 Run 4 Run 3 Run 2 Run 1, end', '[003-01] the owner''s runs, newest first');
SELECT is(pg_temp.page('{"sub":"list-ann"}', NULL, 4), format('Run 7 Run 6 Run 5 Run 4, %s', :fourth), '[003-01] a page, and where the next begins');
SELECT is(pg_temp.page('{"sub":"list-ann"}', :fourth, 4), 'Run 3 Run 2 Run 1, end', 'the last page says that it is');
SELECT is(pg_temp.page('{"sub":"list-ann"}', NULL, 7), 'Run 7 Run 6 Run 5 Run 4 Run 3 Run 2 Run 1, end', 'also when it is full');
SELECT is(pg_temp.page('{"sub":"list-ann"}', :first), '-, end', 'after the first run there is nothing');
SELECT is(pg_temp.page('{"sub":"list-ann"}', 0), '-, end', 'nor after what no run is before');
SELECT is(pg_temp.page('{"sub":"list-ann"}', :newest, 1), format('Run 6, %s', (:'ids'::bigint[])[6]), 'one at a time');
SELECT is(pg_temp.page('{"sub":"list-ann"}', :fourth + 0, 2), format('Run 3 Run 2, %s', (:'ids'::bigint[])[2]), 'pages do not overlap');
-- a run that is made meanwhile does not move a page
BEGIN;
SELECT sync.sync_session_start('list-ann', title => 'New');
SELECT is(pg_temp.page('{"sub":"list-ann"}', :fourth, 4), 'Run 3 Run 2 Run 1, end', 'a new run does not move the pages after');
SELECT is(pg_temp.page('{"sub":"list-ann"}', NULL, 1) LIKE 'New, %', true, 'it is on the first');
ROLLBACK;

-- a row
SELECT sync.sync_progress_set((:'ids'::bigint[])[7], 3, 6);
SELECT sync.sync_progress_flush();
SELECT data::text AS d, session_id AS i, version AS v FROM sync.sync_progress_sessions('{"sub":"list-ann"}', NULL, 1) \gset
SELECT is(string_agg(k, ' ' ORDER BY n), 'session_id job_id kind source_id stream owner_id title pinned status progress_percentage processed_count total_count error_message created_at started_at completed_at updated_at version lock_version', 'a row has these facts')
FROM json_object_keys(:'d') WITH ORDINALITY AS u (k, n);
SELECT is(format('%s %s %s %s %s %s', :'d'::json -> 'session_id', :'d'::json ->> 'stream', :'d'::json ->> 'kind', :'d'::json ->> 'source_id', :'d'::json ->> 'status', :'d'::json ->> 'pinned'),
	format('%s sync:list-7 sync list-7 processing false', :newest), 'its session''s');
SELECT is(format('%s %s %s', :'d'::json -> 'progress_percentage', :'d'::json -> 'processed_count', :'d'::json -> 'total_count'), '50 3 6', 'its counts');
SELECT is(format('%s %s', (:'d'::json ->> 'version')::bigint = :v, :i), 't ' || :newest, 'version and id are columns as well');
SELECT is(:v::bigint, (SELECT version FROM sync.sync_sessions WHERE id = :newest), 'and the row''s own');
SELECT matches(:'d'::json ->> 'created_at', '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$', 'times are in UTC');
BEGIN;
SELECT sync.sync_progress_increment(:newest, 2);
SELECT is((SELECT data ->> 'processed_count' FROM sync.sync_progress_sessions('{"sub":"list-ann"}', NULL, 1)), '3', 'what is not folded yet is not shown: versions do not disagree');
ROLLBACK;

-- whose
SELECT is(pg_temp.page(claims), expected, '[004-07] the list for ' || coalesce(claims::text, 'no claims'))
FROM (VALUES ('{"sub":"list-nobody"}'::jsonb, '-, end'), ('{}', '-, end'), ('[]', '-, end'), (NULL, '-, end'), ('{"sub":null}', '-, end'), ('{"sub":"list-ann","scope":[]}', '-, end'), ('{"sub":"list-ann","scope":["other"]}', '-, end'),
	('{"sub":"list-ann","aud":["callback"]}', '-, end'), ('{"sub":"list-ann","aud":"callback","scope":["admin"]}', '-, end'),
	('{"sub":"list-ann","sessions":[]}', '-, end'), ('{"sub":"list-ann","sessions":"x"}', '-, end'), ('{"sub":"list-ann","sessions":null}', '-, end'), ('{"sub":"list-ann","sessions":["x",null,1e300,-1,0.5,{}]}', '-, end'),
	(format('{"sub":"list-ann","sessions":[%s,%s,%s]}', :newest, :first, :bob)::jsonb, 'Run 7 Run 1, end'), (format('{"sub":"list-bob","sessions":[%s]}', :newest)::jsonb, '-, end'),
	('{"sub":"list-ann","scope":["control"]}', 'Run 7 Run 6 Run 5 Run 4 Run 3 Run 2 Run 1, end')) AS v (claims, expected);
SELECT is(pg_temp.page(format('{"sub":"list-ann","sessions":[%s,%s]}', :newest, :first)::jsonb, NULL, 1), format('Run 7, %s', :newest), 'those that a token names have pages, too');
SELECT is((SELECT count(DISTINCT data ->> 'owner_id') FROM sync.sync_progress_sessions('{"scope":["admin"]}', NULL, 200) WHERE data ->> 'owner_id' LIKE 'list-%'), 2::bigint, 'an admin sees everybody''s');
SELECT is((SELECT count(DISTINCT data ->> 'owner_id') FROM sync.sync_progress_sessions('{"sub":"list-ann","scope":["admin"]}', NULL, 200) WHERE data ->> 'owner_id' LIKE 'list-%'), 2::bigint, 'with or without a name');

-- the last that was completed, for who opens the page while nothing goes on
SELECT is((SELECT data ->> 'session_id' FROM sync.sync_progress_sessions('{"sub":"list-bob"}') WHERE data ->> 'status' = 'completed' AND (data ->> 'completed_at')::timestamptz <= now() LIMIT 1), :'bob2',
	'[000-13] the last completed run, and when that was');

-- one source's
SELECT is(pg_temp.page('{"sub":"list-bob"}', NULL, 50, 'connection:list-conn'), format('%s %s %s, end', :bob3, :bob2, :bob), '[003-01] the jobs of one connection');
SELECT is(pg_temp.page('{"sub":"list-bob"}', :bob3, 1, 'ConnectionSyncChannel:list-conn'), format('%s, %s', :bob2, :bob2), 'by its channel, too, in pages');
SELECT is(pg_temp.page('{"sub":"list-bob"}', NULL, 50, 'connection:' || :bob2), format('%s %s %s, end', :bob3, :bob2, :bob), 'by the id of one of them, too');
SELECT is(pg_temp.page('{"sub":"list-ann"}', NULL, 50, 'connection:list-conn'), '-, end', 'not for somebody else');
SELECT is(pg_temp.page(format('{"sub":"list-bob","sessions":[%s]}', :bob2)::jsonb, NULL, 50, 'connection:list-conn'), format('%s, end', :bob2), 'of those that the token names');
SELECT is(pg_temp.page('{"scope":["admin"]}', NULL, 50, 'connection:list-conn'), format('%s %s %s, end', :bob3, :bob2, :bob), 'for an admin');
SELECT is(pg_temp.page('{"sub":"list-bob"}', NULL, 50, stream), '-, end', 'unknown: ' || stream) FROM unnest('{nope:1,connection:nope,sync:list-conn,:,connection:}'::text[]) AS stream;

-- bad arguments
SELECT pg_temp.refuses($$SELECT * FROM sync.sync_progress_sessions('{"sub":"x"}', NULL, 0)$$, '22023', 'limit 0 is out of range', 'a limit of 0');
SELECT pg_temp.refuses($$SELECT * FROM sync.sync_progress_sessions('{"sub":"x"}', NULL, 201)$$, '22023', 'limit 201', 'a limit of 201');
SELECT pg_temp.refuses($$SELECT * FROM sync.sync_progress_sessions('{"sub":"x"}', NULL, NULL)$$, '22023', 'limit NULL', 'no limit');
SELECT pg_temp.refuses($$SELECT * FROM sync.sync_progress_sessions('{"sub":"x"}', NULL, 2147483647)$$, '22023', 'limit 2147483647', 'a limit beyond all');
SELECT pg_temp.refuses($$SELECT * FROM sync.sync_progress_sessions('{"sub":"x"}', stream => 'nonsense')$$, '22023', '"nonsense" is not a stream', 'a stream without a colon');

DELETE FROM sync.sync_sessions WHERE owner_id LIKE 'list-%';
SELECT * FROM finish();
