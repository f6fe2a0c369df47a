-- sync_progress_set: absolute values for workers that know only how far they are.
\ir include/helpers.psql
SELECT plan(17);

CREATE FUNCTION pg_temp.state(session bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s/%s %s', processed_count, coalesce(total_count::text, '-'), coalesce(message, '-')) FROM sync.sync_sessions WHERE id = session
$$;
CREATE FUNCTION pg_temp.shown(session bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s/%s %s', processed_count, coalesce(total_count::text, '-'), coalesce(message, '-')) FROM sync.sync_progress(session)
$$;

SELECT sync.sync_session_start('set') AS s \gset
SELECT is(sync.sync_progress_set(:s, 40, 100, 'reading'), 'processing', 'set returns the status');
SELECT is(pg_temp.shown(:s), '40/100 reading', 'it is seen before the fold');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:s), '40/100 reading', 'and after it');
SELECT sync.sync_progress_set(:s, message => 'writing');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:s), '40/100 writing', 'what is NULL is left as it is');
SELECT sync.sync_progress_set(:s, 10), sync.sync_progress_set(:s, 20), sync.sync_progress_set(:s, 15);
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:s), '15/100 writing', 'the latest call wins, lower or not');
SELECT sync.sync_progress_increment(:s, 1000);
SELECT sync.sync_progress_set(:s, 50);
SELECT sync.sync_progress_increment(:s, 3);
SELECT is(pg_temp.shown(:s), '53/100 writing', 'increments before it are part of it, later ones add');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:s), '53/100 writing', 'after the fold as well');
SELECT sync.sync_progress_increment(:s, 5, 'total');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:s), '53/105 writing', 'totals likewise');

BEGIN;
SELECT sync.sync_progress_set(:s, 99, 99, 'no');
ROLLBACK;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:s), '53/105 writing', 'what is rolled back sets nothing');
BEGIN;
SELECT sync.sync_progress_set(:s, 60);
SELECT sync.sync_progress_increment(:s, 1);
SELECT sync.sync_progress_set(:s, 70);
SELECT sync.sync_progress_increment(:s, 2);
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:s), '72/105 writing', 'within one transaction, too, the order of calls decides');

-- accounts
SELECT pg_temp.start_with_accounts('set') AS a \gset
SELECT sync.sync_progress_set(:a, 3, account_id => pg_temp.account(:a, 'Inbox'));
SELECT sync.sync_progress_increment(:a, 2, 'processed', pg_temp.account(:a, 'Sent'));
SELECT sync.sync_progress_flush();
SELECT is((SELECT processed_count FROM sync.sync_session_accounts WHERE id = pg_temp.account(:a, 'Inbox')), 3::bigint, 'an account can be set');
SELECT is((SELECT processed_count FROM sync.sync_session_accounts WHERE id = pg_temp.account(:a, 'Sent')), 2::bigint, 'the others stay');
SELECT sync.sync_progress_set(:a, 4, account_id => pg_temp.account(:a, 'Inbox'));
SELECT sync.sync_progress_flush();
SELECT is((SELECT status FROM sync.sync_session_accounts WHERE id = pg_temp.account(:a, 'Inbox')), 'completed', 'an account set to its total completes');

-- status
SELECT sync.sync_session_start('set', status => 'pending') AS p \gset
SELECT sync.sync_progress_set(:p, 1);
SELECT sync.sync_progress_flush();
SELECT is(status, 'processing', 'a pending run starts with it') FROM sync.sync_sessions WHERE id = :p;
SELECT sync.sync_session_pause(:p);
SELECT is(sync.sync_progress_set(:p, 2), 'paused', 'a paused run answers paused');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.state(:p), '2/- -', 'and is set all the same');
SELECT is(sync.sync_progress_set(:p), 'paused', 'with nothing to set it only answers');

SELECT * FROM finish();
