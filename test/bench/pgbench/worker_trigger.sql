\set session random(1, :sessions)
BEGIN;
INSERT INTO bench.mails (session_id, subject) VALUES (:session, 'a message that was synchronised');
UPDATE bench.with_trigger SET processed = processed + 1 WHERE id = :session;
COMMIT;
