-- Live mode: increments count at once, whatever becomes of the transaction.
\ir include/helpers.psql
SELECT plan(48);

CREATE FUNCTION pg_temp.seen(session bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s %s %s %s', processed_count, detected_count, error_count, total_count, counters) FROM sync.sync_progress(session)
$$;
CREATE FUNCTION pg_temp.row_of(session bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s %s %s %s', processed_count, detected_count, error_count, total_count, counters) FROM sync.sync_sessions WHERE id = session
$$;
CREATE FUNCTION pg_temp.parts_of(session bigint) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s %s/%s', name, processed_count, total_count), ', ' ORDER BY id) FROM sync.sync_session_accounts WHERE sync_session_id = session
$$;
-- Polls a statement that selects one boolean, at most 30 s.
CREATE FUNCTION pg_temp.comes_true(condition text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	holds boolean;
BEGIN
	FOR i IN 1..1500 LOOP
		EXECUTE condition INTO holds;
		IF holds THEN
			RETURN true;
		END IF;
		PERFORM pg_sleep(0.02);
	END LOOP;
	RETURN false;
END
$$;

-- settings
SELECT is(current_setting('sync_progress.mode'), 'transactional', 'transactional is the default');
SELECT throws_ok('SET sync_progress.mode = sometimes', '22023', NULL, 'no other modes than these two');
SELECT throws_ok('SET sync_progress.flush_interval = ''2s''', '55P02', NULL, 'the flush interval is the server''s');
SELECT is(format('%s %s %s', min_val, max_val, context), '10 60000 sighup', 'of 10 ms to a minute') FROM pg_settings WHERE name = 'sync_progress.flush_interval';
SELECT is(current_setting('sync_progress.flush_interval'), '1s', 'a second by default');
SELECT is(current_setting('sync_progress.max_live_counters'), '10000', 'room for 10,000 counters by default');

-- before commit, and not rolled back
SELECT pg_temp.start_with_accounts('live') AS s \gset
SELECT pg_temp.account(:s, 'Inbox') AS inbox \gset
BEGIN;
SET LOCAL sync_progress.mode = live;
SELECT is(sync.sync_progress_increment(:s, 5), 'processing', 'an increment returns the status');
SELECT is(pg_temp.seen(:s), '5 0 0 10 {}', '[001-04] it is shown at once');
SAVEPOINT a;
SELECT sync.sync_progress_increment_many(:s, '{"processed":2,"detected":3,"error":1,"total":4,"a.b":6}');
ROLLBACK TO a;
SELECT is(pg_temp.seen(:s), '7 3 1 14 {"a.b": 6}', '[001-10] every field; a savepoint rolled back takes nothing away');
ROLLBACK;
SELECT is(pg_temp.seen(:s), '7 3 1 14 {"a.b": 6}', 'nor does a transaction');
SELECT is(current_setting('sync_progress.mode'), 'transactional', 'the mode was that transaction''s');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.row_of(:s), '7 3 1 14 {"a.b": 6}', 'the table has it after a flush');
SELECT is(pg_temp.seen(:s), '7 3 1 14 {"a.b": 6}', 'and it is not shown twice');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.row_of(:s), '7 3 1 14 {"a.b": 6}', 'nor counted twice');

BEGIN;
SET LOCAL sync_progress.mode = live;
SELECT sync.sync_progress_increment(:s), sync.sync_progress_increment(:s, -1);
SELECT pg_current_xact_id_if_assigned() IS NULL AS writes_nothing \gset
COMMIT;
SELECT ok(:'writes_nothing', 'a transaction that counts live writes nothing');

-- both modes, accounts
SET sync_progress.mode = live;
SELECT sync.sync_progress_increment(:s, 3, 'processed', :inbox);
SELECT sync.sync_progress_increment_many(:s, '{"processed":1,"a.b":1}', :inbox);
RESET sync_progress.mode;
SELECT sync.sync_progress_increment(:s, 1, 'processed', :inbox);
BEGIN;
SELECT sync.sync_progress_increment(:s, 1000, 'processed', :inbox);
ROLLBACK;
SELECT is(pg_temp.seen(:s), '12 3 1 14 {"a.b": 7}', 'both modes add up, and only the transactional is rolled back');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.row_of(:s) || ' ' || pg_temp.parts_of(:s), '12 3 1 14 {"a.b": 7} Inbox 5/4, Sent 0/6', 'in the table, on the account too');
SELECT is(status, 'completed', 'an account completes at its total') FROM sync.sync_session_accounts WHERE id = :inbox;

-- corrections, nothing, much
SET sync_progress.mode = live;
SELECT sync.sync_progress_increment(:s, -2), sync.sync_progress_increment(:s, 0);
SELECT sync.sync_progress_increment(:s, -1, 'a.b'), sync.sync_progress_increment(:s, 1, 'a.c');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.row_of(:s), '10 3 1 14 {"a.b": 6, "a.c": 1}', 'negative amounts correct; of two names each has its own count');
SELECT count(sync.sync_progress_increment(:s, 1000000000000)) FROM generate_series(1, 9008);
SELECT sync.sync_progress_flush();
SELECT is(processed_count, 9007199254740991, 'sums saturate') FROM sync.sync_sessions WHERE id = :s;

-- statuses
SELECT sync.sync_session_start('live', status => 'pending') AS p \gset
SELECT is(sync.sync_progress_increment(:p), 'processing', 'a first increment begins a pending run');
SELECT sync.sync_progress_flush();
SELECT is(status, 'processing', 'in the table as well') FROM sync.sync_sessions WHERE id = :p;
SELECT sync.sync_session_pause(:p);
SELECT is(sync.sync_progress_increment(:p), 'paused', 'a worker learns of a pause');
BEGIN;
SELECT sync.sync_session_resume(:p);
SELECT is(sync.sync_progress_increment(:p), 'processing', 'of one''s own change of status before it is committed');
ROLLBACK;
SELECT is(sync.sync_progress_increment(:p), 'paused', 'and of its being rolled back');
SELECT sync.sync_session_complete(:p);
SELECT is(sync.sync_progress_increment(:p), 'completed', 'what comes after the end is answered so');
SELECT sync.sync_progress_flush();
SELECT is(processed_count, 5::bigint, 'and counted') FROM sync.sync_sessions WHERE id = :p;

-- absolute values stay transactional, in the order of the calls
SELECT sync.sync_session_start('live', total_count => 100) AS a \gset
SELECT sync.sync_progress_increment(:a, 5);
SELECT sync.sync_progress_set(:a, 50);
SELECT sync.sync_progress_increment(:a, 3);
SELECT is(split_part(pg_temp.seen(:a), ' ', 1), '53', 'an increment called before a set is part of it, one called later adds');
SELECT sync.sync_progress_flush();
SELECT is(split_part(pg_temp.row_of(:a), ' ', 1), '53', 'folded, too');
SELECT sync.sync_progress_increment(:a, 1);
BEGIN;
SELECT sync.sync_progress_set(:a, 10, 200);
SELECT sync.sync_progress_increment(:a, 7), sync.sync_progress_increment(:a, 2, 'detected'), sync.sync_progress_increment(:a, 1, 'total');
SELECT is(pg_temp.seen(:a), '17 2 0 201 {}', 'what adds to one''s own uncommitted set goes with it');
ROLLBACK;
SELECT is(pg_temp.seen(:a), '54 2 0 100 {}', 'and is rolled back with it; other fields are not');
BEGIN;
SELECT sync.sync_progress_set(:a, 20);
SELECT sync.sync_progress_increment(:a, 7);
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(split_part(pg_temp.row_of(:a), ' ', 1), '27', 'or committed with it');
DO $$
BEGIN
	FOR i IN 1..100 LOOP
		PERFORM sync.sync_progress_set((SELECT max(id) FROM sync.sync_sessions WHERE owner_id = 'live'), i), sync.sync_progress_increment((SELECT max(id) FROM sync.sync_sessions WHERE owner_id = 'live'), 1000, 'detected');
		COMMIT;
	END LOOP;
END
$$;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.row_of(:a), '100 100002 0 100 {}', 'a hundred sets between increments lose none of another field');

-- What broke: the worker looked at the counters after it had read the ledger,
-- and so folded an increment before the set that it came after.
SELECT sync.sync_session_start('live', total_count => 10) AS o \gset
SELECT set_config('test.session', :'o', false);
SELECT set_config('test.wrong', '', false);
DO $$
DECLARE
	session bigint := current_setting('test.session');
	found bigint;
BEGIN
	FOR i IN 1..300 LOOP
		PERFORM sync.sync_progress_set(session, i * 10);
		COMMIT;
		PERFORM sync.sync_progress_increment(session);
		COMMIT;
		SELECT processed_count INTO found FROM sync.sync_progress(session);
		IF found <> i * 10 + 1 THEN
			PERFORM set_config('test.wrong', format('%s after %s', found, i * 10 + 1), false);
		END IF;
	END LOOP;
END
$$;
SELECT is(current_setting('test.wrong'), '', 'set and incremented in turn, while it is folded: right each time');
SELECT sync.sync_progress_flush();
SELECT is(split_part(pg_temp.row_of(:o), ' ', 1), '3001', 'and in the table');

-- a tracked table's values are absolute ones, too
RESET sync_progress.mode;
CREATE TABLE public.live_jobs (id bigint PRIMARY KEY, who text NOT NULL, state text NOT NULL, done bigint NOT NULL);
SELECT sync.sync_progress_track('public.live_jobs', 'sync', '{"id":"id","owner_id":"who","status":"state","processed_count":"done"}');
INSERT INTO public.live_jobs VALUES (4711, 'live', 'processing', 10);
SET sync_progress.mode = live;
SELECT sync.sync_progress_session('sync', '4711') AS j \gset
SELECT sync.sync_progress_flush();
SELECT sync.sync_progress_increment(:j, 5);
UPDATE public.live_jobs SET done = 50 WHERE id = 4711;
SELECT sync.sync_progress_increment(:j, 3);
SELECT is(split_part(pg_temp.seen(:j), ' ', 1), '53', 'before a tracked table''s value: part of it, after it: added');
SELECT sync.sync_progress_flush();
SELECT is(split_part(pg_temp.row_of(:j), ' ', 1), '53', 'folded, too');
SELECT sync.sync_progress_untrack('public.live_jobs');
DROP TABLE public.live_jobs;

-- a session that is not there (yet)
BEGIN;
SELECT sync.sync_session_start('live', total_count => 10) AS n \gset
SELECT sync.sync_progress_increment(:n, 4);
SELECT is(split_part(pg_temp.seen(:n), ' ', 1), '4', 'a session of one''s own, not committed: shown');
SAVEPOINT a;
SELECT sync.sync_progress_increment(:n, 2);
ROLLBACK TO a;
COMMIT;
SELECT is(split_part(pg_temp.seen(:n), ' ', 1), '6', 'committed: counted, a savepoint notwithstanding');
SELECT sync.sync_progress_flush();
SELECT is(split_part(pg_temp.row_of(:n), ' ', 1), '6', 'in the table');
BEGIN;
SELECT sync.sync_session_start('live', total_count => 10) AS m \gset
SELECT sync.sync_progress_increment(:m, 4);
ROLLBACK;
SELECT pg_temp.refuses(format('SELECT sync.sync_progress_increment(%s)', :m), 'P0002', 'does not exist', 'one that was rolled back is unknown');
SELECT is(count(*), 0::bigint, 'and not shown') FROM sync.sync_progress WHERE session_id = :m;
DELETE FROM sync.sync_sessions WHERE id = :n;
SELECT pg_temp.refuses(format('SELECT sync.sync_progress_increment(%s)', :n), 'P0002', 'does not exist', 'a deleted session is unknown, although it was counted live');

-- the same id again, as a restore makes it: with the counts that it was saved with
SELECT sync.sync_progress_increment(:a, 1);
SELECT sync.sync_progress_flush();
CREATE TEMP TABLE saved AS SELECT * FROM sync.sync_sessions WHERE id = :a;
BEGIN;
DELETE FROM sync.sync_sessions WHERE id = :a;
INSERT INTO sync.sync_sessions SELECT * FROM saved;
COMMIT;
SELECT sync.sync_progress_increment(:a, 1);
SELECT sync.sync_progress_flush();
SELECT is(split_part(pg_temp.row_of(:a), ' ', 1), '102', 'deleted and put back: counted on from what was saved');
BEGIN;
DELETE FROM sync.sync_sessions WHERE id = :a;
INSERT INTO sync.sync_sessions (id, owner_id, status) VALUES (:a, 'live', 'processing');
COMMIT;
SELECT sync.sync_progress_increment(:a, 1);
SELECT sync.sync_progress_flush();
SELECT is(split_part(pg_temp.row_of(:a), ' ', 1), '1', 'another session with the id of one: counted from zero');

-- written in time, with nobody asking
SELECT sync.sync_session_start('live', total_count => 10) AS t \gset
SELECT sync.sync_progress_increment(:t, 4);
SELECT sync.sync_progress_increment(:t, 3);
SELECT ok(pg_temp.comes_true(format('SELECT processed_count = 7 FROM sync.sync_sessions WHERE id = %s', :t)), '[000-29] the worker writes it to the table');

-- what administrators see
SELECT cmp_ok(live_counters, '>=', 5, 'counters in use') FROM sync.pg_stat_sync_progress;
SELECT is(format('%s %s', max_live_counters, live_fallbacks), '10000 0', 'of how many; no call had to count in the other mode') FROM sync.pg_stat_sync_progress;

SELECT * FROM finish();
