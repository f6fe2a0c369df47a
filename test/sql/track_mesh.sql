-- Other shapes of tracked tables: uuid ids and a percentage, odd types and
-- names, partitions; both kinds of table at once; and what DDL does to them.
\ir include/helpers.psql
SELECT plan(43);

DROP TABLE IF EXISTS public.meshes, public."Odd % Jobs", public.tm_parts, public.tm_jobs;
DELETE FROM sync.sync_sessions WHERE kind = 'mesh' OR owner_id LIKE 'tm-%';
SET TimeZone = 'UTC';
CREATE TABLE public.meshes (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id text, name text, status text DEFAULT 'queued', progress numeric, message text, result_url text, error text,
	vertices integer, created_at timestamptz DEFAULT now());
SELECT is(sync.sync_progress_track('meshes', 'mesh', '{"id":"id","owner_id":"user_id","title":"name","status":"status","progress":"progress","message":"message",
	"result_url":"result_url","error_message":"error","created_at":"created_at","status_map":{"queued":"pending","running":"processing","done":"completed","broken":"failed"}}'),
	0::bigint, 'an empty table has no sessions to make');
CREATE FUNCTION pg_temp.payload(source text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT p.payload::jsonb FROM sync.sync_progress_snapshots(ARRAY['mesh:' || source]) AS p
$$;
INSERT INTO public.meshes (id, user_id) VALUES ('00000000-0000-4000-8000-00000000000a', 'tm-ann');
\set a 00000000-0000-4000-8000-00000000000a
SELECT sync.sync_progress_session('mesh', :'a') AS s \gset
SELECT is(pg_temp.payload(:'a') - '{updated_at,message,estimated_remaining}'::text[], '{"mesh_id":"00000000-0000-4000-8000-00000000000a","status":"pending","progress":0}'::jsonb, '[002-19] a new mesh: progress 0, status pending');
UPDATE public.meshes SET status = 'running', progress = 45.7, message = 'Meshing' WHERE id = :'a';
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.payload(:'a') - '{updated_at,estimated_remaining}'::text[], '{"mesh_id":"00000000-0000-4000-8000-00000000000a","status":"processing","progress":45,"message":"Meshing"}'::jsonb,
	'[002-03] [002-05] a percentage, rounded down so that 100 is the end');
UPDATE public.meshes SET status = 'done', progress = 100, message = NULL, result_url = '/meshes/a.stl' WHERE id = :'a';
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.payload(:'a') - '{updated_at,estimated_remaining}'::text[],
	'{"mesh_id":"00000000-0000-4000-8000-00000000000a","status":"completed","progress":100,"message":null,"result_url":"/meshes/a.stl"}'::jsonb, '[002-03] completed, with its result; a text becomes NULL again');
SELECT is((SELECT concat_ws(' ', completed_at IS NOT NULL, started_at IS NOT NULL) FROM sync.sync_sessions WHERE id = :s), 't t', 'times that the table does not have are those of the changes');
UPDATE public.meshes SET name = repeat('é', 600), error = repeat('é', 5000), message = repeat('é', 600), result_url = repeat('x', 3000), progress = 'NaN' WHERE id = :'a';
SELECT sync.sync_progress_flush();
SELECT is((SELECT concat_ws(' ', length(title), length(error_message), length(message), result_url IS NULL, processed_count, lock_version) FROM sync.sync_sessions WHERE id = :s), '480 1000 480 t 0 1',
	'texts are cut to what fits, half an address is none, no number is 0');
UPDATE public.meshes SET progress = 250, name = E'a\n"b"' WHERE id = :'a';
SELECT sync.sync_progress_flush();
SELECT is((SELECT concat_ws(' ', processed_count, total_count, title, lock_version) FROM sync.sync_sessions WHERE id = :s), E'100 100 a\n"b" 2', 'a percentage has an end, a text any characters');
-- a message that is set by a call and one in the table: the later
SELECT sync.sync_progress_set(:s, message => 'called');
SELECT sync.sync_progress_flush();
UPDATE public.meshes SET message = 'said' WHERE id = :'a';
SELECT sync.sync_progress_flush();
SELECT is((SELECT message FROM sync.sync_sessions WHERE id = :s), 'said', 'the table''s message after a call''s');
BEGIN;
UPDATE public.meshes SET message = 'said again' WHERE id = :'a';
SELECT sync.sync_progress_set(:s, message => 'called again');
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is((SELECT message FROM sync.sync_sessions WHERE id = :s), 'called again', 'and the other way round');
-- what came while the triggers were off
SET session_replication_role = replica;
INSERT INTO public.meshes (id, user_id, status) VALUES ('00000000-0000-4000-8000-00000000000b', 'tm-ben', 'running');
RESET session_replication_role;
SELECT pg_temp.refuses($$SELECT sync.sync_progress_session('mesh', '00000000-0000-4000-8000-00000000000b')$$, 'P0002', 'has no sync session', 'a row that came while triggers were off has no session');
UPDATE public.meshes SET progress = 5 WHERE user_id = 'tm-ben';
SELECT is((SELECT concat_ws(' ', owner_id, status, processed_count) FROM sync.sync_sessions WHERE source_id = '00000000-0000-4000-8000-00000000000b'), 'tm-ben processing 5', 'and gets one when it changes');
-- rows that cannot be sessions fail nothing
SET client_min_messages = error;
INSERT INTO public.meshes (user_id) VALUES (repeat('x', 201)), (NULL);
SET client_min_messages = warning;
SELECT is((SELECT count(*) FROM sync.sync_sessions WHERE kind = 'mesh' AND owner_id = ''), 1::bigint, 'without an owner nobody but an administrator may watch');
SELECT is((SELECT count(*) FROM public.meshes), 4::bigint, 'an owner''s id that is too long for one fails nothing');
SELECT throws_ok($$INSERT INTO public.meshes (id) VALUES ('00000000-0000-4000-8000-00000000000a')$$, '23505', NULL, 'the table''s own errors are its own');

-- DDL
SELECT pg_temp.refuses('ALTER TABLE public.meshes RENAME COLUMN progress TO percent', '2BP01', 'cannot rename column "progress" of table "meshes": sync_progress takes "progress" from it', 'a tracked column keeps its name');
SELECT lives_ok('ALTER TABLE public.meshes RENAME COLUMN vertices TO points', 'another can be renamed');
SELECT lives_ok('ALTER TABLE public.meshes DROP COLUMN points', 'and dropped');
SELECT pg_temp.refuses('ALTER TABLE public.meshes DROP COLUMN progress', '2BP01', 'cannot drop column progress of table meshes because other objects depend on it', 'a tracked one cannot be dropped');
SELECT throws_like('ALTER TABLE public.meshes ALTER COLUMN progress TYPE text', 'cannot alter type of a column used in a trigger definition', 'nor made what does not fit');
SELECT pg_temp.refuses('DROP EXTENSION sync_progress', '2BP01', 'cannot drop extension sync_progress because other objects depend on it', 'nor the extension be dropped without CASCADE');
SELECT lives_ok('ALTER TABLE public.meshes ALTER COLUMN user_id SET STATISTICS 10', 'other changes of a tracked column are nobody''s business');
SELECT lives_ok('ALTER TABLE public.meshes RENAME TO "Odd % Jobs"', 'the table itself may be renamed');
INSERT INTO public."Odd % Jobs" (id, user_id) VALUES ('00000000-0000-4000-8000-00000000000c', 'tm-cat');
SELECT is((SELECT owner_id FROM sync.sync_sessions WHERE source_id = '00000000-0000-4000-8000-00000000000c'), 'tm-cat', 'and is tracked as before');
SELECT lives_ok('ALTER TABLE public."Odd % Jobs" DROP COLUMN progress CASCADE', 'CASCADE drops the column');
SELECT pg_temp.refuses($$INSERT INTO public."Odd % Jobs" (user_id) VALUES ('tm-dan')$$, '42703', 'table "Odd % Jobs" has no column "progress", which sync_progress takes "progress" from', 'and then says which is missing');
SELECT lives_ok($$SELECT sync.sync_progress_untrack('"Odd % Jobs"')$$, 'what is left can be untracked');
SELECT lives_ok($$INSERT INTO public."Odd % Jobs" (user_id) VALUES ('tm-dan')$$, 'so that the table works again');
DROP TABLE public."Odd % Jobs";
SELECT cmp_ok((SELECT count(*) FROM sync.sync_sessions WHERE kind = 'mesh'), '>=', 4::bigint, 'sessions stay when the table goes');
DELETE FROM sync.sync_sessions WHERE kind = 'mesh';

-- odd types and names
CREATE TYPE pg_temp.state AS ENUM ('pending', 'processing', 'completed');
CREATE DOMAIN pg_temp.amount AS numeric(12, 3);
CREATE TABLE public.tm_jobs (
	"the ""id"" %s" char(12), "Owner" json, state pg_temp.state, total pg_temp.amount, done real, found smallint, failed double precision, started date, note xml);
SELECT is(sync.sync_progress_track('tm_jobs', 'mesh', '{"id":"the \"id\" %s","owner_id":"Owner","status":"state","total_count":"total","processed_count":"done","detected_count":"found",
	"error_count":"failed","started_at":"started","message":"note"}'), 0::bigint, 'enum, json, xml, domain, real, date and char columns, and any names');
INSERT INTO public.tm_jobs VALUES ('tm 1', '"x"', 'pending', 10.5, 2.5, 1, 3.5, '2026-03-01', '<a/>');
SELECT is((SELECT concat_ws(' ', owner_id, status, total_count, processed_count, detected_count, error_count, started_at, message) FROM sync.sync_sessions WHERE kind = 'mesh' AND source_id = 'tm 1'),
	'"x" pending 10 2 1 4 2026-03-01 00:00:00+00 <a/>', 'are read as a cast reads them, counts rounded');
UPDATE public.tm_jobs SET state = 'completed', started = '5000000-01-01', total = -5, done = 'Infinity', found = -3, failed = 1e300, "Owner" = '"y"', note = '<b/>';
SELECT sync.sync_progress_flush();
SELECT is((SELECT concat_ws(' ', owner_id, status, total_count, processed_count, detected_count, error_count, started_at, message) FROM sync.sync_sessions WHERE kind = 'mesh' AND source_id = 'tm 1'),
	'"y" completed 0 9007199254740991 0 9007199254740991 infinity <b/>', 'and bent to what a count can be');
SET client_min_messages = error;
UPDATE public.tm_jobs SET "the ""id"" %s" = NULL;
SET client_min_messages = warning;
SELECT sync.sync_progress_flush();
SELECT is((SELECT count(*) FROM sync.sync_sessions WHERE kind = 'mesh'), 0::bigint, 'a row that loses its id loses its session');
DROP TABLE public.tm_jobs;

-- without a status column
CREATE TABLE public.tm_jobs (id integer, owner text, finished_at timestamptz);
INSERT INTO public.tm_jobs VALUES (1, 'tm-o', NULL), (2, 'tm-o', '2026-01-01Z');
SELECT is(sync.sync_progress_track('tm_jobs', 'mesh', '{"id":"id","owner_id":"owner","completed_at":"finished_at"}'), 2::bigint, 'a table without a status');
SELECT is((SELECT string_agg(status, ' ' ORDER BY source_id) FROM sync.sync_sessions WHERE kind = 'mesh'), 'processing completed', 'a row runs until it has ended');
UPDATE public.tm_jobs SET finished_at = '2026-01-02Z' WHERE id = 1;
SELECT sync.sync_progress_flush();
SELECT is((SELECT concat_ws(' ', status, completed_at) FROM sync.sync_sessions WHERE kind = 'mesh' AND source_id = '1'), 'completed 2026-01-02 00:00:00+00', 'then it is completed');
DROP TABLE public.tm_jobs;
DELETE FROM sync.sync_sessions WHERE kind = 'mesh';

-- partitions
CREATE TABLE public.tm_jobs (region text, id bigint, owner text, status text, done bigint) PARTITION BY LIST (region);
CREATE TABLE public.tm_jobs_a PARTITION OF public.tm_jobs FOR VALUES IN ('a');
CREATE TABLE public.tm_jobs_b (done bigint, gone text, status text, owner text, id bigint, region text);
ALTER TABLE public.tm_jobs_b DROP COLUMN gone;
ALTER TABLE public.tm_jobs ATTACH PARTITION public.tm_jobs_b FOR VALUES IN ('b');
INSERT INTO public.tm_jobs VALUES ('a', 1, 'tm-p', 'processing', 1), ('b', 2, 'tm-p', 'processing', 2);
CREATE TEMP VIEW partitioned AS SELECT string_agg(concat_ws(' ', source_id, status, processed_count), ', ' ORDER BY source_id) AS said FROM sync.sync_sessions WHERE kind = 'mesh' AND owner_id = 'tm-p';
SELECT is(sync.sync_progress_track('tm_jobs', 'mesh', '{"id":"id","owner_id":"owner","status":"status","processed_count":"done"}'), 2::bigint, 'a partitioned table');
INSERT INTO public.tm_jobs VALUES ('a', 3, 'tm-p', 'pending', 0);
INSERT INTO public.tm_jobs_b (region, id, owner, status, done) VALUES ('b', 4, 'tm-p', 'pending', 0);
UPDATE public.tm_jobs SET done = done + 10, status = 'processing';
CREATE TABLE public.tm_jobs_c PARTITION OF public.tm_jobs FOR VALUES IN ('c');
INSERT INTO public.tm_jobs VALUES ('c', 5, 'tm-p', 'pending', 7);
SELECT sync.sync_progress_flush();
SELECT is(said, '1 processing 11, 2 processing 12, 3 processing 10, 4 processing 10, 5 pending 7', 'through it or directly, also in partitions made later') FROM partitioned;
UPDATE public.tm_jobs SET region = 'b', done = 99 WHERE id = 1;
DELETE FROM public.tm_jobs WHERE id = 2;
SELECT sync.sync_progress_flush();
SELECT is(said, '1 processing 99, 3 processing 10, 4 processing 10, 5 pending 7', 'a row that moves to another partition stays the same session') FROM partitioned;
SELECT pg_temp.refuses('ALTER TABLE public.tm_jobs RENAME COLUMN done TO processed', '2BP01', 'cannot rename column "done"', 'a column is not renamed through the parent');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_track('tm_jobs_a', 'batch', '{"id":"id","owner_id":"owner"}')$$, '42809', 'it is a partition', 'a partition is not tracked alone');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_untrack('tm_jobs_a')$$, '42704', 'is not tracked', 'nor untracked');
TRUNCATE public.tm_jobs;
SELECT sync.sync_progress_flush();
SELECT is(said, NULL, 'TRUNCATE of all of them') FROM partitioned;
DROP TABLE public.tm_jobs;

-- two tables of two kinds at once
CREATE TABLE public.tm_jobs (id uuid PRIMARY KEY, owner text, status text, progress int);
CREATE TABLE public.tm_parts (id int PRIMARY KEY, owner text, status text, progress int);
SELECT sync.sync_progress_track('tm_jobs', 'mesh', '{"id":"id","owner_id":"owner","status":"status","progress":"progress"}');
SELECT sync.sync_progress_track('tm_parts', 'batch', '{"id":"id","owner_id":"owner","status":"status","progress":"progress"}');
BEGIN;
INSERT INTO public.tm_jobs VALUES ('00000000-0000-4000-8000-000000000001', 'tm-q', 'processing', 1);
INSERT INTO public.tm_parts VALUES (1, 'tm-q', 'processing', 2);
UPDATE public.tm_jobs SET progress = 11;
UPDATE public.tm_parts SET progress = 22;
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is((SELECT string_agg(concat_ws(' ', kind, processed_count), ', ' ORDER BY kind) FROM sync.sync_sessions WHERE owner_id = 'tm-q'), 'batch 22, mesh 11', 'two tables at once');
DROP TABLE public.tm_jobs, public.tm_parts;
DELETE FROM sync.sync_sessions WHERE owner_id LIKE 'tm-%';
SELECT * FROM finish();
