-- Counters of one session stay within 2 kB.
\ir include/helpers.psql
SELECT plan(3);

SELECT sync.sync_session_start('counters-size') AS s \gset
SELECT sync.sync_progress_increment(:s, 1, 'keep');
SELECT sync.sync_progress_flush();
SELECT count(sync.sync_progress_increment(:s, 1, rpad('n' || n || '_', 63, 'x'))) FROM generate_series(1, 60) AS n;
SELECT sync.sync_progress_flush();
SELECT cmp_ok(octet_length(counters::text), '<=', 2048, 'sixty names of 63 characters do not pass 2 kB') FROM sync.sync_sessions WHERE id = :s;
SELECT is(counters -> 'keep', '1', 'what was there before stays') FROM sync.sync_sessions WHERE id = :s;
SELECT sync.sync_progress_increment(:s, 4, 'keep');
SELECT sync.sync_progress_flush();
SELECT is(counters -> 'keep', '5', 'and goes on counting') FROM sync.sync_sessions WHERE id = :s;

SELECT * FROM finish();
