
-- ---------------------------------------------------------------------------
-- A canary: a run that only sync-progress-bridge --doctor watches
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_progress_canary(step text, session_id bigint DEFAULT NULL, OUT session bigint, OUT token text)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
DECLARE
	canary CONSTANT text := 'sync_progress_canary';
	kept text;
BEGIN
	session := sync_progress_canary.session_id;
	IF step = 'begin' AND session IS NULL THEN
		-- those that a doctor who died has left
		DELETE FROM sync_sessions WHERE owner_id = canary AND created_at < clock_timestamp() - interval '5 minutes';
		session := sync_session_start(canary, title => 'Canary');
		token := sync_progress_token(canary, ARRAY[session], '2 minutes');
		RETURN;
	END IF;
	SELECT s.status INTO kept FROM sync_sessions AS s WHERE s.id = session AND s.owner_id = canary;
	IF step IN ('beat', 'end') AND kept IS NULL THEN
		RAISE EXCEPTION 'canary % does not exist', coalesce(session::text, 'NULL')
			USING ERRCODE = 'no_data_found', HINT = 'SELECT session FROM @extschema@.sync_progress_canary(''begin''); makes one.';
	ELSIF step = 'beat' THEN
		-- a change of status does not wait for the throttle
		PERFORM CASE kept WHEN 'paused' THEN sync_session_resume(session) ELSE sync_session_pause(session) END;
	ELSIF step = 'end' THEN
		DELETE FROM sync_sessions WHERE id = session;
	ELSE
		RAISE EXCEPTION 'unknown step % of a canary', coalesce(quote_literal(step), 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'The steps are begin, without a session; beat, as often as you like; end.';
	END IF;
END
$$;
COMMENT ON FUNCTION sync_progress_canary IS 'For the bridge''s --doctor: "begin" makes a run of nobody''s and a token (2 minutes) that watches it, "beat" changes its status, which is told at once, "end" deletes it; it touches no other run';
