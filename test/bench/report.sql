-- The rates as a table in Markdown: medians over all rounds with quartiles in
-- brackets; a ratio is taken within each round.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\qecho '| sessions | clients | increments/s | UPDATE + NOTIFY trigger | UPDATE | bare INSERT | SELECT 1 | × trigger | × UPDATE | × INSERT | × SELECT 1 |'
\qecho '|-|-|-|-|-|-|-|-|-|-|-|'
WITH per_round AS (
	SELECT load, clients, round,
		max(tps) FILTER (WHERE variant = 'increment') AS own,
		max(tps) FILTER (WHERE variant = 'trigger') AS trigger,
		max(tps) FILTER (WHERE variant = 'update') AS update,
		max(tps) FILTER (WHERE variant = 'insert') AS insert,
		max(tps) FILTER (WHERE variant = 'select1') AS select1
	FROM bench.runs GROUP BY load, clients, round
), measured AS (
	SELECT load, clients, v.place, v.digits, percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY v.value) AS q
	FROM per_round CROSS JOIN LATERAL (VALUES
		(1, 0, own), (2, 0, trigger), (3, 0, update), (4, 0, insert), (5, 0, select1),
		(6, 2, own / trigger), (7, 2, own / update), (8, 2, own / insert), (9, 2, own / select1)) AS v (place, digits, value)
	GROUP BY load, clients, v.place, v.digits
)
SELECT format('| %s | %s | %s |', CASE load WHEN 'hot' THEN 'one' ELSE '1,000' END, clients, string_agg(
	format('%s [%s–%s]', round(q[2]::numeric, digits), round(q[1]::numeric, digits), round(q[3]::numeric, digits)), ' | ' ORDER BY place))
FROM measured GROUP BY load, clients ORDER BY load, clients;
