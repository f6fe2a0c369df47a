-- ---------------------------------------------------------------------------
-- For applications: tables of their own that drive sessions
-- ---------------------------------------------------------------------------

CREATE FUNCTION sync_progress_tracked()
RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'sync_progress_tracked';
COMMENT ON FUNCTION sync_progress_tracked IS 'Internal: the triggers that sync_progress_track puts on a table';

CREATE FUNCTION sync_progress_track("table" regclass, kind text, columns jsonb)
RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'sync_progress_track';
COMMENT ON FUNCTION sync_progress_track IS 'From now on each row of the table is a session of that kind, its source_id the row''s id. columns maps our names to the table''s columns: id and owner_id, and any of title, status, status_map ({"done":"completed"}), message, error_message, result_url, total_count, processed_count, detected_count, error_count, progress (a percentage, instead of counts), started_at, completed_at, created_at. A table of parts has id and session_id (the source_id of what it is part of), and any of name, email, status, status_map, error_message, the counts or progress. Rows there are become sessions too; returns how many were made. Needs the right to put triggers on the table, and to read it';

CREATE FUNCTION sync_progress_untrack("table" regclass)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp AS 'MODULE_PATHNAME', 'sync_progress_untrack';
COMMENT ON FUNCTION sync_progress_untrack IS 'The table drives sessions no more; those that there are stay as they are. Needs ownership of the table';

CREATE FUNCTION sync_progress_session(kind text, source_id text)
RETURNS bigint LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'sync_progress_session';
COMMENT ON FUNCTION sync_progress_session IS 'The newest run of what the application knows by that id, as of now, the caller''s own uncommitted one included: sync_progress_increment(sync_progress_session(''mesh'', ''42'')). An error when there is none';
