
-- ---------------------------------------------------------------------------
-- For applications: a run's life
-- ---------------------------------------------------------------------------

-- plpgsql, since it keeps its plan: a storm of subscriptions calls this for each
CREATE FUNCTION sync_session_of(kind text, source_id text)
RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
	RETURN (SELECT s.id FROM @extschema@.sync_sessions AS s WHERE s.kind = sync_session_of.kind AND s.source_id = sync_session_of.source_id ORDER BY s.id DESC LIMIT 1);
END
$$;
COMMENT ON FUNCTION sync_session_of IS 'Internal: the newest run of a source';

-- Watchers of a stream have its last run's version, which may come from another clock.
CREATE FUNCTION sync_session_next_version(kind text, source_id text)
RETURNS bigint LANGUAGE sql STABLE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
	SELECT coalesce((SELECT greatest(s.version + 1, (SELECT max(a.version) + 1 FROM sync_session_accounts AS a WHERE a.sync_session_id = s.id),
			(extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
		FROM sync_sessions AS s WHERE s.id = sync_session_of(sync_session_next_version.kind, sync_session_next_version.source_id)
		-- the newest, where a REPEATABLE READ transaction that has changed the status sees two
		ORDER BY s.version DESC LIMIT 1), 0)
$$;
COMMENT ON FUNCTION sync_session_next_version IS 'Internal: the version of a source''s next run: greater than any of its last run; 0 (the present time) for the first';

CREATE FUNCTION sync_session_refuse(kind text, source_id text, advice text)
RETURNS void LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	RAISE EXCEPTION 'a run of % "%" has not ended yet', kind, source_id USING ERRCODE = 'unique_violation', HINT = advice,
		DETAIL = format('It is session %s.', (SELECT s.id FROM sync_sessions AS s WHERE s.kind = sync_session_refuse.kind
			AND s.source_id = sync_session_refuse.source_id AND s.status IN ('pending', 'processing', 'paused')));
END
$$;
COMMENT ON FUNCTION sync_session_refuse IS 'Internal: the error that a source has an open run, which it names';

CREATE FUNCTION sync_session_start(owner_id text, kind text DEFAULT 'sync', title text DEFAULT NULL, total_count bigint DEFAULT NULL,
	accounts jsonb DEFAULT NULL, source_id text DEFAULT NULL, status text DEFAULT 'processing')
RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	new_id bigint;
	violated text;
BEGIN
	PERFORM sync_progress_due('{}');  -- says so where the library is not preloaded
	IF sync_session_start.owner_id IS NULL OR sync_session_start.owner_id = '' THEN
		RAISE EXCEPTION 'owner_id must not be empty' USING ERRCODE = 'null_value_not_allowed',
			HINT = 'Pass the id of the user whose sync this is: only a token with that id as its sub may watch it.';
	ELSIF length(sync_session_start.owner_id) > 200 OR length(sync_session_start.source_id) > 200 OR sync_session_start.source_id = '' THEN
		RAISE EXCEPTION 'owner_id and source_id must have 1 to 200 characters' USING ERRCODE = 'string_data_right_truncation',
			HINT = 'They are ids of your application''s; leave source_id out where you have none.';
	ELSIF sync_session_start.status IS NULL OR sync_session_start.status NOT IN ('pending', 'processing') THEN
		RAISE EXCEPTION 'a session cannot start as "%"', coalesce(sync_session_start.status, 'NULL') USING ERRCODE = 'invalid_parameter_value',
			HINT = 'A session starts as pending or processing.';
	ELSIF NOT EXISTS (SELECT FROM sync_kinds AS k WHERE k.kind = sync_session_start.kind) THEN
		RAISE EXCEPTION 'unknown kind of sync "%"', coalesce(sync_session_start.kind, 'NULL') USING ERRCODE = 'undefined_object',
			HINT = 'SELECT kind FROM @extschema@.sync_kinds; lists the kinds there are.';
	ELSIF sync_session_start.total_count NOT BETWEEN 0 AND 9007199254740991 THEN
		RAISE EXCEPTION 'total_count % is out of range', sync_session_start.total_count USING ERRCODE = 'numeric_value_out_of_range',
			HINT = 'It is 0 to 2^53-1, or NULL when it is not known.';
	ELSIF jsonb_typeof(sync_session_start.accounts) NOT IN ('array', 'null') THEN
		RAISE EXCEPTION 'accounts must be a JSON array' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'For instance [{"name":"Inbox","email":"a@example.com","total_count":150}].';
	END IF;
	LOOP
		new_id := nextval('@extschema@.sync_sessions_id_seq');
		-- an id that another run was given as its source_id would name that one's stream
		EXIT WHEN sync_session_start.source_id IS NOT NULL
			OR NOT EXISTS (SELECT FROM sync_sessions AS s WHERE s.kind = sync_session_start.kind AND s.source_id = new_id::text);
	END LOOP;
	INSERT INTO sync_sessions AS s (id, owner_id, kind, title, total_count, source_id, status, version)
	VALUES (new_id, sync_session_start.owner_id, sync_session_start.kind, sync_session_start.title,
		coalesce(sync_session_start.total_count,
			(SELECT CASE WHEN bool_and(a ->> 'total_count' IS NOT NULL) THEN sync_progress_clamp(sum((a ->> 'total_count')::bigint)) END
			FROM jsonb_array_elements(nullif(sync_session_start.accounts, 'null')) AS a)),
		sync_session_start.source_id, sync_session_start.status, sync_session_next_version(sync_session_start.kind, sync_session_start.source_id));
	IF jsonb_typeof(sync_session_start.accounts) = 'array' AND sync_session_start.accounts <> '[]' THEN
		INSERT INTO sync_session_accounts (sync_session_id, name, email, total_count, position)
		SELECT new_id, coalesce(a ->> 'name', a ->> 'email'), a ->> 'email', (a ->> 'total_count')::bigint, n
		FROM jsonb_array_elements(sync_session_start.accounts) WITH ORDINALITY AS e (a, n);
	END IF;
	RETURN new_id;
EXCEPTION
	WHEN unique_violation THEN
		GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
		IF violated = 'sync_sessions_one_open_run' THEN
			PERFORM sync_session_refuse(sync_session_start.kind, sync_session_start.source_id, 'Complete, fail or cancel it first, or use another source_id.');
		END IF;
		RAISE;
	WHEN not_null_violation OR invalid_text_representation OR numeric_value_out_of_range OR check_violation OR cannot_coerce THEN
		RAISE EXCEPTION 'bad session or account: %', SQLERRM USING ERRCODE = SQLSTATE,
			HINT = 'Each account is an object with name (or email), and optionally email and total_count (0 or more).';
END
$$;
COMMENT ON FUNCTION sync_session_start IS 'Makes a run and returns its id. accounts: a JSON array of {"name","email","total_count"}; total_count defaults to their sum, source_id to the new id';

CREATE FUNCTION sync_session_change(session_id bigint, target text, message text, error_message text, result_url text)
RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sync_session_change';
COMMENT ON FUNCTION sync_session_change IS 'Internal: one change of status, or an error that names both states';

CREATE FUNCTION sync_session_account_change(session_id bigint, account_id bigint, target text, error_message text)
RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'sync_session_account_change';
COMMENT ON FUNCTION sync_session_account_change IS 'Internal: changes one account''s status; returns its session''s';

CREATE FUNCTION sync_session_pause(session_id bigint, message text DEFAULT NULL)
RETURNS text LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp
AS $$ SELECT sync_session_change(session_id, 'paused', message, NULL, NULL) $$;
COMMENT ON FUNCTION sync_session_pause IS 'Asks a run''s workers to pause: their next increment returns "paused". What they still count is counted';

CREATE FUNCTION sync_session_resume(session_id bigint, message text DEFAULT NULL)
RETURNS text LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp
AS $$ SELECT sync_session_change(session_id, 'processing', message, NULL, NULL) $$;
COMMENT ON FUNCTION sync_session_resume IS 'Lets a paused (or pending) run go on';

CREATE FUNCTION sync_session_cancel(session_id bigint, message text DEFAULT NULL)
RETURNS text LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp
AS $$ SELECT sync_session_change(session_id, 'cancelled', message, NULL, NULL) $$;
COMMENT ON FUNCTION sync_session_cancel IS 'Ends a run as cancelled: its workers'' next increment returns "cancelled"';

CREATE FUNCTION sync_session_complete(session_id bigint, account_id bigint DEFAULT NULL, message text DEFAULT NULL, result_url text DEFAULT NULL)
RETURNS text LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp
AS $$ SELECT CASE WHEN account_id IS NULL
	THEN sync_session_change(session_id, 'completed', message, NULL, result_url)
	ELSE sync_session_account_change(session_id, account_id, 'completed', NULL) END $$;
COMMENT ON FUNCTION sync_session_complete IS 'Ends a run as completed, or with account_id just that account. Returns the session''s status';

CREATE FUNCTION sync_session_fail(session_id bigint, error_message text, account_id bigint DEFAULT NULL)
RETURNS text LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp
AS $$ SELECT CASE WHEN account_id IS NULL
	THEN sync_session_change(session_id, 'failed', NULL, error_message, NULL)
	ELSE sync_session_account_change(session_id, account_id, 'failed', error_message) END $$;
COMMENT ON FUNCTION sync_session_fail IS 'Ends a run as failed, or with account_id just that account. Returns the session''s status';

CREATE FUNCTION sync_session_retry(session_id bigint)
RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	old sync_sessions;
	new_id bigint;
	violated text;
BEGIN
	PERFORM sync_progress_due('{}');  -- says so where the library is not preloaded
	-- the newest, where a REPEATABLE READ transaction that has changed the status sees two
	SELECT * INTO old FROM sync_sessions AS s WHERE s.id = sync_session_retry.session_id ORDER BY s.version DESC LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'sync session % does not exist', coalesce(sync_session_retry.session_id::text, 'NULL') USING ERRCODE = 'no_data_found',
			HINT = 'Pass the id that sync_session_start returned.';
	ELSIF old.status IN ('pending', 'processing', 'paused') THEN
		RAISE EXCEPTION 'session % is %, it cannot be retried', old.id, old.status USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Only a session that is completed, failed or cancelled can be retried: cancel this one first.';
	END IF;
	-- totals may be in the ledger still
	INSERT INTO sync_sessions AS s (kind, source_id, owner_id, title, total_count, version)
	VALUES (old.kind, old.source_id, old.owner_id, old.title,
		coalesce((SELECT u.total_count FROM sync_progress_unfolded(old.id) AS u WHERE u.account_id IS NULL), old.total_count),
		sync_session_next_version(old.kind, old.source_id))
	RETURNING s.id INTO new_id;
	INSERT INTO sync_session_accounts (sync_session_id, source_id, name, email, position, total_count)
	SELECT new_id, a.source_id, a.name, a.email, a.position, coalesce(u.total_count, a.total_count)
	FROM sync_session_accounts AS a LEFT JOIN sync_progress_unfolded(old.id) AS u ON u.account_id = a.id
	WHERE a.sync_session_id = old.id ORDER BY a.position, a.id;
	RETURN new_id;
EXCEPTION
	WHEN unique_violation THEN
		GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
		IF violated = 'sync_sessions_one_open_run' THEN
			PERFORM sync_session_refuse(old.kind, old.source_id, 'That run is the retry: watch it, or cancel it first.');
		END IF;
		RAISE;
END
$$;
COMMENT ON FUNCTION sync_session_retry IS 'Starts a new run, pending, of an ended one''s source: same kind, owner, title, total and accounts, nothing counted. Watchers of the source follow it. Returns its id';
