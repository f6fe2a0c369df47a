
-- ---------------------------------------------------------------------------
-- What watchers are told, and who they are
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_payload(session_ids bigint[])
RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE ROWS 100 AS $$
	SELECT s.id, json_build_object(
		'session_id', s.id, 'job_id', s.job_id, 'kind', s.kind, 'source_id', s.source_id, 'status', s.status, 'title', s.title,
		'message', s.message, 'error_message', s.error_message,
		'progress_percentage', @extschema@.sync_progress_percentage(s.processed_count, s.total_count, s.status),
		'processed_count', s.processed_count, 'total_count', s.total_count, 'detected_count', s.detected_count, 'error_count', s.error_count,
		'time_remaining', CASE WHEN s.status = 'processing' THEN p.time_remaining END,
		'eta_state', CASE WHEN s.status <> 'processing' THEN 'none' WHEN coalesce(p.moved_at, s.started_at) <= s.updated_at - k.stall_after THEN 'stalled'
			WHEN p.time_remaining IS NULL THEN 'estimating' ELSE 'steady' END,
		'rate', round(p.rate::numeric, 1),
		'counters', CASE WHEN s.counters = '{}' THEN s.counters ELSE @extschema@.sync_counters_nested(s.counters) END,
		'accounts', coalesce(a.list, '[]'), 'result_url', s.result_url,
		'started_at', s.started_at, 'completed_at', s.completed_at, 'updated_at', s.updated_at,
		'version', greatest(s.version, a.version), 'lock_version', s.lock_version)
	FROM @extschema@.sync_sessions AS s
	JOIN @extschema@.sync_kinds AS k USING (kind)
	LEFT JOIN (
		SELECT x.sync_session_id, max(x.version) AS version, json_agg(json_build_object(
			'id', x.id, 'name', x.name, 'email', x.email, 'status', x.status,
			'progress_percentage', @extschema@.sync_progress_percentage(x.processed_count, x.total_count, x.status),
			'processed_count', x.processed_count, 'total_count', x.total_count, 'detected_count', x.detected_count,
			'error_count', x.error_count, 'error_message', x.error_message) ORDER BY x.position, x.id) AS list
		FROM @extschema@.sync_session_accounts AS x WHERE x.sync_session_id = ANY (session_ids) GROUP BY x.sync_session_id
	) AS a ON a.sync_session_id = s.id
	CROSS JOIN LATERAL @extschema@.sync_progress_pace(s.pace, s.processed_count, s.total_count, s.started_at, coalesce(s.completed_at, s.updated_at)) AS p
	WHERE s.id = ANY (session_ids)
$$;
COMMENT ON FUNCTION sync_payload IS 'What watchers of kind sync are sent: the session with its accounts, folded values only';

CREATE FUNCTION sync_may_watch(session_id bigint, claims jsonb)
RETURNS boolean LANGUAGE sql STABLE AS $$
	SELECT EXISTS (SELECT FROM @extschema@.sync_sessions AS s WHERE s.id = session_id
		AND (claims -> 'scope' ? 'admin'
			OR s.owner_id = claims ->> 'sub'
			AND (claims -> 'scope' IS NULL OR claims -> 'scope' ?| '{read,control}')
			AND (claims -> 'sessions' IS NULL OR claims -> 'sessions' @> to_jsonb(s.id))))
$$;
COMMENT ON FUNCTION sync_may_watch IS 'Who may watch, unless a kind says otherwise: the owner, for the sessions that the token names if it names any, and scope admin';
