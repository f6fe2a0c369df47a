
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
			WHEN object_not_in_prerequisite_state THEN
				state := sync_progress_set(session);  -- it has been ended meanwhile
			WHEN lock_not_available THEN
				RAISE EXCEPTION 'session % is locked', session USING ERRCODE = 'lock_not_available',
					HINT = 'A transaction holds its row: report again in a moment.';
		END;
	END IF;
	RETURN jsonb_build_object('status', 'accepted', 'job_id', report -> 'job_id', 'session_status', state);
END
$$;
COMMENT ON FUNCTION sync_progress_callback IS 'For bridges: a worker''s report, by the claims of a callback token for its job: {"job_id", "progress" (percent) or "processed_count", "total_count", "message", "status", "error_message", "result_url", "reset"}. Any number of times, in any order, it has one effect: progress never goes back, but with "reset", and the first end stays. The answer''s session_status tells the worker of a pause or cancel';
