-- Disconnecting an owner: looked at in the ledger, before the commit.  What is
-- told is test/cluster/t/012_events.pl's, what a bridge does test/bridge's.
\ir include/helpers.psql
SELECT plan(16);

DO $$
BEGIN
	EXECUTE 'CREATE TEMP VIEW ledger AS ' ||
		(SELECT string_agg(format('SELECT xmin, * FROM sync.sync_progress_ledger_%s', n), ' UNION ALL ') FROM generate_series(0, 15) AS n);
END
$$;
CREATE TEMP VIEW own AS SELECT session_id, op, amount, stamp, label FROM ledger WHERE xmin::text::bigint >= pg_current_xact_id()::xid::text::bigint;

BEGIN;
SELECT sync.sync_progress_disconnect('alice');
SELECT count(*) AS n FROM own \gset
SELECT * FROM own \gset
SELECT floor(extract(epoch FROM now()) * 1000000) AS began \gset
ROLLBACK;
SELECT is(:n, 1, 'one message');
SELECT is(:'op' || :'label'::text, E'Edisconnect\nalice\n{"reconnect":true}', 'that names the owner, and lets come back');
SELECT cmp_ok(:amount::bigint, '>=', :began::bigint, 'its version is a time');
SELECT is(:amount::bigint, :stamp::bigint, 'by which it is told');
SELECT is((SELECT count(*) FROM ledger WHERE label LIKE '%alice%{"reconnect"%'), 0::bigint, 'rolled back with its transaction');

BEGIN;
SELECT sync.sync_progress_disconnect(E'o"\'\\\n{"reconnect":true}', reconnect => false);
SELECT label FROM own \gset
ROLLBACK;
SELECT is(:'label'::text, E'disconnect\no"\'\\\n{"reconnect":true}\n{"reconnect":false}', 'for good, and whatever the owner is called');

-- bad input
SELECT pg_temp.refuses('SELECT sync.sync_progress_disconnect(NULL)', '22004', 'owner_id must not be empty', 'nobody');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_disconnect('')$$, '22004', 'owner_id must not be empty', 'an empty name');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_disconnect(repeat('x', 201))$$, '22001', '200 characters', 'a name that no owner has');
SELECT pg_temp.refuses($$SELECT sync.sync_progress_disconnect('x', NULL)$$, '22004', 'reconnect must not be null', 'not saying what then');
SELECT lives_ok($$SELECT sync.sync_progress_disconnect(repeat('✓', 200))$$, 'the longest name');
SET default_transaction_read_only = on;
SELECT throws_ok($$SELECT sync.sync_progress_disconnect('x')$$, '25006', NULL, 'a transaction that may not write');
RESET default_transaction_read_only;

-- rights
DROP ROLE IF EXISTS sync_test_admin;
CREATE ROLE sync_test_admin;
GRANT USAGE ON SCHEMA sync TO sync_test_admin;
SET ROLE sync_test_admin;
SELECT throws_ok($$SELECT sync.sync_progress_disconnect('x')$$, '42501', NULL, 'nobody may without being granted it');
RESET ROLE;
GRANT EXECUTE ON FUNCTION sync.sync_progress_disconnect TO sync_test_admin;
SET ROLE sync_test_admin;
SELECT lives_ok($$SELECT sync.sync_progress_disconnect('x')$$, 'EXECUTE is enough');
RESET ROLE;
DROP OWNED BY sync_test_admin;
DROP ROLE sync_test_admin;

-- told, then gone
SELECT sync.sync_progress_flush();
SELECT is((SELECT count(*) FROM ledger WHERE label LIKE 'disconnect%'), 0::bigint, 'once told, nothing is left of it');
PREPARE untyped AS SELECT sync.sync_progress_disconnect($1, $2);
SELECT lives_ok($$EXECUTE untyped('x', 'f')$$, 'untyped parameters');
SELECT * FROM finish();
