-- The runs of a part as rows of a table in Markdown: medians over all rounds
-- with quartiles in brackets; a ratio is taken within each round.
--
-- :part, :variants: names with spaces between; the first is what is measured,
-- and is divided by each of the others.  The worker's CPU is that of its runs.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
WITH columns AS (
	SELECT variant, place FROM string_to_table(:'variants', ' ') WITH ORDINALITY AS c (variant, place)
), runs AS (
	SELECT r.*, c.place FROM bench.runs AS r JOIN columns AS c USING (variant) WHERE r.part = :'part'
), measured AS (
	SELECT load, clients, place, 0 AS digits, tps AS value FROM runs
	UNION ALL
	SELECT load, clients, 100 + r.place, 2, own.tps / r.tps
	FROM runs AS r JOIN runs AS own USING (load, clients, round) WHERE own.place = 1 AND r.place > 1
	UNION ALL
	SELECT load, clients, 200, 0, worker_percent FROM runs WHERE place = 1
), quartiles AS (
	SELECT load, clients, place, digits, percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY value) AS q
	FROM measured GROUP BY load, clients, place, digits
)
SELECT format('| %s | %s | %s |', CASE load WHEN 'hot' THEN 'one' ELSE '1,000' END, clients, string_agg(
	format('%s [%s–%s]', round(q[2]::numeric, digits), round(q[1]::numeric, digits), round(q[3]::numeric, digits)), ' | ' ORDER BY place))
FROM quartiles GROUP BY load, clients ORDER BY load, clients;
