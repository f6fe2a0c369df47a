-- Live mode as a table in Markdown: medians over all rounds with quartiles in
-- brackets; a ratio is taken within each round.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\qecho '| sessions | clients | live increments/s | SELECT 1 | Redis, the count published | Redis, in one write | × SELECT 1 | × Redis, count | × Redis, one write |'
\qecho '|-|-|-|-|-|-|-|-|-|'
WITH per_round AS (
	SELECT load, clients, round,
		max(tps) FILTER (WHERE variant = 'live') AS live,
		max(tps) FILTER (WHERE variant = 'select1') AS select1,
		max(tps) FILTER (WHERE variant = 'redis_count') AS redis_count,
		max(tps) FILTER (WHERE variant = 'redis_blind') AS redis_blind
	FROM bench.runs GROUP BY load, clients, round
), measured AS (
	SELECT load, clients, v.place, v.digits, percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY v.value) AS q
	FROM per_round CROSS JOIN LATERAL (VALUES
		(1, 0, live), (2, 0, select1), (3, 0, redis_count), (4, 0, redis_blind),
		(5, 2, live / select1), (6, 2, live / redis_count), (7, 2, live / redis_blind)) AS v (place, digits, value)
	GROUP BY load, clients, v.place, v.digits
)
SELECT format('| %s | %s | %s |', CASE load WHEN 'hot' THEN 'one' ELSE '1,000' END, clients, string_agg(
	format('%s [%s–%s]', round(q[2]::numeric, digits), round(q[1]::numeric, digits), round(q[3]::numeric, digits)), ' | ' ORDER BY place))
FROM measured GROUP BY load, clients ORDER BY load, clients;
