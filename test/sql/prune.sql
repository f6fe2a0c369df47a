-- Old runs are deleted: those that have ended, and no others.  Old is some
-- hundred years, so that what other files made is none of it.
\ir include/helpers.psql
SELECT plan(20);

CREATE FUNCTION pg_temp.ended(years integer, status text DEFAULT 'completed') RETURNS bigint LANGUAGE sql AS $$
	INSERT INTO sync.sync_sessions (owner_id, source_id, status, started_at, completed_at)
	SELECT 'prune', 'prune ' || gen_random_uuid(), status, now() - make_interval(years) - interval '1 hour', now() - make_interval(years) RETURNING id
$$;
CREATE FUNCTION pg_temp.there(session bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT EXISTS (SELECT FROM sync.sync_sessions WHERE id = session) $$;

SELECT pg_temp.ended(400) AS old \gset
SELECT pg_temp.ended(400, 'failed') AS failed \gset
SELECT pg_temp.ended(500, 'cancelled') AS cancelled \gset
SELECT pg_temp.ended(290) AS young \gset
SELECT pg_temp.ended(400) AS pinned \gset
SELECT sync.sync_session_pin(:pinned, true);
SELECT pg_temp.start_with_accounts('prune') AS opened \gset
SELECT pg_temp.start_with_accounts('prune') AS paused \gset
SELECT sync.sync_session_pause(:paused);
SELECT sync.sync_session_start('prune', status => 'pending') AS pending \gset
UPDATE sync.sync_sessions SET created_at = now() - interval '600 years', started_at = now() - interval '600 years' WHERE owner_id = 'prune' AND completed_at IS NULL;
INSERT INTO sync.sync_session_accounts (sync_session_id, name) VALUES (:old, 'Inbox');
SELECT sync.sync_progress_flush();

SELECT is(sync.sync_progress_prune('300 years'), 3::bigint, 'it says how many runs it deleted');
SELECT ok(NOT pg_temp.there(:old) AND NOT pg_temp.there(:failed) AND NOT pg_temp.there(:cancelled), 'completed, failed and cancelled ones');
SELECT is((SELECT count(*) FROM sync.sync_session_accounts WHERE sync_session_id = :old), 0::bigint, 'with their accounts');
SELECT ok(pg_temp.there(:young), 'not one that ended later');
SELECT ok(pg_temp.there(:pinned), 'not one that is pinned');
SELECT ok(pg_temp.there(:opened) AND pg_temp.there(:paused) AND pg_temp.there(:pending), 'none that has not ended, however old');
SELECT is(sync.sync_progress_prune('300 years'), 0::bigint, 'a second time there is nothing to do');
UPDATE sync.sync_sessions SET pinned = false WHERE id = :pinned;
SELECT sync.sync_progress_flush();
SELECT is(sync.sync_progress_prune('300 years'), 1::bigint, 'one that is pinned no more goes');

-- more than a batch, many of them with one time
INSERT INTO sync.sync_sessions (owner_id, source_id, status, completed_at)
SELECT 'prune', 'many ' || n, 'completed', now() - interval '310 years' + (n / 700) * interval '1 minute' FROM generate_series(1, 2500) AS n;
SELECT sync.sync_progress_flush();
SELECT is(sync.sync_progress_prune('300 years', 1100), 1100::bigint, 'at most so many');
SELECT is((SELECT format('%s, from %s on', count(*), min(substr(source_id, 6)::integer)) FROM sync.sync_sessions WHERE source_id LIKE 'many %'), '1400, from 1101 on', 'the oldest first');
SELECT is(sync.sync_progress_prune('300 years', at_most => NULL), 1400::bigint, 'or all that there are, in several batches');

-- where an application's table has the run, a change of its row makes it anew
CREATE TABLE public.prune_jobs (id bigint PRIMARY KEY, who text, state text, done bigint, ended timestamptz);
INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function)
	SELECT 'prune', 'PruneChannel', 'id', payload_function, authorize_function FROM sync.sync_kinds WHERE kind = 'sync';
SELECT sync.sync_progress_track('public.prune_jobs', 'prune', '{"id":"id","owner_id":"who","status":"state","processed_count":"done","completed_at":"ended"}');
INSERT INTO public.prune_jobs VALUES (1, 'prune', 'completed', 5, now() - interval '400 years');
SELECT sync.sync_progress_flush();
SELECT is(sync.sync_progress_prune('300 years'), 1::bigint, 'a run of a tracked table goes as well');
UPDATE public.prune_jobs SET state = 'processing', done = 7, ended = NULL;
SELECT sync.sync_progress_flush();
SELECT is((SELECT format('%s %s', status, processed_count) FROM sync.sync_sessions WHERE kind = 'prune' AND source_id = '1'), 'processing 7', 'and is there again when the table''s row changes');
DROP TABLE public.prune_jobs;
DELETE FROM sync.sync_sessions WHERE kind = 'prune';
DELETE FROM sync.sync_kinds WHERE kind = 'prune';

-- refused
SELECT pg_temp.refuses('SELECT sync.sync_progress_prune(NULL)', '22023', 'NULL', 'no age is refused');
SELECT pg_temp.refuses('SELECT sync.sync_progress_prune(''-1 day'')', '22023', '-1 days', 'a negative age is refused');
SELECT pg_temp.refuses('SELECT sync.sync_progress_prune(''1 day'', 0)', '22023', '0', 'at most none is refused');
SELECT pg_temp.refuses('SELECT sync.sync_progress_prune(''1 day'', -5)', '22023', '-5', 'and so is less than none');
BEGIN TRANSACTION READ ONLY;
SELECT throws_ok('SELECT sync.sync_progress_prune(''300 years'')', '25006', NULL, 'in a read-only transaction it is refused');
COMMIT;
SELECT is(sync.sync_progress_prune('250000 years'), 0::bigint, 'nothing is older than time');
SELECT ok(pg_temp.there(:young), 'what is younger is there still');

SELECT * FROM finish();
