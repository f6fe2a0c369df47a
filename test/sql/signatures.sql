-- How the functions look from outside: callable by any driver, documented,
-- stated as what they are.
\ir include/helpers.psql

CREATE TEMP VIEW extension_functions AS
	SELECT p.* FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid WHERE e.extname = 'sync_progress' AND d.deptype = 'e';
CREATE TEMP TABLE callable AS
	SELECT oid::regprocedure::text AS signature, proname::text, format('%s.%I', pronamespace::regnamespace, proname) AS name, pronargs, pronargdefaults
	FROM extension_functions WHERE prorettype <> 'trigger'::regtype;

SELECT plan(29 + (SELECT count(*)::integer FROM callable));

-- every function of the contract, with its arguments in their order
SELECT is(pg_get_function_arguments(format('sync.%I', split_part(f, '|', 1))::regproc), split_part(f, '|', 2), split_part(f, '|', 1) || ': its arguments are as promised')
FROM unnest(ARRAY[
	'sync_session_start|owner_id text, kind text DEFAULT ''sync''::text, title text DEFAULT NULL::text, total_count bigint DEFAULT NULL::bigint, accounts jsonb DEFAULT NULL::jsonb, source_id text DEFAULT NULL::text, status text DEFAULT ''processing''::text',
	'sync_progress_increment|session_id bigint, amount bigint DEFAULT 1, field text DEFAULT ''processed''::text, account_id bigint DEFAULT NULL::bigint',
	'sync_progress_increment_many|session_id bigint, counts jsonb, account_id bigint DEFAULT NULL::bigint',
	'sync_progress_set|session_id bigint, processed_count bigint DEFAULT NULL::bigint, total_count bigint DEFAULT NULL::bigint, message text DEFAULT NULL::text, account_id bigint DEFAULT NULL::bigint',
	'sync_session_complete|session_id bigint, account_id bigint DEFAULT NULL::bigint, message text DEFAULT NULL::text, result_url text DEFAULT NULL::text',
	'sync_session_fail|session_id bigint, error_message text, account_id bigint DEFAULT NULL::bigint',
	'sync_session_rename|session_id bigint, title text, expected_lock_version integer DEFAULT NULL::integer',
	'sync_session_pin|session_id bigint, pinned boolean, expected_lock_version integer DEFAULT NULL::integer',
	'sync_session_delete|session_id bigint, expected_lock_version integer DEFAULT NULL::integer',
	'sync_session_retry|session_id bigint', 'sync_progress_sessions|claims jsonb, after bigint DEFAULT NULL::bigint, "limit" integer DEFAULT 50, stream text DEFAULT NULL::text',
	'sync_progress_token|owner_id text, session_ids bigint[] DEFAULT NULL::bigint[], ttl interval DEFAULT ''01:00:00''::interval, scope text[] DEFAULT ''{read}''::text[]',
	'sync_progress_callback_token|job_id uuid, ttl interval DEFAULT ''01:00:00''::interval',
	'sync_progress_rotate_key|overlap interval DEFAULT ''1 day''::interval',
	'sync_progress_add_key|kid text, alg text, jwk jsonb, expires_at timestamp with time zone DEFAULT NULL::timestamp with time zone',
	'sync_progress_remove_key|kid text',
	'sync_progress_disconnect|owner_id text, reconnect boolean DEFAULT true',
	'sync_progress_track|"table" regclass, kind text, columns jsonb', 'sync_progress_untrack|"table" regclass', 'sync_progress_session|kind text, source_id text',
	'sync_progress_perform|identifier text, action text, data jsonb, claims jsonb',
	'sync_progress_callback|claims jsonb, report jsonb']) AS f;

-- untyped parameters, as drivers send them
SELECT is((SELECT string_agg(proname, ', ') FROM (SELECT proname FROM extension_functions GROUP BY proname HAVING count(*) > 1) AS o), NULL, 'no name is overloaded');
CREATE FUNCTION pg_temp.prepares(name text, at_least integer, at_most integer) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	FOR n IN at_least..at_most LOOP
		EXECUTE format('PREPARE untyped AS SELECT %s(%s)', name, (SELECT string_agg('$' || i, ', ') FROM generate_series(1, n) AS i));
		DEALLOCATE untyped;
	END LOOP;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END
$$;
SELECT is(pg_temp.prepares(name, pronargs - pronargdefaults, pronargs), NULL, 'PREPARE with untyped parameters: ' || proname) FROM callable ORDER BY name;
SELECT is(string_agg(proname, ', '), NULL, 'every argument has a name') FROM extension_functions
WHERE pronargs > 0 AND (proargnames IS NULL OR '' = ANY (proargnames)) AND prorettype <> 'trigger'::regtype;

-- COMMENT ON everything
SELECT is(string_agg(oid::regprocedure::text, ', '), NULL, 'every function has a comment') FROM extension_functions WHERE coalesce(obj_description(oid, 'pg_proc'), '') = '';
SELECT is(string_agg(c.relname, ', '), NULL, 'every table and view has a comment')
FROM pg_depend AS d JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
WHERE e.extname = 'sync_progress' AND d.deptype = 'e' AND c.relkind IN ('r', 'v', 'p', 'm', 'f') AND coalesce(obj_description(c.oid, 'pg_class'), '') = '';
SELECT ok(obj_description(oid, 'pg_extension') <> '', 'the extension has a comment') FROM pg_extension WHERE extname = 'sync_progress';

-- what functions that write say of themselves
SELECT is(string_agg(proname, ', '), NULL, 'what writes is VOLATILE and PARALLEL UNSAFE') FROM extension_functions
WHERE proname ~ '^sync_(progress_(track|untrack|increment|increment_many|set|flush|disconnect|attach|subscribe|token|callback_token|rotate_key|add_key|remove_key|perform|callback|report)|session_(start|pause|resume|cancel|complete|fail|retry|rename|pin|delete))$'
	AND NOT (provolatile = 'v' AND proparallel = 'u');
SELECT is((SELECT format('%s %s', extrelocatable, extnamespace::regnamespace) FROM pg_extension WHERE extname = 'sync_progress'), 'f sync', 'it stays in the schema it was created in');

SELECT * FROM finish();
