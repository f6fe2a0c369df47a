-- Waits for locks, and what the clients' backends were at, by variant.
\pset format unaligned
\pset tuples_only on
\qecho '| | samples | waits for locks found | of these involve the extension | where the clients were (share of samples) |'
\qecho '|-|-|-|-|-|'
WITH events AS (
	SELECT run, event, sum(n) / sum(sum(n)) OVER (PARTITION BY run) AS share, row_number() OVER (PARTITION BY run ORDER BY sum(n) DESC) AS place
	FROM bench.wait_events GROUP BY run, event
), found AS (
	SELECT run, kind, ours, count(*) AS n FROM bench.lock_waits GROUP BY run, kind, ours
)
SELECT format('| %s | %s | %s | %s | %s |', run, s.count,
	coalesce((SELECT string_agg(format('%s: %s', kind, n), ', ' ORDER BY n DESC) FROM found AS f WHERE f.run = s.run), 'none'),
	(SELECT coalesce(sum(n), 0) FROM found AS f WHERE f.run = s.run AND ours),
	(SELECT string_agg(format('%s %s %%', event, round(100 * share)), ', ' ORDER BY place) FROM events AS e WHERE e.run = s.run AND place <= 6))
FROM bench.wait_samples AS s ORDER BY ordinality;
