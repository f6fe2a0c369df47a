
-- ---------------------------------------------------------------------------
-- What \d+ says of columns
-- ---------------------------------------------------------------------------

DO $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT h.n, l.name, l.says FROM generate_series(0, 15) AS h (n), (VALUES
		('session_id', 'The session'), ('amount', 'What is added or set, or another number, by op'), ('stamp', 'When the call was, in microseconds that never repeat in a connection; of a message: its version'),
		('op', 'What it says: see extension/net.h'), ('account_id', 'The account, if it is for one'), ('label', 'A counter''s name, a text, or a message')) AS l (name, says)
	LOOP
		EXECUTE format('COMMENT ON COLUMN @extschema@.sync_progress_ledger_%s.%I IS %L', c.n, c.name, 'Internal: ' || c.says);
	END LOOP;
	FOR c IN SELECT r.oid::regclass AS heap, obj_description(r.oid, 'pg_class') AS says FROM pg_class AS r
		WHERE r.relnamespace = '@extschema@'::regnamespace AND r.relname ~ '^sync_progress_ledger_[0-9]+$'
	LOOP
		EXECUTE format('COMMENT ON TABLE %s IS %L', c.heap, 'Internal: ' || lower(left(c.says, 1)) || substr(c.says, 2));
	END LOOP;
END
$$;

COMMENT ON COLUMN sync_progress.session_id IS 'The session''s id';
COMMENT ON COLUMN sync_progress.job_id IS 'The run''s id for outside workers';
COMMENT ON COLUMN sync_progress.kind IS 'What kind of sync it is, see sync_kinds';
COMMENT ON COLUMN sync_progress.source_id IS 'The application''s own id for what is synced';
COMMENT ON COLUMN sync_progress.owner_id IS 'Who may watch';
COMMENT ON COLUMN sync_progress.title IS 'What people read above the bar';
COMMENT ON COLUMN sync_progress.status IS 'pending, processing, paused, completed, failed or cancelled';
COMMENT ON COLUMN sync_progress.bar IS 'A text bar of 20 characters';
COMMENT ON COLUMN sync_progress.progress_percentage IS 'Percent done, 0 to 100; NULL without a total';
COMMENT ON COLUMN sync_progress.processed_count IS 'Items done';
COMMENT ON COLUMN sync_progress.total_count IS 'Items expected; NULL: unknown';
COMMENT ON COLUMN sync_progress.detected_count IS 'Items found to be of interest';
COMMENT ON COLUMN sync_progress.error_count IS 'Items that failed';
COMMENT ON COLUMN sync_progress.counters IS 'Named counters, a flat object';
COMMENT ON COLUMN sync_progress.rate IS 'Items a second';
COMMENT ON COLUMN sync_progress.time_remaining IS 'By the classic formula: what is left, by 0.7 x the rate of the last five minutes + 0.3 x the overall rate; NULL until something was processed';
COMMENT ON COLUMN sync_progress.eta_seconds IS 'The better estimate, in seconds; NULL: not known';
COMMENT ON COLUMN sync_progress.eta_low IS 'It is likely to be no less than so many seconds';
COMMENT ON COLUMN sync_progress.eta_high IS 'And no more than so many';
COMMENT ON COLUMN sync_progress.eta_state IS 'estimating, steady, stalled or none';
COMMENT ON COLUMN sync_progress.message IS 'One line below the bar';
COMMENT ON COLUMN sync_progress.error_message IS 'Why it failed';
COMMENT ON COLUMN sync_progress.result_url IS 'Where the result is';
COMMENT ON COLUMN sync_progress.started_at IS 'When it began to be processed';
COMMENT ON COLUMN sync_progress.completed_at IS 'When it ended, completed or not';
COMMENT ON COLUMN sync_progress.updated_at IS 'When it was folded or changed last';
COMMENT ON COLUMN sync_progress.version IS 'Of the folded state: grows with every change';
