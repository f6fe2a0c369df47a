-- The end of a run is shown with its last counts, or not at all: whoever polls,
-- or reads a stream up to is_complete, stops there.  In an open transaction
-- nothing is folded, so that what comes in between is seen for as long as it takes.
\ir include/helpers.psql
SELECT plan(31);

CREATE FUNCTION pg_temp.ident(id text) RETURNS text LANGUAGE sql AS $$
	SELECT format('{"channel":"SyncStatusChannel","session_id":%s}', id)
$$;
-- Status and count of each as a subscribe, and a snapshot, give them; "-" where there is no state now.
CREATE FUNCTION pg_temp.subscribed(VARIADIC ids bigint[]) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(coalesce(refused, format('%s %s %s', coalesce(payload ->> 'status', '-'), payload ->> 'processed_count', final)), '; ' ORDER BY ord)
	FROM sync.sync_progress_subscribe(ARRAY(SELECT pg_temp.ident(x::text) FROM unnest(ids) WITH ORDINALITY AS u (x, n) ORDER BY n), '{"{\"sub\":\"ending\"}"}', array_fill(1, ARRAY[cardinality(ids)]))
$$;
CREATE FUNCTION pg_temp.snapshot(id bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s %s', coalesce(payload ->> 'status', '-'), payload ->> 'processed_count', final) FROM sync.sync_progress_snapshots(ARRAY['sync:' || id])
$$;

SELECT sync.sync_session_start('ending', total_count => 100) AS s \gset
SELECT sync.sync_session_start('ending', total_count => 100) AS goes_on \gset
SELECT sync.sync_session_start('ending', total_count => 100) AS folded \gset
SELECT sync.sync_progress_increment(:folded, 100);
SELECT sync.sync_session_complete(:folded);
SELECT sync.sync_progress_flush();

-- counted, completed, not folded
BEGIN;
SELECT sync.sync_progress_increment(:s, 100);
SELECT sync.sync_progress_increment(:goes_on, 50);
SELECT is(pg_temp.subscribed(:s), 'processing 0 f', 'a run that goes on is shown with what is folded of it');
SELECT sync.sync_session_complete(:s);
SELECT is(pg_temp.subscribed(:s), '-  f', '[003-04] one that has just ended has no state yet');
SELECT is(pg_temp.snapshot(:s), '-  f', '[001-03] nor has a snapshot of it');
SELECT is(pg_temp.subscribed(:goes_on, :s, :folded, :s), 'processing 0 f; -  f; completed 100 t; -  f', 'the others of its batch have theirs');
SELECT stream, version, refused IS NULL AS allowed, greeting ->> 'type' AS greeting
FROM sync.sync_progress_subscribe(ARRAY[pg_temp.ident(:'s')], '{"{\"sub\":\"ending\"}"}', '{1}') \gset now_
SELECT is(:'now_stream'::text, 'sync:' || :'s', 'it is allowed, and has its stream');
SELECT ok(:'now_allowed'::boolean, 'it is not refused');
SELECT is(:'now_greeting'::text, 'connected', 'it is greeted');
SELECT is(pg_temp.subscribed(987654321987, :s), 'not_found; -  f', 'what is unknown is so still');
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.subscribed(:s), 'completed 100 t', 'folded, it has its last state');
SELECT is(pg_temp.snapshot(:s), 'completed 100 t', 'and a snapshot has');
SELECT cmp_ok(version, '>', :now_version::bigint, 'whose version is greater than the one without') FROM sync.sync_progress_snapshots(ARRAY['sync:' || :s]);

-- what is counted afterwards does not hide it: of a run that was cancelled nothing would be seen until its workers stop
BEGIN;
SELECT sync.sync_progress_increment(:s, 7);
SELECT is(pg_temp.subscribed(:s), 'completed 100 t', 'late work does not hide the end');
SELECT sync.sync_session_rename(:s, 'Mail');
SELECT is(pg_temp.subscribed(:s), 'completed 100 t', 'nor does a new title');
SELECT sync.sync_session_pin(:s, true);
SELECT is(pg_temp.subscribed(:s), 'completed 100 t', 'nor a pin');
COMMIT;

-- each way to end, and nothing to count
SELECT sync.sync_session_start('ending') AS f, sync.sync_session_start('ending') AS c, sync.sync_session_start('ending') AS u, sync.sync_session_start('ending') AS r,
	sync.sync_session_start('ending', accounts => '[{"name":"a"}]') AS a \gset
SELECT id AS account FROM sync.sync_session_accounts WHERE sync_session_id = :a \gset
BEGIN;
SELECT sync.sync_session_fail(:f, 'no route to host');
SELECT sync.sync_session_cancel(:c);
UPDATE sync.sync_sessions SET status = 'completed' WHERE id = :u;
SELECT is(pg_temp.subscribed(:f, :c, :u), '-  f; -  f; -  f', 'failed, cancelled, completed by plain SQL');
SELECT sync.sync_session_complete(:a, :account);
SELECT is(pg_temp.subscribed(:a), 'processing 0 f', 'an account''s end is not the run''s');
SAVEPOINT before;
SELECT sync.sync_session_complete(:r);
SELECT is(pg_temp.subscribed(:r), '-  f', 'an end in a savepoint');
ROLLBACK TO before;
SELECT is(pg_temp.subscribed(:r), 'processing 0 f', 'that is rolled back is none');
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.subscribed(:f, :c, :u), 'failed 0 t; cancelled 0 t; completed 0 t', 'each is shown when it is folded');

-- an end taken back by plain SQL, and again an end
BEGIN;
UPDATE sync.sync_sessions SET status = 'processing' WHERE id = :u;
SELECT is(pg_temp.subscribed(:u), 'processing 0 f', 'a run that is opened again goes on');
SELECT sync.sync_progress_increment(:u, 3);
UPDATE sync.sync_sessions SET status = 'failed', error_message = 'after all' WHERE id = :u;
SELECT is(pg_temp.subscribed(:u), '-  f', 'and ends again');
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.subscribed(:u), 'failed 3 t', 'with what was counted since');

-- actions
SELECT sync.sync_session_start('ending') AS p \gset
BEGIN;
SELECT sync.sync_progress_increment(:p, 5);
SELECT payload IS NULL AS hidden, final, result ->> 'status' AS status
FROM sync.sync_progress_perform(pg_temp.ident(:'p'), 'cancel', NULL, '{"sub":"ending","scope":["control"]}') \gset did_
SELECT is(format('%s %s %s', :'did_hidden', :'did_final', :'did_status'), 't f cancelled', '[002-13] cancel says what was done, and has no state yet');
SELECT is((SELECT payload IS NULL FROM sync.sync_progress_perform(pg_temp.ident(:'p'), 'request_update', NULL, '{"sub":"ending"}')), true, 'nor has who asks for one');
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is((SELECT payload ->> 'processed_count' FROM sync.sync_progress_perform(pg_temp.ident(:'p'), 'rename', '{"title":"Mail"}', '{"sub":"ending","scope":["control"]}')), '5', 'an edit of a run that has ended shows it');

-- counted live: in shared memory at once, in the row when it is flushed
SELECT sync.sync_session_start('ending', total_count => 10) AS l \gset
BEGIN;
SET LOCAL sync_progress.mode = 'live';
SELECT sync.sync_progress_increment(:l, 10);
SELECT sync.sync_session_complete(:l);
SELECT is(pg_temp.subscribed(:l), '-  f', 'what was counted live is the last, too');
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.subscribed(:l), 'completed 10 t', 'when it is flushed');

-- made as ended, and a tracked table's, whose end is folded as its counts are
BEGIN;
INSERT INTO sync.sync_sessions (owner_id, status, processed_count) VALUES ('ending', 'completed', 4) RETURNING id AS i \gset
SELECT is(pg_temp.subscribed(:i), '-  f', 'a row that is inserted as ended');
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.subscribed(:i), 'completed 4 t', 'once it is folded');

-- many at once, one read for all
SELECT array_agg(sync.sync_session_start('ending', source_id => 'ending-' || n)) AS many FROM generate_series(1, 256) AS n \gset
BEGIN;
SELECT count(sync.sync_session_complete(x)) FROM unnest(:'many'::bigint[]) AS x;
SELECT is((SELECT count(*) FROM sync.sync_progress_subscribe(ARRAY(SELECT pg_temp.ident(x::text) FROM unnest(:'many'::bigint[]) AS x), '{"{\"sub\":\"ending\"}"}', array_fill(1, ARRAY[256]))
	WHERE refused IS NULL AND payload IS NULL AND version > 0 AND NOT final), 256::bigint, 'a whole batch that has just ended');
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is((SELECT count(*) FROM sync.sync_progress_snapshots(ARRAY(SELECT 'sync:ending-' || n FROM generate_series(1, 256) AS n)) WHERE final AND payload ->> 'status' = 'completed'), 256::bigint, 'and when it is folded');

SELECT * FROM finish();
