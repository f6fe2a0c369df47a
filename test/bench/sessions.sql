-- :nsessions sessions of a kind that is told once a second.
CREATE SCHEMA sync;
CREATE EXTENSION sync_progress SCHEMA sync;
INSERT INTO sync.sync_kinds (kind, channel, param, every_count, every_interval, min_interval, payload_function, authorize_function)
SELECT 'paced', 'PacedChannel', 'id', 1000000, '1 second', '1 second', payload_function, authorize_function
FROM sync.sync_kinds WHERE kind = 'sync';
SELECT count(sync.sync_session_start('owner ' || n % 100, kind => 'paced', title => 'session ' || n, total_count => 1000000000))
FROM generate_series(1, :nsessions) AS n;
VACUUM ANALYZE;
