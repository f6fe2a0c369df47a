
/*
 * One run.  "stage" is the row to read: where it is on its way from the worker
 * that counts to the watcher, and what to do about it.  It is the first reason that
 * holds, for none after it matters.
 */
CREATE FUNCTION sync_doctor_stage(s sync_sessions, i record, holder_pid integer, holder_xid xid)
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	stat record;
	stall interval := (SELECT k.stall_after FROM sync_kinds AS k WHERE k.kind = s.kind);
	rests interval;
	unfolded boolean := i.rows > 0 OR coalesce(i.waiting, false);
BEGIN
	SELECT * INTO stat FROM sync_progress_stat_1_1();
	rests := clock_timestamp() - greatest(s.updated_at, i.newest_at);
	RETURN QUERY SELECT 'stage', c.ok, c.detail, c.what_to_do FROM (VALUES
		(unfolded AND stat.worker_pid IS NULL, CASE WHEN rests >= interval '5 seconds' THEN false END, 'worker: something is committed, and there is no worker to fold it', 'See the checks "worker" and "worker_slots".'),
		(unfolded AND (holder_xid IS NOT NULL), false, 'locked: ' || sync_doctor_who(holder_pid, holder_xid) || ' holds its row', sync_doctor_end(holder_pid, holder_xid)),
		(coalesce(i.untellable, false) OR unfolded AND i.backoff_ms > 0, false, format('failing: %s', coalesce(stat.last_error, 'it could not be folded or told')),
			format('It is tried again at %s. Repair the function that is named.', date_trunc('second', i.retry_at))),
		(unfolded AND i.due_at > clock_timestamp(), true, format('throttled: it is told in %s ms', round(extract(epoch FROM i.due_at - clock_timestamp()) * 1000)), NULL),
		(unfolded, CASE WHEN rests < interval '10 seconds' THEN true ELSE false END, 'waiting: it is due, and the worker has not come to it yet', CASE WHEN rests >= interval '10 seconds' THEN 'See the checks "worker" and "backlog".' END),
		(s.status IN ('completed', 'failed', 'cancelled'), true, format('ended: it is %s since %s, folded and told; nothing more is to come', s.status, date_trunc('second', s.completed_at)), NULL),
		(s.status = 'paused', true, 'paused: its workers are asked to wait', 'SELECT @extschema@.sync_session_resume(' || s.id || '); lets it go on.'),
		(i.uncommitted > 0, CASE WHEN clock_timestamp() - i.uncommitted_since > stall THEN false ELSE true END,
			format('uncommitted: %s has counted since %s and not committed (%s rows)', sync_doctor_who(i.uncommitted_pid, i.uncommitted_xid), date_trunc('second', i.uncommitted_since), i.uncommitted),
			'Commit more often, or let it count at once: SET sync_progress.mode = live in that worker.'),
		(rests > stall, false, format('not counted: nothing was committed for it since %s', date_trunc('second', greatest(s.updated_at, i.newest_at))),
			'See whether its workers live: they have counted nothing, in no transaction either.'),
		(stat.attached = 0, NULL, 'told: all is folded and told, but no bridge is attached', 'Start sync-progress-bridge, or see its log and /readyz.'),
		(true, true, 'told: all that was committed is folded and told', NULL)) AS c (holds, ok, detail, what_to_do)
	WHERE c.holds LIMIT 1;
END
$$;
COMMENT ON FUNCTION sync_doctor_stage IS 'Internal: where a run is between its workers and its watchers';

CREATE FUNCTION sync_doctor_session(session_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	s sync_sessions;
	i record;
	h record;
BEGIN
	SELECT * INTO s FROM sync_sessions AS x WHERE x.id = session_id;
	i := sync_progress_inspect(session_id);
	h := sync_progress_holder(session_id);
	-- the worker has it for a moment only
	IF h.pid IN (SELECT a.pid FROM pg_stat_activity AS a WHERE a.backend_type = 'sync_progress worker') THEN
		SELECT NULL::xid AS xid, NULL::integer AS pid INTO h;
	END IF;
	RETURN QUERY SELECT * FROM sync_doctor_stage(s, i, h.pid, h.xid);
	RETURN QUERY VALUES
		('committed', true, format('last change %s; %s rows committed and not folded, %s not committed',
			date_trunc('milliseconds', greatest(s.updated_at, i.newest_at)), i.rows, i.uncommitted), NULL::text),
		('folded', true, format('version %s of %s, %s', s.version, date_trunc('milliseconds', s.updated_at), s.status), NULL::text),
		('notified', true, coalesce('last at ' || date_trunc('milliseconds', i.told_at), 'not since this server runs, or it is not tracked any more')
			|| CASE WHEN i.waiting THEN format('; %s commits since', i.commits) ELSE '' END, NULL),
		('throttle', true, CASE WHEN i.waiting THEN format('due at %s%s', date_trunc('milliseconds', i.due_at), CASE WHEN i.retry_at IS NOT NULL THEN ', put off for an error or a lock' ELSE '' END)
			ELSE 'nothing waits' END, NULL),
		('row', h.xid IS NULL, CASE WHEN h.xid IS NULL THEN 'nobody holds its row' ELSE sync_doctor_who(h.pid, h.xid) || ' holds its row' END,
			CASE WHEN h.xid IS NOT NULL THEN sync_doctor_end(h.pid, h.xid) END);
END
$$;
COMMENT ON FUNCTION sync_doctor_session IS 'Internal: one run''s way from its workers to its watchers';

CREATE FUNCTION sync_progress_doctor(session_id bigint DEFAULT NULL)
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp SET lock_timeout = '1s' AS $$
#variable_conflict use_column
DECLARE
	preloaded boolean := false;
	area text;
BEGIN
	IF session_id IS NOT NULL AND NOT EXISTS (SELECT FROM sync_sessions AS s WHERE s.id = session_id) THEN
		RAISE EXCEPTION 'sync session % does not exist', session_id USING ERRCODE = 'no_data_found',
			HINT = 'SELECT session_id, title, status FROM @extschema@.sync_progress; lists them.';
	END IF;
	BEGIN
		preloaded := (SELECT l.preloaded FROM sync_progress_library() AS l);
	EXCEPTION WHEN undefined_function OR undefined_file THEN
		NULL;  -- said by the check "version"
	END;
	FOR area IN SELECT a.name FROM (VALUES (1, 'session', preloaded AND session_id IS NOT NULL), (2, 'server', true),
			(3, 'worker', preloaded AND NOT pg_is_in_recovery()), (4, 'work', preloaded AND NOT pg_is_in_recovery()), (5, 'ledger', preloaded), (6, 'memory', preloaded),
			(7, 'queue', true), (8, 'keys', true), (9, 'kinds', true), (10, 'roles', true), (11, 'grants', true), (12, 'settings', true)) AS a (n, name, possible)
		WHERE a.possible ORDER BY a.n
	LOOP
		BEGIN
			RETURN QUERY EXECUTE format('SELECT * FROM @extschema@.sync_doctor_%s(%s)', area, CASE area WHEN 'session' THEN session_id::text END);
		EXCEPTION WHEN OTHERS THEN
			-- what cannot be looked at hides nothing else
			check_name := area;
			ok := NULL;
			detail := 'could not be looked at: ' || SQLERRM;
			what_to_do := 'Look again; if it stays, its message says what is in the way.';
			RETURN NEXT;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION sync_progress_doctor IS 'What is wrong here: a row per check. ok: true in order, false wrong, NULL it works but could be better, or could not be looked at; what_to_do: the cure. With a session, first where it is on its way to its watchers (stage: "the bar is stuck"). Works without preload, without a worker, on a standby and in a read-only transaction';
