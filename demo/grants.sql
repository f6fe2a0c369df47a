-- The application: its own tables, and of the extension what it calls.
GRANT USAGE ON SCHEMA mail, tour, sync TO app;
GRANT SELECT, INSERT, DELETE, UPDATE ON ALL TABLES IN SCHEMA mail TO app;
GRANT EXECUTE ON FUNCTION sync.sync_session_start, sync.sync_session_complete, sync.sync_session_fail,
	sync.sync_progress_increment, sync.sync_progress_token TO app;
GRANT SELECT ON sync.sync_session_accounts TO app;
-- the tour's pretended workers
GRANT EXECUTE ON FUNCTION sync.sync_progress_increment_many, sync.sync_progress_set, sync.sync_session_pin, sync.sync_progress,
	sync.sync_session_retry TO app;
GRANT SELECT ON sync.sync_sessions TO app;

-- The bridge: no table at all.
GRANT USAGE ON SCHEMA sync TO bridge;
GRANT EXECUTE ON FUNCTION sync.sync_progress_attach, sync.sync_progress_keys,
	sync.sync_progress_subscribe, sync.sync_progress_snapshots, sync.sync_progress_sessions,
	sync.sync_progress_perform TO bridge;
