-- The main job: sync messages with several workers at once, and let everybody
-- watch.  What concerns progress are the lines that call sync.*: one to start,
-- one for each message, one to complete.

-- What is still to be synced, and for which account of the session.
CREATE TABLE mail.queue (
	account_id bigint,
	message_id bigint REFERENCES mail.messages,
	PRIMARY KEY (account_id, message_id)
);

-- Starts a session over all messages.  The largest accounts get a line of
-- their own, the others share one: nobody reads a list of hundreds.
CREATE FUNCTION mail.sync_start(owner text, title text, lines integer DEFAULT 15) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	session bigint;
BEGIN
	CREATE TEMPORARY TABLE sorted ON COMMIT DROP AS
	SELECT m.id AS message_id,
		CASE WHEN r.place <= lines THEN r.account ELSE 'all others' END AS account
	FROM (SELECT id, mail.account(raw) AS account FROM mail.messages) AS m
	JOIN (SELECT mail.account(raw) AS account, row_number() OVER (ORDER BY count(*) DESC) AS place
		FROM mail.messages GROUP BY 1) AS r USING (account);

	-- pending, until the first message is counted: waiting is no work
	session := sync.sync_session_start(owner, title => title, status => 'pending', accounts =>
		(SELECT jsonb_agg(jsonb_build_object('name', account, 'total_count', n)
				ORDER BY account = 'all others', n DESC)
		 FROM (SELECT account, count(*) AS n FROM sorted GROUP BY account) AS a));

	INSERT INTO mail.queue
	SELECT a.id, s.message_id
	FROM sorted AS s JOIN sync.sync_session_accounts AS a ON a.name = s.account
	WHERE a.sync_session_id = session;
	RETURN session;
END
$$;

-- One of the workers.  Takes a batch that nobody else has, syncs it, commits,
-- and goes on until nothing is left.  A batch that fails is rolled back and its
-- increments with it, so the count is what was really done.
CREATE PROCEDURE mail.sync_worker(session bigint, per_second numeric DEFAULT NULL, batch integer DEFAULT 25)
LANGUAGE plpgsql AS $$
DECLARE
	message record;
	fields record;
	done integer;
	status text := 'processing';
	due timestamptz := clock_timestamp();
BEGIN
	LOOP
		done := 0;
		FOR message IN
			WITH claimed AS (
				DELETE FROM mail.queue AS q
				USING (SELECT account_id, message_id FROM mail.queue
					   ORDER BY account_id, message_id
					   LIMIT batch FOR UPDATE SKIP LOCKED) AS mine
				WHERE q.account_id = mine.account_id AND q.message_id = mine.message_id
				RETURNING q.*
			)
			SELECT c.account_id, m.id, m.raw FROM claimed AS c JOIN mail.messages AS m ON m.id = c.message_id
		LOOP
			BEGIN
				fields := mail.parse(message.raw);
				INSERT INTO mail.synced (message_id, sender, subject, detected)
				VALUES (message.id, fields.sender, fields.subject, fields.detected);
				IF fields.detected IS NOT NULL THEN
					PERFORM sync.sync_progress_increment(session, 1, 'detected', message.account_id);
				END IF;
			EXCEPTION WHEN SQLSTATE 'ML001' THEN  -- malformed
				PERFORM sync.sync_progress_increment(session, 1, 'error', message.account_id);
			END;
			status := sync.sync_progress_increment(session, 1, 'processed', message.account_id);
			done := done + 1;
		END LOOP;
		COMMIT;

		EXIT WHEN done = 0 OR status IN ('cancelled', 'failed');
		-- somebody pressed Pause: adding nothing tells when it goes on
		WHILE status = 'paused' LOOP
			PERFORM pg_sleep(0.5);
			status := sync.sync_progress_increment(session, 0);
			COMMIT;
			due := clock_timestamp();
		END LOOP;

		-- a demonstration at full speed would be over before you have looked
		due := due + make_interval(secs => coalesce(done / per_second, 0));
		PERFORM pg_sleep(extract(epoch FROM due - clock_timestamp()));
	END LOOP;
END
$$;
