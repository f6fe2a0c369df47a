
-- ---------------------------------------------------------------------------
-- The library that the server has loaded
-- ---------------------------------------------------------------------------

/*
 * It is the one that was there when the server was started, whatever was
 * installed since.  Say what to do, before CREATE FUNCTION says less.
 */
DO $$
BEGIN
	CREATE FUNCTION sync_progress_library_version()
	RETURNS text LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'sync_progress_library_version';
EXCEPTION WHEN undefined_function OR undefined_file THEN
	RAISE EXCEPTION 'the server has loaded an older library of sync_progress than this version needs'
		USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = SQLERRM,
		HINT = 'Restart the server, so that it loads the library of version 1.1.0, and try again.';
END
$$;
COMMENT ON FUNCTION sync_progress_library_version IS 'The version of the library that the server has loaded; it serves databases whose extension (\dx) is of that version or an older one';
