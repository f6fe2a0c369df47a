\set session random(1, :sessions)
SELECT sync.sync_progress_increment(:session);
