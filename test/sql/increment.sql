-- sync_progress_increment: every field, sums, bounds and the status returned.
\ir include/helpers.psql
SELECT plan(36);

CREATE FUNCTION pg_temp.counts(session bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s %s %s', processed_count, detected_count, error_count, coalesce(total_count::text, '-'))
	FROM sync.sync_sessions WHERE id = session
$$;

SELECT sync.sync_session_start('inc', total_count => 1000) AS s \gset
SELECT is(sync.sync_progress_increment(:s), 'processing', 'an increment returns the session''s status');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:s), '1 0 0 1000', '[001-05] the default is one more processed');
SELECT sync.sync_progress_increment(:s, 41), sync.sync_progress_increment(:s, 7, 'detected'),
	sync.sync_progress_increment(:s, 2, 'error'), sync.sync_progress_increment(:s, 500, 'total'),
	sync.sync_progress_increment(:s, 3, 'processed');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:s), '45 7 2 1500', '[001-05] processed, detected, error and total each go where they belong');
SELECT sync.sync_progress_increment(:s, -5), sync.sync_progress_increment(:s, -1, 'error'), sync.sync_progress_increment(:s, -500, 'total');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:s), '40 7 1 1000', 'negative amounts correct');
SELECT lives_ok(format('SELECT sync.sync_progress_increment(%s, 0)', :s), 'zero is an amount');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:s), '40 7 1 1000', 'and adds nothing');

SELECT sync.sync_session_start('inc') AS u \gset
SELECT sync.sync_progress_increment(:u, 9);
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:u), '9 0 0 -', 'an unknown total stays unknown');
SELECT sync.sync_progress_increment(:u, 20, 'total');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:u), '9 0 0 20', 'until it is counted');
SELECT sync.sync_progress_increment(:u, -50, 'total');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:u), '9 0 0 0', 'a total does not go below zero');

-- many at once, one transaction
SELECT sync.sync_session_start('inc') AS m \gset
SELECT count(sync.sync_progress_increment(:m, n)) FROM generate_series(1, 1000) AS n;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:m), '500500 0 0 -', '[001-05] a thousand increments in one statement are all counted');
BEGIN;
SELECT sync.sync_progress_increment(:m, 1000);
SAVEPOINT a;
SELECT sync.sync_progress_increment(:m, 2000);
ROLLBACK TO a;
SELECT sync.sync_progress_increment(:m, 30);
RELEASE a;
COMMIT;
BEGIN;
SELECT sync.sync_progress_increment(:m, 70000);
ROLLBACK;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:m), '501530 0 0 -', 'what is rolled back, whole or to a savepoint, is not counted');

-- bounds
SELECT sync.sync_session_start('inc') AS b \gset
SELECT lives_ok(format('SELECT sync.sync_progress_increment(%s, 1000000000000)', :b), '10^12 is not too large');
SELECT lives_ok(format('SELECT sync.sync_progress_increment(%s, -1000000000000)', :b), 'nor is -10^12');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:b), '0 0 0 -', 'and they add up');
SELECT count(sync.sync_progress_increment(:b, 1000000000000)) FROM generate_series(1, 9010);
SELECT is((SELECT processed_count FROM sync.sync_progress(:b)), 9007199254740991, 'sums saturate at 2^53-1 before the fold');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:b), '9007199254740991 0 0 -', 'and after it');
SELECT sync.sync_progress_increment(:b);
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:b), '9007199254740991 0 0 -', 'there they stay');
SELECT sync.sync_progress_set(:b, 0);
SELECT count(sync.sync_progress_increment(:b, -1000000000000)) FROM generate_series(1, 9010);
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:b), '-9007199254740991 0 0 -', 'and at -(2^53-1)');
SELECT count(sync.sync_progress_increment(:b, 1000000000000, 'total')) FROM generate_series(1, 9010);
SELECT sync.sync_progress_flush();
SELECT is(total_count, 9007199254740991, 'a total saturates too') FROM sync.sync_sessions WHERE id = :b;

-- the status comes back, whatever it is, and the work is counted
SELECT sync.sync_session_start('inc') AS p \gset
SELECT sync.sync_session_pause(:p);
SELECT is(sync.sync_progress_increment(:p), 'paused', 'an increment on a paused run answers paused');
SELECT sync.sync_session_resume(:p);
SELECT is(sync.sync_progress_increment(:p), 'processing', 'on a resumed one processing');
SELECT sync.sync_session_cancel(:p);
SELECT is(sync.sync_progress_increment(:p), 'cancelled', 'on a cancelled one cancelled');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:p), '3 0 0 -', 'all of them are counted');
SELECT is(status, 'cancelled', 'and change no status') FROM sync.sync_sessions WHERE id = :p;
SELECT sync.sync_session_start('inc', total_count => 1) AS c \gset
SELECT sync.sync_session_complete(:c);
SELECT is(sync.sync_progress_increment(:c), 'completed', 'on a completed run completed');
SELECT sync.sync_session_start('inc') AS f \gset
SELECT sync.sync_session_fail(:f, 'no route');
SELECT is(sync.sync_progress_increment(:f), 'failed', 'on a failed run failed');

-- pending becomes processing with the first increment
SELECT sync.sync_session_start('inc', status => 'pending') AS w \gset
SELECT is(status, 'pending', 'a pending run') FROM sync.sync_sessions WHERE id = :w;
SELECT ok(sync.sync_progress_increment(:w) IN ('pending', 'processing'), 'takes an increment');
SELECT is((SELECT status FROM sync.sync_progress(:w)), 'processing', 'and is shown as processing');
SELECT sync.sync_progress_flush();
SELECT is(status, 'processing', 'becomes processing with it') FROM sync.sync_sessions WHERE id = :w;
SELECT ok(started_at IS NOT NULL, 'and has started') FROM sync.sync_sessions WHERE id = :w;
SELECT is(sync.sync_progress_increment(:w), 'processing', 'the next increment says so');

-- status within the transaction that changes it
BEGIN;
SELECT sync.sync_session_pause(:w);
SELECT is(sync.sync_progress_increment(:w), 'paused', 'a transaction''s own change of status is seen by its increments');
ROLLBACK;
SELECT is(sync.sync_progress_increment(:w), 'processing', 'and is gone when rolled back');
BEGIN;
SELECT sync.sync_session_start('inc', source_id => 'inc-own') AS o \gset
SELECT is(sync.sync_progress_increment(:o, 5), 'processing', 'a session can be started and incremented in one transaction');
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.counts(:o), '5 0 0 -', 'and counts');
SELECT sync.sync_session_complete(:o);

SELECT * FROM finish();
