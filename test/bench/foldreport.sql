-- Time of a fold in the first and in the last fifth of the run.
\pset format unaligned
\pset tuples_only on
\qecho '| fifth of the run | folds | ms a fold | ledger at most, kB |'
\qecho '|-|-|-|-|'
WITH steps AS (
	SELECT ntile(5) OVER (ORDER BY at) AS fifth, folds - lag(folds) OVER w AS n, fold_ms - lag(fold_ms) OVER w AS ms, ledger_bytes
	FROM bench.folds WINDOW w AS (ORDER BY at)
)
SELECT format('| %s | %s | %s | %s |', fifth, sum(n), round((sum(ms) / nullif(sum(n), 0))::numeric, 2), max(ledger_bytes) / 1024)
FROM steps GROUP BY fifth ORDER BY fifth;
