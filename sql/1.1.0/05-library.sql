
-- ---------------------------------------------------------------------------
-- The library that the server has loaded
-- ---------------------------------------------------------------------------

/*
 * It is the one that was there when the server was started, whatever was
 * installed since.  Say what to do, before CREATE FUNCTION says less.
 */
DO $$
BEGIN
	CREATE FUNCTION sync_progress_library(OUT version text, OUT preloaded boolean)
	LANGUAGE c VOLATILE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'sync_progress_library';
EXCEPTION WHEN undefined_function OR undefined_file THEN
	RAISE EXCEPTION 'the server has loaded an older library of sync_progress than this version needs'
		USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = SQLERRM,
		HINT = 'Restart the server, so that it loads the library of version 1.1.0, and try again.';
END
$$;
COMMENT ON FUNCTION sync_progress_library IS 'Internal: the version of the library that the server has loaded, and whether it was preloaded';
