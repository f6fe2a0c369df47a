-- The view and function sync_progress are exact at any moment; tables and
-- snapshots show folded values only; flush folds.
\ir include/helpers.psql
SELECT plan(55);

SELECT sync.sync_session_start('view', title => 'Mail', total_count => 200) AS s \gset
SELECT sync.sync_progress_flush();

BEGIN;
SELECT sync.sync_progress_increment(:s, 5);
SELECT is((SELECT processed_count FROM sync.sync_progress(:s)), 5::bigint, 'a transaction sees its own increments before it commits');
SELECT is((SELECT processed_count FROM sync.sync_progress WHERE session_id = :s), 5::bigint, 'in the view as well');
SELECT is((SELECT processed_count FROM sync.sync_sessions WHERE id = :s), 0::bigint, 'the table has folded values only');
SELECT is((SELECT payload ->> 'processed_count' FROM sync.sync_progress_snapshots(ARRAY['sync:' || :s])), '0', 'a snapshot has folded values only');
SELECT is((SELECT payload ->> 'processed_count' FROM sync.sync_progress_subscribe(ARRAY[format('{"channel":"SyncStatusChannel","session_id":%s}', :s)],
	ARRAY['{"scope":["admin"]}'::jsonb], '{1}')), '0', 'and so has a subscription');
SAVEPOINT a;
SELECT sync.sync_progress_increment(:s, 1000), sync.sync_progress_increment(:s, 4, 'detected'), sync.sync_progress_increment(:s, 1, 'x.y');
SELECT is((SELECT format('%s %s %s', processed_count, detected_count, counters) FROM sync.sync_progress(:s)), '1005 4 {"x.y": 1}', 'in a savepoint too');
ROLLBACK TO a;
SELECT is((SELECT format('%s %s %s', processed_count, detected_count, counters) FROM sync.sync_progress(:s)), '5 0 {}', 'and no more when it is rolled back');
COMMIT;
SELECT is((SELECT processed_count FROM sync.sync_progress(:s)), 5::bigint, 'committed, folded or not: the same');
SELECT sync.sync_progress_flush();
SELECT is((SELECT processed_count FROM sync.sync_sessions WHERE id = :s), 5::bigint, 'after a flush the table has it');
SELECT is((SELECT processed_count FROM sync.sync_progress(:s)), 5::bigint, 'and the view does not count it twice');
SELECT is((SELECT payload ->> 'processed_count' FROM sync.sync_progress_snapshots(ARRAY['sync:' || :s])), '5', 'the snapshot has it');
SELECT is((SELECT version FROM sync.sync_progress_snapshots(ARRAY['sync:' || :s])), (SELECT version FROM sync.sync_sessions WHERE id = :s),
	'at the version of the table');
BEGIN;
SELECT sync.sync_progress_increment(:s, 50);
ROLLBACK;
SELECT is((SELECT processed_count FROM sync.sync_progress(:s)), 5::bigint, 'what is rolled back is not shown');

-- one statement: no snapshot between the increment and the view's is needed
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) >= 0 FROM sync.sync_sessions;
SELECT sync.sync_progress_increment(:s, 7);
SELECT is((SELECT processed_count FROM sync.sync_progress(:s)), 12::bigint, 'REPEATABLE READ sees its own increments');
SELECT sync.sync_progress_set(:s, 100);
SELECT is((SELECT processed_count FROM sync.sync_progress(:s)), 100::bigint, 'and its own absolute values');
ROLLBACK;

-- columns
SELECT sync.sync_progress_increment(:s, 85);
SELECT is((SELECT format('%s|%s|%s|%s|%s|%s', kind, source_id, owner_id, title, status, progress_percentage) FROM sync.sync_progress(:s)),
	format('sync|%s|view|Mail|processing|45', :'s'), 'who, what, how far');
SELECT is((SELECT bar FROM sync.sync_progress(:s)), '▓▓▓▓▓▓▓▓▓░░░░░░░░░░░', 'with a text bar');
SELECT is((SELECT count(*) FROM sync.sync_progress WHERE session_id = :s), 1::bigint, 'one row a session');
SELECT is((SELECT count(*) FROM sync.sync_progress), (SELECT count(*) FROM sync.sync_sessions), 'for every session');
SELECT pg_temp.refuses('SELECT * FROM sync.sync_progress(987654321987)', 'P0002', '987654321987', 'an unknown session is an error');
SELECT pg_temp.refuses('SELECT * FROM sync.sync_progress(NULL)', 'P0002', 'NULL', 'no session is an error');

-- unknown totals
SELECT sync.sync_session_start('view') AS u \gset
SELECT sync.sync_progress_increment(:u, 3);
SELECT is((SELECT total_count FROM sync.sync_progress(:u)), NULL, 'an unknown total stays NULL in the view before the fold');
SELECT sync.sync_progress_flush();
SELECT is((SELECT total_count FROM sync.sync_progress(:u)), NULL, 'and after it');
SELECT is((SELECT progress_percentage FROM sync.sync_progress(:u)), NULL, 'its percentage is NULL');
SELECT is((SELECT bar FROM sync.sync_progress(:u)), repeat('▒', 20), 'its bar is indeterminate');
SELECT is((SELECT time_remaining FROM sync.sync_progress(:u)), NULL, 'its time remaining is NULL');

-- time remaining: NULL until something was processed
SELECT sync.sync_session_start('view', total_count => 100) AS t \gset
SELECT is((SELECT time_remaining FROM sync.sync_progress(:t)), NULL, '[001-12] no time remaining before anything was processed');
SELECT sync.sync_progress_increment(:t, 50);
SELECT sync.sync_progress_flush();
SELECT ok((SELECT time_remaining >= '0' FROM sync.sync_progress(:t)), 'one after that');
SELECT sync.sync_session_complete(:t);
SELECT is((SELECT time_remaining FROM sync.sync_progress(:t)), NULL, 'none when it has ended');

-- percentage
SELECT is(sync.sync_progress_percentage(processed, total, status), expected, format('percentage of %s of %s, %s', processed, total, status))
FROM (VALUES (0::bigint, 1000::bigint, 'processing', 0), (999, 1000, 'processing', 99), (1000, 1000, 'processing', 100), (5, 3, 'processing', 100),
	(-5, 10, 'processing', 0), (1, 3, 'processing', 33), (2, 3, 'completed', 66), (5, NULL, 'completed', NULL), (NULL, 5, 'processing', NULL), (0, 0, 'processing', 0), (7, 0, 'processing', 0),
	(0, 0, 'completed', 100), (9007199254740990, 9007199254740991, 'processing', 99)) AS v (processed, total, status, expected);
SELECT sync.sync_session_start('view', total_count => 0) AS z \gset
SELECT is((SELECT progress_percentage FROM sync.sync_progress(:z)), 0, 'a total of 0 is 0 %');
SELECT sync.sync_session_complete(:z);
SELECT is((SELECT format('%s %s', progress_percentage, bar) FROM sync.sync_progress(:z)), '100 ' || repeat('▓', 20), 'until completed: then 100 %, the bar full');

-- the bar
SELECT is(sync.sync_progress_bar(fraction, width), expected, format('bar of %s, %s wide', coalesce(fraction::text, 'NULL'), width))
FROM (VALUES (0.4::double precision, 20, '▓▓▓▓▓▓▓▓░░░░░░░░░░░░'), (0, 5, '░░░░░'), (1, 5, '▓▓▓▓▓'), (0.999, 5, '▓▓▓▓░'), (-1, 5, '░░░░░'), (2, 5, '▓▓▓▓▓'),
	(NULL, 5, '▒▒▒▒▒'), (0.5, 0, ''), (0.5, -3, '')) AS v (fraction, width, expected);
SELECT is(char_length(sync.sync_progress_bar(0.3)), 20, 'the bar is 20 wide by default');
SELECT is(sync.sync_progress_bar('NaN'), sync.sync_progress_bar('NaN', 20), 'not a number does no harm');

SELECT * FROM finish();
