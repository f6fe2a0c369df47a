-- Named counters: any other field, nested by dots when told, at most 64.
\ir include/helpers.psql
SELECT plan(23);

SELECT sync.sync_session_start('counters') AS s \gset
SELECT sync.sync_progress_increment(:s, 3, 'inserted');
SELECT sync.sync_progress_increment(:s, 45, 'entities_encountered.Message');
SELECT is(sync.sync_progress_increment_many(:s, '{"processed":100,"detected":7,"entities_encountered.Message":5,"entities_encountered.Thread":2}'),
	'processing', 'increment_many returns the status');
SELECT is((SELECT counters FROM sync.sync_progress(:s)), '{"inserted":3,"entities_encountered.Message":50,"entities_encountered.Thread":2}',
	'counters are exact before the fold');
SELECT sync.sync_progress_flush();
SELECT is(counters, '{"inserted":3,"entities_encountered.Message":50,"entities_encountered.Thread":2}', 'and after it')
FROM sync.sync_sessions WHERE id = :s;
SELECT is((SELECT counters FROM sync.sync_progress(:s)), '{"inserted":3,"entities_encountered.Message":50,"entities_encountered.Thread":2}',
	'once');
SELECT is(format('%s %s', processed_count, detected_count), '100 7', 'processed and detected are the columns, not counters')
FROM sync.sync_sessions WHERE id = :s;
SELECT is((payload -> 'counters')::jsonb, '{"inserted":3,"entities_encountered":{"Message":50,"Thread":2}}', 'watchers get them nested by dots')
FROM sync.sync_progress_snapshots(ARRAY['sync:' || :s]);
SELECT sync.sync_progress_increment(:s, -3, 'inserted');
SELECT sync.sync_progress_flush();
SELECT is(counters -> 'inserted', '0', 'negative amounts correct counters') FROM sync.sync_sessions WHERE id = :s;

-- names that collide as paths, or look like other fields
SELECT sync.sync_session_start('counters') AS c \gset
SELECT sync.sync_progress_increment_many(:c, '{"a":1,"a.b":2,"a.b.c":3,"Processed":4,"a_1.B2":5}');
SELECT sync.sync_progress_flush();
SELECT is(counters, '{"a":1,"a.b":2,"a.b.c":3,"Processed":4,"a_1.B2":5}', 'every allowed name is kept as it is')
FROM sync.sync_sessions WHERE id = :c;
SELECT is((payload #>> '{counters,a}'), '1', 'a counter beside its own children is told without losing either')
FROM sync.sync_progress_snapshots(ARRAY['sync:' || :c]);
SELECT is((payload #>> '{counters,a.b}'), '2', 'the child keeps its full name')
FROM sync.sync_progress_snapshots(ARRAY['sync:' || :c]);
SELECT is(processed_count, 0::bigint, 'names are case-sensitive') FROM sync.sync_sessions WHERE id = :c;

SELECT lives_ok(format($$SELECT sync.sync_progress_increment(%s, 1, %L)$$, :c, field), 'a name of letters, digits, _ and dots is a counter: ' || field)
FROM unnest('{z.,a..d,a._,Z9_.}'::text[]) AS field;
SELECT sync.sync_progress_flush();
SELECT isnt((SELECT payload #>> '{counters,z}' FROM sync.sync_progress_snapshots(ARRAY['sync:' || :c])), '1', 'and none of them becomes another''s name');

-- 64 at most
SELECT sync.sync_session_start('counters') AS m \gset
SELECT count(sync.sync_progress_increment(:m, 1, 'n' || n)) FROM generate_series(1, 64) AS n;
SELECT sync.sync_progress_flush();
SELECT is((SELECT count(*) FROM jsonb_object_keys(counters)), 64::bigint, '64 counters are kept') FROM sync.sync_sessions WHERE id = :m;
SELECT is(sync.sync_progress_increment(:m, 1, 'a'), 'processing', 'a 65th does not fail the worker that counts it');
SELECT sync.sync_progress_increment(:m, 1, 'n64'), sync.sync_progress_increment(:m, 5);
SELECT sync.sync_progress_flush();
SELECT is((SELECT count(*) FROM jsonb_object_keys(counters)), 64::bigint, 'but is not kept') FROM sync.sync_sessions WHERE id = :m;
SELECT is(counters -> 'n64', '2', 'the 64 there are go on counting') FROM sync.sync_sessions WHERE id = :m;
SELECT is(processed_count, 5::bigint, 'and so do the columns') FROM sync.sync_sessions WHERE id = :m;
SELECT is((SELECT v.counters FROM sync.sync_progress(:m) AS v), (SELECT counters FROM sync.sync_sessions WHERE id = :m),
	'the view says the same');
SELECT count(sync.sync_progress_increment(:m, 1000000000000, 'n1')) FROM generate_series(1, 9010);
SELECT sync.sync_progress_flush();
SELECT is(counters -> 'n1', '9007199254740991', 'a counter saturates at 2^53-1') FROM sync.sync_sessions WHERE id = :m;

SELECT * FROM finish();
