-- What sync_progress_track() and its likes refuse, and what they say.
\ir include/helpers.psql
SELECT plan(53);

DROP TABLE IF EXISTS public.tr_jobs, public.tr_other, public.tr_parent CASCADE;
CREATE TABLE public.tr_jobs (id int, owner text, status text, done text, total int, at text, twice int GENERATED ALWAYS AS (total * 2) STORED);
CREATE TABLE public.tr_other (id int, owner text);
CREATE FUNCTION pg_temp.track(columns text, target text DEFAULT 'public.tr_jobs', kind text DEFAULT 'batch') RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT sync.sync_progress_track(%L, %L, %L)', target, kind, columns)
$$;

-- the mapping
SELECT pg_temp.refuses(pg_temp.track('[]'), '22023', 'must be a JSON object', 'no object');
SELECT pg_temp.refuses(pg_temp.track('{}'), '22023', 'must name the column of "id"', 'nothing at all');
SELECT pg_temp.refuses(pg_temp.track('{"owner_id":"owner"}'), '22023', 'must name the column of "id"', 'no id');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id"}'), '22023', 'must name the column of "owner_id"', 'no owner');
SELECT pg_temp.refuses(pg_temp.track('{"session_id":"id"}'), '22023', 'must name the column of "id"', 'a part without an id');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner","processed":"total"}'), '22023', 'unknown key "processed"', 'an unknown key');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","session_id":"id","owner_id":"owner"}'), '22023', 'unknown key "owner_id"', 'a part has no owner');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner","email":"owner"}'), '22023', 'unknown key "email"', 'a session has no address');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":7}'), '22023', '"owner_id" must name a column', 'no name');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":""}'), '22023', '"owner_id" must name a column', 'an empty name');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"nobody"}'), '42703', 'no column "nobody", which sync_progress takes "owner_id" from', 'a column that there is not');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner","total_count":"xmin"}'), '42703', 'no column "xmin"', 'a system column');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner","processed_count":"done"}'), '42804', 'column "done" of table "tr_jobs" is text, "processed_count" must be a number', 'a count that is text');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner","started_at":"at"}'), '42804', 'column "at" of table "tr_jobs" is text, "started_at" must be a time', 'a time that is text');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner","progress":"total","total_count":"total"}'), '22023', '"progress" goes with neither', 'a percentage beside counts');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner","status_map":{"a":"pending"}}'), '22023', 'there is a status_map, but no "status"', 'a map of no status');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner","status":"status","status_map":{"a":"done"}}'), '22023', 'status_map has no status for "a"', 'a map to what is no status');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner","status":"status","status_map":{"a":1}}'), '22023', 'status_map has no status for "a"', 'a map to a number');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner","status":"status","status_map":[]}'), '22023', 'status_map must be an object', 'no map');
INSERT INTO public.tr_jobs VALUES (1, 'o', 'odd'), (2, 'o', 'strange'), (3, 'o', 'pending'), (4, 'o', NULL);
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner","status":"status"}'), '22023', 'statuses that status_map does not map: "odd", "strange"$', 'statuses that the map leaves out, all of them named');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'public.tr_jobs'::regclass), 0::bigint, 'what is refused leaves nothing');

-- the table, the kind
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner"}', kind => 'no_such'), '42704', 'unknown kind of sync "no_such"', 'an unknown kind');
SELECT throws_ok(pg_temp.track('{"id":"id","owner_id":"owner"}', 'public.no_such'), '42P01', NULL, 'an unknown table');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_track(1, 'batch', '{"id":"id","owner_id":"owner"}')$$, '42P01', 'no table with OID 1', 'an OID of none');
SELECT pg_temp.refuses(format('SELECT sync.sync_progress_track(%s)', a), '22004', 'must not be null', 'NULL: ' || a)
FROM unnest(ARRAY['NULL, ''batch'', ''{}''', '''tr_jobs'', NULL, ''{}''', '''tr_jobs'', ''batch'', NULL']) AS a;
SELECT pg_temp.refuses('SELECT sync.sync_progress_untrack(NULL)', '22004', 'must not be null', 'untrack NULL');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_untrack('tr_jobs')$$, '42704', 'public.tr_jobs is not tracked', 'untrack what is not tracked');
CREATE VIEW public.tr_view AS SELECT * FROM public.tr_jobs;
CREATE MATERIALIZED VIEW public.tr_mat AS SELECT * FROM public.tr_jobs;
CREATE TEMP TABLE tr_temp (id int, owner text);
CREATE TABLE public.tr_parent (id int, owner text);
CREATE TABLE public.tr_child () INHERITS (public.tr_parent);
CREATE FOREIGN DATA WRAPPER tr_wrapper;
CREATE SERVER tr_server FOREIGN DATA WRAPPER tr_wrapper;
CREATE FOREIGN TABLE public.tr_foreign (id int, owner text) SERVER tr_server;
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner"}', t), '42809', format('cannot track "%s": %s', t, why), t)
FROM (VALUES ('tr_view', 'it is no table'), ('tr_mat', 'it is no table'), ('tr_foreign', 'it is no table'), ('tr_temp', 'it is temporary'), ('tr_parent', 'it inherits'), ('tr_child', 'it inherits')) AS v (t, why);
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner_id"}', 'sync.sync_sessions'), '42809', 'own', 'the extension''s own table');
SELECT pg_temp.refuses(pg_temp.track('{"id":"oid","owner_id":"relowner"}', 'pg_class'), '42809', 'own', 'the system''s');
DROP FOREIGN DATA WRAPPER tr_wrapper CASCADE;

-- twice
UPDATE public.tr_jobs SET status = 'pending';
SELECT lives_ok(pg_temp.track('{"id":"id","owner_id":"owner","status":"status","total_count":"twice"}'), 'a table, with a generated column');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner"}'), '42710', 'public.tr_jobs is tracked already, for kind "batch"', 'twice');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner"}', kind => 'mesh'), '42710', 'public.tr_jobs is tracked already, for kind "batch"', 'for another kind');
SELECT pg_temp.refuses(pg_temp.track('{"id":"id","owner_id":"owner"}', 'tr_other'), '42710', 'kind "batch" has table public.tr_jobs already', 'another table for the same kind: their ids would mix');
SELECT lives_ok(pg_temp.track('{"id":"id","session_id":"id"}', 'tr_other'), 'a table of parts is another matter');

-- looking up
SELECT pg_temp.refuses($$SELECT sync.sync_progress_session('batch', '4711')$$, 'P0002', 'batch "4711" has no sync session', 'no session');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_session('no_such', '1')$$, '42704', 'unknown kind', 'no kind');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_session(NULL, '1')$$, '22004', 'must not be null', 'NULL kind');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_session('batch', NULL)$$, '22004', 'must not be null', 'NULL id');
SELECT pg_temp.refuses('SELECT sync.sync_progress_tracked()', '39P01', 'is a trigger''s function', 'the triggers'' function');
SELECT pg_temp.refuses($$CREATE TRIGGER own BEFORE TRUNCATE ON public.tr_jobs EXECUTE FUNCTION sync.sync_progress_tracked(); TRUNCATE public.tr_jobs$$, '09000', 'was not made by sync_progress_track', 'or a trigger of one''s own with it');

-- rights
DO $$ BEGIN CREATE ROLE tr_role; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT USAGE ON SCHEMA sync TO tr_role;
GRANT EXECUTE ON FUNCTION sync.sync_progress_track, sync.sync_progress_untrack, sync.sync_progress_session TO tr_role;
SELECT sync.sync_progress_untrack('tr_other');
SELECT sync.sync_progress_untrack('tr_jobs');
SET ROLE tr_role;
SELECT throws_ok(pg_temp.track('{"id":"id","owner_id":"owner"}'), '42501', 'permission denied for table tr_jobs', 'not one''s own table');
RESET ROLE;
GRANT EXECUTE ON FUNCTION sync.sync_progress_tracked TO tr_role;
GRANT TRIGGER ON public.tr_jobs TO tr_role;
SET ROLE tr_role;
SELECT throws_ok(pg_temp.track('{"id":"id","owner_id":"owner"}'), '42501', 'permission denied for table tr_jobs', 'nor one that may not be read');
RESET ROLE;
ALTER TABLE public.tr_jobs OWNER TO tr_role;
SET ROLE tr_role;
SELECT is(sync.sync_progress_track('public.tr_jobs', 'batch', '{"id":"id","owner_id":"owner","status":"status"}'), 0::bigint, 'one''s own, with EXECUTE and no right to any table of the extension''s; its sessions are there already');
INSERT INTO public.tr_jobs VALUES (5, 'o', 'processing');
SELECT cmp_ok(sync.sync_progress_session('batch', '5'), '>', 0::bigint, 'nor does it need one to look up');
SELECT lives_ok($$SELECT sync.sync_progress_untrack('public.tr_jobs')$$, 'nor to untrack');
RESET ROLE;
DROP TABLE public.tr_jobs, public.tr_other, public.tr_parent CASCADE;
DELETE FROM sync.sync_sessions WHERE kind = 'batch' AND owner_id = 'o';
REVOKE ALL ON FUNCTION sync.sync_progress_track, sync.sync_progress_tracked, sync.sync_progress_untrack, sync.sync_progress_session FROM tr_role;
REVOKE ALL ON SCHEMA sync FROM tr_role;
DROP ROLE tr_role;
SELECT * FROM finish();
