-- What build/sessions (:out) and the extension's own statistics (:own) say.
\pset format unaligned
\pset tuples_only on
SELECT format(E'| | |\n|-|-|\n'
	'| increments a second, each its own transaction | %s |\n'
	'| the driver was behind its plan by at most | %s ms |\n'
	'| states told a second | %s |\n'
	'| past due when read: p50 / p95 / p99 / max | %s / %s / %s / %s ms |\n'
	'| by pg_stat_sync_progress, due to NOTIFY: p99 | %s ms |\n'
	'| worker on a CPU | %s %% of a core, %s µs a state |\n'
	'| worker ready, but waiting for a CPU | %s %% |\n'
	'| transactions that folded | %s |\n'
	'| sessions in shared memory | %s |\n'
	'| last states that did not come | %s |',
	o->>'increments_per_s', o->>'behind_ms', o->>'tellings_per_s', o->>'p50_ms', o->>'p95_ms', o->>'p99_ms', o->>'max_ms',
	s->>'own_p99_ms', o->>'cpu_percent', round((o->>'cpu_percent')::numeric * 10000 / nullif((o->>'tellings_per_s')::numeric, 0), 1),
	o->>'cpu_waiting_percent', s->>'folds', s->>'tracked', o->>'missing')
FROM (VALUES (:'out'::json, :'own'::json)) AS v (o, s);
