-- Accounts: an increment of one counts on its session too; it completes at its total.
\ir include/helpers.psql
SELECT plan(24);

SELECT pg_temp.start_with_accounts('accounts') AS s \gset
SELECT pg_temp.account(:s, 'Inbox') AS inbox \gset
SELECT pg_temp.account(:s, 'Sent') AS sent \gset
CREATE FUNCTION pg_temp.account_state(account bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s/%s %s %s', status, processed_count, total_count, detected_count, error_count)
	FROM sync.sync_session_accounts WHERE id = account
$$;

SELECT is(sync.sync_progress_increment(:s, 3, 'processed', :inbox), 'processing', 'an account''s increment returns the session''s status');
SELECT sync.sync_progress_increment(:s, 2, 'detected', :inbox), sync.sync_progress_increment(:s, 1, 'error', :sent);
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.account_state(:inbox), 'processing 3/4 2 0', '[000-15] it counts on the account, which is processing now');
SELECT is(format('%s %s %s', processed_count, detected_count, error_count), '3 2 1', 'and on its session')
FROM sync.sync_sessions WHERE id = :s;
SELECT is(pg_temp.account_state(:sent), 'processing 0/6 0 1', 'an error counts as work as well');
SELECT sync.sync_progress_increment(:s, 1, account_id => :inbox);
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.account_state(:inbox), 'completed 4/4 2 0', '[000-15] an account completes at its total');
SELECT is(status, 'processing', 'its session does not') FROM sync.sync_sessions WHERE id = :s;
SELECT sync.sync_progress_increment(:s, 1, account_id => :inbox);
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.account_state(:inbox), 'completed 5/4 2 0', 'what comes after that is counted');
SELECT is((SELECT (x ->> 'progress_percentage')::integer FROM json_array_elements(payload -> 'accounts') AS x WHERE (x ->> 'id')::bigint = :inbox),
	100, 'and shown as 100 %') FROM sync.sync_progress_snapshots(ARRAY['sync:' || :s]);
SELECT sync.sync_progress_increment(:s, 10, 'total', :sent);
SELECT sync.sync_progress_increment_many(:s, '{"processed":4,"detected":1,"x":2}', :sent);
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.account_state(:sent), 'processing 4/16 1 1', 'totals and several fields at once go to the account');
SELECT is(format('%s %s %s %s', processed_count, total_count, detected_count, counters), '9 20 3 {"x": 2}', 'and to its session')
FROM sync.sync_sessions WHERE id = :s;

SELECT is(sync.sync_session_complete(:s, :sent), 'processing', 'an account can be completed before its total');
SELECT is(pg_temp.account_state(:sent), 'completed 4/16 1 1', 'it is completed at once');
SELECT is(sync.sync_session_fail(:s, 'mailbox is gone', :inbox), 'processing', 'an account can fail, its session goes on');
SELECT is((SELECT format('%s: %s', status, error_message) FROM sync.sync_session_accounts WHERE id = :inbox), 'failed: mailbox is gone',
	'[000-06] [000-15] with its error message');
SELECT sync.sync_progress_increment(:s, 1, account_id => :inbox);
SELECT sync.sync_progress_flush();
SELECT is((SELECT status FROM sync.sync_session_accounts WHERE id = :inbox), 'failed', 'an increment does not bring a failed account back');

SELECT pg_temp.start_with_accounts('accounts') AS other \gset
SELECT pg_temp.refuses(format('SELECT sync.sync_session_complete(%s, %s)', :other, :inbox), 'P0002', 'account', 'complete: an account of another session');
SELECT pg_temp.refuses(format('SELECT sync.sync_session_fail(%s, ''x'', %s)', :other, :inbox), 'P0002', 'account', 'fail: an account of another session');

-- a pending session starts with its account's first increment
SELECT sync.sync_session_start('accounts', status => 'pending', accounts => '[{"name":"a"}]') AS p \gset
SELECT sync.sync_progress_increment(:p, 2, account_id => pg_temp.account(:p, 'a'));
SELECT sync.sync_progress_flush();
SELECT is(status, 'processing', 'an account''s increment starts a pending session') FROM sync.sync_sessions WHERE id = :p;
SELECT is((SELECT status FROM sync.sync_session_accounts WHERE sync_session_id = :p), 'processing', 'and the account, which without a total does not complete');

-- sum over both, in one transaction, with a part rolled back
BEGIN;
SELECT count(sync.sync_progress_increment(:other, 1, 'processed', a.id)) FROM sync.sync_session_accounts AS a, generate_series(1, 3) WHERE a.sync_session_id = :other;
SAVEPOINT x;
SELECT sync.sync_progress_increment(:other, 100, 'processed', pg_temp.account(:other, 'Inbox'));
ROLLBACK TO x;
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(processed_count, 6::bigint, 'what is rolled back counts on neither') FROM sync.sync_sessions WHERE id = :other;
SELECT is(sum(processed_count), 6::numeric, 'a session''s count is the sum of its accounts''') FROM sync.sync_session_accounts WHERE sync_session_id = :other;

-- accounts come and go
INSERT INTO sync.sync_session_accounts (sync_session_id, name, total_count) VALUES (:other, 'Later', 2);
SELECT lives_ok(format('SELECT sync.sync_progress_increment(%s, 2, ''processed'', %s)', :other, pg_temp.account(:other, 'Later')),
	'an account added later can be incremented');
DELETE FROM sync.sync_session_accounts WHERE id = pg_temp.account(:other, 'Later');
SELECT sync.sync_progress_flush();
SELECT is(processed_count, 8::bigint, 'the work of an account that is deleted stays on its session') FROM sync.sync_sessions WHERE id = :other;
DELETE FROM sync.sync_sessions WHERE id = :p;
SELECT is(count(*), 0::bigint, 'deleting a session deletes its accounts')
FROM sync.sync_session_accounts WHERE sync_session_id = :p;

SELECT * FROM finish();
