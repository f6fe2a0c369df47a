
-- ---------------------------------------------------------------------------
-- What watchers are told
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION sync_payload(session_ids bigint[])
RETURNS TABLE (session_id bigint, payload json) LANGUAGE c STABLE ROWS 100 AS 'MODULE_PATHNAME', 'sync_progress_general_payload';
