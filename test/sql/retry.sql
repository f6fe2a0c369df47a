-- Runs of one source, one after the other; and retry, which starts the next.
\ir include/helpers.psql
SELECT plan(35);

CREATE FUNCTION pg_temp.ask(id text, claims jsonb DEFAULT '{"sub":"retry"}') RETURNS sync.sync_sessions LANGUAGE sql AS $$
	SELECT s FROM sync.sync_progress_subscribe(ARRAY[format('{"channel":"MeshProgressChannel","mesh_id":"%s"}', id)], ARRAY[claims], '{1}') AS r
	JOIN sync.sync_sessions AS s ON s.job_id = (r.greeting ->> 'job_id')::uuid
$$;

-- what retry takes over, and what not
SELECT sync.sync_session_start('retry', title => 'Mail', source_id => 'retry-box',
	accounts => '[{"name":"Inbox","email":"in@example.com","total_count":4},{"name":"Sent","total_count":6},{"name":"Odd"}]') AS a \gset
SELECT sync.sync_progress_set(:a, total_count => 20, message => 'reading');
SELECT sync.sync_progress_increment_many(:a, '{"processed":3,"detected":2,"error":1,"kept":5}', pg_temp.account(:a, 'Inbox'));
SELECT sync.sync_session_fail(:a, 'no route', pg_temp.account(:a, 'Sent'));
SELECT sync.sync_progress_flush();
UPDATE sync.sync_sessions SET pinned = true WHERE id = :a;
SELECT pg_temp.refuses(format('SELECT sync.sync_session_retry(%s)', :a), '55000', format('session %s is processing, it cannot be retried', :a), 'a run that is processing cannot be retried');
SELECT sync.sync_session_pause(:a);
SELECT pg_temp.refuses(format('SELECT sync.sync_session_retry(%s)', :a), '55000', 'is paused', 'nor one that is paused');
SELECT sync.sync_session_fail(:a, 'gave up');
-- a total that nobody has folded yet
BEGIN;
SELECT sync.sync_progress_set(:a, total_count => 25);
SELECT sync.sync_progress_set(:a, total_count => 7, account_id => pg_temp.account(:a, 'Odd'));
SELECT sync.sync_session_retry(:a) AS b \gset
COMMIT;
SELECT ok(:b > :a, '[002-13] a failed run can be retried: another run');
SELECT is((SELECT row(kind, source_id, owner_id, title, total_count)::text FROM sync.sync_sessions WHERE id = :b), '(sync,retry-box,retry,Mail,25)', 'of the same kind, source, owner and title; the total as it is now');
SELECT is((SELECT row(status, processed_count, detected_count, error_count, counters, pinned, message, error_message, result_url, started_at, completed_at)::text FROM sync.sync_sessions WHERE id = :b),
	'(pending,0,0,0,{},f,,,,,)', 'pending, with nothing counted or said yet');
SELECT isnt((SELECT job_id FROM sync.sync_sessions WHERE id = :b), (SELECT job_id FROM sync.sync_sessions WHERE id = :a), 'a job of its own');
SELECT is((SELECT string_agg(row(name, email, total_count, processed_count, detected_count, error_count, status, error_message)::text, ' ' ORDER BY position, id) FROM sync.sync_session_accounts WHERE sync_session_id = :b),
	'(Inbox,in@example.com,4,0,0,0,pending,) (Sent,,6,0,0,0,pending,) (Odd,,7,0,0,0,pending,)', 'the same accounts in their order, with their totals alone');
SELECT is((SELECT status || ' ' || processed_count || ' ' || error_message FROM sync.sync_sessions WHERE id = :a), 'failed 3 gave up', 'the old run stays what it was');
SELECT pg_temp.refuses(format('SELECT sync.sync_session_retry(%s)', :a), '23505', 'a run of sync "retry-box" has not ended yet', 'while the new run is open there is no other');
SELECT throws_ok(format('SELECT sync.sync_session_retry(%s)', :b), '55000', format('session %s is pending, it cannot be retried', :b), 'the new one has not ended either');
CREATE FUNCTION pg_temp.detail(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text := 'no error';
BEGIN
	EXECUTE statement;
	RETURN said;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
	RETURN said;
END
$$;
SELECT is(pg_temp.detail(format('SELECT sync.sync_session_retry(%s)', :a)), format('It is session %s.', :b), 'the error names the open run');
SELECT is(sync.sync_progress_increment(:b), 'processing', 'its first increment makes it processing');
SELECT sync.sync_session_complete(:b);
SELECT lives_ok(format('SELECT sync.sync_session_retry(%s)', :b), 'a completed run can be retried');
SELECT sync.sync_session_cancel(max(id)) FROM sync.sync_sessions WHERE source_id = 'retry-box';
SELECT lives_ok($$SELECT sync.sync_session_retry(max(id)) FROM sync.sync_sessions WHERE source_id = 'retry-box'$$, 'and a cancelled one');
SELECT sync.sync_session_cancel(max(id)) FROM sync.sync_sessions WHERE source_id = 'retry-box';
SELECT lives_ok(format('SELECT sync.sync_session_retry(%s)', :a), 'and an older one, once its successors have ended');
SELECT pg_temp.refuses('SELECT sync.sync_session_retry(987654321987)', 'P0002', 'sync session 987654321987 does not exist', 'no run, no retry');
SELECT pg_temp.refuses('SELECT sync.sync_session_retry(NULL)', 'P0002', 'sync session NULL does not exist', 'NULL is no run');

-- a run of which the transaction's snapshot sees two states
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT sync.sync_session_start('retry', source_id => 'retry-rr') AS r \gset
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM sync.sync_sessions;
SELECT sync.sync_session_complete(:r);
SELECT lives_ok(format('SELECT sync.sync_session_retry(%s)', :r), 'a REPEATABLE READ transaction may end a run and retry it');
COMMIT;
SELECT is(string_agg(status, ' ' ORDER BY id), 'completed pending', 'both are there') FROM sync.sync_sessions WHERE source_id = 'retry-rr';

-- several runs in sequence, through the source's stream
SELECT sync.sync_session_start('retry', 'mesh', source_id => 'retry-77') AS m \gset
SELECT sync.sync_progress_increment(:m, 5);
SELECT sync.sync_session_complete(:m);
SELECT sync.sync_session_start('retry', 'mesh', source_id => 'retry-77', total_count => 50, status => 'pending') AS n \gset
SELECT is((pg_temp.ask('retry-77')).id, :n::bigint, 'who watches a source watches its newest run');
SELECT is((pg_temp.ask(:'m')).id, :n::bigint, 'also by the id of an older run');
SELECT is((pg_temp.ask(:'n')).id, :n::bigint, 'or by its own');
SELECT is((pg_temp.ask('retry-77', format('{"sub":"retry","sessions":[%s]}', :m)::jsonb)).id, NULL, 'but not with a token for the older run alone');
SELECT is((SELECT format('%s %s %s', payload -> 'progress', payload ->> 'status', payload ->> 'mesh_id') FROM sync.sync_progress_snapshots('{mesh:retry-77}')), '0 pending retry-77', '[002-19] its state is the new run''s, which has not begun');
SELECT sync.sync_progress_increment(:m, 1);
SELECT sync.sync_progress_increment(:n, 25);
SELECT sync.sync_progress_flush();
SELECT is((SELECT processed_count FROM sync.sync_sessions WHERE id = :m), 6::bigint, 'late work for the old run is counted there');
SELECT is((SELECT format('%s %s', payload -> 'progress', payload ->> 'status') FROM sync.sync_progress_snapshots('{mesh:retry-77}')), '50 processing', 'and not in the new one');
SELECT sync.sync_session_complete(:n);
SELECT sync.sync_progress_flush();
SELECT is((SELECT final FROM sync.sync_progress_snapshots('{mesh:retry-77}')), true, 'when the last run has ended the stream is at its end');
SELECT sync.sync_session_retry(:m) AS o \gset
SELECT is((SELECT final FROM sync.sync_progress_snapshots('{mesh:retry-77}')), false, 'until there is another');
SELECT is((pg_temp.ask('retry-77')).id, :o::bigint, 'which is watched then');

-- a run whose source is its own id
SELECT sync.sync_session_start('retry', total_count => 3) AS p \gset
SELECT sync.sync_session_cancel(:p);
SELECT sync.sync_session_retry(:p) AS q \gset
SELECT is((SELECT source_id FROM sync.sync_sessions WHERE id = :q), :'p', 'the new run has the old one''s source');
SELECT is((SELECT payload ->> 'session_id' FROM sync.sync_progress_snapshots(ARRAY['sync:' || :'p'])), :'q', 'so who watches the old one''s stream sees it');

-- versions grow from run to run, though a clock was set back
SELECT sync.sync_session_start('retry', source_id => 'retry-clock', accounts => '[{"name":"x"}]') AS c \gset
UPDATE sync.sync_sessions SET version = 4102444800000000 WHERE id = :c;
SELECT sync.sync_session_complete(:c);
SELECT ok((SELECT version FROM sync.sync_sessions WHERE id = :c) > 1000000, 'a version is there');
ALTER TABLE sync.sync_session_accounts DISABLE TRIGGER sync_stamp;
UPDATE sync.sync_session_accounts SET version = 4102444800000000 WHERE sync_session_id = :c;
ALTER TABLE sync.sync_session_accounts ENABLE TRIGGER sync_stamp;
-- seen before the worker can see them, and tell them with versions of its own
BEGIN;
SELECT sync.sync_session_retry(:c) AS c2 \gset
SELECT is((SELECT version FROM sync.sync_sessions WHERE id = :c2), 4102444800000001, 'a retry''s version is greater than any of the run before, its accounts'' included');
SELECT sync.sync_session_cancel(:c2);
SELECT sync.sync_session_start('retry', source_id => 'retry-clock') AS c3 \gset
SELECT ok((SELECT version FROM sync.sync_sessions WHERE id = :c3) > (SELECT version FROM sync.sync_sessions WHERE id = :c2), 'and so is that of a run that is started anew');
COMMIT;

-- after all that
SELECT is((SELECT count(*) FROM sync.sync_sessions WHERE source_id = 'retry-box' AND status IN ('pending', 'processing', 'paused')), 1::bigint, 'a source has one open run');
DELETE FROM sync.sync_sessions WHERE owner_id = 'retry';
SELECT * FROM finish();
