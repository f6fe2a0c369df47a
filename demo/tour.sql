-- Runs of the other kinds, played over and over, so that there is something to
-- watch and to stop whenever you look.  The work is pretended, all else is not.

CREATE SCHEMA tour;

CREATE FUNCTION tour.start(owner text) RETURNS void
LANGUAGE sql AS $$
	SELECT sync.sync_session_start(owner, kind => 'mesh', source_id => 'bracket', title => 'Bracket, left',
			total_count => 100, status => 'pending'),
		sync.sync_session_start(owner, kind => 'batch', source_id => 'gearbox', title => 'Gearbox, 24 parts',
			total_count => 24, status => 'pending'),
		sync.sync_session_start(owner, kind => 'connection', source_id => 'crm', title => 'CRM',
			status => 'pending');
$$;

-- What one tick does to a run.
CREATE PROCEDURE tour.work(run sync.sync_sessions)
LANGUAGE plpgsql AS $$
DECLARE
	messages constant text[] := '{Reading the geometry,Finding edges,Placing points,Meshing,Smoothing,Checking quality}';
	pictures constant jsonb := '{"mesh":"/favicon.svg"}';
	account record;
	done bigint;
BEGIN
	CASE run.kind
	WHEN 'mesh' THEN
		PERFORM sync.sync_progress_set(run.id, message => messages[1 + run.processed_count / 17]),
			sync.sync_progress_increment(run.id);
	WHEN 'batch' THEN
		IF random() < 0.25 THEN
			PERFORM sync.sync_progress_increment(run.id, 1, CASE WHEN random() < 0.12 THEN 'error' ELSE 'processed' END);
		END IF;
	WHEN 'connection' THEN
		-- nobody knows how much there is
		PERFORM sync.sync_progress_increment_many(run.id, jsonb_build_object(
			'inserted', (random() * 30)::int, 'updated', (random() * 12)::int, 'deleted', (random() * 1.2)::int,
			'kept', (random() * 60)::int, 'entities_encountered.Contact', (random() * 70)::int,
			'entities_encountered.Deal', (random() * 20)::int));
	ELSE
		FOR account IN
			SELECT a.id, least(ceil(random() * a.total_count / 60), a.total_count - a.processed_count)::bigint AS n
			FROM sync.sync_session_accounts AS a
			WHERE a.sync_session_id = run.id AND a.processed_count < a.total_count
		LOOP
			PERFORM sync.sync_progress_increment(run.id, account.n, account_id => account.id);
		END LOOP;
	END CASE;

	-- with what is counted but not folded yet
	SELECT p.processed_count + CASE run.kind WHEN 'batch' THEN p.error_count ELSE 0 END INTO done
	FROM sync.sync_progress(run.id) AS p;
	IF done >= run.total_count OR run.kind = 'connection' AND run.started_at < now() - interval '45 seconds' THEN
		PERFORM sync.sync_session_complete(run.id, result_url => pictures ->> run.kind);
	END IF;
END
$$;

-- Works on whatever is open, but for the main job, whose workers are real; a
-- run that has ended a while ago begins again.  Pinning a run is how the page
-- asks for a failure: a real job fails by itself.
CREATE PROCEDURE tour.play(main bigint)
LANGUAGE plpgsql AS $$
DECLARE
	run sync.sync_sessions;
BEGIN
	LOOP
		FOR run IN
			SELECT * FROM sync.sync_sessions WHERE status IN ('pending', 'processing', 'paused')
		LOOP
			IF run.pinned THEN
				PERFORM sync.sync_session_pin(run.id, false),
					sync.sync_session_fail(run.id, 'The server on the other side hung up');
			ELSIF run.id <> main AND run.status <> 'paused' THEN
				CALL tour.work(run);
			END IF;
		END LOOP;
		PERFORM sync.sync_session_retry(s.id)
		FROM sync.sync_sessions AS s
		WHERE s.kind <> 'sync' AND s.status = 'completed' AND s.completed_at < now() - interval '10 seconds'
			AND NOT EXISTS (SELECT FROM sync.sync_sessions AS later WHERE later.kind = s.kind AND later.source_id = s.source_id AND later.id > s.id);
		COMMIT;
		PERFORM pg_sleep(0.4);
	END LOOP;
END
$$;
