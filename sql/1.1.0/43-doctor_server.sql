
-- ---------------------------------------------------------------------------
-- For administrators: what is wrong with it (sync_progress_doctor)
--
-- Each of these functions looks at one area and answers as the doctor does:
-- check_name; ok: true in order, false wrong, NULL it works but could be better,
-- or could not be looked at; detail: what was found; what_to_do: NULL where ok.
-- Limits are arguments, so that each can be seen to be reached.
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_doctor_who(pid integer, xid xid DEFAULT NULL)
RETURNS text LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT coalesce(
		(SELECT format('process %s (%s%s, %s since %s)', a.pid, a.usename, coalesce(', ' || nullif(a.application_name, ''), ''),
			coalesce(a.state, 'state not visible'), coalesce(date_trunc('second', a.xact_start)::text, '?'))
			FROM pg_stat_activity AS a WHERE a.pid = sync_doctor_who.pid),
		(SELECT format('prepared transaction "%s" (%s, since %s)', p.gid, p.owner, date_trunc('second', p.prepared))
			FROM pg_prepared_xacts AS p WHERE p.transaction = sync_doctor_who.xid),
		'process ' || pid, 'transaction ' || xid::text)
$$;
COMMENT ON FUNCTION sync_doctor_who IS 'Internal: a process, or a prepared transaction, in words';

CREATE FUNCTION sync_doctor_end(pid integer, xid xid DEFAULT NULL)
RETURNS text LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN pid IS NOT NULL THEN format('End its transaction in the application, or: SELECT pg_terminate_backend(%s);', pid)
		ELSE coalesce((SELECT format('COMMIT PREPARED %1$L; or ROLLBACK PREPARED %1$L; whoever prepared it knows which.', p.gid)
			FROM pg_prepared_xacts AS p WHERE p.transaction = sync_doctor_end.xid), 'Look again: it has just ended.') END
$$;
COMMENT ON FUNCTION sync_doctor_end IS 'Internal: how to end a transaction that is in the way';

CREATE FUNCTION sync_doctor_server()
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
#variable_conflict use_column
DECLARE
	library record;
	installed text := (SELECT e.extversion FROM pg_extension AS e WHERE e.extname = 'sync_progress');
	available text := (SELECT a.default_version FROM pg_available_extensions AS a WHERE a.name = 'sync_progress');
	-- NULL where that is not shown to who owns this function
	configured boolean := (SELECT s.setting ~ '\msync_progress\M' FROM pg_settings AS s WHERE s.name = 'shared_preload_libraries');
BEGIN
	BEGIN
		library := sync_progress_library();
	EXCEPTION WHEN undefined_function OR undefined_file THEN
		RETURN QUERY VALUES ('preload', configured, CASE WHEN configured THEN 'sync_progress is preloaded' ELSE 'sync_progress is not preloaded' END,
				CASE WHEN NOT configured THEN 'Add sync_progress to shared_preload_libraries in postgresql.conf and restart the server.' END),
			('version', false, format('the SQL is %s, the library that the server runs is older or missing: %s', installed, SQLERRM),
				'Install the new library (make install, or the package) and restart the server.');
		RETURN;
	END;
	RETURN QUERY VALUES ('preload', library.preloaded, CASE WHEN library.preloaded THEN 'sync_progress is preloaded'
			WHEN (SELECT s.pending_restart FROM pg_settings AS s WHERE s.name = 'shared_preload_libraries')
			THEN 'sync_progress is in the configuration file, and the server has not been restarted since' ELSE 'sync_progress is not preloaded' END,
		CASE WHEN NOT library.preloaded THEN 'Add sync_progress to shared_preload_libraries in postgresql.conf and restart the server.' END);
	RETURN QUERY SELECT 'version', CASE WHEN library.version <> installed THEN false WHEN available IS NOT NULL AND available <> installed THEN NULL ELSE true END,
		format('SQL %s, library %s, installed on this server %s', installed, library.version, coalesce(available, 'none')),
		CASE WHEN string_to_array(library.version, '.')::integer[] < string_to_array(installed, '.')::integer[]
			THEN 'The library that runs is older than the SQL: install the new one and restart the server.'
			WHEN library.version <> installed THEN format('ALTER EXTENSION sync_progress UPDATE TO %L; in this database.', library.version)
			WHEN available <> installed THEN format('A newer version is installed: restart the server, then ALTER EXTENSION sync_progress UPDATE TO %L;', available) END;
	RETURN QUERY SELECT 'primary', CASE WHEN pg_is_in_recovery() THEN NULL ELSE true END,
		CASE WHEN pg_is_in_recovery() THEN 'this server is a standby: nothing is counted, folded or told here'
			ELSE 'this server takes writes' END,
		CASE WHEN pg_is_in_recovery() THEN 'Connect applications and bridges to the primary (target_session_attrs=read-write). The worker starts by itself when this server is promoted.' END;
END
$$;
COMMENT ON FUNCTION sync_doctor_server IS 'Internal: preloaded, versions, a standby';

CREATE FUNCTION sync_doctor_roles()
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
	WITH owner AS (SELECT r.* FROM pg_class AS c JOIN pg_roles AS r ON r.oid = c.relowner WHERE c.oid = '@extschema@.sync_sessions'::regclass),
	functions AS (SELECT p.oid, p.proacl, p.proowner FROM pg_depend AS d JOIN pg_proc AS p ON p.oid = d.objid
		JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'sync_progress'
		WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'),
	open AS (SELECT string_agg(f.oid::regprocedure::text, ', ') AS names FROM functions AS f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) AS a WHERE a.grantee = 0),
	creators AS (SELECT string_agg(CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, ', ') AS names, bool_or(a.grantee = 0) AS everybody
		FROM pg_namespace AS n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a
		WHERE n.oid = '@extschema@'::regnamespace AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
			AND NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = a.grantee AND r.rolsuper))
	SELECT 'owner', CASE WHEN o.rolsuper OR o.rolcanlogin OR NOT pg_has_role(o.oid, 'pg_read_all_stats', 'USAGE') THEN NULL ELSE true END,
		format('the tables are %s''s, who %s and %s log in', o.rolname, CASE WHEN o.rolsuper THEN 'is superuser' ELSE 'is no superuser' END, CASE WHEN o.rolcanlogin THEN 'can' ELSE 'cannot' END),
		CASE WHEN o.rolsuper OR o.rolcanlogin THEN 'The fold runs as that role, restricted. Better: CREATE ROLE sync_owner NOLOGIN; GRANT pg_read_all_stats TO sync_owner; SELECT @extschema@.sync_progress_set_owner(''sync_owner'');'
			WHEN NOT pg_has_role(o.oid, 'pg_read_all_stats', 'USAGE') THEN format('GRANT pg_read_all_stats TO %I; else the doctor cannot say what other sessions do.', o.rolname) END
	FROM owner AS o
	UNION ALL SELECT 'schema', CASE WHEN c.everybody THEN false WHEN c.names IS NOT NULL THEN NULL ELSE true END,
		CASE WHEN c.names IS NULL THEN 'only its owner can create objects in the schema' ELSE c.names || ' can create objects in the schema' END,
		CASE WHEN c.names IS NOT NULL THEN format('REVOKE CREATE ON SCHEMA @extschema@ FROM %s; functions that run as their owner would find what others put beside them.', c.names) END FROM creators AS c
	UNION ALL SELECT 'public_rights', o.names IS NULL, CASE WHEN o.names IS NULL THEN 'PUBLIC may execute nothing' ELSE 'PUBLIC may execute ' || left(o.names, 300) END,
		CASE WHEN o.names IS NOT NULL THEN 'REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA @extschema@ FROM PUBLIC;' END FROM open AS o
$$;
COMMENT ON FUNCTION sync_doctor_roles IS 'Internal: owner, schema, PUBLIC';

CREATE FUNCTION sync_doctor_grants()
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
	WITH marks (purpose, check_name, mark) AS (VALUES ('application', 'application_rights', ARRAY['sync_progress_increment', 'sync_progress_set', 'sync_session_start']),
			('bridge', 'bridge_rights', ARRAY['sync_progress_attach', 'sync_progress_subscribe'])),
	-- who was given one of the functions that only such a role needs
	roles AS (SELECT DISTINCT m.purpose, r.oid, r.rolname, r.rolcanlogin FROM marks AS m JOIN pg_proc AS p ON p.pronamespace = '@extschema@'::regnamespace AND p.proname = ANY (m.mark)
		CROSS JOIN aclexplode(p.proacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee WHERE NOT r.rolsuper AND a.grantee <> p.proowner),
	found AS (SELECT r.*, has_schema_privilege(r.oid, '@extschema@'::regnamespace, 'USAGE') AS may_use,
			(SELECT string_agg(g.object, ', ') FROM sync_progress_rights() AS g WHERE g.purpose = r.purpose AND g.privilege = 'EXECUTE'
				AND NOT has_function_privilege(r.oid, (SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = '@extschema@'::regnamespace AND p.proname = split_part(g.object, '(', 1)), 'EXECUTE')) AS missing
		FROM roles AS r)
	SELECT m.check_name, CASE WHEN count(f.oid) = 0 THEN NULL WHEN bool_or(NOT f.may_use AND f.rolcanlogin) THEN false
			-- an application may well have less, a bridge needs all
			WHEN bool_or(f.missing IS NOT NULL) THEN CASE WHEN m.purpose = 'bridge' AND bool_or(f.missing ~ 'attach|keys|subscribe|snapshots') THEN false END
			WHEN bool_or(NOT f.may_use) THEN NULL ELSE true END,
		CASE WHEN count(f.oid) = 0 THEN format('no role has been given the rights of a%s', CASE m.purpose WHEN 'bridge' THEN ' bridge' ELSE 'n application' END)
			ELSE string_agg(format('%s%s%s', f.rolname, CASE WHEN NOT f.may_use THEN ' may not use the schema' ELSE '' END,
				coalesce(' may not execute ' || f.missing, CASE WHEN f.may_use THEN ' has all rights' ELSE '' END)), '; ' ORDER BY f.rolname) END,
		CASE WHEN count(f.oid) = 0 THEN format('SELECT @extschema@.sync_progress_grant(''role'', ''%s''); unless superusers do it.', m.purpose)
			WHEN NOT bool_and(f.may_use AND f.missing IS NULL)
			THEN string_agg(format('SELECT @extschema@.sync_progress_grant(%L, ''%s'');', f.rolname, m.purpose), ' ' ORDER BY f.rolname)
				FILTER (WHERE NOT f.may_use OR f.missing IS NOT NULL) || CASE WHEN m.purpose = 'application' THEN ' Less is fine where it needs less.' ELSE '' END END
	FROM marks AS m LEFT JOIN found AS f ON f.purpose = m.purpose GROUP BY m.check_name, m.purpose ORDER BY m.check_name
$$;
COMMENT ON FUNCTION sync_doctor_grants IS 'Internal: the rights of applications and bridges';

CREATE FUNCTION sync_doctor_settings(idle_for interval DEFAULT '5 minutes')
RETURNS TABLE (check_name text, ok boolean, detail text, what_to_do text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, @extschema@, pg_temp AS $$
	SELECT 'setting_' || s.name, s.verdict, format('%s = %s: %s', s.name, current_setting(s.name, true), s.harm), s.advice
	FROM (VALUES ('fsync', 'off', false, 'a crash can lose or damage everything', 'ALTER SYSTEM SET fsync = on; and reload.'),
		('full_page_writes', 'off', false, 'a crash can damage tables', 'ALTER SYSTEM SET full_page_writes = on; and reload.'),
		('autovacuum', 'off', false, 'the tables of sessions grow, and folds become slow', 'ALTER SYSTEM SET autovacuum = on; and reload.'),
		('track_activities', 'off', NULL, 'nobody sees who holds what', 'ALTER SYSTEM SET track_activities = on; and reload.'),
		('default_transaction_read_only', 'on', NULL, 'applications cannot count unless they say READ WRITE', 'Set it for the roles that only read.'),
		('track_commit_timestamp', 'on', NULL, 'sync_progress does not need it, and each commit pays for it', 'Off, unless something else needs it.'))
		AS s (name, bad, verdict, harm, advice) WHERE current_setting(s.name, true) = s.bad
	UNION ALL SELECT 'settings', true, 'none of those that do harm is set', NULL
	WHERE current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AND current_setting('autovacuum') = 'on' AND current_setting('track_activities') = 'on'
	UNION ALL SELECT 'autovacuum', t.names IS NULL, CASE WHEN t.names IS NULL THEN 'not switched off for any of the tables' ELSE 'switched off for ' || t.names END,
		CASE WHEN t.names IS NOT NULL THEN 'ALTER TABLE … RESET (autovacuum_enabled); else folds become slow.' END
	FROM (SELECT string_agg(c.relname, ', ' ORDER BY c.relname) AS names FROM pg_class AS c, unnest(c.reloptions) AS o
		WHERE c.relnamespace = '@extschema@'::regnamespace AND c.relkind = 'r'
			-- the ledger's are emptied by the worker, never vacuumed
			AND c.relname !~ '^sync_progress_ledger_' AND o ~* '^autovacuum_enabled=(off|false|no|0)$') AS t
	UNION ALL SELECT 'idle_in_transaction', CASE WHEN count(*) = 0 THEN true END,
		CASE WHEN count(*) = 0 THEN 'no session of this database is idle in a transaction for longer than ' || idle_for
			ELSE format('%s: %s', count(*), string_agg(sync_doctor_who(a.pid), ', ' ORDER BY a.state_change)) END,
		CASE WHEN count(*) > 0 THEN 'What they counted is not shown, what they changed is locked. Commit earlier; idle_in_transaction_session_timeout ends them.' END
	FROM pg_stat_activity AS a WHERE a.datname = current_database() AND a.state LIKE 'idle in transaction%' AND a.state_change < clock_timestamp() - idle_for AND a.pid <> pg_backend_pid()
	UNION ALL SELECT 'listeners', CASE WHEN current_setting('sync_progress.notify', true) IS DISTINCT FROM 'data' OR NOT has_database_privilege('public', current_database(), 'CONNECT') THEN true END,
		format('sync_progress.notify = %s, %s may connect to this database', current_setting('sync_progress.notify', true),
			CASE WHEN has_database_privilege('public', current_database(), 'CONNECT') THEN 'any role' ELSE 'only named roles' END),
		CASE WHEN current_setting('sync_progress.notify', true) = 'data' AND has_database_privilege('public', current_database(), 'CONNECT')
			THEN format('Who can connect may LISTEN and read every state. If your roles do not trust each other: REVOKE CONNECT ON DATABASE %I FROM PUBLIC; or sync_progress.notify = hint.', current_database()) END
$$;
COMMENT ON FUNCTION sync_doctor_settings IS 'Internal: settings of the server, of tables and of transactions that do harm';
