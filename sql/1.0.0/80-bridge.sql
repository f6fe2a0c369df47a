
-- ---------------------------------------------------------------------------
-- For bridges: who may watch what, and its state
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_session_of(kind text, source_id text)
RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
	SELECT id FROM @extschema@.sync_sessions AS s WHERE s.kind = sync_session_of.kind AND s.source_id = sync_session_of.source_id ORDER BY id DESC LIMIT 1
$$;
COMMENT ON FUNCTION sync_session_of IS 'Internal: the newest run of a source';

-- plpgsql, since it keeps its plans: the worker calls this for every message
CREATE FUNCTION sync_progress_states(session_ids bigint[])
RETURNS TABLE (session_id bigint, stream text, version bigint, payload json, final boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT DISTINCT ON (s.id) s.id, s.kind || ':' || s.source_id,
		greatest(s.version, (SELECT max(a.version) FROM sync_session_accounts AS a WHERE a.sync_session_id = s.id)),
		-- a run that has a successor is nobody's state any more
		CASE WHEN NOT EXISTS (SELECT FROM sync_sessions AS n WHERE n.kind = s.kind AND n.source_id = s.source_id AND n.id > s.id) THEN p.payload END,
		s.status IN ('completed', 'failed', 'cancelled')
	FROM (SELECT k.payload_function, array_agg(x.id) AS ids FROM sync_sessions AS x JOIN sync_kinds AS k USING (kind)
		WHERE x.id = ANY (session_ids) GROUP BY k.payload_function) AS g
	CROSS JOIN LATERAL sync_progress_payloads(g.payload_function, g.ids) AS p
	JOIN sync_sessions AS s ON s.id = p.session_id AND s.id = ANY (g.ids);
END
$$;
COMMENT ON FUNCTION sync_progress_states IS 'Internal: stream, version and payload of sessions, read in one snapshot; no payload for a run that has a successor';

CREATE FUNCTION sync_progress_states_there_are(session_ids bigint[])
RETURNS TABLE (session_id bigint, stream text, version bigint, payload json, final boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	ids bigint[];
	middle integer;
BEGIN
	-- one function's error must not take the others' states with it
	FOR ids IN SELECT array_agg(s.id) FROM sync_sessions AS s WHERE s.id = ANY (session_ids) GROUP BY s.kind LOOP
		BEGIN
			RETURN QUERY SELECT * FROM sync_progress_states(ids);
		EXCEPTION WHEN OTHERS THEN
			IF cardinality(ids) = 1 THEN
				RAISE WARNING 'could not make the payload of session %: %', ids[1], SQLERRM;
			ELSE
				middle := cardinality(ids) / 2;
				RETURN QUERY SELECT * FROM sync_progress_states_there_are(ids[:middle]);
				RETURN QUERY SELECT * FROM sync_progress_states_there_are(ids[middle + 1:]);
			END IF;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION sync_progress_states_there_are IS 'Internal: likewise, without those whose payload function fails';

CREATE FUNCTION sync_session_identified(identifier text, claims jsonb, OUT session_id bigint, OUT refused text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	parsed jsonb;
	k sync_kinds;
	source text;
	found_id bigint;
BEGIN
	refused := 'malformed';
	parsed := identifier::jsonb;
	IF jsonb_typeof(parsed) IS DISTINCT FROM 'object' OR jsonb_typeof(parsed -> 'channel') IS DISTINCT FROM 'string' THEN
		RETURN;
	END IF;
	refused := 'not_found';
	SELECT * INTO k FROM sync_kinds WHERE channel = parsed ->> 'channel';
	IF NOT FOUND OR jsonb_typeof(coalesce(parsed -> k.param, parsed -> 'id')) NOT IN ('string', 'number') THEN
		RETURN;
	END IF;
	source := coalesce(parsed ->> k.param, parsed ->> 'id');
	found_id := sync_session_of(k.kind, source);
	-- the id of a run that has a source_id serves as well
	IF found_id IS NULL AND source ~ '^[0-9]{1,18}$' THEN
		SELECT sync_session_of(s.kind, s.source_id) INTO found_id FROM sync_sessions AS s WHERE s.id = source::bigint AND s.kind = k.kind;
	END IF;
	-- what a worker reports with is no token to look with, whatever a kind's function says
	IF found_id IS NOT NULL AND NOT coalesce(claims -> 'aud' ? 'callback', false)
		AND sync_progress_authorized(k.authorize_function, found_id, claims)
	THEN
		session_id := found_id;
		refused := NULL;
	END IF;
EXCEPTION WHEN OTHERS THEN
	-- bad JSON refuses its own row only, and so does an authorize function that fails
	IF refused <> 'malformed' THEN
		RAISE WARNING 'could not authorize %: %', left(identifier, 200), SQLERRM;
	END IF;
END
$$;
COMMENT ON FUNCTION sync_session_identified IS 'Internal: the session that an identifier leads to, if whoever has these claims may watch it; else why not, unknown and forbidden alike';

CREATE FUNCTION sync_progress_subscribe(identifiers text[], claims jsonb[], who integer[])
RETURNS TABLE (ord integer, stream text, version bigint, payload json, greeting jsonb, final boolean, refused text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	sessions bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(identifiers)]);
	refusals text[] := array_fill(NULL::text, ARRAY[cardinality(identifiers)]);
	found record;
BEGIN
	FOR i IN 1..cardinality(identifiers) LOOP
		found := sync_session_identified(identifiers[i], claims[who[i]]);
		sessions[i] := found.session_id;
		refusals[i] := found.refused;
	END LOOP;
	PERFORM sync_progress_due(ARRAY(SELECT DISTINCT x FROM unnest(sessions) AS x WHERE x IS NOT NULL));
	RETURN QUERY
	SELECT n::integer, st.stream, st.version, st.payload, NULL::jsonb, st.final,
		CASE WHEN r IS NOT NULL THEN r WHEN st.session_id IS NULL THEN 'unavailable' END
	FROM unnest(sessions, refusals) WITH ORDINALITY AS i (s, r, n)
	LEFT JOIN sync_progress_states_there_are(ARRAY(SELECT DISTINCT x FROM unnest(sessions) AS x WHERE x IS NOT NULL)) AS st ON st.session_id = i.s
	ORDER BY n;
END
$$;
COMMENT ON FUNCTION sync_progress_subscribe IS 'For bridges: many subscriptions at once, exactly a row per identifier; who[i] indexes claims. refused: malformed, not_found (unknown and forbidden alike) or unavailable (no payload now: ask again)';

CREATE FUNCTION sync_progress_snapshots(streams text[])
RETURNS TABLE (stream text, version bigint, payload json, final boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
	SELECT st.stream, st.version, st.payload, st.final FROM sync_progress_states_there_are(ARRAY(
		SELECT sync_session_of(split_part(x, ':', 1), substr(x, position(':' IN x) + 1)) FROM unnest(streams) AS x WHERE position(':' IN x) > 0)) AS st
$$;
COMMENT ON FUNCTION sync_progress_snapshots IS 'For bridges: the state of many streams in one query, for catching up; unknown streams have no row';
