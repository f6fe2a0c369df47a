
-- ---------------------------------------------------------------------------
-- What is refused says what to do (a total out of range was told how accounts
-- look), and of an unknown count there is no percentage (it was 100)
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION sync_session_start(owner_id text, kind text DEFAULT 'sync', title text DEFAULT NULL, total_count bigint DEFAULT NULL,
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
	BEGIN
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
	END;
	RETURN new_id;
END
$$;

CREATE OR REPLACE FUNCTION sync_progress_percentage(processed_count bigint, total_count bigint, status text)
RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN total_count IS NULL OR processed_count IS NULL THEN NULL
	WHEN total_count = 0 THEN CASE WHEN status = 'completed' THEN 100 ELSE 0 END
	ELSE greatest(least(trunc(processed_count::numeric * 100 / total_count), 100), 0)::integer END;
COMMENT ON FUNCTION sync_progress_percentage IS 'floor(100 x processed / total), 0 to 100; NULL without a total or a count; total 0 is 0 until completed, then 100';
