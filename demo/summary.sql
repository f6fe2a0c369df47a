-- What the demo says at the end.  :session, :spent_ms
SELECT format('%s messages in %s s by 4 workers: %s detected, %s errors',
	s.processed_count, round(:spent_ms / 1000.0, 1), s.detected_count, s.error_count)
FROM sync.sync_progress(:session) AS s;
SELECT format('  %s increments, %s a second, each in its worker''s transaction',
	n, round(n * 1000.0 / greatest(:spent_ms, 1)))
FROM (SELECT processed_count + detected_count + error_count AS n FROM sync.sync_progress(:session)) AS s;
SELECT format('  %s notifications sent, %s suppressed by the throttle (the latency samples included)', notifications, suppressed)
FROM sync.pg_stat_sync_progress;
