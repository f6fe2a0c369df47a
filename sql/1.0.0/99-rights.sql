
-- ---------------------------------------------------------------------------
-- Rights and dumps
-- ---------------------------------------------------------------------------

DO $$
DECLARE
	f regprocedure;
BEGIN
	FOR f IN SELECT p.oid FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
		JOIN pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass WHERE e.extname = 'sync_progress'
	LOOP
		EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
	END LOOP;
END
$$;

SELECT pg_catalog.pg_extension_config_dump('sync_kinds', '');
SELECT pg_catalog.pg_extension_config_dump('sync_sessions', '');
SELECT pg_catalog.pg_extension_config_dump('sync_session_accounts', '');
SELECT pg_catalog.pg_extension_config_dump('sync_sessions_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('sync_session_accounts_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_0', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_1', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_2', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_3', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_4', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_5', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_6', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_7', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_8', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_9', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_10', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_11', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_12', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_13', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_14', '');
SELECT pg_catalog.pg_extension_config_dump('sync_progress_ledger_15', '');
