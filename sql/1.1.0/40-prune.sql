
-- ---------------------------------------------------------------------------
-- For administrators: old runs
-- ---------------------------------------------------------------------------

/*
 * Batches, so that what the triggers keep of a statement has a bound; each begins
 * where the last one ended, for the index has what was deleted until the commit.
 */
CREATE FUNCTION sync_progress_prune(older_than interval, at_most bigint DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, @extschema@, pg_temp AS $$
DECLARE
	ended_before timestamptz;
	ids bigint[];
	last_end timestamptz := '-infinity';
	last_id bigint := 0;
	pruned bigint := 0;
BEGIN
	PERFORM sync_progress_due('{}');  -- says so where the library is not preloaded
	IF older_than IS NULL OR older_than < '0' THEN
		RAISE EXCEPTION 'older_than must be zero or more, not %', coalesce(older_than::text, 'NULL') USING ERRCODE = 'invalid_parameter_value',
			HINT = 'For instance ''30 days'': runs that ended longer ago are deleted. ''0'' deletes all that have ended and are not pinned.';
	ELSIF at_most < 1 THEN
		RAISE EXCEPTION 'at_most must be 1 or more, not %', at_most USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Leave it out to delete all that are old enough, or call again until the answer is 0.';
	END IF;
	BEGIN
		ended_before := now() - older_than;
	EXCEPTION WHEN datetime_field_overflow THEN
		RETURN 0;  -- older than time itself
	END;
	LOOP
		SELECT array_agg(b.id), max(b.completed_at) INTO ids, last_end
		FROM (SELECT s.id, s.completed_at FROM sync_sessions AS s
			WHERE s.status IN ('completed', 'failed', 'cancelled') AND NOT s.pinned AND s.completed_at < ended_before
				AND s.completed_at >= last_end AND (s.completed_at, s.id) > (last_end, last_id)
			ORDER BY s.completed_at, s.id LIMIT least(1000, at_most - pruned) FOR UPDATE SKIP LOCKED) AS b;
		EXIT WHEN ids IS NULL;
		last_id := ids[cardinality(ids)];
		DELETE FROM sync_sessions AS s WHERE s.id = ANY (ids);
		pruned := pruned + cardinality(ids);
		EXIT WHEN pruned = at_most;
	END LOOP;
	RETURN pruned;
END
$$;
COMMENT ON FUNCTION sync_progress_prune IS 'Deletes runs that ended longer ago than older_than, with their accounts, the oldest first, and returns how many. Never those that are pinned, have not ended, or are locked by somebody now. Lists are told. at_most: no more than so many (NULL: all). For cron: SELECT sync_progress_prune(''30 days'')';
