-- sync_progress_subscribe and sync_progress_snapshots: who may watch what,
-- exactly one row an identifier, nothing that one bad identifier spoils.
\ir include/helpers.psql
SELECT plan(71);

SELECT sync.sync_session_start('sub-alice', title => 'A', total_count => 10) AS a \gset
SELECT sync.sync_session_start('sub-alice') AS b \gset
SELECT sync.sync_session_start('sub-bob', source_id => 'box:' || :a) AS c \gset
SELECT sync.sync_progress_increment(:a, 5);
SELECT sync.sync_progress_flush();

CREATE FUNCTION pg_temp.ident(id text, channel text DEFAULT 'SyncStatusChannel', param text DEFAULT 'session_id') RETURNS text LANGUAGE sql AS $$
	SELECT format('{"channel":"%s","%s":%s}', channel, param, id)
$$;
-- One identifier, one watcher: the word of refusal, or the stream.
CREATE FUNCTION pg_temp.ask(identifier text, claims jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s %s', ord, coalesce(refused, stream)), '; ') FROM sync.sync_progress_subscribe(ARRAY[identifier], ARRAY[claims], '{1}')
$$;

-- the state
SELECT stream, version, payload, final, coalesce(refused, '') AS refused, coalesce(greeting::text, '') AS greeting
FROM sync.sync_progress_subscribe(ARRAY[pg_temp.ident(:'a')], ARRAY['{"sub":"sub-alice"}'::jsonb], '{1}') \gset got_
SELECT is(:'got_stream'::text, 'sync:' || :'a', 'the stream is kind and source');
SELECT is(:got_version::bigint, (SELECT version FROM sync.sync_sessions WHERE id = :a), 'the version is the row''s');
SELECT is((:'got_payload'::json ->> 'processed_count'), '5', 'the payload is the state');
SELECT is((:'got_payload'::json ->> 'version')::bigint, :got_version::bigint, 'of that version');
SELECT is(:'got_final'::text, 'f', 'not final');
SELECT is(:'got_refused'::text, '', 'not refused');
SELECT is(:'got_greeting'::jsonb, (SELECT jsonb_build_object('type', 'connected', 'job_id', job_id) FROM sync.sync_sessions WHERE id = :a), '[003-03] [003-04] before it goes: connected, with the job''s id');

-- ids
SELECT is(pg_temp.ask(pg_temp.ident(format('"%s"', :a)), '{"sub":"sub-alice"}'), '1 sync:' || :'a', 'an id may be a string');
SELECT is(pg_temp.ask(pg_temp.ident(:'a', param => 'id'), '{"sub":"sub-alice"}'), '1 sync:' || :'a', 'the parameter may be called id');
SELECT is(pg_temp.ask(pg_temp.ident(format('"box:%s"', :a)), '{"sub":"sub-bob"}'), '1 sync:box:' || :'a', 'the id is the application''s own');
SELECT is(pg_temp.ask(format('{"session_id":%s,"x":[1],"channel":"SyncStatusChannel"}', :a), '{"sub":"sub-alice"}'), '1 sync:' || :'a', 'more keys, in any order, do no harm');

-- who may watch
SELECT is(pg_temp.ask(pg_temp.ident(:'a'), claims), expected, '[000-35] ' || what)
FROM (VALUES
	('{"sub":"sub-bob"}'::jsonb, '1 not_found', 'a stranger may not'),
	('{}', '1 not_found', 'nor nobody'),
	(NULL, '1 not_found', 'nor without claims'),
	('{"sub":null}', '1 not_found', 'nor a null subject'),
	('[]', '1 not_found', 'nor claims that are no object'),
	('{"sub":"sub-alice","scope":["read"]}', '1 sync:' || :'a', 'scope read may'),
	('{"sub":"sub-alice","scope":["control"]}', '1 sync:' || :'a', 'scope control may'),
	('{"sub":"sub-alice","scope":[]}', '1 not_found', 'an empty scope may not'),
	('{"sub":"sub-alice","scope":["other"]}', '1 not_found', 'another scope may not'),
	('{"scope":["admin"]}', '1 sync:' || :'a', 'an admin may'),
	('{"sub":"sub-bob","scope":["read","admin"]}', '1 sync:' || :'a', 'with or without another''s name'),
	('{"sub":"sub-alice","sessions":[1,2]}', '1 not_found', 'a token for other sessions may not'),
	(format('{"sub":"sub-alice","sessions":[1,%s]}', :a)::jsonb, '1 sync:' || :'a', '[000-23] one that names the session may'),
	(format('{"sub":"sub-bob","sessions":[%s]}', :a)::jsonb, '1 not_found', 'unless it is a stranger''s'),
	('{"sub":"sub-alice","aud":"callback"}', '1 not_found', 'what a worker reports with may not'),
	('{"sub":"sub-alice","scope":["admin"],"aud":["web","callback"]}', '1 not_found', 'whatever else it says'),
	('{"aud":"callback","job_id":"00000000-0000-0000-0000-000000000000"}', '1 not_found', 'nor without a subject'),
	('{"sub":"sub-alice","aud":["web"]}', '1 sync:' || :'a', 'another audience is the bridge''s to judge'),
	('{"sub":"sub-alice","sessions":[]}', '1 not_found', 'naming none allows none')) AS v (claims, expected, what);

-- bad identifiers
SELECT is(pg_temp.ask(identifier, '{"scope":["admin"]}'), '1 ' || expected, 'refused: ' || coalesce(left(identifier, 50), 'NULL'))
FROM (VALUES ('', 'malformed'), ('nonsense', 'malformed'), ('{"channel":', 'malformed'), ('[]', 'malformed'), ('"SyncStatusChannel"', 'malformed'), ('null', 'malformed'),
	('{"session_id":1}', 'malformed'), ('{"channel":5,"session_id":1}', 'malformed'), ('{"channel":"SyncStatusChannel","session_id":"\u0000"}', 'malformed'),
	(NULL, 'malformed'), (repeat('[', 100000), 'malformed'),
	('{"channel":"NoSuchChannel","session_id":1}', 'not_found'), ('{"channel":"SyncStatusChannel"}', 'not_found'),
	('{"channel":"SyncStatusChannel","session_id":null}', 'not_found'), ('{"channel":"SyncStatusChannel","session_id":{"a":1}}', 'not_found'),
	('{"channel":"SyncStatusChannel","session_id":987654321987}', 'not_found')) AS v (identifier, expected);

-- the list events of an owner: a stream without a state
SELECT is((SELECT to_jsonb(r) - 'ord' FROM sync.sync_progress_subscribe('{"{\"channel\":\"SessionsChannel\"}"}', '{"{\"sub\":\"sub-alice\"}"}', '{1}') AS r),
	'{"stream":"owner:sub-alice","version":0,"payload":null,"greeting":{"type":"connected"},"final":false,"refused":null}', '[004-12] SessionsChannel: the owner''s stream');
SELECT is(pg_temp.ask('{"channel":"SessionsChannel","x":1}', claims), expected, '[004-07] SessionsChannel for ' || coalesce(claims::text, 'no claims'))
FROM (VALUES ('{"sub":"sub-alice","scope":["read"]}'::jsonb, '1 owner:sub-alice'), ('{"sub":"sub-alice","scope":["control"]}', '1 owner:sub-alice'), ('{"sub":"sub-alice","scope":["admin"]}', '1 owner:sub-alice'),
	('{"sub":"nobody:yet"}', '1 owner:nobody:yet'), ('{"scope":["admin"]}', '1 not_found'), ('{"sub":"sub-alice","scope":[]}', '1 not_found'), ('{"sub":"sub-alice","scope":["other"]}', '1 not_found'),
	('{"sub":"","scope":["admin"]}', '1 not_found'), ('{"sub":5}', '1 not_found'), ('{}', '1 not_found'), ('[]', '1 not_found'), (NULL, '1 not_found'), ('{"sub":"sub-alice","aud":"callback"}', '1 not_found'),
	('{"sub":"sub-alice","sessions":[1]}', '1 not_found')) AS v (claims, expected);
SELECT is(array_agg(format('%s %s', ord, coalesce(stream, refused)) ORDER BY ord), ARRAY['1 owner:sub-alice', '2 sync:' || :'a', '3 owner:sub-bob', '4 owner:sub-alice'], 'among others, each for its own watcher')
FROM sync.sync_progress_subscribe(ARRAY['{"channel":"SessionsChannel"}', pg_temp.ident(:'a'), '{"channel":"SessionsChannel"}', '{"channel":"SessionsChannel","id":7}'],
	ARRAY['{"sub":"sub-alice"}', '{"sub":"sub-bob"}']::jsonb[], '{1,1,2,1}');
SELECT is(count(*), 0::bigint, 'it has no snapshot') FROM sync.sync_progress_snapshots('{owner:sub-alice}');

-- many at once
SELECT is(array_agg(format('%s %s %s', ord, coalesce(stream, '-'), coalesce(refused, '-'))), ARRAY['1 sync:' || :'b' || ' -', '2 - malformed', '3 - not_found',
	'4 sync:' || :'a' || ' -', '5 - not_found', '6 sync:' || :'b' || ' -', '7 sync:box:' || :'a' || ' -'], 'one row an identifier, in their order, each for its own watcher')
FROM sync.sync_progress_subscribe(ARRAY[pg_temp.ident(:'b'), '{', pg_temp.ident(:'a'), pg_temp.ident(:'a'), pg_temp.ident('0'), pg_temp.ident(:'b'),
	pg_temp.ident(format('"box:%s"', :a))], ARRAY['{"sub":"sub-alice"}', '{"sub":"sub-bob"}']::jsonb[], '{1,1,2,1,1,1,2}');
SELECT is(count(*), 0::bigint, 'no identifiers, no rows') FROM sync.sync_progress_subscribe('{}', '{}', '{}');
SELECT is(string_agg(DISTINCT refused, ','), 'not_found', 'a who that points nowhere refuses')
FROM sync.sync_progress_subscribe(ARRAY[pg_temp.ident(:'a'), pg_temp.ident(:'a'), pg_temp.ident(:'a')], ARRAY['{"sub":"sub-alice"}'::jsonb], '{0,2,NULL}');
SELECT is(count(*), 300::bigint, 'three hundred at once are three hundred rows')
FROM sync.sync_progress_subscribe(ARRAY(SELECT pg_temp.ident(:'a') FROM generate_series(1, 300)), ARRAY['{"sub":"sub-alice"}'::jsonb], array_fill(1, ARRAY[300]))
WHERE refused IS NULL;

-- the newest run of a source is what is watched
SELECT sync.sync_session_complete(:c);
SELECT sync.sync_progress_flush();
SELECT is((SELECT final FROM sync.sync_progress_subscribe(ARRAY[pg_temp.ident(format('"box:%s"', :a))], ARRAY['{"sub":"sub-bob"}'::jsonb], '{1}')), true, 'a run that has ended can be watched');
SELECT sync.sync_session_start('sub-bob', source_id => 'box:' || :a) AS d \gset
SELECT is((SELECT payload ->> 'session_id' FROM sync.sync_progress_subscribe(ARRAY[pg_temp.ident(format('"box:%s"', :a))], ARRAY['{"sub":"sub-bob"}'::jsonb], '{1}')),
	:'d', 'until its source starts another');

-- snapshots
SELECT is(array_agg(format('%s %s', stream, payload ->> 'session_id') ORDER BY stream), ARRAY['sync:' || :'a' || ' ' || :'a', 'sync:box:' || :'a' || ' ' || :'d'],
	'snapshots: a row each stream, none for those that are unknown or no stream')
FROM sync.sync_progress_snapshots(ARRAY['sync:' || :'a', 'sync:987654321987', 'nope:1', 'nonsense', '', ':', NULL, 'sync:box:' || :'a']);
SELECT is(count(*), 0::bigint, 'snapshots: of nothing, nothing') FROM sync.sync_progress_snapshots('{}');

SELECT * FROM finish();
