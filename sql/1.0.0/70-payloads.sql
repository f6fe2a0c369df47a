
-- ---------------------------------------------------------------------------
-- What watchers are told, and who they are
-- ---------------------------------------------------------------------------

-- An application may have put a whole stack trace into a row.  What is shown of
-- it must not make the payload too large to be sent: then nobody would learn
-- that the run has ended.
CREATE FUNCTION sync_text_shown(value text, longest integer)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN length(value) > longest THEN left(value, longest - 1) || '…' ELSE value END;
COMMENT ON FUNCTION sync_text_shown IS 'Internal: a text as watchers are sent it: cut where it is longer than that';

CREATE FUNCTION sync_payload(session_ids bigint[])
RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE ROWS 100 AS $$
	SELECT s.id, json_build_object(
		'session_id', s.id, 'job_id', s.job_id, 'kind', s.kind, 'source_id', s.source_id, 'status', s.status, 'title', @extschema@.sync_text_shown(s.title, 500),
		'message', @extschema@.sync_text_shown(s.message, 2000), 'error_message', @extschema@.sync_text_shown(s.error_message, 10000),
		'progress_percentage', @extschema@.sync_progress_percentage(s.processed_count, s.total_count, s.status),
		'processed_count', s.processed_count, 'total_count', s.total_count, 'detected_count', s.detected_count, 'error_count', s.error_count,
		'time_remaining', p.time_remaining, 'eta_seconds', p.eta_seconds, 'eta_low', p.eta_low, 'eta_high', p.eta_high, 'eta_state', p.eta_state,
		'rate', round(p.rate::numeric, 1),
		'counters', CASE WHEN s.counters = '{}' THEN s.counters ELSE @extschema@.sync_counters_nested(s.counters) END,
		'accounts', coalesce(a.list, '[]'), 'result_url', CASE WHEN length(s.result_url) <= 2000 THEN s.result_url END,
		'started_at', s.started_at, 'completed_at', s.completed_at, 'updated_at', s.updated_at,
		'version', greatest(s.version, a.version), 'lock_version', s.lock_version)
	FROM @extschema@.sync_sessions AS s
	JOIN @extschema@.sync_kinds AS k USING (kind)
	LEFT JOIN (
		SELECT x.sync_session_id, max(x.version) AS version, array_agg(x.pace) FILTER (WHERE x.total_count IS NOT NULL) AS paces,
			array_agg(greatest(x.total_count - x.processed_count, 0)) FILTER (WHERE x.total_count IS NOT NULL) AS lefts,
			array_agg(x.status IN ('pending', 'processing', 'paused')) FILTER (WHERE x.total_count IS NOT NULL) AS opens, json_agg(json_build_object(
			'id', x.id, 'name', @extschema@.sync_text_shown(x.name, 200), 'email', @extschema@.sync_text_shown(x.email, 320), 'status', x.status,
			'progress_percentage', @extschema@.sync_progress_percentage(x.processed_count, x.total_count, x.status),
			'processed_count', x.processed_count, 'total_count', x.total_count, 'detected_count', x.detected_count,
			'error_count', x.error_count, 'error_message', @extschema@.sync_text_shown(x.error_message, 1000),
			'eta_seconds', CASE WHEN t.status = 'processing' AND x.status = 'processing'
				THEN @extschema@.sync_progress_part_seconds(x.pace, x.total_count - x.processed_count, k.stall_after, t.updated_at) END) ORDER BY x.position, x.id) AS list
		FROM @extschema@.sync_session_accounts AS x
		JOIN @extschema@.sync_sessions AS t ON t.id = x.sync_session_id JOIN @extschema@.sync_kinds AS k USING (kind)
		WHERE x.sync_session_id = ANY (session_ids) GROUP BY x.sync_session_id
	) AS a ON a.sync_session_id = s.id
	CROSS JOIN LATERAL @extschema@.sync_progress_pace(s.pace, s.processed_count, s.total_count, s.started_at, coalesce(s.completed_at, s.updated_at),
		s.status, k.stall_after, a.paces, a.lefts, a.opens) AS p
	WHERE s.id = ANY (session_ids)
$$;
COMMENT ON FUNCTION sync_payload IS 'What watchers of kind sync are sent: the session with its accounts, folded values only';

CREATE FUNCTION sync_source_json(source_id text)
RETURNS json LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN source_id ~ '^(0|-?[1-9][0-9]{0,14})$' THEN source_id::json ELSE to_json(source_id) END;
COMMENT ON FUNCTION sync_source_json IS 'Internal: an application''s id as it most likely has it: a number if it reads back as the same text, else a string';

CREATE FUNCTION sync_progress_shown(done bigint, total_count bigint, status text)
RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(sync_progress_percentage(done, total_count, status), CASE WHEN status = 'completed' THEN 100 WHEN done <= 0 THEN 0 END);
COMMENT ON FUNCTION sync_progress_shown IS 'Internal: the percentage, also without a total: 0 before anything was done, 100 when completed, NULL in between';

CREATE FUNCTION sync_progress_remaining(percentage integer, begun_at timestamptz, at timestamptz)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
-- by numbers: a table that is tracked can have times that cannot be subtracted
RETURN CASE WHEN percentage > 0 AND isfinite(begun_at) AND isfinite(at)
	THEN nullif(greatest(round((extract(epoch FROM at) - extract(epoch FROM begun_at)) * (100 - percentage) / percentage), 0), 0)::bigint END;
COMMENT ON FUNCTION sync_progress_remaining IS 'Internal: seconds remaining if the rest takes as long as what is done: elapsed / (percentage / 100) - elapsed; NULL if that is not more than 0';

CREATE FUNCTION sync_mesh_payload(session_ids bigint[])
RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE PARALLEL SAFE ROWS 100 AS $$
	-- its watchers show "message" when it has failed; a key that is there on completion only cannot be left out by json_build_object
	SELECT s.id, CASE WHEN s.status = 'completed'
		THEN json_build_object('mesh_id', x.id, 'status', s.status, 'progress', x.progress, 'message', @extschema@.sync_text_shown(s.message, 2000),
			'updated_at', s.updated_at, 'estimated_remaining', NULL, 'result_url', CASE WHEN length(s.result_url) <= 2000 THEN s.result_url END)
		ELSE json_build_object('mesh_id', x.id, 'status', s.status, 'progress', x.progress,
			'message', @extschema@.sync_text_shown(CASE WHEN s.status = 'failed' THEN coalesce(s.error_message, s.message) ELSE s.message END, 10000), 'updated_at', s.updated_at,
			'estimated_remaining', CASE WHEN s.status = 'processing' THEN @extschema@.sync_progress_remaining(x.progress, s.created_at, s.updated_at) END) END
	FROM @extschema@.sync_sessions AS s
	CROSS JOIN LATERAL (SELECT @extschema@.sync_source_json(s.source_id) AS id,
		@extschema@.sync_progress_shown(s.processed_count, s.total_count, s.status) AS progress) AS x
	WHERE s.id = ANY (session_ids)
$$;
COMMENT ON FUNCTION sync_mesh_payload IS 'What watchers of kind mesh are sent: one thing being made, its percentage, its result at the end';

CREATE FUNCTION sync_batch_payload(session_ids bigint[])
RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE PARALLEL SAFE ROWS 100 AS $$
	-- an item is counted as processed or as error, so what is done is both
	SELECT s.id, json_build_object('batch_id', @extschema@.sync_source_json(s.source_id), 'total', s.total_count,
		'completed', s.processed_count, 'failed', s.error_count, 'progress', x.progress, 'status', s.status,
		'estimated_remaining', CASE WHEN s.status = 'processing' THEN @extschema@.sync_progress_remaining(x.progress, s.created_at, s.updated_at) END)
	FROM @extschema@.sync_sessions AS s
	CROSS JOIN LATERAL (SELECT @extschema@.sync_progress_shown(s.processed_count + s.error_count, s.total_count, s.status) AS progress) AS x
	WHERE s.id = ANY (session_ids)
$$;
COMMENT ON FUNCTION sync_batch_payload IS 'What watchers of kind batch are sent: how many of its items are completed, how many failed';

CREATE FUNCTION sync_connection_payload(session_ids bigint[])
RETURNS TABLE (session_id bigint, payload json) LANGUAGE sql STABLE PARALLEL SAFE ROWS 100 AS $$
	SELECT s.id, json_build_object('job_id', s.job_id, 'inserted', coalesce(s.counters -> 'inserted', '0'), 'updated', coalesce(s.counters -> 'updated', '0'),
		'deleted', coalesce(s.counters -> 'deleted', '0'), 'kept', coalesce(s.counters -> 'kept', '0'), 'skipped', coalesce(s.counters -> 'skipped', '0'),
		-- names may have dots of their own: readers expect an object of numbers
		'entities_encountered', (SELECT coalesce(json_object_agg(substr(c.key, length('entities_encountered.') + 1), c.value ORDER BY c.key COLLATE "C"), '{}')
			FROM jsonb_each(s.counters) AS c WHERE c.key LIKE 'entities\_encountered.%'),
		'is_complete', s.status = 'completed', 'is_failed', s.status IN ('failed', 'cancelled'),
		'error', coalesce(@extschema@.sync_text_shown(s.error_message, 10000), CASE WHEN s.status = 'cancelled' THEN 'cancelled' END))
	FROM @extschema@.sync_sessions AS s WHERE s.id = ANY (session_ids)
$$;
COMMENT ON FUNCTION sync_connection_payload IS 'What watchers of kind connection are sent: named counters, without a percentage';

-- plpgsql, since it keeps its plan: a storm of subscriptions calls this for each
CREATE FUNCTION sync_may_watch(session_id bigint, claims jsonb)
RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN EXISTS (SELECT FROM @extschema@.sync_sessions AS s WHERE s.id = session_id
		AND (jsonb_typeof(claims -> 'scope') IN ('array', 'string') AND claims -> 'scope' ? 'admin'
			-- a tracked table may have rows without an owner
			OR s.owner_id = nullif(claims ->> 'sub', '')
			AND jsonb_typeof(claims -> 'sub') = 'string'
			AND (claims -> 'scope' IS NULL OR jsonb_typeof(claims -> 'scope') IN ('array', 'string') AND claims -> 'scope' ?| '{read,control}')
			AND (claims -> 'sessions' IS NULL OR jsonb_typeof(claims -> 'sessions') = 'array' AND claims -> 'sessions' @> to_jsonb(s.id))));
END
$$;
COMMENT ON FUNCTION sync_may_watch IS 'Who may watch, unless a kind says otherwise: the owner, for the sessions that the token names if it names any, and scope admin';
