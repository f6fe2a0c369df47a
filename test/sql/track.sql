-- An application's own tables, as Rails makes them, drive sessions and their
-- accounts: sync_progress_track() and what follows.
\ir include/helpers.psql
SELECT plan(54);

DROP TABLE IF EXISTS public.sync_session_accounts, public.sync_sessions, public.users;
DELETE FROM sync.sync_sessions WHERE kind = 'railssync';
DELETE FROM sync.sync_kinds WHERE kind = 'railssync';
INSERT INTO sync.sync_kinds (kind, channel, param, payload_function, authorize_function)
SELECT 'railssync', 'RailsSyncChannel', 'session_id', payload_function, authorize_function FROM sync.sync_kinds WHERE kind = 'sync';

CREATE TABLE public.sync_sessions (
	id bigserial PRIMARY KEY, user_id bigint NOT NULL, status integer NOT NULL DEFAULT 0,
	total_emails integer DEFAULT 0, processed_emails integer DEFAULT 0, detected_expenses integer DEFAULT 0, errors_count integer DEFAULT 0,
	error_message text, started_at timestamp, completed_at timestamp,
	created_at timestamp NOT NULL DEFAULT now(), updated_at timestamp NOT NULL DEFAULT now(), lock_version integer DEFAULT 0);
CREATE TABLE public.sync_session_accounts (
	id bigserial PRIMARY KEY, sync_session_id bigint NOT NULL REFERENCES public.sync_sessions ON DELETE CASCADE,
	bank_name varchar, email varchar, status varchar DEFAULT 'pending', total_emails integer DEFAULT 0, processed_emails integer DEFAULT 0, error_message text);

-- rows that there are
SET TimeZone = 'UTC';
INSERT INTO public.sync_sessions (id, user_id, status, total_emails, processed_emails, detected_expenses, errors_count, started_at, completed_at, created_at)
VALUES (101, 7, 1, 1000, 450, 31, 2, '2026-01-01 10:00', NULL, '2026-01-01 09:00'), (102, 8, 2, 10, 10, 1, 0, '2026-01-02 10:00', '2026-01-02 11:00', '2026-01-02 09:59');
INSERT INTO public.sync_session_accounts (sync_session_id, bank_name, email, status, total_emails, processed_emails, error_message)
VALUES (101, 'BAC San José', 'a@example.com', 'completed', 150, 150, NULL), (101, 'Scotia Bank', 'b@example.com', 'processing', 650, 300, NULL), (101, 'Promerica', NULL, 'failed', 200, 0, 'no login');
SELECT setval('public.sync_sessions_id_seq', 2000);

SELECT is(sync.sync_progress_track('public.sync_sessions', 'railssync', '{"id":"id","owner_id":"user_id","status":"status",
	"total_count":"total_emails","processed_count":"processed_emails","detected_count":"detected_expenses","error_count":"errors_count",
	"error_message":"error_message","started_at":"started_at","completed_at":"completed_at","created_at":"created_at",
	"status_map":{"0":"pending","1":"processing","2":"completed","3":"failed","4":"cancelled","5":"paused"}}'), 2::bigint, 'each row that there is becomes a session');
SELECT is(sync.sync_progress_track('public.sync_session_accounts', 'railssync', '{"session_id":"sync_session_id","id":"id","name":"bank_name","email":"email",
	"status":"status","total_count":"total_emails","processed_count":"processed_emails","error_message":"error_message"}'), 3::bigint, 'and each part of one an account');

CREATE TEMP VIEW mine AS SELECT s.*, s.id AS session FROM sync.sync_sessions AS s WHERE s.kind = 'railssync';
CREATE FUNCTION pg_temp.said(source text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', owner_id, status, processed_count || '/' || coalesce(total_count::text, '?'), detected_count, error_count) FROM mine WHERE source_id = source ORDER BY id DESC LIMIT 1
$$;
CREATE FUNCTION pg_temp.parts(source text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', a.name, a.email, a.status, a.processed_count || '/' || coalesce(a.total_count::text, '?'), a.error_message), ', ' ORDER BY a.id)
	FROM sync.sync_session_accounts AS a JOIN mine AS s ON a.sync_session_id = s.id WHERE s.source_id = source
$$;
SELECT is(pg_temp.said('101'), '7 processing 450/1000 31 2', '[000-13] with the row''s owner, status and counts');
SELECT is(pg_temp.said('102'), '8 completed 10/10 1 0', 'also one that has ended');
SELECT is((SELECT concat_ws(' | ', created_at, started_at, completed_at) FROM mine WHERE source_id = '102'),
	'2026-01-02 09:59:00+00 | 2026-01-02 10:00:00+00 | 2026-01-02 11:00:00+00', '[000-13] and its times');
SELECT is(pg_temp.parts('101'), 'BAC San José a@example.com completed 150/150, Scotia Bank b@example.com processing 300/650, Promerica failed 0/200 no login', '[000-14] [000-15] accounts with names, states and errors');

-- what the application does from then on
INSERT INTO public.sync_sessions (user_id, total_emails) VALUES (9, 300) RETURNING id AS r \gset
SELECT is(pg_temp.said(:'r'), '9 pending 0/300 0 0', 'a new row is a session at once');
SELECT sync.sync_progress_session('railssync', :'r') AS s \gset
SELECT is(:s::bigint, (SELECT id FROM mine WHERE source_id = :'r'), 'sync_progress_session() finds it by the application''s id');
SELECT is(sync.sync_progress_increment(sync.sync_progress_session('railssync', :'r'), 0), 'pending', 'so increments reach it');
INSERT INTO public.sync_session_accounts (sync_session_id, bank_name, email, total_emails) VALUES (:r, 'Inbox', 'x@example.com', 200), (:r, NULL, 'y@example.com', 100);
SELECT is(pg_temp.parts(:'r'), 'Inbox x@example.com pending 0/200, y@example.com y@example.com pending 0/100', 'new parts are accounts; one without a name goes by its address');

BEGIN;
UPDATE public.sync_sessions SET status = 1, started_at = '2026-02-01 12:00', processed_emails = 100, detected_expenses = 7 WHERE id = :r;
SELECT is((SELECT concat_ws(' ', status, processed_count, total_count, detected_count, bar IS NOT NULL) FROM sync.sync_progress(:s)), 'processing 100 300 7 t', 'a changed row is seen in the exact view before the commit');
SELECT is(pg_temp.said(:'r'), '9 pending 0/300 0 0', '[000-25] and touches no session');
SELECT is((SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'sync.sync_sessions'::regclass AND mode NOT IN ('AccessShareLock')), 0::bigint, 'nor does it lock the table for more than reading');
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said(:'r'), '9 processing 100/300 7 0', 'the worker does, soon after');
SELECT is((SELECT started_at FROM mine WHERE id = :s), '2026-02-01 12:00:00+00'::timestamptz, 'with the time that it started');

-- [001-11] the job's batches, and increments of the extension between
UPDATE public.sync_sessions SET processed_emails = processed_emails + 100 WHERE id = :r;
SELECT sync.sync_progress_increment(:s, 5);
SELECT sync.sync_progress_increment(:s, 3, 'detected');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said(:'r'), '9 processing 205/300 10 0', '[001-11] increments add to what the table says');
UPDATE public.sync_sessions SET processed_emails = 250 WHERE id = :r;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said(:'r'), '9 processing 250/300 10 0', 'until it says something else; another count is left alone');
SELECT version AS before FROM mine WHERE id = :s \gset
UPDATE public.sync_sessions SET updated_at = now(), lock_version = lock_version + 1 WHERE id = :r;
SELECT sync.sync_progress_flush();
SELECT is((SELECT version FROM mine WHERE id = :s), :before::bigint, 'a change of other columns is none');
-- [000-30] update_all
UPDATE public.sync_session_accounts SET processed_emails = total_emails, status = 'completed' WHERE sync_session_id = :r;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.parts(:'r'), 'Inbox x@example.com completed 200/200, y@example.com y@example.com completed 100/100', '[000-30] many parts at once');
SELECT is(pg_temp.said(:'r'), '9 processing 250/300 10 0', 'a part''s counts are its own: the session''s are in its own table');
UPDATE public.sync_session_accounts SET processed_emails = 50, status = 'processing' WHERE sync_session_id = :r AND bank_name = 'Inbox';
UPDATE public.sync_session_accounts SET status = 'failed', error_message = 'quota', bank_name = 'Second' WHERE sync_session_id = :r AND bank_name IS NULL;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.parts(:'r'), 'Inbox x@example.com processing 50/200, Second y@example.com failed 100/100 quota', '[000-06] the table is the truth, also where a part goes back');
UPDATE public.sync_session_accounts SET processed_emails = 200 WHERE sync_session_id = :r AND bank_name = 'Inbox';
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.parts(:'r'), 'Inbox x@example.com processing 200/200, Second y@example.com failed 100/100 quota', 'one at its total completes when the table says so');
UPDATE public.sync_sessions SET total_emails = NULL, errors_count = NULL WHERE id = :r;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said(:'r'), '9 processing 250/? 10 0', 'no total: unknown; no count: 0');

-- a pause by people stays until the table says another status
SELECT sync.sync_session_pause(:s);
UPDATE public.sync_sessions SET processed_emails = 260, total_emails = 300 WHERE id = :r;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said(:'r'), '9 paused 260/300 10 0', 'counts of the table do not undo a pause');
UPDATE public.sync_sessions SET status = 2, completed_at = '2026-02-01 13:00', processed_emails = 300 WHERE id = :r;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said(:'r') || ' ' || (SELECT completed_at FROM mine WHERE id = :s), '9 completed 300/300 10 0 2026-02-01 13:00:00+00', 'its status does');
UPDATE public.sync_sessions SET status = 1, completed_at = NULL, processed_emails = 10 WHERE id = :r;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said(:'r') || ' ' || coalesce((SELECT completed_at::text FROM mine WHERE id = :s), 'open'), '9 processing 10/300 10 0 open', 'a row that begins again goes on in the same session');
UPDATE public.sync_sessions SET status = 3, error_message = 'server gone', user_id = 10 WHERE id = :r;
SELECT sync.sync_progress_flush();
SELECT is((SELECT concat_ws(' ', owner_id, status, error_message, completed_at IS NOT NULL) FROM mine WHERE id = :s), '10 failed server gone t', '[000-06] an error, and another owner');

-- transactions
BEGIN;
INSERT INTO public.sync_sessions (id, user_id) VALUES (301, 1);
SELECT sync.sync_progress_increment(sync.sync_progress_session('railssync', '301'), 4);
SAVEPOINT a;
UPDATE public.sync_sessions SET processed_emails = 99, status = 2 WHERE id = 301;
ROLLBACK TO a;
UPDATE public.sync_sessions SET detected_expenses = 6 WHERE id = 301;
COMMIT;
BEGIN;
INSERT INTO public.sync_sessions (id, user_id) VALUES (302, 1);
UPDATE public.sync_sessions SET processed_emails = 99 WHERE id = 301;
ROLLBACK;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said('301'), '1 processing 4/0 6 0', 'what is rolled back, by savepoint or whole, was never said');
SELECT is(pg_temp.said('302'), NULL, 'nor made');
BEGIN ISOLATION LEVEL SERIALIZABLE;
UPDATE public.sync_sessions SET processed_emails = 11 WHERE id = 301;
INSERT INTO public.sync_sessions (id, user_id) VALUES (303, 1);
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said('301') || ', ' || pg_temp.said('303'), '1 processing 11/0 6 0, 1 pending 0/0 0 0', 'in SERIALIZABLE too');

UPDATE public.sync_sessions SET processed_emails = 1 WHERE id = 303;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said('303'), '1 pending 1/0 0 0', 'a row that is pending is, whatever it counts');

-- rows go
SELECT sync.sync_progress_session('railssync', '301') AS gone \gset
DELETE FROM public.sync_sessions WHERE id = 301;
SELECT is((SELECT count(*) FROM sync.sync_progress WHERE session_id = :gone), 0::bigint, 'a deleted row''s session is gone from the view');
SELECT sync.sync_progress_flush();
SELECT is((SELECT count(*) FROM mine WHERE id = :gone), 0::bigint, 'and from the table when the worker has seen it');
DELETE FROM public.sync_sessions WHERE id = 101;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said('101'), NULL, 'its parts with it');
DELETE FROM public.sync_session_accounts WHERE sync_session_id = :r AND bank_name = 'Inbox';
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.parts(:'r'), 'Second y@example.com failed 100/100 quota', 'a part goes alone');

-- the same id again
BEGIN;
DELETE FROM public.sync_sessions WHERE id = 303;
INSERT INTO public.sync_sessions (id, user_id, processed_emails, status) VALUES (303, 2, 5, 1);
COMMIT;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said('303'), '2 processing 5/0 0 0', 'a row that is deleted and made again at once keeps its session');
UPDATE public.sync_sessions SET status = 2 WHERE id = 303;
SELECT sync.sync_progress_flush();
SELECT sync.sync_progress_session('railssync', '303') AS first \gset
BEGIN;
DELETE FROM public.sync_sessions WHERE id = 303;
INSERT INTO public.sync_sessions (id, user_id, processed_emails, status) VALUES (303, 2, 1, 1);
COMMIT;
SELECT sync.sync_progress_flush();
SELECT cmp_ok(sync.sync_progress_session('railssync', '303'), '>', :first::bigint, 'after an end a new row is a new run');
SELECT is(pg_temp.said('303'), '2 processing 1/0 0 0', 'with its own counts');
UPDATE public.sync_sessions SET id = 304 WHERE id = 303;
SELECT sync.sync_progress_flush();
SELECT is(coalesce(pg_temp.said('303'), 'none') || ', ' || pg_temp.said('304'), 'none, 2 processing 1/0 0 0', 'under another id it is another');

-- loads
INSERT INTO public.sync_sessions (user_id, status, total_emails) SELECT 55, 1, n FROM generate_series(1, 1000) AS n;
SELECT is((SELECT count(*) || ' ' || sum(total_count) FROM mine WHERE owner_id = '55'), '1000 500500', 'a bulk load makes a session of each row');
COPY public.sync_sessions (id, user_id, status) FROM stdin;
5001	56	1
5002	56	0
\.
SELECT is(pg_temp.said('5001') || ', ' || pg_temp.said('5002'), '56 processing 0/0 0 0, 56 pending 0/0 0 0', 'COPY too');
INSERT INTO public.sync_sessions (id, user_id, status) VALUES (5002, 56, 1), (5003, 57, 1) ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said('5002') || ', ' || pg_temp.said('5003'), '56 processing 0/0 0 0, 57 processing 0/0 0 0', 'INSERT ... ON CONFLICT DO UPDATE too');
UPDATE public.sync_sessions SET processed_emails = total_emails WHERE user_id = 55;
SELECT sync.sync_progress_flush();
SELECT is((SELECT sum(processed_count) FROM mine WHERE owner_id = '55'), 500500::numeric, 'an update of all of them reaches each');

-- a status that nobody knows
SET client_min_messages = error;
UPDATE public.sync_sessions SET status = 77, processed_emails = 9 WHERE id = 5003;
SET client_min_messages = warning;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said('5003'), '57 processing 9/0 0 0', 'an unknown status fails nothing and changes no status');

-- roles that have no right to anything of the extension's
DO $$ BEGIN CREATE ROLE track_app; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
GRANT ALL ON public.sync_sessions, public.sync_session_accounts TO track_app;
GRANT USAGE ON SEQUENCE public.sync_sessions_id_seq, public.sync_session_accounts_id_seq TO track_app;
SET ROLE track_app;
INSERT INTO public.sync_sessions (id, user_id, status) VALUES (6001, 60, 1), (6002, 60, 1);
INSERT INTO public.sync_session_accounts (sync_session_id, bank_name) VALUES (6001, 'B');
UPDATE public.sync_sessions SET processed_emails = 3 WHERE id = 6001;
DELETE FROM public.sync_sessions WHERE id = 6002;
SELECT throws_ok('SELECT count(*) FROM sync.sync_sessions', '42501', NULL, 'a role without rights in the schema');
RESET ROLE;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said('6001') || ' ' || coalesce(pg_temp.said('6002'), 'none'), '60 processing 3/0 0 0 none', 'drives sessions nevertheless');
SELECT is(pg_temp.parts('6001'), 'B pending 0/0', 'and their parts');

-- the sessions stay
SELECT lives_ok($$SELECT sync.sync_progress_untrack('public.sync_session_accounts')$$, 'a table is tracked no more');
SELECT lives_ok($$SELECT sync.sync_progress_untrack('public.sync_sessions')$$, 'nor is the other');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('public.sync_sessions'::regclass, 'public.sync_session_accounts'::regclass) AND NOT tgisinternal), 0::bigint, 'nothing is left on them');
UPDATE public.sync_sessions SET processed_emails = 4, status = 2 WHERE id = 6001;
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said('6001'), '60 processing 3/0 0 0', 'sessions stay as they are');
SELECT is(sync.sync_progress_track('public.sync_sessions', 'railssync', '{"id":"id","owner_id":"user_id","status":"status","processed_count":"processed_emails",
	"status_map":{"0":"pending","1":"processing","2":"completed","3":"failed","77":"paused"}}'), 0::bigint, 'tracked again, no row gets a second one');
SELECT sync.sync_progress_flush();
SELECT is(pg_temp.said('6001') || ', ' || pg_temp.said('5003'), '60 completed 4/0 0 0, 57 paused 9/0 0 0', 'and each says what it has become');

TRUNCATE public.sync_sessions CASCADE;
SELECT sync.sync_progress_flush();
SELECT is((SELECT count(*) FROM mine), 0::bigint, 'TRUNCATE takes all of them');
DROP TABLE public.sync_session_accounts, public.sync_sessions;
DELETE FROM sync.sync_kinds WHERE kind = 'railssync';
SELECT * FROM finish();
