-- One ratio with its quartiles, "median [q1–q3]": of :own and :other in the
-- same round, in :part, of :load with :clients.
\pset format unaligned
\pset tuples_only on
SELECT format('%s [%s–%s]', round(q[2]::numeric, 2), round(q[1]::numeric, 2), round(q[3]::numeric, 2))
FROM (
	SELECT percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY own.tps / other.tps) AS q
	FROM bench.runs AS own JOIN bench.runs AS other USING (part, load, clients, round)
	WHERE part = :'part' AND load = :'load' AND clients = :clients AND own.variant = :'own' AND other.variant = :'other'
) AS ratios;
