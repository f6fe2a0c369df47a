
CREATE FUNCTION sync_doctor_worker(silent_for interval DEFAULT '20 seconds')
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	s record;
	launcher integer := (SELECT a.pid FROM pg_stat_activity AS a WHERE a.backend_type = 'sync_progress launcher');
	-- what is not one of the server's own kinds of process has a slot
	slots_used bigint := (SELECT count(*) FROM pg_stat_activity AS a WHERE a.backend_type IS NULL OR a.backend_type NOT IN ('client backend', 'autovacuum launcher', 'autovacuum worker',
		'archiver', 'background writer', 'checkpointer', 'startup', 'walreceiver', 'walsender', 'walwriter', 'walsummarizer', 'slotsync worker', 'standalone backend', 'io worker'));
	slots integer := current_setting('max_worker_processes')::integer;
	needed boolean;
	silent interval;
BEGIN
	SELECT * INTO s FROM sync_progress_stat_1_1();
	needed := s.attached > 0 OR s.ledger_rows > 0 OR EXISTS (SELECT FROM sync_sessions AS x WHERE x.status IN ('pending', 'processing', 'paused'));
	silent := clock_timestamp() - s.worker_beat;
	RETURN QUERY VALUES ('launcher', launcher IS NOT NULL, coalesce('process ' || launcher, 'it does not run'),
			CASE WHEN launcher IS NULL THEN 'The server starts it again within a second: see its log for why it ends.' END),
		('worker', CASE WHEN s.worker_pid IS NULL THEN NOT needed ELSE s.worker_starts < 3 AND silent < silent_for END,
			CASE WHEN s.worker_pid IS NOT NULL AND s.worker_starts < 3
				THEN format('process %s, since %s, its last turn was %s ms ago', s.worker_pid, date_trunc('second', s.worker_started), round(extract(epoch FROM silent) * 1000))
				WHEN s.worker_starts >= 3 THEN format('it has begun %s times in the last minute: it does not stay', s.worker_starts)
				WHEN needed THEN 'there is none, and something to do' ELSE 'there is none, and nothing to do: no run is open, no bridge attached' END,
			CASE WHEN s.worker_starts >= 3 THEN 'See the server''s log for what ends it; last_error in pg_stat_sync_progress may say more.'
				WHEN s.worker_pid IS NULL AND needed AND slots_used >= slots THEN 'No process is left for it: raise max_worker_processes and restart the server.'
				WHEN s.worker_pid IS NULL AND needed THEN 'The launcher starts one within 10 s; if not, see the server''s log.'
				WHEN silent >= silent_for THEN format('It hangs: SELECT wait_event_type, wait_event, query FROM pg_stat_activity WHERE pid = %1$s; then SELECT pg_terminate_backend(%1$s); a new one begins, nothing is lost.', s.worker_pid) END),
		('worker_slots', CASE WHEN slots_used < slots THEN true WHEN s.worker_pid IS NULL AND needed THEN false END,
			format('some %s of %s background processes of the server are in use', slots_used, slots),
			CASE WHEN slots_used >= slots THEN 'Raise max_worker_processes and restart the server: without a free one a worker that ends cannot begin again.' END),
		('bridges', CASE WHEN s.attached > 0 THEN true END, CASE WHEN s.attached > 0 THEN format('%s attached', s.attached) ELSE 'none is attached: browsers are told nothing' END,
			CASE WHEN s.attached = 0 THEN 'Start sync-progress-bridge, or see its log and /readyz for why it is not attached. Nothing to do where only SQL looks.' END);
END
$$;
COMMENT ON FUNCTION sync_doctor_worker IS 'Internal: launcher, worker, processes, bridges';

CREATE FUNCTION sync_doctor_work(late interval DEFAULT '10 seconds', error_for interval DEFAULT '3 minutes')
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
	SELECT c.* FROM sync_progress_stat_1_1() AS s
	-- the worker that folds has it for a moment only
	LEFT JOIN LATERAL (SELECT x.xid, x.pid FROM sync_progress_holder(s.blocked_session) AS x WHERE x.pid IS NULL OR x.pid IS DISTINCT FROM s.worker_pid) AS h
		ON s.blocked_at > clock_timestamp() - interval '5 seconds'
	-- or who was found lately, if that is still in the same transaction, or nobody may know
	CROSS JOIN LATERAL (SELECT h.xid IS NOT NULL OR s.blocked_at > clock_timestamp() - interval '5 seconds' AND EXISTS (SELECT FROM pg_stat_activity AS a
		WHERE a.pid = s.blocked_by AND (a.state IS NULL OR a.xact_start <= s.blocked_at)) AS is_held) AS l
	CROSS JOIN LATERAL (VALUES
		('backlog', s.late_ms < extract(epoch FROM late) * 1000,
			format('%s rows in the ledger are not folded%s, %s sessions wait for their turn; the one that is due for longest waits for %s ms',
				s.ledger_rows, CASE WHEN s.ledger_rows_exact THEN '' ELSE ' (estimated)' END, s.sessions_waiting, round(s.late_ms)),
			CASE WHEN s.late_ms >= extract(epoch FROM late) * 1000 THEN 'The worker does not keep up, or there is none: see the check "worker", fold_p95_ms in pg_stat_sync_progress, and the load of the machine.' END),
		('locks', NOT l.is_held,
			CASE WHEN l.is_held THEN format('session %s is locked by %s', s.blocked_session, sync_doctor_who(coalesce(h.pid, s.blocked_by), h.xid)) ELSE 'nobody holds a session back' END,
			CASE WHEN l.is_held THEN sync_doctor_end(coalesce(h.pid, s.blocked_by), h.xid) END),
		('errors', CASE WHEN s.last_error_at > clock_timestamp() - error_for THEN false ELSE true END,
			CASE WHEN s.last_error_at IS NULL THEN 'none since ' || date_trunc('second', s.stats_reset) ELSE format('%s: %s', date_trunc('second', s.last_error_at), s.last_error) END,
			CASE WHEN s.last_error_at > clock_timestamp() - error_for THEN 'Its session is counted, and tried again within a minute; the others go on. Repair the function that it names; the server''s log has more.' END))
		AS c (check_name, ok, detail, what_to_do)
$$;
COMMENT ON FUNCTION sync_doctor_work IS 'Internal: what waits for the worker, locks, errors';

CREATE FUNCTION sync_doctor_queue(usage double precision DEFAULT pg_notification_queue_usage(), old interval DEFAULT '1 minute')
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
	-- who listens is nobody's to see; who cannot have read is
	WITH slow AS (SELECT a.pid, a.query ~* '^\s*(un)?listen\M' OR a.application_name ~ 'sync-progress' AS listens, a.wait_event = 'ClientWrite' AS stuck
		FROM pg_stat_activity AS a WHERE a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
			AND (a.xact_start < clock_timestamp() - old OR a.wait_event = 'ClientWrite')
		ORDER BY 2 DESC NULLS LAST, 3 DESC NULLS LAST, a.xact_start LIMIT 3)
	SELECT 'notify_queue', CASE WHEN usage >= 0.5 THEN false WHEN usage >= 0.05 OR s.listens THEN NULL ELSE true END,
		format('%s %% of the queue is in use%s', round((usage * 100)::numeric, 2), coalesce('; it may be held back by ' || s.names, '')),
		CASE WHEN usage >= 0.05 OR s.listens THEN format('A session that listens and stays in a transaction, or does not read, holds it back; when it is full nobody can NOTIFY.%s', coalesce(' ' || s.cure, ' The server''s log names who, from half full on.')) END
	FROM (SELECT string_agg(sync_doctor_who(slow.pid), ', ') AS names, bool_or(listens) AS listens,
		string_agg(format('SELECT pg_terminate_backend(%s);', slow.pid), ' ') AS cure FROM slow WHERE usage >= 0.05 OR listens) AS s
$$;
COMMENT ON FUNCTION sync_doctor_queue IS 'Internal: the server''s NOTIFY queue, and who may hold it back';

CREATE FUNCTION sync_doctor_ledger(old interval DEFAULT '5 minutes', most_heaps integer DEFAULT 15, most_bytes bigint DEFAULT 1073741824)
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	s record;
	holder record;
	prepared record;
	verdict boolean;
BEGIN
	SELECT * INTO s FROM sync_progress_stat_1_1();
	-- the oldest of all that may need a row which is deleted
	SELECT x.* INTO holder FROM (
		SELECT a.pid, NULL::xid AS xid, NULL::text AS slot, age(coalesce(a.backend_xmin, a.backend_xid)) AS age, a.xact_start AS since FROM pg_stat_activity AS a
			WHERE coalesce(a.backend_xmin, a.backend_xid) IS NOT NULL AND a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type <> 'sync_progress worker'
		UNION ALL SELECT NULL, p.transaction, NULL, age(p.transaction), p.prepared FROM pg_prepared_xacts AS p WHERE p.database = current_database()
		UNION ALL SELECT NULL, NULL, r.slot_name::text, age(r.xmin), NULL FROM pg_replication_slots AS r WHERE r.xmin IS NOT NULL) AS x ORDER BY x.age DESC LIMIT 1;
	verdict := CASE WHEN s.ledger_heaps > most_heaps OR s.ledger_bytes > most_bytes THEN false
		WHEN s.ledger_heaps_held + s.ledger_heaps_undrained > 0 AND (holder.slot IS NOT NULL OR holder.since < clock_timestamp() - old) THEN NULL ELSE true END;
	RETURN QUERY SELECT 'ledger', verdict,
		format('%s in %s of 16 heaps, %s of them with rows to fold or to commit, %s folded and not emptied yet%s', pg_size_pretty(s.ledger_bytes), s.ledger_heaps, s.ledger_heaps_undrained, s.ledger_heaps_held,
			CASE WHEN verdict THEN '' ELSE coalesce('; the oldest snapshot is of ' || CASE WHEN holder.slot IS NOT NULL
				THEN format('replication slot "%s"', holder.slot) ELSE sync_doctor_who(holder.pid, holder.xid) END, '') END),
		CASE WHEN verdict THEN NULL ELSE 'Space is used until that is over; counting is no slower. ' || CASE WHEN holder.slot IS NOT NULL THEN 'A standby with hot_standby_feedback runs a long query.'
			WHEN holder.pid IS NULL AND holder.xid IS NULL THEN 'See the checks "worker" and "backlog".' ELSE sync_doctor_end(holder.pid, holder.xid) END END;
	SELECT count(*) AS n, min(p.prepared) AS since, (array_agg(p.gid ORDER BY p.prepared))[1] AS gid INTO prepared FROM pg_prepared_xacts AS p WHERE p.database = current_database();
	RETURN QUERY SELECT 'prepared_transactions', coalesce(prepared.since > clock_timestamp() - old, true),
		CASE WHEN prepared.n = 0 THEN 'none' ELSE format('%s, the oldest is "%s", since %s', prepared.n, prepared.gid, date_trunc('second', prepared.since)) END,
		CASE WHEN prepared.since <= clock_timestamp() - old THEN format('What it counted is not shown, and what it locked stays locked: COMMIT PREPARED %1$L; or ROLLBACK PREPARED %1$L;', prepared.gid) END;
END
$$;
COMMENT ON FUNCTION sync_doctor_ledger IS 'Internal: the ledger''s size, who keeps it from being emptied, prepared transactions';

CREATE FUNCTION sync_doctor_memory()
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
	SELECT c.* FROM sync_progress_stat_1_1() AS s CROSS JOIN LATERAL (VALUES
		('shared_memory', s.server_sessions_needed < 0.9 * s.max_sessions,
			format('%s of %s sessions are tracked, %s of them need their place; %s of %s in use', s.server_sessions, s.max_sessions, s.server_sessions_needed,
				pg_size_pretty(s.shared_memory_used_bytes), pg_size_pretty(s.shared_memory_bytes)),
			CASE WHEN s.server_sessions_needed >= 0.9 * s.max_sessions THEN 'Raise sync_progress.max_sessions (250 bytes each) and restart the server: what has no place is counted as exactly, and told up to ten seconds later.' END),
		('live_counters', s.server_live_counters < 0.9 * s.max_live_counters,
			format('%s of %s are in use, %s calls found no place and counted at commit', s.server_live_counters, s.max_live_counters, s.live_fallbacks),
			CASE WHEN s.server_live_counters >= 0.9 * s.max_live_counters THEN 'Raise sync_progress.max_live_counters and restart the server: what has no place counts at commit.' END))
		AS c (check_name, ok, detail, what_to_do)
$$;
COMMENT ON FUNCTION sync_doctor_memory IS 'Internal: room in shared memory';

CREATE FUNCTION sync_doctor_keys(old interval DEFAULT '1 year')
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
	SELECT 'keys', CASE WHEN k.minting IS NULL THEN false WHEN k.since < clock_timestamp() - old THEN NULL ELSE true END,
		CASE WHEN k.minting IS NULL THEN 'there is none to sign tokens with' ELSE format('tokens are signed with "%s", of %s', k.minting, date_trunc('second', k.since)) END
			|| format('; %s older own ones are accepted%s, %s of other issuers', k.older, coalesce(' until ' || date_trunc('second', k.until), ''), k.others),
		CASE WHEN k.minting IS NULL OR k.since < clock_timestamp() - old THEN 'SELECT @extschema@.sync_progress_rotate_key(); tokens that there are stay valid for a day.' END
	FROM (SELECT max(kid) FILTER (WHERE minting) AS minting, max(created_at) FILTER (WHERE minting) AS since, count(*) FILTER (WHERE own AND NOT minting) AS older,
		max(expires_at) FILTER (WHERE own AND NOT minting) AS until, count(*) FILTER (WHERE NOT own) AS others
		FROM sync_keys WHERE expires_at IS NULL OR expires_at > clock_timestamp()) AS k
$$;
COMMENT ON FUNCTION sync_doctor_keys IS 'Internal: keys, without what is secret in them';

-- Tried on the newest run of each kind, as the worker and a bridge would call them.
CREATE FUNCTION sync_doctor_kinds()
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	k record;
	wrong text;
	good bigint := 0;
	bad bigint := 0;
BEGIN
	FOR k IN SELECT x.kind, x.payload_function, x.authorize_function, (SELECT max(s.id) FROM sync_sessions AS s WHERE s.kind = x.kind) AS newest FROM sync_kinds AS x ORDER BY x.kind LOOP
		wrong := CASE WHEN to_regprocedure(k.payload_function) IS NULL THEN format('payload_function %s does not exist', k.payload_function)
			WHEN to_regprocedure(k.authorize_function) IS NULL THEN format('authorize_function %s does not exist', k.authorize_function) END;
		IF wrong IS NULL AND k.newest IS NOT NULL THEN
			BEGIN
				PERFORM FROM sync_progress_payloads(k.payload_function, ARRAY[k.newest], clock_timestamp() + interval '2 seconds');
			EXCEPTION WHEN OTHERS THEN
				wrong := format('payload_function %s fails for session %s: %s', k.payload_function, k.newest, SQLERRM);
			END;
			BEGIN
				PERFORM sync_progress_authorized(k.authorize_function, k.newest, '{"sub":"sync_progress_doctor"}', clock_timestamp() + interval '2 seconds');
			EXCEPTION WHEN OTHERS THEN
				wrong := concat_ws('; ', wrong, format('authorize_function %s fails for session %s: %s', k.authorize_function, k.newest, SQLERRM));
			END;
		END IF;
		good := good + (wrong IS NULL)::integer;
		IF wrong IS NOT NULL THEN
			bad := bad + 1;
			RETURN QUERY SELECT 'kind_' || k.kind, false, wrong,
				format('Repair the function, or name another: UPDATE @extschema@.sync_kinds SET … WHERE kind = %L; until then its runs are counted and not told.', k.kind);
		END IF;
	END LOOP;
	RETURN QUERY SELECT 'kinds', bad = 0, format('the functions of %s kinds work%s', good, CASE WHEN bad > 0 THEN format(', those of %s do not', bad) ELSE '' END),
		CASE WHEN bad > 0 THEN 'See the rows above.' END;
END
$$;
COMMENT ON FUNCTION sync_doctor_kinds IS 'Internal: the functions that kinds name are there and work';
