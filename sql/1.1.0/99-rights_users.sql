
-- ---------------------------------------------------------------------------
-- Rights: what users were granted is theirs, in a dump as well
-- ---------------------------------------------------------------------------

/*
 * At each GRANT in a script the server notes all rights that the object has by
 * then as given by the extension, those of users before the update among them.
 * pg_dump would leave them out from now on.
 */
UPDATE pg_catalog.pg_init_privs AS i
SET initprivs = coalesce((SELECT array_agg(item) FROM unnest(i.initprivs) AS item
	WHERE (SELECT bool_and(a.grantee < 16384 OR a.grantee = a.grantor) FROM aclexplode(ARRAY[item]) AS a)), '{}')
FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'sync_progress' AND d.classid = i.classoid AND d.objid = i.objoid AND d.deptype = 'e'
	AND EXISTS (SELECT FROM aclexplode(i.initprivs) AS a WHERE a.grantee >= 16384 AND a.grantee <> a.grantor);
-- from PostgreSQL 17 on it notes whom, so that such a role cannot be dropped
DELETE FROM pg_catalog.pg_shdepend AS s
USING pg_catalog.pg_depend AS d JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'sync_progress' AND d.classid = s.classid AND d.objid = s.objid AND d.deptype = 'e'
	AND s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) AND s.deptype = 'i'
	AND s.refclassid = 'pg_authid'::regclass AND s.refobjid >= 16384;
