
-- ---------------------------------------------------------------------------
-- For applications: edits by people
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_session_rename(session_id bigint, title text, expected_lock_version integer DEFAULT NULL)
RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp
AS 'MODULE_PATHNAME', 'sync_session_rename';
COMMENT ON FUNCTION sync_session_rename IS 'Gives a session another title (NULL or empty: none) and returns its lock_version, which grows if that is a change. With expected_lock_version, SQLSTATE SP409 if somebody edited it meanwhile, with the current row as JSON in DETAIL';

CREATE FUNCTION sync_session_pin(session_id bigint, pinned boolean, expected_lock_version integer DEFAULT NULL)
RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp
AS 'MODULE_PATHNAME', 'sync_session_pin';
COMMENT ON FUNCTION sync_session_pin IS 'Pins or unpins a session in lists and returns its lock_version. expected_lock_version as in sync_session_rename';

CREATE FUNCTION sync_session_delete(session_id bigint, expected_lock_version integer DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp
AS 'MODULE_PATHNAME', 'sync_session_delete';
COMMENT ON FUNCTION sync_session_delete IS 'Deletes a session with its accounts, whatever its status. Its workers'' next increment is refused. expected_lock_version as in sync_session_rename';
