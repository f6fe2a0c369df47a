-- The time remaining: what watchers and the view show of it, and how good it
-- was. A run that began earlier is one whose started_at is set back.
\ir include/helpers.psql
SELECT plan(34);

CREATE FUNCTION pg_temp.payload(session bigint) RETURNS json LANGUAGE sql AS $$
	SELECT payload FROM sync.sync_payload(ARRAY[session])
$$;
CREATE FUNCTION pg_temp.began(kind text, total bigint, accounts jsonb DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	s bigint := sync.sync_session_start('eta', kind => kind, total_count => total, accounts => accounts);
BEGIN
	UPDATE sync.sync_sessions SET started_at = now() - interval '1 minute' WHERE id = s;
	RETURN s;
END
$$;
-- Waits for the throttle: two reports within a second would count as one.
CREATE FUNCTION pg_temp.told(counts jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	WHILE EXISTS (SELECT FROM jsonb_each_text(counts) AS c JOIN sync.sync_sessions AS s ON s.id = c.key::bigint WHERE s.processed_count <> c.value::bigint) LOOP
		IF clock_timestamp() > statement_timestamp() + interval '20 s' THEN
			RAISE EXCEPTION 'not told in time';
		END IF;
		PERFORM pg_sleep(0.05);
	END LOOP;
END
$$;
INSERT INTO sync.sync_kinds (kind, channel, param, every_count, stall_after, payload_function, authorize_function)
VALUES ('eta_stall', 'EtaStallChannel', 'id', 10, '1 hour', 'sync.sync_payload(bigint[])', 'sync.sync_may_watch(bigint,jsonb)');

-- the first reports
SELECT sync.sync_session_start('eta', status => 'pending', total_count => 1000) AS p \gset
SELECT pg_temp.began('sync', 1000) AS s, pg_temp.began('sync', 1000) AS e, pg_temp.began('eta_stall', 1000) AS k, pg_temp.began('sync', NULL) AS u,
	pg_temp.began('sync', NULL, '[{"name":"a","total_count":500},{"name":"b","total_count":400},{"name":"c","total_count":100}]') AS m,
	pg_temp.began('sync', NULL, '[{"name":"a","total_count":900},{"name":"b","total_count":900}]') AS o \gset
SELECT count(sync.sync_progress_increment(x, 300)) FROM unnest(ARRAY[:s, :e, :k, :u]::bigint[]) AS x;
SELECT sync.sync_progress_increment(:m, 400, account_id => pg_temp.account(:m, 'a')), sync.sync_progress_increment(:o, 300, account_id => pg_temp.account(:o, 'a'));
SELECT pg_stat_sync_progress_reset FROM sync.pg_stat_sync_progress_reset();
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.payload(:p) ->> 'eta_state', 'none', '[001-12] a pending run has no estimate');
SELECT is((SELECT format('%s %s %s %s', x ->> 'eta_state', x ->> 'eta_seconds', x ->> 'eta_low', x ->> 'eta_high') FROM pg_temp.payload(:s) AS x), 'estimating   ',
	'[001-12] [000-17] after the first report it is too early: no estimate exists');
SELECT is((SELECT format('%s %s %s %s', eta_state, eta_seconds, eta_low, eta_high) FROM sync.sync_progress(:s)), 'estimating   ', 'in the view likewise');
SELECT is((SELECT format('%s %s %s', x ->> 'eta_state', x ->> 'eta_seconds', (x ->> 'rate')::numeric > 0) FROM pg_temp.payload(:u) AS x), 'none  t', '[003-14] no estimate without a total, but a rate');

-- the second
SELECT count(sync.sync_progress_increment(x, 100)) FROM unnest(ARRAY[:s, :k, :u]::bigint[]) AS x;
SELECT sync.sync_progress_increment(:e, 300);
SELECT sync.sync_progress_increment(:m, 100, account_id => pg_temp.account(:m, 'a')), sync.sync_progress_increment(:m, 2, account_id => pg_temp.account(:m, 'b')),
	sync.sync_progress_increment(:o, 100, account_id => pg_temp.account(:o, 'a'));
SELECT pg_temp.told(jsonb_build_object(:s, 400, :k, 400, :u, 400, :e, 600, :m, 502, :o, 400));
SELECT is(pg_temp.payload(:s) ->> 'eta_state', 'steady', '[001-06] after the second report there is an estimate');
SELECT is(string_agg(json_typeof(pg_temp.payload(:s) -> k), ','), 'number,number,number,number,number', '[001-03] time_remaining, eta_seconds, eta_low, eta_high and rate are numbers')
FROM unnest('{time_remaining,eta_seconds,eta_low,eta_high,rate}'::text[]) AS k;
SELECT ok((x ->> 'eta_low')::bigint <= (x ->> 'eta_seconds')::bigint AND (x ->> 'eta_seconds')::bigint <= (x ->> 'eta_high')::bigint, 'the range holds it')
FROM pg_temp.payload(:s) AS x;
SELECT ok((x ->> 'eta_seconds')::bigint BETWEEN 2 AND 1000, 'it is of a sane size') FROM pg_temp.payload(:s) AS x;
SELECT is(string_agg(k, ',' ORDER BY n) FILTER (WHERE k ~ '^(time_remaining|eta_.*|rate)$'), 'time_remaining,eta_seconds,eta_low,eta_high,eta_state,rate', 'in the order of the contract')
FROM json_object_keys(pg_temp.payload(:s)) WITH ORDINALITY AS o (k, n);
SELECT pg_temp.payload(:s)::text AS before \gset
SELECT pg_sleep(0.01);
SELECT is(pg_temp.payload(:s)::text, :'before', 'a payload does not change with the time');
SELECT is((SELECT format('%s,%s,%s,%s', pg_typeof(time_remaining), pg_typeof(eta_seconds), pg_typeof(eta_low), pg_typeof(eta_high)) FROM sync.sync_progress(:s)),
	'interval,bigint,bigint,bigint', 'the view has an interval, and seconds where the name says so');
SELECT ok(eta_low <= eta_seconds AND eta_seconds <= eta_high AND eta_state = 'steady', 'in the same order') FROM sync.sync_progress(:s);
SELECT (pg_temp.payload(:s) ->> 'eta_seconds')::bigint AS before \gset
SELECT sync.sync_progress_increment(:s, 600, 'total');
SELECT sync.sync_progress_flush();
SELECT ok((pg_temp.payload(:s) ->> 'eta_seconds')::bigint >= 1.5 * :before, '[001-06] a total that grows makes it longer');
SELECT sync.sync_session_pause(:s);
SELECT is((SELECT format('%s %s %s', x ->> 'eta_state', x ->> 'eta_seconds', x ->> 'time_remaining') FROM pg_temp.payload(:s) AS x), 'none  ', 'none while it is paused');
SELECT sync.sync_session_resume(:s);
SELECT sync.sync_progress_set(:s, processed_count => 3000);
SELECT sync.sync_progress_flush();
SELECT is((SELECT format('%s %s %s %s', x ->> 'eta_state', x ->> 'eta_seconds', x ->> 'eta_low', x ->> 'eta_high') FROM pg_temp.payload(:s) AS x), 'steady 0 0 0', 'at its total nothing remains');

-- stalled, by the kind's own time
SELECT is((SELECT eta_state FROM sync.sync_progress(:k)), 'steady', 'what moved within stall_after is steady');
UPDATE sync.sync_kinds SET stall_after = '1 microsecond' WHERE kind = 'eta_stall';
SELECT is((SELECT format('%s %s %s', eta_state, eta_seconds, rate) FROM sync.sync_progress(:k)), 'stalled  0.0', 'what did not is stalled: no estimate, no rate');
SELECT sync.sync_session_rename(:k, 'touched');
SELECT sync.sync_progress_flush();
SELECT is((SELECT format('%s %s', x ->> 'eta_state', x ->> 'eta_seconds') FROM pg_temp.payload(:k) AS x), 'stalled ', 'and is told so');

-- accounts
SELECT is((SELECT string_agg(json_typeof(x -> 'eta_seconds'), ',') FROM json_array_elements(pg_temp.payload(:m) -> 'accounts') AS x), 'null,null,null',
	'[000-14] one that is done, one that has just begun and one that has not have no estimate');
SELECT is((SELECT format('%s %s', bool_and(length(pace) < 160), count(pace)) FROM sync.sync_session_accounts WHERE sync_session_id = :m), 't 2', 'an account''s pace is small');
SELECT ok(length(pace) < 260, 'and so is a session''s') FROM sync.sync_sessions WHERE id = :m;
SELECT ok((pg_temp.payload(:o) #>> '{accounts,0,eta_seconds}')::bigint > 0, '[000-14] an account that moves has an estimate of its own');
SELECT ok((x ->> 'eta_seconds')::bigint > (x #>> '{accounts,0,eta_seconds}')::bigint, 'its session takes longer') FROM pg_temp.payload(:o) AS x;
SELECT (pg_temp.payload(:o) ->> 'eta_seconds')::bigint AS before \gset
SELECT sync.sync_session_fail(:o, 'gone', pg_temp.account(:o, 'b'));
SELECT sync.sync_progress_flush();
SELECT ok((pg_temp.payload(:o) ->> 'eta_seconds')::bigint < 0.5 * :before, '[001-06] what an account that has failed had left is nobody''s work');
SELECT throws_ok($$SELECT sync.sync_progress_pace(NULL, 1, 2, now(), now(), 'processing', '1 s', '{}', '{1}', '{}')$$, '2202E', NULL, 'parts that do not match are an error');
SELECT is((SELECT format('%s %s', eta_state, eta_seconds) FROM sync.sync_progress_pace('\xdeadbeef', 1, 100, now() - interval '1 minute', now(), 'processing')), 'estimating ',
	'a pace of another form begins anew');
SELECT is((SELECT format('%s %s', eta_state, time_remaining) FROM sync.sync_progress_pace(NULL, 60, 120, now() - interval '1 minute', now(), 'processing')), 'estimating 60',
	'[001-12] the classic formula stands beside it');

-- how good it was [001-16]
SELECT is(format('%s %s %s %s %s', eta_sessions, eta_estimates, eta_mape, eta_within_25, eta_bias), '0 0   ', '[001-16] nothing scored, no means') FROM sync.pg_stat_sync_progress;
SELECT (x ->> 'eta_seconds')::integer AS said, x ->> 'updated_at' AS made FROM pg_temp.payload(:e) AS x \gset
UPDATE sync.sync_sessions SET status = 'completed', completed_at = :'made'::timestamptz + interval '40 s' WHERE id = :e;
SELECT sync.sync_progress_flush();
SELECT is((SELECT completed_at FROM sync.sync_sessions WHERE id = :e), :'made'::timestamptz + interval '40 s', 'a run ends 40 s after half of it was passed');
SELECT is(format('%s %s', eta_sessions, eta_estimates), '1 1', '[001-16] it is scored: the estimate that was told at 50 %') FROM sync.pg_stat_sync_progress;
SELECT ok(abs(eta_mape - 100 * abs(greatest(:said, 1) - 40) / 40.0) < 0.2 AND abs(eta_bias - greatest(:said, 1) / 40.0) < 0.02
	AND eta_within_25 = CASE WHEN abs(:said - 40) <= 10 THEN 100 ELSE 0 END, '[001-16] against the 40 s that it took') FROM sync.pg_stat_sync_progress;
SELECT sync.sync_session_rename(:e, 'renamed');
SELECT sync.sync_progress_flush();
SELECT is(eta_sessions, 1::bigint, '[001-16] once') FROM sync.pg_stat_sync_progress;
SELECT pg_stat_sync_progress_reset FROM sync.pg_stat_sync_progress_reset();
SELECT is(eta_sessions, 0::bigint, 'reset with the others') FROM sync.pg_stat_sync_progress;
SELECT is(string_agg(a.attname, ','), NULL, 'each of its columns has a comment') FROM pg_attribute AS a
WHERE a.attrelid = 'sync.pg_stat_sync_progress'::regclass AND a.attnum > 0 AND col_description(a.attrelid, a.attnum) IS NULL;

DELETE FROM sync.sync_sessions WHERE kind = 'eta_stall';
DELETE FROM sync.sync_kinds WHERE kind = 'eta_stall';
SELECT * FROM finish();
