-- Bad input to the counting functions: each refused in one clear error with
-- SQLSTATE and HINT, nothing counted.
\ir include/helpers.psql
SELECT plan(48);

SELECT pg_temp.start_with_accounts('refused') AS s \gset
SELECT pg_temp.start_with_accounts('refused') AS other \gset
SELECT pg_temp.account(:other, 'Inbox') AS foreign_account \gset

CREATE FUNCTION pg_temp.inc(arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT sync.sync_progress_increment(%s)', arguments)
$$;
CREATE FUNCTION pg_temp.many(arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT sync.sync_progress_increment_many(%s)', arguments)
$$;
CREATE FUNCTION pg_temp.set(arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT sync.sync_progress_set(%s)', arguments)
$$;

-- sessions
SELECT pg_temp.refuses(pg_temp.inc('987654321987'), 'P0002', '987654321987', 'increment: an unknown session');
SELECT pg_temp.refuses(pg_temp.many('987654321987, ''{"processed":1}'''), 'P0002', '987654321987', 'increment_many: an unknown session');
SELECT pg_temp.refuses(pg_temp.set('987654321987, 1'), 'P0002', '987654321987', 'set: an unknown session');
SELECT pg_temp.refuses(pg_temp.inc('0'), 'P0002', '0', 'increment: session 0');
SELECT pg_temp.refuses(pg_temp.inc('-1'), 'P0002', '-1', 'increment: session -1');
SELECT pg_temp.refuses(pg_temp.inc('NULL'), '22004', 'session_id', 'increment: no session');
SELECT pg_temp.refuses(pg_temp.many('NULL, ''{"processed":1}'''), '22004', 'session_id', 'increment_many: no session');
SELECT pg_temp.refuses(pg_temp.set('NULL, 1'), '22004', 'session_id', 'set: no session');
SELECT sync.sync_session_start('refused') AS gone \gset
SELECT sync.sync_progress_increment(:gone);
DELETE FROM sync.sync_sessions WHERE id = :gone;
SELECT pg_temp.refuses(pg_temp.inc(:'gone'), 'P0002', :'gone', 'increment: a deleted session');

-- accounts
SELECT pg_temp.refuses(pg_temp.inc(format('%s, 1, ''processed'', %s', :s, :foreign_account)), 'P0002', 'account',
	'increment: an account of another session');
SELECT pg_temp.refuses(pg_temp.many(format('%s, ''{"processed":1}'', %s', :s, :foreign_account)), 'P0002', 'account',
	'increment_many: an account of another session');
SELECT pg_temp.refuses(pg_temp.set(format('%s, 1, NULL, NULL, %s', :s, :foreign_account)), 'P0002', 'account',
	'set: an account of another session');
SELECT pg_temp.refuses(pg_temp.inc(format('%s, 1, ''processed'', 987654321987', :s)), 'P0002', 'account 987654321987',
	'increment: an unknown account');

-- amounts
SELECT pg_temp.refuses(pg_temp.inc(format('%s, NULL', :s)), '22004', 'amount', 'increment: no amount');
SELECT pg_temp.refuses(pg_temp.inc(format('%s, 1000000000001', :s)), '22003', '1000000000001', 'increment: above 10^12');
SELECT pg_temp.refuses(pg_temp.inc(format('%s, -1000000000001', :s)), '22003', '-1000000000001', 'increment: below -10^12');
SELECT pg_temp.refuses(pg_temp.inc(format('%s, 9223372036854775807', :s)), '22003', '9223372036854775807', 'increment: the largest bigint');
SELECT pg_temp.refuses(pg_temp.inc(format('%s, (-9223372036854775808)', :s)), '22003', '-9223372036854775808', 'increment: the smallest bigint');

-- fields
SELECT pg_temp.refuses(pg_temp.inc(format('%s, 1, NULL', :s)), '22004', 'field', 'increment: no field');
SELECT pg_temp.refuses(pg_temp.inc(format('%s, 1, %L', :s, field)), '22023', 'field', 'increment: the field ' || what)
FROM (VALUES ('', 'that is empty'), ('1st', 'that starts with a digit'), ('_x', 'that starts with an underscore'), ('.x', 'that starts with a dot'),
	('a b', 'with a space'), ('a-b', 'with a dash'), ('año', 'with a letter that is not ASCII'), (E'a\n', 'that ends in a line feed'),
	(repeat('x', 64), 'of 64 characters')) AS v (field, what);
SELECT lives_ok(pg_temp.inc(format('%s, 1, %L', :s, repeat('x', 63))), 'increment: a field of 63 characters is allowed');

-- counts
SELECT pg_temp.refuses(pg_temp.many(format('%s, NULL', :s)), '22004', 'counts', 'increment_many: no counts');
SELECT pg_temp.refuses(pg_temp.many(format('%s, %L', :s, counts)), state, pattern, 'increment_many: ' || counts)
FROM (VALUES ('[1]', '22023', 'object'), ('5', '22023', 'object'), ('null', '22023', 'object'),
	('{"processed":"5"}', '22023', 'number'), ('{"processed":1.5}', '22023', ''), ('{"processed":null}', '22023', 'number'),
	('{"processed":{"a":1}}', '22023', 'number'), ('{"processed":1e30}', '22003', ''),
	('{"processed":1000000000001}', '22003', '1000000000001'), ('{"a b":1}', '22023', 'field')) AS v (counts, state, pattern);
SELECT pg_temp.refuses(pg_temp.many(format('%s, ''{"processed":5,"detected":"x"}''', :s)), '22023', 'number',
	'[001-10] increment_many: one bad value refuses the whole call');

-- set
SELECT pg_temp.refuses(pg_temp.set(format('%s, 9007199254740992', :s)), '22003', '9007199254740992', 'set: above 2^53-1');
SELECT pg_temp.refuses(pg_temp.set(format('%s, NULL, -1', :s)), '22003', 'total_count', 'set: a negative total');
SELECT pg_temp.refuses(pg_temp.set(format('%s, NULL, 9007199254740992', :s)), '22003', '9007199254740992', 'set: a total above 2^53-1');

SELECT pg_temp.refuses(pg_temp.set(format('%s, -1', :s)), '22003', 'processed_count', 'set: a negative count');

-- transactions that cannot write
BEGIN READ ONLY;
SELECT throws_ok(pg_temp.inc(:'s'), '25006', NULL, 'a read-only transaction cannot increment');
ROLLBACK;

SELECT sync.sync_progress_flush();
SELECT is(format('%s %s %s %s', processed_count, detected_count, error_count, total_count), '0 0 0 10', 'nothing of it was counted')
FROM sync.sync_sessions WHERE id = :s;
SELECT is(sum(processed_count), 0::numeric, 'nor on an account') FROM sync.sync_session_accounts WHERE sync_session_id IN (:s, :other);

SELECT * FROM finish();
