
-- ---------------------------------------------------------------------------
-- For administrators: rights by what a role is for
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_progress_rights(OUT purpose text, OUT privilege text, OUT object text)
RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
	SELECT purpose, 'EXECUTE', unnest(functions) FROM (VALUES
		('application', '{sync_session_start,sync_session_pause,sync_session_resume,sync_session_cancel,sync_session_complete,sync_session_fail,sync_session_retry,sync_session_rename,sync_session_pin,sync_session_delete,sync_progress_increment,sync_progress_increment_many,sync_progress_set,sync_progress_session,sync_progress(bigint),sync_progress_token,sync_progress_callback_token}'::text[]),
		('bridge', '{sync_progress_attach,sync_progress_keys,sync_progress_subscribe,sync_progress_snapshots,sync_progress_sessions,sync_progress_perform,sync_progress_callback,sync_progress_canary,sync_progress_doctor}'),
		('tables', '{sync_progress_track,sync_progress_tracked,sync_progress_untrack,sync_progress_session}'),
		('monitor', '{sync_progress_doctor,sync_progress_stat_1_1,sync_progress_open,sync_progress_bar,sync_progress_clock}'),
		('operator', '{sync_progress_doctor,sync_progress_stat_1_1,sync_progress_open,sync_progress_bar,sync_progress_clock,sync_progress_flush,sync_progress_prune,sync_progress_disconnect,pg_stat_sync_progress_reset}'),
		('keys', '{sync_progress_rotate_key,sync_progress_add_key,sync_progress_remove_key}')) AS f (purpose, functions)
	UNION ALL VALUES ('application', 'SELECT', 'sync_session_accounts'),
		('monitor', 'SELECT', 'pg_stat_sync_progress'), ('monitor', 'SELECT', 'sync_progress_watch'),
		('operator', 'SELECT', 'pg_stat_sync_progress'), ('operator', 'SELECT', 'sync_progress_watch')
$$;
COMMENT ON FUNCTION sync_progress_rights IS 'Internal: what sync_progress_grant gives a role, by what it is for';

CREATE FUNCTION sync_progress_grant(role text, purpose text)
RETURNS SETOF text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp ROWS 20 AS $$
#variable_conflict use_column
DECLARE
	statement text;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role) THEN
		RAISE EXCEPTION 'role "%" does not exist', coalesce(role, 'NULL') USING ERRCODE = 'undefined_object',
			HINT = 'CREATE ROLE makes one; the name is the one that \du shows, without quotes.';
	ELSIF NOT EXISTS (SELECT FROM @extschema@.sync_progress_rights() AS r WHERE r.purpose = sync_progress_grant.purpose) THEN
		RAISE EXCEPTION 'unknown purpose "%"', coalesce(sync_progress_grant.purpose, 'NULL') USING ERRCODE = 'invalid_parameter_value',
			HINT = 'A role is for: application, bridge, tables (it owns tables that are to be tracked), monitor, operator or keys.';
	END IF;
	FOR statement IN SELECT format('GRANT USAGE ON SCHEMA %s TO %I', '@extschema@', role)
		UNION ALL SELECT format('GRANT %s ON %s %s.%s TO %I', r.privilege, CASE r.privilege WHEN 'EXECUTE' THEN 'FUNCTION' ELSE 'TABLE' END, '@extschema@', r.object, role)
			FROM @extschema@.sync_progress_rights() AS r WHERE r.purpose = sync_progress_grant.purpose
	LOOP
		EXECUTE statement;
		RETURN NEXT statement;
	END LOOP;
END
$$;
COMMENT ON FUNCTION sync_progress_grant IS 'Gives a role what it needs to be an application, a bridge, the owner of tables that are tracked (tables), a monitor, an operator (monitor, and flush, prune, disconnect, reset) or who rotates keys (keys); returns the statements that it ran. Again after an update: what is new is granted then';

/*
 * The fold, and all that is SECURITY DEFINER, run as who owns them: tables and
 * functions go together, or one could not call the other.
 */
CREATE FUNCTION sync_progress_set_owner(role text)
RETURNS bigint LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
	o record;
	given bigint := 0;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role) THEN
		RAISE EXCEPTION 'role "%" does not exist', coalesce(role, 'NULL') USING ERRCODE = 'undefined_object',
			HINT = 'CREATE ROLE sync_owner NOLOGIN; makes one that fits; the name is the one that \du shows, without quotes.';
	END IF;
	EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', '@extschema@', role);
	FOR o IN SELECT CASE WHEN p.oid IS NOT NULL THEN 'FUNCTION' WHEN c.relkind = 'v' THEN 'VIEW' ELSE 'TABLE' END AS type, coalesce(p.oid::regprocedure::text, c.oid::regclass::text) AS name
		FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'sync_progress'
		LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
		LEFT JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind IN ('r', 'v')
		WHERE d.deptype = 'e' AND coalesce(p.proowner, c.relowner) <> (SELECT r.oid FROM pg_roles AS r WHERE r.rolname = role)
	LOOP
		EXECUTE format('ALTER %s %s OWNER TO %I', o.type, o.name, role);
		given := given + 1;
	END LOOP;
	RETURN given;
END
$$;
COMMENT ON FUNCTION sync_progress_set_owner IS 'Gives a role all tables and functions of the extension, so that the fold runs as that role, and returns how many. One that is NOLOGIN and not superuser is best; with pg_read_all_stats the doctor can name who holds what. For superusers';
