-- What a statement leaves for the lists of sessions: looked at in the ledger,
-- before the commit.  How it is told is test/cluster/t/012_events.pl's.
\ir include/helpers.psql
SELECT plan(39);

DO $$
BEGIN
	EXECUTE 'CREATE TEMP VIEW ledger AS ' ||
		(SELECT string_agg(format('SELECT xmin, * FROM sync.sync_progress_ledger_%s', n), ' UNION ALL ') FROM generate_series(0, 15) AS n);
END
$$;
-- what this transaction and its savepoints have left
CREATE TEMP VIEW own AS SELECT session_id, op, amount, stamp, label FROM ledger WHERE xmin::text::bigint >= pg_current_xact_id()::xid::text::bigint;
CREATE TEMP VIEW events AS
	SELECT session_id, amount, stamp, split_part(label, E'\n', 1) AS type,
		substr(label, strpos(label, E'\n') + 1, length(label) - strpos(label, E'\n') - strpos(reverse(label), E'\n')) AS owner,
		reverse(split_part(reverse(label), E'\n', 1))::jsonb AS data
	FROM own WHERE op = 'E';
-- "renamed alice T", in the order of telling; of two at once either may be first
CREATE TEMP VIEW told AS
	SELECT coalesce(string_agg(concat_ws(' ', regexp_replace(type, '^session_', ''), owner, data ->> 'title', data ->> 'count'), ', ' ORDER BY stamp, type DESC), '') AS told
	FROM events;

-- one of each
BEGIN;
SELECT sync.sync_session_start('ev', title => 'T') AS s \gset
SELECT told FROM told \gset
SELECT data, session_id, amount, stamp FROM events \gset
SELECT to_jsonb(r) AS facts FROM (SELECT id AS session_id, job_id, kind, source_id, title, pinned, status, lock_version, version FROM sync.sync_sessions WHERE id = :s) AS r \gset
COMMIT;
SELECT is(:'told'::text, 'created ev T', '[004-03] a session that is started');
SELECT is(:'data'::jsonb, :'facts'::jsonb, '[004-11] with what lists show of it');
SELECT is(:session_id, :s, 'its row names the session');
SELECT is(:amount::text, (:'facts'::jsonb ->> 'version'), 'and the version that the session''s row has');
SELECT cmp_ok(:stamp::bigint, '>=', :amount::bigint, 'after which it is told');

BEGIN;
UPDATE sync.sync_sessions SET title = 'U' WHERE id = :s;
SELECT told FROM told \gset
SELECT stamp, amount FROM events \gset
SELECT version FROM sync.sync_sessions WHERE id = :s \gset
ROLLBACK;
SELECT is(:'told'::text, 'renamed ev U', '[004-03] another title');
SELECT is(ARRAY[:stamp, :amount]::bigint[], ARRAY[:version, :version]::bigint[], 'is told in the order of the row''s versions');

BEGIN;
UPDATE sync.sync_sessions SET pinned = true WHERE id = :s;
SELECT told FROM told \gset
SELECT data FROM events \gset
ROLLBACK;
SELECT is(:'told' || (:'data'::jsonb ->> 'pinned') || (:'data'::jsonb ->> 'lock_version'), 'pinned ev Ttrue1', '[004-03] pinned, with the new lock_version');

BEGIN;
UPDATE sync.sync_sessions SET pinned = true, title = NULL WHERE id = :s;
SELECT told FROM told \gset
ROLLBACK;
SELECT is(:'told'::text, 'renamed ev, pinned ev', 'both at once are both');

BEGIN;
UPDATE sync.sync_sessions SET title = title, pinned = pinned, message = 'm', total_count = 5, status = 'paused', result_url = 'u' WHERE id = :s;
SELECT sync.sync_progress_increment(:s, 3);
SELECT told FROM told \gset
ROLLBACK;
SELECT is(:'told'::text, '', 'what lists do not follow is no event');

BEGIN;
UPDATE sync.sync_sessions SET owner_id = 'ew', title = 'V' WHERE id = :s;
SELECT told FROM told \gset
SELECT label FROM own WHERE op = 'X' \gset
ROLLBACK;
SELECT is(:'told'::text, 'deleted ev T, created ew V', '[004-07] another owner: gone from one''s list, new in the other''s');
SELECT is(:'label', 'sync:' || :s, 'and who watches is asked again');

BEGIN;
SELECT max(id) + 1000 AS id FROM sync.sync_sessions \gset
UPDATE sync.sync_sessions SET id = :id WHERE id = :s;
SELECT string_agg(type || ' ' || session_id, ', ' ORDER BY stamp, type DESC) AS told FROM events \gset
ROLLBACK;
SELECT is(:'told', format('session_deleted %s, session_created %s', :s, :id), 'another id is another session');

BEGIN;
DELETE FROM sync.sync_sessions WHERE id = :s;
SELECT told FROM told \gset
SELECT amount FROM events \gset
ROLLBACK;
SELECT is(:'told'::text, 'deleted ev T', '[004-03] a session that is deleted');
SELECT cmp_ok(:amount::bigint, '>', (:'facts'::jsonb ->> 'version')::bigint, 'at a newer version than it had');

BEGIN;
SELECT sync.sync_session_rename(:s, 'W');
SELECT sync.sync_session_rename(:s, 'W');
SELECT sync.sync_session_pin(:s, true);
SELECT sync.sync_session_pin(:s, true);
SELECT sync.sync_session_delete(:s);
SELECT told FROM told \gset
ROLLBACK;
SELECT is(:'told'::text, 'renamed ev W, pinned ev W, deleted ev W', 'the functions leave the same, and nothing where nothing changes');

BEGIN;
SAVEPOINT x;
SELECT sync.sync_session_rename(:s, 'never');
ROLLBACK TO x;
SELECT sync.sync_session_pin(:s, true);
SELECT told FROM told \gset
ROLLBACK;
SELECT is(:'told'::text, 'pinned ev T', 'an edit rolled back to a savepoint leaves nothing');

BEGIN;
INSERT INTO sync.sync_sessions (id, owner_id, title) VALUES (:s, 'ev', 'x') ON CONFLICT (id) DO UPDATE SET title = 'upserted';
SELECT told FROM told \gset
ROLLBACK;
SELECT is(:'told'::text, 'renamed ev upserted', 'INSERT ON CONFLICT UPDATE is an UPDATE');

-- what is in a title, an owner, a source stays text
BEGIN;
INSERT INTO sync.sync_sessions (owner_id, title, source_id) VALUES (E'o\n"w\\ner', E'</script>"\\\n\t\u0001é✓', E'a"\n');
SELECT data, owner FROM events \gset
ROLLBACK;
SELECT is(:'data'::jsonb ->> 'title', E'</script>"\\\n\t\u0001é✓', '[000-35] a title is escaped as JSON text');
SELECT is(:'data'::jsonb ->> 'source_id', E'a"\n', '[000-35] so is a source');
SELECT is(:'owner'::text, E'o\n"w\\ner', '[000-35] an owner may have line breaks');

BEGIN;
UPDATE sync.sync_sessions SET title = repeat('✓', 480) WHERE id = :s;
SELECT max(length(data ->> 'title')) AS fits FROM events \gset
UPDATE sync.sync_sessions SET title = repeat('✓', 481) WHERE id = :s;
SELECT count(*) FILTER (WHERE NOT data ? 'title') AS leaves_out FROM events \gset
UPDATE sync.sync_sessions SET title = repeat('x', 1000000) WHERE id = :s;
SELECT count(*) FILTER (WHERE NOT data ? 'title') AS leaves_out_two FROM events \gset
ROLLBACK;
SELECT is(:fits, 480, 'a title of 480 characters is told');
SELECT is(format('%s %s', :leaves_out, :leaves_out_two), '1 2', 'a longer one is left out');

BEGIN;
INSERT INTO sync.sync_sessions (owner_id, title, source_id) VALUES (repeat(E'\u0001', 200), repeat(E'\u0001', 480), repeat(E'\u0001', 200));
SELECT count(*) FROM events \gset
ROLLBACK;
SELECT is(:count, 1, 'the longest row that there can be has room');

-- many at once
BEGIN;
INSERT INTO sync.sync_sessions (owner_id, title) SELECT 'ten', 't' FROM generate_series(1, 10);
SELECT format('%s %s', count(*), min(type)) AS ten FROM events \gset
SELECT count(*) AS touches FROM own WHERE op = 'x' \gset
ROLLBACK;
SELECT is(:'ten'::text, '10 session_created', 'ten new sessions in a statement are ten events');
SELECT is(:touches, 10, 'and each is told');

BEGIN;
INSERT INTO sync.sync_sessions (owner_id, title) SELECT 'eleven', 't' FROM generate_series(1, 11);
SELECT told FROM told \gset
SELECT session_id FROM events \gset
SELECT count(*) AS touches FROM own WHERE op = 'x' \gset
ROLLBACK;
SELECT is(:'told'::text, 'sessions_reloaded eleven 11', '[004-03] eleven are one: read the list again');
SELECT is(:session_id, 0, 'of no session');
SELECT is(:touches, 0, 'and none is told by itself: nobody can watch it yet');

BEGIN;
INSERT INTO sync.sync_sessions (owner_id, source_id, status) VALUES ('old', 'taken', 'completed');
SELECT count(*) AS before FROM own WHERE op = 'x' \gset
INSERT INTO sync.sync_sessions (owner_id, source_id) SELECT 'new', 'n' || n FROM generate_series(1, 20) AS n UNION ALL VALUES ('new', 'taken');
SELECT format('%s %s', count(*) FILTER (WHERE op = 'x') - :before, string_agg(label, ' ') FILTER (WHERE op = 'X')) AS ops FROM own \gset
ROLLBACK;
SELECT is(:'ops'::text, '1 sync:taken', 'but the one that others watch already');

BEGIN;
INSERT INTO sync.sync_sessions (owner_id, title) SELECT CASE WHEN n % 10 = 0 THEN 'few' ELSE 'many' END, 't' || n FROM generate_series(1, 20) AS n;
SELECT told FROM told \gset
UPDATE sync.sync_sessions SET title = 'all' WHERE owner_id = 'many';
SELECT count(*) AS reloaded FROM events WHERE type = 'sessions_reloaded' \gset
SELECT count(*) AS touches FROM own WHERE op = 'x' \gset
SELECT max(stamp) AS updated FROM events \gset
DELETE FROM sync.sync_sessions WHERE owner_id IN ('few', 'many');
SELECT string_agg(concat_ws(' ', type, owner, data ->> 'title', data ->> 'count'), ', ' ORDER BY owner, stamp) AS deleted FROM events WHERE stamp > :updated \gset
ROLLBACK;
SELECT is(:'told'::text, 'created few t10, created few t20, sessions_reloaded many 18', 'each owner is counted alone');
SELECT is(:reloaded, 2, 'an UPDATE of many titles is one more');
SELECT is(:touches, 18, 'and their watchers are told each');
SELECT is(:'deleted'::text, 'session_deleted few t10, session_deleted few t20, sessions_reloaded many 18', 'so is a DELETE of many');

BEGIN;
COPY sync.sync_sessions (owner_id, title) FROM STDIN;
copy	a
copy	b
\.
SELECT told FROM told \gset
ROLLBACK;
SELECT is(:'told'::text, 'created copy a, created copy b', 'COPY leaves the same');

BEGIN;
TRUNCATE sync.sync_sessions CASCADE;
SELECT data FROM events WHERE owner = 'ev' \gset
SELECT count(DISTINCT owner) = count(*) AS once, bool_and(type = 'sessions_reloaded') AS reloaded FROM events \gset
ROLLBACK;
SELECT is(:'data'::jsonb, (SELECT jsonb_build_object('count', count(*)) FROM sync.sync_sessions WHERE owner_id = 'ev'), 'TRUNCATE: how many are gone');
SELECT is(:'once' || :'reloaded', 'tt', 'once for each owner');

-- any role with rights on the table, and no other
DROP ROLE IF EXISTS sync_test_sql;
CREATE ROLE sync_test_sql;
GRANT USAGE ON SCHEMA sync TO sync_test_sql;
GRANT INSERT, TRUNCATE ON sync.sync_sessions, sync.sync_session_accounts TO sync_test_sql;
BEGIN;
SET LOCAL ROLE sync_test_sql;
INSERT INTO sync.sync_sessions (owner_id, title) VALUES ('role', 'r');
RESET ROLE;
SELECT told FROM told \gset
SET LOCAL ROLE sync_test_sql;
TRUNCATE sync.sync_sessions, sync.sync_session_accounts;
RESET ROLE;
SELECT count(*) AS reloaded FROM events WHERE owner = 'role' AND type = 'sessions_reloaded' \gset
ROLLBACK;
SELECT is(:'told'::text, 'created role r', 'a role that may INSERT, and nothing else');
SELECT is(:reloaded, 1, 'one that may TRUNCATE, and not read');
DROP OWNED BY sync_test_sql;
DROP ROLE sync_test_sql;

SELECT * FROM finish();
