\set session random(1, :sessions)
BEGIN;
INSERT INTO bench.mails (session_id, subject) VALUES (:session, 'a message that was synchronised');
SELECT sync.sync_progress_increment(:session);
COMMIT;
