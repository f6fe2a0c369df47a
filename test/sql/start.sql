-- sync_session_start: what it makes of its arguments, and what it refuses.
\ir include/helpers.psql
SELECT plan(33);

SELECT sync.sync_session_start('alice') AS s \gset
SELECT is(status, 'processing', 'a session starts as processing') FROM sync.sync_sessions WHERE id = :s;
SELECT is(kind, 'sync', 'its kind is sync') FROM sync.sync_sessions WHERE id = :s;
SELECT is(source_id, :'s', 'source_id defaults to the id') FROM sync.sync_sessions WHERE id = :s;
SELECT is(total_count, NULL, 'the total is not known') FROM sync.sync_sessions WHERE id = :s;
SELECT is(ARRAY[processed_count, detected_count, error_count], '{0,0,0}', 'counts start at zero')
FROM sync.sync_sessions WHERE id = :s;
SELECT ok(started_at IS NOT NULL AND completed_at IS NULL, 'it has started and not ended')
FROM sync.sync_sessions WHERE id = :s;
SELECT ok(job_id IS NOT NULL, 'it has a job_id') FROM sync.sync_sessions WHERE id = :s;
SELECT ok(version >= 1000000 * extract(epoch FROM now() - interval '1 day'),
	'its version is at least microseconds since 1970') FROM sync.sync_sessions WHERE id = :s;
SELECT ok(NOT pinned AND lock_version = 0, 'nobody has edited it') FROM sync.sync_sessions WHERE id = :s;

SELECT sync.sync_session_start('alice', 'sync', 'All mail', 1000, NULL, 'box-' || :'s', 'pending') AS p \gset
SELECT is((title, total_count, source_id, status)::text, format('("All mail",1000,box-%s,pending)', :'s'),
	'title, total, source and status are taken over') FROM sync.sync_sessions WHERE id = :p;
SELECT is(started_at, NULL, 'a pending session has not started') FROM sync.sync_sessions WHERE id = :p;

SELECT pg_temp.start_with_accounts('alice') AS a \gset
SELECT is(total_count, 10::bigint, 'the total defaults to the sum of the accounts'' totals')
FROM sync.sync_sessions WHERE id = :a;
SELECT is(array_agg(format('%s/%s/%s/%s', name, email, total_count, status) ORDER BY position),
	'{Inbox/in@example.com/4/pending,Sent//6/pending}', 'accounts are kept in their order, all pending')
FROM sync.sync_session_accounts WHERE sync_session_id = :a;
SELECT sync.sync_session_start('alice', total_count => 99, accounts => '[{"name":"x","total_count":1}]') AS t \gset
SELECT is(total_count, 99::bigint, 'a given total wins over the sum') FROM sync.sync_sessions WHERE id = :t;
SELECT sync.sync_session_start('alice', accounts => '[{"name":"x","total_count":1},{"name":"y"}]') AS u \gset
SELECT is(total_count, NULL, 'with one account''s total unknown so is the session''s')
FROM sync.sync_sessions WHERE id = :u;
SELECT sync.sync_session_start('alice', accounts => '[{"email":"only@example.com"}]') AS e \gset
SELECT is(name, 'only@example.com', 'an account without a name is called by its email')
FROM sync.sync_session_accounts WHERE sync_session_id = :e;
SELECT sync.sync_session_start('alice', accounts => '[]') AS n \gset
SELECT is(count(*), 0::bigint, 'an empty array makes no accounts')
FROM sync.sync_session_accounts WHERE sync_session_id = :n;

-- one open run a source
SELECT pg_temp.refuses(format($$SELECT sync.sync_session_start('bob', source_id => 'box-%s')$$, :'s'), '23505',
	'has not ended', 'a source whose run has not ended cannot start another');
SELECT sync.sync_session_cancel(:p);
SELECT lives_ok(format($$SELECT sync.sync_session_start('alice', source_id => 'box-%s')$$, :'s'),
	'after its run has ended a source starts another');
SELECT isnt((SELECT job_id FROM sync.sync_sessions WHERE id = :p),
	(SELECT job_id FROM sync.sync_sessions WHERE source_id = 'box-' || :'s' AND id <> :p), 'each run has its own job_id');

-- refusals
SELECT pg_temp.refuses($$SELECT sync.sync_session_start(NULL)$$, '22004', 'owner_id', 'no owner is refused');
SELECT pg_temp.refuses($$SELECT sync.sync_session_start('')$$, '22004', 'owner_id', 'an empty owner is refused');
SELECT pg_temp.refuses($$SELECT sync.sync_session_start('a', kind => 'nope')$$, '42704', 'nope', 'an unknown kind is refused');
SELECT pg_temp.refuses($$SELECT sync.sync_session_start('a', status => 'completed')$$, '22023', 'completed',
	'a session cannot start as completed');
SELECT pg_temp.refuses($$SELECT sync.sync_session_start('a', status => NULL)$$, '22023', 'NULL', 'nor without a status');
SELECT pg_temp.refuses($$SELECT sync.sync_session_start('a', total_count => -1)$$, '22003', 'total_count', 'a negative total is refused');
SELECT pg_temp.refuses($$SELECT sync.sync_session_start('a', total_count => 9007199254740992)$$, '22003', 'total_count',
	'a total above 2^53-1 is refused');
SELECT pg_temp.refuses($$SELECT sync.sync_session_start('a', accounts => '{"name":"x"}')$$, '22023', 'array',
	'accounts that are not an array are refused');
SELECT pg_temp.refuses($$SELECT sync.sync_session_start('a', accounts => '[{"total_count":1}]')$$, '23502', 'name',
	'an account without name and email is refused');
SELECT pg_temp.refuses($$SELECT sync.sync_session_start('a', accounts => '[{"name":"x","total_count":"many"}]')$$, '22P02', 'many',
	'an account''s total that is no number is refused');
SELECT pg_temp.refuses($$SELECT sync.sync_session_start('a', accounts => '[{"name":"x","total_count":-1}]')$$, '23514', 'total_count',
	'a negative account''s total is refused');

-- what a total may be was hidden behind what an account looks like
CREATE FUNCTION pg_temp.hint_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE statement;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN hint;
END
$$;
SELECT matches(pg_temp.hint_of($$SELECT sync.sync_session_start('a', total_count => -1)$$), '2\^53-1', 'whose total is refused is told what it may be');
SELECT matches(pg_temp.hint_of($$SELECT sync.sync_session_start('a', accounts => '[{"name":"x","total_count":-1}]')$$), '^Each account', 'and what an account looks like');

SELECT * FROM finish();
