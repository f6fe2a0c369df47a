
-- ---------------------------------------------------------------------------
-- For bridges: who may watch what, and its state
-- ---------------------------------------------------------------------------

-- Less than a bridge's own statement_timeout, so that what takes too long is
-- known by name, and does not end the whole question.
CREATE FUNCTION sync_progress_deadline()
RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN clock_timestamp() + 0.75 * least(current_setting('sync_progress.payload_timeout')::interval,
	nullif(current_setting('statement_timeout')::interval, '0'));
COMMENT ON FUNCTION sync_progress_deadline IS 'Internal: until when users'' functions may take for one question of a bridge''s';

-- plpgsql, since it keeps its plans: the worker calls this for every message
CREATE FUNCTION sync_progress_states(session_ids bigint[], deadline timestamptz DEFAULT NULL)
RETURNS TABLE (session_id bigint, stream text, version bigint, payload json, final boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT s.id, s.kind || ':' || s.source_id,
		greatest(s.version, (SELECT max(a.version) FROM sync_session_accounts AS a WHERE a.sync_session_id = s.id)),
		-- a run that has a successor is nobody's state any more
		CASE WHEN NOT EXISTS (SELECT FROM sync_sessions AS n WHERE n.kind = s.kind AND n.source_id = s.source_id AND n.id > s.id) THEN p.payload END,
		s.status IN ('completed', 'failed', 'cancelled')
	FROM (SELECT k.payload_function, array_agg(x.id) AS ids FROM sync_sessions AS x JOIN sync_kinds AS k USING (kind)
		WHERE x.id = ANY (session_ids) GROUP BY k.payload_function) AS g
	CROSS JOIN LATERAL sync_progress_payloads(g.payload_function, g.ids, deadline) AS p
	JOIN sync_sessions AS s ON s.id = p.session_id AND s.id = ANY (g.ids);
END
$$;
COMMENT ON FUNCTION sync_progress_states IS 'Internal: stream, version and payload of sessions, read in one snapshot; no payload for a run that has a successor';

CREATE FUNCTION sync_progress_states_there_are(session_ids bigint[], deadline timestamptz)
RETURNS TABLE (session_id bigint, stream text, version bigint, payload json, final boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	ids bigint[];
	kinds integer;
	share timestamptz;
	hint text;
BEGIN
	-- one function's error must not take the others' states with it, nor may one take all the time
	FOR ids, kinds IN SELECT array_agg(s.id), (count(*) OVER ())::integer FROM sync_sessions AS s WHERE s.id = ANY (session_ids) GROUP BY s.kind LOOP
		share := deadline - (deadline - clock_timestamp()) * (1 - 1.0 / greatest(kinds, 1));
		BEGIN
			RETURN QUERY SELECT * FROM sync_progress_states(ids, share);
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
			IF cardinality(ids) = 1 OR clock_timestamp() >= share THEN
				RAISE WARNING 'could not make the payload of session %: %', array_to_string(ids, ', '), SQLERRM USING HINT = hint;
			ELSE
				RETURN QUERY SELECT * FROM sync_progress_states_there_are(ids[:cardinality(ids) / 2], share);
				RETURN QUERY SELECT * FROM sync_progress_states_there_are(ids[cardinality(ids) / 2 + 1:], share);
			END IF;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION sync_progress_states_there_are IS 'Internal: likewise, without those whose payload function fails or takes too long';

/*
 * Who watches a run stops when it has ended, so its end is shown with the last
 * counts or not at all.  They follow as a notification: the end of a run is folded
 * at once.  Where that takes long, because an application holds the row locked,
 * there is nothing to show for as long.  The ledger is read only if one has ended.
 */
CREATE FUNCTION sync_progress_states_shown(session_ids bigint[], deadline timestamptz)
RETURNS TABLE (session_id bigint, stream text, version bigint, payload json, final boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	ending bigint[] := ARRAY(SELECT s.id FROM sync_sessions AS s WHERE s.id = ANY (session_ids) AND s.status IN ('completed', 'failed', 'cancelled'));
BEGIN
	IF ending <> '{}' THEN
		ending := sync_progress_ending(ending);
		RETURN QUERY SELECT s.id, s.kind || ':' || s.source_id, s.version, NULL::json, false FROM sync_sessions AS s WHERE s.id = ANY (ending);
	END IF;
	RETURN QUERY SELECT * FROM sync_progress_states_there_are(ARRAY(SELECT x FROM unnest(session_ids) AS x WHERE x <> ALL (ending)), deadline);
END
$$;
COMMENT ON FUNCTION sync_progress_states_shown IS 'Internal: likewise; without a payload, and not final, a run whose end is not folded yet';

CREATE FUNCTION sync_session_identified(identifier text, claims jsonb, deadline timestamptz DEFAULT sync_progress_deadline(), slow text[] DEFAULT '{}',
	OUT session_id bigint, OUT refused text, OUT too_slow text)
LANGUAGE plpgsql STABLE PARALLEL UNSAFE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	parsed jsonb;
	k sync_kinds;
	source text;
	found_id bigint;
	hint text;
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
	IF found_id IS NULL OR coalesce(claims -> 'aud' ? 'callback', false) THEN
		RETURN;
	ELSIF k.authorize_function = ANY (slow) THEN
		refused := 'unavailable';
	ELSIF sync_progress_authorized(k.authorize_function, found_id, claims, deadline) THEN
		session_id := found_id;
		refused := NULL;
	END IF;
EXCEPTION WHEN OTHERS THEN
	-- bad JSON refuses its own row only, and so does an authorize function that fails
	IF refused <> 'malformed' THEN
		GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
		RAISE WARNING 'could not authorize %: %', left(identifier, 200), SQLERRM USING HINT = hint;
	END IF;
	IF SQLSTATE = 'SP408' THEN
		too_slow := k.authorize_function;
	END IF;
END
$$;
COMMENT ON FUNCTION sync_session_identified IS 'Internal: the session that an identifier leads to, if whoever has these claims may watch it; else why not, unknown and forbidden alike. An authorize function that takes too long is named in too_slow; those named in slow are not asked, their sessions unavailable';

CREATE FUNCTION sync_progress_subscribe(identifiers text[], claims jsonb[], who integer[])
RETURNS TABLE (ord integer, stream text, version bigint, payload json, greeting jsonb, final boolean, refused text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	sessions bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(identifiers)]);
	owners text[] := array_fill(NULL::text, ARRAY[cardinality(identifiers)]);
	refusals text[] := array_fill(NULL::text, ARRAY[cardinality(identifiers)]);
	slow text[] := '{}';
	deadline timestamptz;
	found record;
BEGIN
	PERFORM sync_progress_due('{}');  -- says so where the library is not preloaded
	deadline := sync_progress_deadline();
	FOR i IN 1..cardinality(identifiers) LOOP
		found := sync_session_identified(identifiers[i], claims[who[i]], deadline, slow);
		sessions[i] := found.session_id;
		refusals[i] := found.refused;
		IF found.too_slow IS NOT NULL THEN
			slow := slow || found.too_slow;
		-- a token for some sessions must not hear of the others
		ELSIF found.refused = 'not_found' AND identifiers[i]::jsonb ->> 'channel' = 'SessionsChannel' AND claims[who[i]] -> 'sessions' IS NULL THEN
			owners[i] := sync_claims_owner(claims[who[i]]);
			refusals[i] := CASE WHEN owners[i] IS NULL THEN 'not_found' END;
		END IF;
	END LOOP;
	PERFORM sync_progress_due(ARRAY(SELECT DISTINCT x FROM unnest(sessions) AS x WHERE x IS NOT NULL));
	RETURN QUERY
	SELECT n::integer, coalesce(st.stream, 'owner:' || o), CASE WHEN o IS NULL THEN st.version ELSE 0 END, st.payload,
		CASE WHEN s.id IS NOT NULL THEN jsonb_build_object('type', 'connected', 'job_id', s.job_id) WHEN o IS NOT NULL THEN '{"type":"connected"}' END,
		CASE WHEN o IS NULL THEN st.final ELSE false END, CASE WHEN r IS NOT NULL THEN r WHEN st.session_id IS NULL AND o IS NULL THEN 'unavailable' END
	FROM unnest(sessions, owners, refusals) WITH ORDINALITY AS i (session, o, r, n)
	LEFT JOIN sync_progress_states_shown(ARRAY(SELECT DISTINCT x FROM unnest(sessions) AS x WHERE x IS NOT NULL), deadline) AS st ON st.session_id = i.session
	LEFT JOIN sync_sessions AS s ON s.id = st.session_id
	ORDER BY n;
END
$$;
COMMENT ON FUNCTION sync_progress_subscribe IS 'For bridges: many subscriptions at once, exactly a row per identifier; who[i] indexes claims. refused: malformed, not_found (unknown and forbidden alike) or unavailable (no payload now: ask again). Neither refused nor a payload: the run has just ended, its state follows as a notification. {"channel":"SessionsChannel"} is the stream of the owner''s list events, which has no state';

CREATE FUNCTION sync_progress_snapshots(streams text[])
RETURNS TABLE (stream text, version bigint, payload json, final boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
	SELECT st.stream, st.version, st.payload, st.final FROM sync_progress_states_shown(ARRAY(
		SELECT sync_session_of(split_part(x, ':', 1), substr(x, position(':' IN x) + 1)) FROM unnest(streams) AS x WHERE position(':' IN x) > 0),
		sync_progress_deadline()) AS st
$$;
COMMENT ON FUNCTION sync_progress_snapshots IS 'For bridges: the state of many streams in one query, for catching up; unknown streams have no row, and a run that has just ended no payload: its state follows as a notification';
