-- Last part ÷ first of :parts of :run: throughput | time of a fold.
\pset format unaligned
\pset tuples_only on
SELECT round(max(p.tps) FILTER (WHERE part = :parts) / max(p.tps) FILTER (WHERE part = 1), 3),
	round((max(f.ms / nullif(f.folds, 0)) FILTER (WHERE part = :parts) / max(f.ms / nullif(f.folds, 0)) FILTER (WHERE part = 1))::numeric, 3)
FROM bench.fold_parts(:'run', :parts) AS f JOIN bench.progress_parts(:'run', :parts) AS p USING (part);
