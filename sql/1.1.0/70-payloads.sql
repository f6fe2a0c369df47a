
-- ---------------------------------------------------------------------------
-- What watchers are told
-- ---------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION sync_payload(session_ids bigint[])
RETURNS TABLE (session_id bigint, payload json) LANGUAGE c STABLE ROWS 100 AS 'MODULE_PATHNAME', 'sync_progress_general_payload';

/*
 * Where the database has no encoding, what is cut is bytes: of a character of
 * several the rest goes, too, or whoever reads it as UTF-8 gets an error instead.
 */
CREATE OR REPLACE FUNCTION sync_text_shown(value text, longest integer)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN length(value) <= longest OR value IS NULL THEN value
	WHEN getdatabaseencoding() = 'SQL_ASCII' AND substr(value, longest, 1) ~ '[\x80-\xBF]' THEN regexp_replace(left(value, longest - 1), '.[\x80-\xBF]*$', '') || '…'
	ELSE left(value, longest - 1) || '…' END;
