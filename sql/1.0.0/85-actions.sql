
-- ---------------------------------------------------------------------------
-- For bridges: what watchers ask to be done, and what outside workers report
-- ---------------------------------------------------------------------------

-- What comes from outside, by its keys: of the type and size that is asked
-- for, NULL where it is missing or null, or an error that says so.
CREATE FUNCTION sync_json_number(object jsonb, key text, most numeric, whole boolean DEFAULT true)
RETURNS numeric LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
DECLARE
	type text := coalesce(jsonb_typeof(object -> key), 'null');
BEGIN
	IF type = 'null' THEN
		RETURN NULL;
	ELSIF type <> 'number' OR (object ->> key)::numeric NOT BETWEEN 0 AND most
		OR whole AND (object ->> key)::numeric <> trunc((object ->> key)::numeric)
	THEN
		RAISE EXCEPTION '"%" must be a% number from 0 to %', key, CASE WHEN whole THEN ' whole' ELSE '' END, most
			USING ERRCODE = 'invalid_parameter_value', HINT = 'A JSON number, without quotes; or leave it out.';
	END IF;
	RETURN (object ->> key)::numeric;
END
$$;
COMMENT ON FUNCTION sync_json_number IS 'Internal: a number from outside, or an error';

CREATE FUNCTION sync_json_text(object jsonb, key text, longest integer)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
DECLARE
	type text := coalesce(jsonb_typeof(object -> key), 'null');
BEGIN
	IF type <> 'null' AND (type <> 'string' OR length(object ->> key) > longest) THEN
		RAISE EXCEPTION '"%" must be a string of at most % characters', key, longest USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Keep longer texts in your own system; or leave it out.';
	END IF;
	RETURN object ->> key;
END
$$;
COMMENT ON FUNCTION sync_json_text IS 'Internal: a text from outside, or an error';

CREATE FUNCTION sync_json_boolean(object jsonb, key text)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
BEGIN
	IF coalesce(jsonb_typeof(object -> key), 'null') NOT IN ('null', 'boolean') THEN
		RAISE EXCEPTION '"%" must be true or false', key USING ERRCODE = 'invalid_parameter_value',
			HINT = 'A JSON boolean, without quotes; or leave it out.';
	END IF;
	RETURN (object ->> key)::boolean;
END
$$;
COMMENT ON FUNCTION sync_json_boolean IS 'Internal: true or false from outside, or an error';

-- By the session's own functions: what is not possible is their error.
CREATE FUNCTION sync_session_act(session_id bigint, action text, data jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	subject bigint := session_id;
	lock_version integer := sync_json_number(data, 'lock_version', 2147483647);
	pinned boolean;
BEGIN
	CASE action
		WHEN 'pause' THEN
			PERFORM sync_session_pause(subject, sync_json_text(data, 'message', 480));
		WHEN 'resume' THEN
			PERFORM sync_session_resume(subject, sync_json_text(data, 'message', 480));
		WHEN 'cancel' THEN
			PERFORM sync_session_cancel(subject, sync_json_text(data, 'message', 480));
		WHEN 'retry' THEN
			subject := sync_session_retry(subject);
		WHEN 'rename' THEN
			IF NOT coalesce(data ? 'title', false) THEN
				RAISE EXCEPTION 'rename takes a title' USING ERRCODE = 'invalid_parameter_value',
					HINT = 'For instance {"title":"Mail","lock_version":3}; null for none.';
			END IF;
			PERFORM sync_session_rename(subject, sync_json_text(data, 'title', 500), lock_version);
		WHEN 'pin' THEN
			pinned := sync_json_boolean(data, 'pinned');
			IF pinned IS NULL THEN
				RAISE EXCEPTION 'pin takes whether it is to be pinned' USING ERRCODE = 'invalid_parameter_value',
					HINT = 'For instance {"pinned":true,"lock_version":3}.';
			END IF;
			PERFORM sync_session_pin(subject, pinned, lock_version);
		WHEN 'delete' THEN
			PERFORM sync_session_delete(subject, lock_version);
			RETURN jsonb_build_object('session_id', subject, 'deleted', true);
	END CASE;
	RETURN (SELECT jsonb_build_object('session_id', s.id, 'status', s.status, 'lock_version', s.lock_version)
		FROM sync_sessions AS s WHERE s.id = subject ORDER BY s.version DESC LIMIT 1);
EXCEPTION
	WHEN unique_violation THEN
		RAISE EXCEPTION '%', SQLERRM USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Another run of it has begun: watch that one, or cancel it first.';
	WHEN lock_not_available THEN
		RAISE EXCEPTION 'session % is locked', session_id USING ERRCODE = 'lock_not_available',
			HINT = 'A transaction holds its row: try again in a moment.';
END
$$;
COMMENT ON FUNCTION sync_session_act IS 'Internal: does what a person asks to be done with a session; the session as it is then';

/*
 * An identifier leads to the newest run of a source, which is what is on the
 * screen.  Who means a certain run, from a list perhaps, says so in data: what
 * is done is done to that one, or not at all.
 *
 * The bridge asks all its questions on one connection, so a row that an
 * application holds locked is not waited for longer than the others can wait.
 */
CREATE FUNCTION sync_progress_perform(identifier text, action text, data jsonb, claims jsonb)
RETURNS TABLE (stream text, version bigint, payload json, final boolean, result jsonb)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, @extschema@, pg_temp SET lock_timeout = '1s' AS $$
#variable_conflict use_column
DECLARE
	deadline timestamptz := sync_progress_deadline();
	found record;
	named sync_sessions;
	subject bigint;
	newest bigint;
	done jsonb := '{}';
BEGIN
	PERFORM sync_progress_due('{}');  -- says so where the library is not preloaded
	IF action IS NULL OR action NOT IN ('request_update', 'pause', 'resume', 'cancel', 'retry', 'rename', 'pin', 'delete') THEN
		RAISE EXCEPTION 'unknown action "%"', coalesce(left(action, 40), 'NULL') USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Actions are request_update, pause, resume, cancel, retry, rename, pin and delete.';
	ELSIF jsonb_typeof(data) NOT IN ('object', 'null') THEN
		RAISE EXCEPTION 'data must be a JSON object' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'For instance {"message":"by Alice"}; or leave it out.';
	END IF;
	found := sync_session_identified(identifier, claims, deadline);
	IF found.refused = 'malformed' THEN
		RAISE EXCEPTION 'the identifier is malformed' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'For instance {"channel":"SyncStatusChannel","session_id":42}.';
	ELSIF found.refused = 'unavailable' OR found.too_slow IS NOT NULL THEN
		RAISE EXCEPTION 'who may do that could not be found out in time' USING ERRCODE = 'SP408',
			HINT = 'Try again in a moment; the server''s log names the function that is slow.';
	END IF;
	SELECT * INTO named FROM sync_sessions AS s WHERE s.id = found.session_id;
	subject := coalesce(sync_json_number(data, 'session_id', 9007199254740991), named.id);
	IF subject <> named.id AND NOT EXISTS (SELECT FROM sync_sessions AS s JOIN sync_kinds AS k USING (kind) WHERE s.id = subject
		AND s.kind = named.kind AND s.source_id = named.source_id AND sync_progress_authorized(k.authorize_function, s.id, claims, deadline))
	THEN
		named := NULL;
	END IF;
	IF named.id IS NULL THEN
		RAISE EXCEPTION 'there is no such session' USING ERRCODE = 'no_data_found',
			HINT = 'Either it does not exist, or the token is not for it.';
	ELSIF action = 'request_update' THEN
		PERFORM sync_progress_due(ARRAY[subject]);
	ELSIF NOT sync_claims_scope(claims, '{control,admin}') THEN
		RAISE EXCEPTION 'the token lacks scope control' USING ERRCODE = 'insufficient_privilege',
			HINT = 'Mint it with sync_progress_token(…, scope => ''{read,control}'').';
	ELSE
		done := sync_session_act(subject, action, data);
	END IF;
	newest := sync_session_of(named.kind, named.source_id);
	-- a retry has made another run the newest, or a deletion: they may not be for the token, or for its owner
	IF newest <> named.id AND NOT (SELECT sync_progress_authorized(k.authorize_function, newest, claims, deadline) FROM sync_kinds AS k WHERE k.kind = named.kind) THEN
		newest := NULL;
	END IF;
	RETURN QUERY
	SELECT named.kind || ':' || named.source_id, st.version, st.payload, coalesce(st.final, true), done
	FROM (SELECT) AS one LEFT JOIN sync_progress_states_shown(ARRAY[newest], deadline) AS st ON st.session_id = newest;
END
$$;
COMMENT ON FUNCTION sync_progress_perform IS 'For bridges: does what somebody with these claims asks for: request_update, or with scope control (or admin) pause, resume, cancel ({"message"}), retry, rename ({"title","lock_version"}), pin ({"pinned","lock_version"}), delete; "session_id" in data names one run of several. Returns the state of the stream then (payload NULL: none now) and what was done. Errors: no_data_found, insufficient_privilege, object_not_in_prerequisite_state, SP409 (stale edit), invalid_parameter_value, lock_not_available and SP408 (try again)';

/*
 * A report, checked: bad ones change nothing.  What a link is followed to is
 * the browser's to open, so no other scheme than the web's may come in here.
 */
CREATE FUNCTION sync_report_checked(report jsonb, OUT status text, OUT processed_count bigint, OUT share bigint, OUT total_count bigint,
	OUT message text, OUT error_message text, OUT result_url text, OUT reset boolean)
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
DECLARE
	problem text;
	advice text;
BEGIN
	status := sync_json_text(report, 'status', 20);
	processed_count := sync_json_number(report, 'processed_count', 9007199254740991);
	share := floor(sync_json_number(report, 'progress', 100, false) * 1000000);
	total_count := sync_json_number(report, 'total_count', 9007199254740991);
	message := sync_json_text(report, 'message', 480);
	error_message := sync_json_text(report, 'error_message', 2000);
	result_url := sync_json_text(report, 'result_url', 2000);
	reset := coalesce(sync_json_boolean(report, 'reset'), false);
	IF status NOT IN ('pending', 'processing', 'paused', 'completed', 'failed', 'cancelled') THEN
		problem := format('unknown status "%s"', status);
		advice := 'A status is pending, processing, paused, completed, failed or cancelled.';
	ELSIF share IS NOT NULL AND processed_count IS NOT NULL THEN
		problem := 'a report has either progress or processed_count';
		advice := 'progress is in percent; with processed_count, give total_count.';
	ELSIF error_message IS NOT NULL AND status IS DISTINCT FROM 'failed' THEN
		problem := 'error_message without status failed';
		advice := 'What does not end the run goes into message.';
	ELSIF result_url IS NOT NULL AND status IS DISTINCT FROM 'completed' THEN
		problem := 'result_url without status completed';
		advice := 'Report it with the end of the run.';
	ELSIF result_url ~ '[[:cntrl:]]' OR result_url ~* '^\s*[a-z][a-z0-9+.-]*:' AND result_url !~* '^https?://' THEN
		problem := 'result_url is not a web address';
		advice := 'It begins with https://, http:// or a path.';
	END IF;
	IF problem IS NOT NULL THEN
		RAISE EXCEPTION '%', problem USING ERRCODE = 'invalid_parameter_value', HINT = advice;
	END IF;
END
$$;
COMMENT ON FUNCTION sync_report_checked IS 'Internal: what a worker''s report says, or an error';

/*
 * The network repeats reports, delays them and changes their order.  So the
 * count is only raised (net.c), the first end of a run is its end, and what a
 * report asks for that is not possible any more is not done, silently: its
 * worker learns from the answer what the session's status is.  Pausing is for
 * people: a worker that says "paused" has understood, and a late one must not
 * stop what was resumed.
 *
 * Reports of progress take no row lock.  An end does, and waits for whoever
 * has it: not for longer than the bridge's other questions can wait.
 */
CREATE FUNCTION sync_progress_callback(claims jsonb, report jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
SET search_path = pg_catalog, @extschema@, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
	ends CONSTANT text[] := '{completed,failed,cancelled}';
	job text := lower(report ->> 'job_id');
	session bigint;
	r record;
	state text;
BEGIN
	IF report IS NULL OR jsonb_typeof(report) <> 'object' OR jsonb_typeof(report -> 'job_id') IS DISTINCT FROM 'string' THEN
		RAISE EXCEPTION 'a report is a JSON object with job_id' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'For instance {"job_id":"…","progress":40,"message":"meshing","status":"processing"}.';
	ELSIF NOT coalesce(claims -> 'aud' ? 'callback', false) OR lower(claims ->> 'job_id') IS DISTINCT FROM job THEN
		RAISE EXCEPTION 'the token is not for reports on this job' USING ERRCODE = 'insufficient_privilege',
			HINT = 'Give the worker what sync_progress_callback_token() returned for its job.';
	END IF;
	r := sync_report_checked(report);
	SELECT s.id INTO session FROM sync_sessions AS s
	WHERE s.job_id = CASE WHEN job ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN job::uuid END;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'job "%" does not exist', left(job, 40) USING ERRCODE = 'no_data_found',
			HINT = 'It has been deleted: the worker can stop.';
	END IF;
	state := sync_progress_set(session);
	IF state = ANY (ends) THEN
		r.reset := false;
		r.message := NULL;
		IF r.processed_count IS NULL AND r.share IS NULL THEN
			r.total_count := NULL;  -- nothing says how late it is
		END IF;
	ELSIF r.status = 'processing' AND r.processed_count IS NULL AND r.share IS NULL AND r.total_count IS NULL AND r.message IS NULL THEN
		r.processed_count := 0;  -- begins a pending run
	END IF;
	state := sync_progress_report(session, r.processed_count, r.share, r.total_count,
		CASE WHEN r.status = ANY (ends) THEN NULL ELSE r.message END, r.reset);
	IF r.status = ANY (ends) AND state <> ALL (ends) THEN
		BEGIN
			state := sync_session_change(session, r.status, r.message, coalesce(r.error_message, r.message), r.result_url);
		EXCEPTION
			-- first: the other condition is a class of errors, which this belongs to
			WHEN lock_not_available THEN
				RAISE EXCEPTION 'session % is locked', session USING ERRCODE = 'lock_not_available',
					HINT = 'A transaction holds its row: report again in a moment.';
			WHEN object_not_in_prerequisite_state THEN
				state := sync_progress_set(session);  -- it has been ended meanwhile
		END;
	END IF;
	RETURN jsonb_build_object('status', 'accepted', 'job_id', report -> 'job_id', 'session_status', state);
END
$$;
COMMENT ON FUNCTION sync_progress_callback IS 'For bridges: a worker''s report, by the claims of a callback token for its job: {"job_id", "progress" (percent) or "processed_count", "total_count", "message", "status", "error_message", "result_url", "reset"}. Any number of times, in any order, it has one effect: progress never goes back, but with "reset", and the first end stays. The answer''s session_status tells the worker of a pause or cancel';
