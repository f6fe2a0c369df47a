-- What is wrong with the last state that a watcher saw: a row for each
-- difference, none if it equals the table and the application's own data.
-- :session, :seen (the payload)
WITH seen AS (
	SELECT :'seen'::jsonb AS p
), table_says AS (
	SELECT to_jsonb(s) AS p, snapshot.version
	FROM sync.sync_sessions AS s, sync.sync_progress_snapshots(ARRAY['sync:' || s.source_id]) AS snapshot
	WHERE s.id = :session
), account_seen AS (
	SELECT a FROM seen, jsonb_array_elements(p -> 'accounts') AS a
), differences AS (
	SELECT key AS what, seen.p ->> key AS seen, table_says.p ->> key AS expected
	FROM seen, table_says, unnest(ARRAY['status', 'message', 'title', 'processed_count', 'total_count',
		'detected_count', 'error_count', 'job_id']) AS key
	UNION ALL
	SELECT format('account %s %s', t.name, key), a ->> key, to_jsonb(t) ->> key
	FROM sync.sync_session_accounts AS t LEFT JOIN account_seen ON (a ->> 'id')::bigint = t.id,
		unnest(ARRAY['name', 'processed_count', 'total_count', 'detected_count', 'error_count', 'status']) AS key
	WHERE t.sync_session_id = :session
	UNION ALL
	SELECT format('account %s status', a ->> 'name'), a ->> 'status', 'completed' FROM account_seen
	UNION ALL
	SELECT what, p ->> key, n::text
	FROM seen, (VALUES
		('messages', 'processed_count', (SELECT count(*) FROM mail.messages)),
		('messages synced', 'processed_count', (SELECT count(*) FROM mail.synced) + (SELECT error_count FROM sync.sync_sessions WHERE id = :session)),
		('messages detected', 'detected_count', (SELECT count(*) FROM mail.synced WHERE detected IS NOT NULL))
	) AS v (what, key, n)
	UNION ALL
	SELECT 'messages left', '0', count(*)::text FROM mail.queue
	UNION ALL
	SELECT 'version', seen.p ->> 'version', table_says.version::text FROM seen, table_says
	UNION ALL
	SELECT 'status', p ->> 'status', 'completed' FROM seen
	UNION ALL
	SELECT 'percentage', p ->> 'progress_percentage', '100' FROM seen
)
SELECT what, format('seen %s, expected %s', coalesce(seen, 'nothing'), coalesce(expected, 'nothing'))
FROM differences WHERE seen IS DISTINCT FROM expected;
