-- Throughput and time of a fold of :run in each of :parts equal parts.
\pset format unaligned
\pset tuples_only on
\qecho '| part of the run | increments/s | their latency, ms | folds | increments a fold | ms a fold | worker CPU, ms a fold | ledger at most, kB |'
\qecho '|-|-|-|-|-|-|-|-|'
SELECT format('| %s | %s | %s | %s | %s | %s | %s | %s |', part, round(p.tps), round(p.latency_ms, 2), f.folds,
	round(f.increments / nullif(f.folds, 0)), round(f.ms::numeric / nullif(f.folds, 0), 2), round(f.cpu_ms::numeric / nullif(f.folds, 0), 2),
	f.ledger_bytes / 1024)
FROM bench.fold_parts(:'run', :parts) AS f JOIN bench.progress_parts(:'run', :parts) AS p USING (part) ORDER BY part;
