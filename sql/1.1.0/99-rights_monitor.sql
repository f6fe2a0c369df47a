
-- ---------------------------------------------------------------------------
-- Rights: pg_monitor may look at what holds no application's data.  After what
-- takes PUBLIC's rights away, which is for functions without a grant.
-- ---------------------------------------------------------------------------

GRANT USAGE ON SCHEMA @extschema@ TO pg_monitor;
GRANT EXECUTE ON FUNCTION sync_progress_doctor, sync_progress_stat_1_1 TO pg_monitor;
GRANT SELECT ON pg_stat_sync_progress TO pg_monitor;

-- who could look at the view of 1.0 still can
DO $$
DECLARE
	grantee text;
BEGIN
	FOR grantee IN SELECT DISTINCT a.grantee::regrole FROM pg_proc AS p, aclexplode(p.proacl) AS a
		WHERE p.oid = '@extschema@.sync_progress_stat'::regproc AND a.grantee NOT IN (0, p.proowner)
	LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION @extschema@.sync_progress_stat_1_1() TO %s', grantee);
	END LOOP;
END
$$;
