-- A quick look at an installed sync_progress, in any server that has it
-- preloaded.  "make check" is the real test.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE SCHEMA sync;
CREATE EXTENSION sync_progress SCHEMA sync;

-- a run with two accounts
SELECT sync.sync_session_start('alice', title => 'a mailbox',
	accounts => '[{"name":"Inbox","total_count":4},{"name":"Sent","total_count":6}]') AS session \gset
SELECT id AS inbox FROM sync.sync_session_accounts WHERE sync_session_id = :session AND name = 'Inbox' \gset

-- counted where it belongs, and seen before it is committed
BEGIN;
SELECT sync.sync_progress_increment(:session, 4, 'processed', :inbox);
SELECT processed_count, total_count, progress_percentage FROM sync.sync_progress(:session);
COMMIT;

-- rolled back: not counted
BEGIN;
SELECT sync.sync_progress_increment(:session, 6);
ROLLBACK;

-- the worker folds it into the table
SELECT sync.sync_progress_flush();
SELECT status, processed_count FROM sync.sync_sessions WHERE id = :session;
SELECT name, status, processed_count FROM sync.sync_session_accounts WHERE sync_session_id = :session ORDER BY position;

-- what a watcher is told, and by which right
SELECT payload ->> 'processed_count' AS processed_count, final, refused
FROM sync.sync_progress_subscribe(ARRAY[format('{"channel":"SyncStatusChannel","session_id":%s}', :session)],
	ARRAY['{"sub":"alice"}'::jsonb], '{1}');
SELECT refused
FROM sync.sync_progress_subscribe(ARRAY[format('{"channel":"SyncStatusChannel","session_id":%s}', :session)],
	ARRAY['{"sub":"mallory"}'::jsonb], '{1}');

SELECT sync.sync_session_complete(:session, message => 'done');
SELECT status, message FROM sync.sync_progress(:session);
SELECT sync.sync_session_pause(:session);

DROP EXTENSION sync_progress;
