-- Live mode refuses and does the same as the other: the same tests.
SET sync_progress.mode = live;
\ir counters.sql
