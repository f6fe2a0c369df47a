
-- ---------------------------------------------------------------------------
-- For administrators: bars in a terminal
-- ---------------------------------------------------------------------------

-- SECURITY DEFINER, so that who watches needs no right to what it is made of.
CREATE FUNCTION sync_progress_open(OUT session_id bigint, OUT title text, OUT status text, OUT processed_count bigint, OUT total_count bigint,
	OUT progress_percentage integer, OUT rate numeric, OUT eta_seconds bigint, OUT eta_state text, OUT locked_xid xid, OUT locked_by integer)
RETURNS SETOF record LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp ROWS 100 AS $$
	SELECT v.session_id, regexp_replace(coalesce(v.title, v.kind || ' ' || v.source_id), '[[:cntrl:]]', ' ', 'g'), v.status, v.processed_count, v.total_count, v.progress_percentage, v.rate,
		v.eta_seconds, v.eta_state, h.xid, h.pid
	FROM sync_progress AS v LEFT JOIN LATERAL sync_progress_holder(v.session_id) AS h
		-- the worker has it for a moment only
		ON h.pid IS NULL OR h.pid NOT IN (SELECT a.pid FROM pg_stat_activity AS a WHERE a.backend_type = 'sync_progress worker')
	WHERE v.status IN ('pending', 'processing', 'paused')
$$;
COMMENT ON FUNCTION sync_progress_open IS 'Internal: what the view sync_progress_watch shows';

CREATE FUNCTION sync_progress_clock(seconds bigint)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN seconds >= 360000 THEN (seconds / 86400)::text || ' d' WHEN seconds >= 3600 THEN to_char(make_interval(secs => seconds), 'FMHH24:MI:SS')
	ELSE to_char(make_interval(secs => seconds), 'FMMI:SS') END;
COMMENT ON FUNCTION sync_progress_clock IS 'Internal: seconds as 9:05, 1:00:00 or 12 d';

-- Padded, so that columns stand still from one second to the next; never cut, but for the title.
CREATE VIEW sync_progress_watch AS
	SELECT o.session_id AS session, rpad(CASE WHEN length(o.title) > 18 THEN left(o.title, 17) || '…' ELSE o.title END, 18) AS title,
		sync_progress_bar(CASE WHEN o.total_count > 0 THEN o.processed_count::double precision / o.total_count WHEN o.total_count = 0 THEN 0 END, 16)
			|| CASE WHEN o.progress_percentage IS NULL THEN repeat(' ', 6) ELSE lpad(o.progress_percentage || ' %', 6) END AS progress,
		lpad(t.done, greatest(length(t.done), 17)) AS done, lpad(t.rate, greatest(length(t.rate), 9)) AS rate, lpad(t.remaining, greatest(length(t.remaining), 8)) AS "left",
		rpad(t.state, greatest(length(t.state), 17)) AS state
	FROM sync_progress_open() AS o
	CROSS JOIN LATERAL (SELECT o.processed_count || coalesce(' / ' || o.total_count, '') AS done,
		coalesce(CASE WHEN o.rate >= 100 THEN round(o.rate) ELSE o.rate END || '/s', '') AS rate, coalesce(sync_progress_clock(o.eta_seconds), '') AS remaining,
		CASE WHEN o.locked_by IS NOT NULL THEN 'locked by ' || o.locked_by WHEN o.locked_xid IS NOT NULL THEN 'locked (prepared)'
			WHEN o.eta_state = 'stalled' THEN 'stalled' ELSE o.status END AS state) AS t
	ORDER BY o.session_id DESC;
COMMENT ON VIEW sync_progress_watch IS 'Every run that has not ended, for a terminal of 120 columns, the newest first: SELECT * FROM sync_progress_watch LIMIT 30 \watch 1';
COMMENT ON COLUMN sync_progress_watch.session IS 'The session''s id';
COMMENT ON COLUMN sync_progress_watch.title IS 'Its title, or else its kind and source; at most 18 characters';
COMMENT ON COLUMN sync_progress_watch.progress IS 'A bar of 16 characters and the percentage; grey where no total is known';
COMMENT ON COLUMN sync_progress_watch.done IS 'Items done, and expected if that is known; what is not folded yet included';
COMMENT ON COLUMN sync_progress_watch.rate IS 'Items a second';
COMMENT ON COLUMN sync_progress_watch."left" IS 'Time that is likely to be left, minutes and seconds';
COMMENT ON COLUMN sync_progress_watch.state IS 'Its status; or stalled; or who holds its row locked, so that it cannot be told';
