-- Edits by people: rename, pin, delete; never over somebody else's.
\ir include/helpers.psql
SELECT plan(47);

CREATE FUNCTION pg_temp.row_of(session bigint) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s %s', coalesce(title, 'NULL'), pinned, lock_version) FROM sync.sync_sessions WHERE id = session
$$;
-- a stale edit's DETAIL, as JSON
CREATE FUNCTION pg_temp.stale(statement text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	details text;
BEGIN
	EXECUTE statement;
	RETURN NULL;
EXCEPTION WHEN SQLSTATE 'SP409' THEN
	GET STACKED DIAGNOSTICS details = PG_EXCEPTION_DETAIL;
	RETURN details;
END
$$;

SELECT sync.sync_session_start('edits', title => 'first') AS s \gset
SELECT is(lock_version, 0, '[004-12] a new session has lock_version 0') FROM sync.sync_sessions WHERE id = :s;

-- rename
SELECT is(sync.sync_session_rename(:s, 'second'), 1, '[004-12] rename returns the new lock_version');
SELECT is(pg_temp.row_of(:s), 'second f 1', 'which the row has, with the title');
SELECT is(sync.sync_session_rename(:s, 'third', 1), 2, '[004-12] rename with the expected lock_version is done');
SELECT pg_temp.refuses(format('SELECT sync.sync_session_rename(%s, ''mine'', 1)', :s), 'SP409', 'lock_version is 2, not 1',
	'[004-12] with a stale one it is refused: SP409 and what to do');
SELECT is(pg_temp.row_of(:s), 'third f 2', 'and nothing changed');
SELECT sync.sync_progress_flush();  -- or the fold may come between the two looks
SELECT is(pg_temp.stale(format('SELECT sync.sync_session_rename(%s, ''mine'', 1)', :s)), to_jsonb(r), '[004-12] DETAIL is the current row')
FROM (SELECT id AS session_id, title, pinned, status, owner_id, lock_version, version, updated_at FROM sync.sync_sessions WHERE id = :s) AS r;
SELECT version AS v FROM sync.sync_sessions WHERE id = :s \gset
SELECT is(sync.sync_session_rename(:s, 'third'), 2, 'the title that it has: no step');
SELECT is(version, :v::bigint, 'and no new version') FROM sync.sync_sessions WHERE id = :s;
SELECT pg_temp.refuses(format('SELECT sync.sync_session_rename(%s, ''third'', 1)', :s), 'SP409', 'not 1', 'a stale one is refused even if it would change nothing');
SELECT is(sync.sync_session_rename(:s, ''), 3, 'an empty title');
SELECT is(pg_temp.row_of(:s), 'NULL f 3', 'is none');
SELECT is(sync.sync_session_rename(:s, NULL), 3, 'nor is NULL, so that is no change');
SELECT is(sync.sync_session_rename(:s, repeat('ñ', 500)), 4, 'a title of 500 characters');
SELECT pg_temp.refuses(format('SELECT sync.sync_session_rename(%s, repeat(''ñ'', 501))', :s), '22001', '501', 'one of 501 is refused');
SELECT is(sync.sync_session_rename(:s, E'<script>alert("x")</script>\n\\'), 5, '[000-35] a title may have anything in it');
SELECT is((payload ->> 'title'), E'<script>alert("x")</script>\n\\', '[000-35] which the payload has as JSON text')
FROM sync.sync_progress_snapshots(ARRAY['sync:' || :s]);
SELECT sync.sync_session_rename(:s, 'third');

-- pin
SELECT is(sync.sync_session_pin(:s, true), 7, '[004-03] pin returns the new lock_version');
SELECT is(sync.sync_session_pin(:s, true), 7, 'pinned already: no step');
SELECT is(sync.sync_session_pin(:s, false, 7), 8, 'unpin, as expected');
SELECT is(pg_temp.row_of(:s), 'third f 8', 'it is');
SELECT pg_temp.refuses(format('SELECT sync.sync_session_pin(%s, true, 7)', :s), 'SP409', 'lock_version is 8, not 7', '[004-12] a stale one is refused');
SELECT pg_temp.refuses(format('SELECT sync.sync_session_pin(%s, NULL)', :s), '22004', 'NULL', 'neither pinned nor not is refused');

-- what is not edited
SELECT sync.sync_progress_increment(:s, 5);
SELECT sync.sync_session_pause(:s);
SELECT sync.sync_progress_flush();
SELECT is(lock_version, 8, 'increments, folds and changes of status are no edits') FROM sync.sync_sessions WHERE id = :s;
SELECT sync.sync_session_cancel(:s);
SELECT is(sync.sync_session_rename(:s, 'history'), 9, 'a run that has ended can be renamed');
SELECT is(format('%s %s', status, processed_count), 'cancelled 5', 'and keeps its status and counts') FROM sync.sync_sessions WHERE id = :s;

-- delete
SELECT pg_temp.start_with_accounts('edits') AS d \gset
SELECT pg_temp.refuses(format('SELECT sync.sync_session_delete(%s, 1)', :d), 'SP409', 'lock_version is 0, not 1', '[004-12] a stale delete is refused');
SELECT is(pg_temp.stale(format('SELECT sync.sync_session_delete(%s, 1)', :d)) ->> 'session_id', :'d', 'with the current row in DETAIL');
SELECT lives_ok(format('SELECT sync.sync_session_delete(%s, 0)', :d), '[004-03] a delete as expected is done');
SELECT is((SELECT count(*) FROM sync.sync_sessions WHERE id = :d) + (SELECT count(*) FROM sync.sync_session_accounts WHERE sync_session_id = :d), 0::bigint,
	'with its accounts');
SELECT pg_temp.refuses(format('SELECT sync.sync_progress_increment(%s)', :d), 'P0002', :'d', 'its workers are told at their next increment');

-- no such session
SELECT pg_temp.refuses(format(statement, 987654321987), 'P0002', '987654321987', 'unknown session: ' || statement)
FROM unnest(ARRAY['SELECT sync.sync_session_rename(%s, ''x'')', 'SELECT sync.sync_session_pin(%s, true)', 'SELECT sync.sync_session_delete(%s)']) AS statement;
SELECT pg_temp.refuses(statement, 'P0002', 'NULL', 'no session: ' || statement)
FROM unnest(ARRAY['SELECT sync.sync_session_rename(NULL, ''x'')', 'SELECT sync.sync_session_pin(NULL, true, 1)', 'SELECT sync.sync_session_delete(NULL, 1)']) AS statement;

-- plain SQL, as Rails' optimistic locking writes it
SELECT sync.sync_session_start('edits', title => 'plain') AS p \gset
UPDATE sync.sync_sessions SET title = 'one' WHERE id = :p;
SELECT is(pg_temp.row_of(:p), 'one f 1', '[004-12] UPDATE of the title steps lock_version');
WITH u AS (UPDATE sync.sync_sessions SET pinned = true, lock_version = 2 WHERE id = :p AND lock_version = 1 RETURNING 1) SELECT is(count(*), 1::bigint,
	'[004-12] whoever steps it in the same UPDATE') FROM u;
SELECT is(pg_temp.row_of(:p), 'one t 2', 'finds what was written');
WITH u AS (UPDATE sync.sync_sessions SET pinned = false, lock_version = 2 WHERE id = :p AND lock_version = 1 RETURNING 1) SELECT is(count(*), 0::bigint,
	'[004-12] and with a stale one no row') FROM u;
UPDATE sync.sync_sessions SET title = 'back', lock_version = 0 WHERE id = :p;
SELECT is(pg_temp.row_of(:p), 'back t 3', 'an edit never takes it back');
UPDATE sync.sync_sessions SET message = 'm', result_url = 'u', total_count = 7 WHERE id = :p;
SELECT is(pg_temp.row_of(:p), 'back t 3', 'what is no edit leaves it');
UPDATE sync.sync_sessions SET title = 'last', pinned = false, lock_version = 2147483647 WHERE id = :p;
UPDATE sync.sync_sessions SET title = 'still possible' WHERE id = :p;
SELECT is(pg_temp.row_of(:p), 'still possible f 2147483647', 'at its end it stays there');

-- EXECUTE is enough
DROP ROLE IF EXISTS sync_test_editor;
CREATE ROLE sync_test_editor;
GRANT USAGE ON SCHEMA sync TO sync_test_editor;
GRANT EXECUTE ON FUNCTION sync.sync_session_rename, sync.sync_session_pin, sync.sync_session_delete TO sync_test_editor;
SELECT sync.sync_session_start('edits') AS r \gset
SET ROLE sync_test_editor;
SELECT is(sync.sync_session_rename(:r, 'x'), 1, 'EXECUTE is enough to rename');
SELECT is(sync.sync_session_pin(:r, true), 2, 'to pin');
SELECT lives_ok(format('SELECT sync.sync_session_delete(%s)', :r), 'and to delete');
RESET ROLE;
DROP OWNED BY sync_test_editor;
DROP ROLE sync_test_editor;

SELECT * FROM finish();
