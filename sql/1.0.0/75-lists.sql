
-- ---------------------------------------------------------------------------
-- Lists of runs
-- ---------------------------------------------------------------------------

-- what is neither a list nor a word, {"admin":false} say, is no scope
CREATE FUNCTION sync_claims_scope(claims jsonb, scopes text[])
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN coalesce(jsonb_typeof(claims -> 'scope') IN ('array', 'string') AND claims -> 'scope' ?| scopes, false);
COMMENT ON FUNCTION sync_claims_scope IS 'Internal: whether these claims have one of the scopes';

CREATE FUNCTION sync_claims_owner(claims jsonb)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN jsonb_typeof(claims -> 'sub') = 'string' AND claims ->> 'sub' <> '' AND NOT coalesce(claims -> 'aud' ? 'callback', false)
	AND (claims -> 'scope' IS NULL OR sync_claims_scope(claims, '{read,control,admin}')) THEN claims ->> 'sub' END;
COMMENT ON FUNCTION sync_claims_owner IS 'Internal: whose lists these claims may see, NULL: nobody''s';

CREATE FUNCTION sync_claims_sessions(claims jsonb)
RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN claims -> 'sessions' IS NOT NULL THEN ARRAY(SELECT e::text::bigint
	FROM jsonb_array_elements(CASE WHEN jsonb_typeof(claims -> 'sessions') = 'array' THEN claims -> 'sessions' ELSE '[]' END) AS e
	WHERE e::text ~ '^[0-9]{1,18}$') END;
COMMENT ON FUNCTION sync_claims_sessions IS 'Internal: the only sessions that these claims are for, NULL: all of the owner''s';

CREATE FUNCTION sync_session_facts(s sync_sessions)
RETURNS json LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, @extschema@, pg_temp SET timezone = 'UTC'
RETURN json_build_object('session_id', (s).id, 'job_id', (s).job_id, 'kind', (s).kind, 'source_id', (s).source_id, 'stream', (s).kind || ':' || (s).source_id,
	'owner_id', (s).owner_id, 'title', sync_text_shown((s).title, 500), 'pinned', (s).pinned, 'status', (s).status,
	'progress_percentage', sync_progress_percentage((s).processed_count, (s).total_count, (s).status),
	'processed_count', (s).processed_count, 'total_count', (s).total_count, 'error_message', sync_text_shown((s).error_message, 1000), 'created_at', (s).created_at,
	'started_at', (s).started_at, 'completed_at', (s).completed_at, 'updated_at', (s).updated_at, 'version', (s).version, 'lock_version', (s).lock_version);
COMMENT ON FUNCTION sync_session_facts IS 'Internal: a run as lists show it, folded values only';

CREATE FUNCTION sync_progress_sessions(claims jsonb, after bigint DEFAULT NULL, "limit" integer DEFAULT 50, stream text DEFAULT NULL)
RETURNS TABLE (session_id bigint, version bigint, data json, next bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp ROWS 50 AS $$
#variable_conflict use_column
DECLARE
	admin boolean := coalesce(sync_claims_scope(claims, '{admin}') AND NOT coalesce(claims -> 'aud' ? 'callback', false), false);
	owner text := sync_claims_owner(claims);
	only_ids bigint[] := CASE WHEN NOT admin THEN sync_claims_sessions(claims) END;
	before bigint := coalesce(after, 9223372036854775807);
	first_part text := split_part(stream, ':', 1);
	kind_ text;
	source text := substr(stream, length(first_part) + 2);
	wanted integer := least(sync_progress_sessions."limit", 200) + 1;  -- one more, to know whether there is a next page
	rows sync_sessions[];
BEGIN
	IF sync_progress_sessions."limit" IS NULL OR sync_progress_sessions."limit" NOT BETWEEN 1 AND 200 THEN
		RAISE EXCEPTION 'limit % is out of range', coalesce(sync_progress_sessions."limit"::text, 'NULL') USING ERRCODE = 'invalid_parameter_value',
			HINT = 'It is 1 to 200; the next page begins after the last row''s "next".';
	ELSIF stream IS NOT NULL AND position(':' IN stream) = 0 THEN
		RAISE EXCEPTION '"%" is not a stream', left(stream, 200) USING ERRCODE = 'invalid_parameter_value',
			HINT = 'A stream is kind:source_id, e.g. sync:42; the kind''s channel will do as well.';
	ELSIF NOT admin AND owner IS NULL THEN
		RETURN;
	END IF;
	IF stream IS NOT NULL THEN
		SELECT k.kind INTO kind_ FROM sync_kinds AS k WHERE k.kind = first_part OR k.channel = first_part ORDER BY k.kind <> first_part LIMIT 1;
		-- the id of a run that has a source_id serves as well
		IF sync_session_of(kind_, source) IS NULL AND source ~ '^[0-9]{1,18}$' THEN
			SELECT s.source_id INTO source FROM sync_sessions AS s WHERE s.id = source::bigint AND s.kind = kind_;
		END IF;
	END IF;
	-- one query each, so that each has its index
	IF stream IS NOT NULL THEN
		rows := ARRAY(SELECT s FROM sync_sessions AS s WHERE s.kind = kind_ AND s.source_id = source AND s.id < before
			AND (admin OR s.owner_id = owner) AND (only_ids IS NULL OR s.id = ANY (only_ids)) ORDER BY s.id DESC LIMIT wanted);
	ELSIF admin THEN
		rows := ARRAY(SELECT s FROM sync_sessions AS s WHERE s.id < before ORDER BY s.id DESC LIMIT wanted);
	ELSIF only_ids IS NOT NULL THEN
		rows := ARRAY(SELECT s FROM sync_sessions AS s WHERE s.id = ANY (only_ids) AND s.id < before AND s.owner_id = owner ORDER BY s.id DESC LIMIT wanted);
	ELSE
		rows := ARRAY(SELECT s FROM sync_sessions AS s WHERE s.owner_id = owner AND s.id < before ORDER BY s.id DESC LIMIT wanted);
	END IF;
	RETURN QUERY SELECT r.id, r.version, sync_session_facts(r), CASE WHEN cardinality(rows) = wanted THEN rows[wanted - 1].id END
	FROM unnest(rows[:wanted - 1]) AS r;
END
$$;
COMMENT ON FUNCTION sync_progress_sessions IS 'For bridges: the runs of whoever has these claims, newest first (scope admin: everybody''s), up to limit (200) with an id below "after"; "next" is what to pass as "after" for the next page, NULL on the last. stream: the runs of one source, kind:source_id or channel:source_id';
