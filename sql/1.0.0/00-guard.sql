/* sql/sync_progress--1.0.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION sync_progress SCHEMA sync" to load this file. \quit

/*
 * An application that already has a table sync_sessions in the target schema
 * is the normal case.  Say what to do, before CREATE TABLE says less.
 */
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['sync_kinds', 'sync_sessions', 'sync_session_accounts'] LOOP
		IF to_regclass('@extschema@.' || name) IS NOT NULL THEN
			RAISE EXCEPTION 'schema % already has a table "%"', '@extschema@', name
				USING ERRCODE = 'duplicate_table',
				HINT = 'Install the extension into a schema of its own: CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync;';
		END IF;
	END LOOP;
	-- functions that run as their owner must not find what others put beside them
	IF EXISTS (SELECT FROM pg_namespace AS n, aclexplode(n.nspacl) AS a
		WHERE n.oid = '@extschema@'::regnamespace AND a.grantee = 0 AND a.privilege_type = 'CREATE')
	THEN
		RAISE EXCEPTION 'everybody may create objects in schema %', '@extschema@'
			USING ERRCODE = 'insufficient_privilege',
			HINT = 'Install the extension into a schema of its own: CREATE SCHEMA sync; CREATE EXTENSION sync_progress SCHEMA sync;';
	END IF;
END
$$;
