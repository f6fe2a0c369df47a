-- A run's life: which changes of status are allowed, what they leave behind.
\ir include/helpers.psql
SELECT plan(59);

CREATE FUNCTION pg_temp.session_in(wanted text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	id bigint := sync.sync_session_start('status', total_count => 10, status => CASE WHEN wanted = 'pending' THEN 'pending' ELSE 'processing' END);
BEGIN
	CASE wanted
		WHEN 'paused' THEN PERFORM sync.sync_session_pause(id);
		WHEN 'completed' THEN PERFORM sync.sync_session_complete(id);
		WHEN 'failed' THEN PERFORM sync.sync_session_fail(id, 'broken');
		WHEN 'cancelled' THEN PERFORM sync.sync_session_cancel(id);
		ELSE NULL;
	END CASE;
	RETURN id;
END
$$;
CREATE FUNCTION pg_temp.change(verb text, session bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT sync.sync_session_%s(%s%s)', verb, session, CASE verb WHEN 'fail' THEN ', ''no route''' ELSE '' END)
$$;
CREATE TEMP TABLE changes (verb text, target text, allowed text[]);
INSERT INTO changes VALUES
	('pause', 'paused', '{pending,processing}'),
	('resume', 'processing', '{pending,paused}'),
	('cancel', 'cancelled', '{pending,processing,paused}'),
	('complete', 'completed', '{pending,processing,paused}'),
	('fail', 'failed', '{pending,processing,paused}');

-- 13 allowed ones: each returns and leaves the new status
CREATE FUNCTION pg_temp.changes_to(verb text, origin text, target text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	session bigint := pg_temp.session_in(origin);
	answer text;
BEGIN
	EXECUTE pg_temp.change(verb, session) INTO answer;
	RETURN NEXT is(answer || ' ' || (SELECT status FROM sync.sync_sessions WHERE id = session), target || ' ' || target,
		format('%s: %s becomes %s', verb, origin, target));
END
$$;
SELECT pg_temp.changes_to(verb, origin, target) FROM changes, unnest(allowed) AS origin;

-- 17 illegal ones: an error that names both states
SELECT pg_temp.refuses(pg_temp.change(verb, pg_temp.session_in(origin)), '55000', origin || '.*' || target,
	format('%s: %s cannot become %s', verb, origin, target))
FROM changes, unnest('{pending,processing,paused,completed,failed,cancelled}'::text[]) AS origin
WHERE origin <> ALL (allowed);

SELECT pg_temp.refuses(pg_temp.change(verb, 987654321987), 'P0002', '987654321987', verb || ': an unknown session') FROM changes;
SELECT pg_temp.refuses(format('SELECT sync.sync_session_%s(NULL%s)', verb, CASE verb WHEN 'fail' THEN ', NULL' ELSE '' END), 'P0002', 'NULL', verb || ': no session')
FROM changes;

-- what they leave behind
SELECT sync.sync_session_start('status', total_count => 10, status => 'pending') AS s \gset
SELECT version AS v0 FROM sync.sync_sessions WHERE id = :s \gset
SELECT sync.sync_session_resume(:s, 'here we go');
SELECT is(format('%s %s', message, started_at IS NOT NULL), 'here we go t', 'resuming a pending run starts it, with a message')
FROM sync.sync_sessions WHERE id = :s;
SELECT version AS v1, started_at AS began FROM sync.sync_sessions WHERE id = :s \gset
SELECT cmp_ok(:v1::bigint, '>', :v0::bigint, 'a change of status grows the version');
SELECT sync.sync_session_pause(:s);
SELECT is(message, 'here we go', 'without a message the old one stays') FROM sync.sync_sessions WHERE id = :s;
SELECT sync.sync_session_resume(:s);
SELECT is(started_at, :'began'::timestamptz, 'started_at is when it first started') FROM sync.sync_sessions WHERE id = :s;
SELECT sync.sync_progress_increment(:s, 10);
SELECT sync.sync_session_complete(:s, message => 'done', result_url => 'https://example.com/r/1');
SELECT is(format('%s %s %s', message, result_url, completed_at >= started_at), 'done https://example.com/r/1 t',
	'complete sets message, result_url and completed_at') FROM sync.sync_sessions WHERE id = :s;
SELECT sync.sync_progress_flush();
SELECT is(format('%s %s', processed_count, status), '10 completed', 'with everything counted before it') FROM sync.sync_sessions WHERE id = :s;
SELECT is((payload ->> 'progress_percentage'), '100', 'and shows 100 %') FROM sync.sync_progress_snapshots(ARRAY['sync:' || :s]);
SELECT ok(final, 'completed is final') FROM sync.sync_progress_snapshots(ARRAY['sync:' || :s]);

SELECT sync.sync_session_start('status') AS f \gset
SELECT sync.sync_session_fail(:f, 'no route to host');
SELECT is(format('%s %s', error_message, completed_at IS NOT NULL), 'no route to host t', 'fail keeps the error message and sets completed_at')
FROM sync.sync_sessions WHERE id = :f;
SELECT sync.sync_progress_flush();
SELECT ok(final, 'failed is final') FROM sync.sync_progress_snapshots(ARRAY['sync:' || :f]);
SELECT pg_temp.session_in('cancelled') AS c \gset
SELECT ok(completed_at IS NOT NULL, 'cancel sets completed_at') FROM sync.sync_sessions WHERE id = :c;
SELECT pg_temp.session_in('paused') AS p \gset
SELECT ok(NOT final, 'paused is not final') FROM sync.sync_progress_snapshots(ARRAY['sync:' || :p]);

-- rolled back: as if it had never been
BEGIN;
SELECT sync.sync_session_complete(:p);
ROLLBACK;
SELECT is(status, 'paused', 'a change rolled back is none') FROM sync.sync_sessions WHERE id = :p;
SELECT is(sync.sync_progress_increment(:p), 'paused', 'for increments neither');
BEGIN;
SAVEPOINT x;
SELECT sync.sync_session_complete(:p);
ROLLBACK TO x;
SELECT is(sync.sync_progress_increment(:p), 'paused', 'a change rolled back to a savepoint is none');
COMMIT;
SELECT is(sync.sync_progress_increment(:p), 'paused', 'nor after the commit');

-- direct changes follow the same clock
UPDATE sync.sync_sessions SET status = 'completed' WHERE id = :p;
SELECT ok(completed_at IS NOT NULL, 'a direct change of status sets completed_at as well') FROM sync.sync_sessions WHERE id = :p;
SELECT is(sync.sync_progress_increment(:p), 'completed', 'and is seen by the next increment');
SELECT throws_ok(format('UPDATE sync.sync_sessions SET status = %L WHERE id = %s', 'done', :p), '23514', NULL, 'an unknown status is refused');

SELECT * FROM finish();
