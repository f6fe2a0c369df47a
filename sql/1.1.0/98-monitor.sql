
-- ---------------------------------------------------------------------------
-- Rights: pg_monitor may look at what holds no application's data
-- ---------------------------------------------------------------------------

GRANT USAGE ON SCHEMA @extschema@ TO pg_monitor;
GRANT EXECUTE ON FUNCTION sync_progress_doctor, sync_progress_stat_1_1 TO pg_monitor;
GRANT SELECT ON pg_stat_sync_progress TO pg_monitor;
