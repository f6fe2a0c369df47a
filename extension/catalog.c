/*
 * catalog.c
 *		The extension's own tables in this database, by OID.
 *
 * Found once by name in the schema of the extension (never by search_path) and
 * kept until the relation cache says that one of them changed.  They are of a
 * version that this library serves, or calls end here with an error.
 *
 * Rows of sessions and accounts are read here with SnapshotSelf: what is
 * committed now, and the own transaction's changes.  The transaction's
 * snapshot would be wrong (a REPEATABLE READ worker would never see a pause),
 * and a reading under it would take predicate locks in SERIALIZABLE, which
 * then fail somebody.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "version.h"

/* Places of columns, as the extension's script creates them. */
#define SESSIONS_STATUS				8
#define ACCOUNTS_SYNC_SESSION_ID	2

static SpCatalog cache;
static bool cache_valid = false;
static uint64 invalidations = 0;

static void
invalidate(Datum arg, Oid relation)
{
	bool		ours = relation == InvalidOid || relation == cache.sessions || relation == cache.sessions_pkey ||
	relation == cache.sessions_source || relation == cache.accounts_source || relation == cache.accounts ||
	relation == cache.accounts_pkey || relation == cache.accounts_session || relation == cache.kinds;

	for (int i = 0; i < SP_HEAPS && !ours; i++)
		ours = relation == cache.ledger[i];
	if (!ours)
		return;
	cache_valid = false;
	invalidations++;
}

/* Returns whether all of the tables are there. */
static bool
fill(Oid schema)
{
	static bool registered = false;
	uint64		before = invalidations;
	bool		complete;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
		registered = true;
	}
	cache.schema = schema;
	cache.sessions = get_relname_relid("sync_sessions", schema);
	cache.sessions_pkey = get_relname_relid("sync_sessions_pkey", schema);
	cache.sessions_source = get_relname_relid("sync_sessions_source", schema);
	cache.accounts = get_relname_relid("sync_session_accounts", schema);
	cache.accounts_pkey = get_relname_relid("sync_session_accounts_pkey", schema);
	cache.accounts_session = get_relname_relid("sync_session_accounts_session", schema);
	cache.accounts_source = get_relname_relid("sync_session_accounts_source", schema);
	cache.kinds = get_relname_relid("sync_kinds", schema);
	complete = OidIsValid(cache.sessions) && OidIsValid(cache.sessions_pkey) &&
		OidIsValid(cache.sessions_source) && OidIsValid(cache.accounts_source) &&
		OidIsValid(cache.accounts) && OidIsValid(cache.accounts_pkey) &&
		OidIsValid(cache.accounts_session) && OidIsValid(cache.kinds);
	for (int i = 0; i < SP_HEAPS; i++)
	{
		char		name[NAMEDATALEN];

		snprintf(name, sizeof(name), "sync_progress_ledger_%d", i);
		cache.ledger[i] = get_relname_relid(name, schema);
		complete = complete && OidIsValid(cache.ledger[i]);
	}
	/* what was invalidated while we looked is good for this once only */
	cache_valid = complete && invalidations == before;
	return complete;
}

/* Where this database's extension is, and of which version.  Returns false if it has none. */
static bool
find_extension(Oid *schema, char *version)
{
	ScanKeyData key;
	Relation	extensions;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum("sync_progress"));
	extensions = table_open(ExtensionRelationId, AccessShareLock);
	scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(extensions), &isnull);

		*schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
		strlcpy(version, TextDatumGetCString(value), SP_SQL_VERSION_LENGTH);
	}
	systable_endscan(scan);
	table_close(extensions, AccessShareLock);
	return found;
}

/*
 * Whether this library serves the version of this database's extension, or
 * there is none; "version", of SP_SQL_VERSION_LENGTH bytes, gets which it is.
 */
bool
sp_catalog_is_served(char *version)
{
	Oid			schema;

	version[0] = '\0';
	return !find_extension(&schema, version) || sp_version_serves(SP_VERSION, version);
}

static const SpCatalog *
of_schema(Oid schema)
{
	char		version[SP_SQL_VERSION_LENGTH];

	if (cache_valid && cache.schema == schema)
		return &cache;
	if (!sp_catalog_is_served(version))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg(SP_VERSION_UNSERVED, version),
				 errhint("Install the library of version %s, and restart the server.", version)));
	if (!fill(schema))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("tables of extension \"sync_progress\" are missing in schema \"%s\"",
						get_namespace_name(schema)),
				 errhint("Create the extension again: DROP EXTENSION sync_progress; CREATE EXTENSION sync_progress SCHEMA sync;")));
	return &cache;
}

/*
 * Whether what was found is still there.  A transaction that is long in one
 * statement after the other learns of others' changes when it takes a lock only,
 * and REINDEX CONCURRENTLY replaces an index that it did not use.
 */
static bool
is_current(void)
{
	AcceptInvalidationMessages();
	return cache_valid;
}

/* The tables beside one of the extension's functions. */
const SpCatalog *
sp_catalog_of_function(Oid function)
{
	if (is_current())
		return &cache;
	return of_schema(get_func_namespace(function));
}

/* The tables beside one of them; for triggers. */
const SpCatalog *
sp_catalog_of_table(Oid relation)
{
	if (is_current())
		return &cache;
	return of_schema(get_rel_namespace(relation));
}

/* The tables of this database's extension, or NULL if it has none. */
const SpCatalog *
sp_catalog_of_extension(void)
{
	char		version[SP_SQL_VERSION_LENGTH];
	Oid			schema;

	if (is_current())
		return &cache;
	return find_extension(&schema, version) && fill(schema) ? &cache : NULL;
}

/* Who owns a table: the fold, and what makes sessions, run as the owner. */
Oid
sp_catalog_owner(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relation);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * Whether the tables are those that were locked; their indexes may be others by
 * now, REINDEX CONCURRENTLY's, and those stay as long as the locks.
 */
static bool
is_unchanged(const SpCatalog *catalog)
{
	SpCatalog	before = *catalog;

	if (is_current())
		return true;
	return fill(before.schema) && cache.sessions == before.sessions && cache.accounts == before.accounts &&
		cache.kinds == before.kinds && memcmp(cache.ledger, before.ledger, sizeof(cache.ledger)) == 0;
}

/*
 * Locks the tables against being dropped, in one fixed order and without
 * waiting: DROP EXTENSION, which wants them all, must not deadlock with us.
 */
bool
sp_catalog_lock(const SpCatalog *catalog)
{
	if (!ConditionalLockRelationOid(catalog->sessions, RowExclusiveLock) ||
		!ConditionalLockRelationOid(catalog->accounts, RowExclusiveLock) ||
		!ConditionalLockRelationOid(catalog->kinds, RowShareLock))
		return false;
	for (int i = 0; i < SP_HEAPS; i++)
	{
		if (!ConditionalLockRelationOid(catalog->ledger[i], RowExclusiveLock))
			return false;
	}
	return is_unchanged(catalog);
}

/*
 * Find the row with this id in an open table by its primary key, as committed
 * now or changed here; NULL: there is none.  The caller ends *scan.
 *
 * A look with SnapshotSelf is not a snapshot: while somebody updates the row it
 * may see the new version as not committed yet, and then the old one as
 * replaced already.  So look again before believing that it is gone.
 */
HeapTuple
sp_catalog_find(Relation rel, Oid index, int64 id, SysScanDesc *scan)
{
	ScanKeyData key;
	HeapTuple	tuple = NULL;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	for (int attempt = 0; attempt < 3; attempt++)
	{
		if (attempt > 0)
			systable_endscan(*scan);
		*scan = systable_beginscan(rel, index, true, SnapshotSelf, 1, &key);
		tuple = systable_getnext(*scan);
		if (HeapTupleIsValid(tuple))
			break;
	}
	return tuple;
}

/*
 * Read one column of the row with this id.  Returns whether there is one;
 * *own, whether this transaction wrote it, so that nobody else may know yet.
 */
static bool
read_column(Oid relation, Oid index, int64 id, AttrNumber column, Datum *value, bool *own)
{
	Relation	rel = table_open(relation, AccessShareLock);
	SysScanDesc scan;
	HeapTuple	tuple = sp_catalog_find(rel, index, id, &scan);
	bool		found = HeapTupleIsValid(tuple);

	if (found)
	{
		bool		isnull;
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), column - 1);

		*value = heap_getattr(tuple, column, RelationGetDescr(rel), &isnull);
		if (isnull)
			elog(ERROR, "column %d of \"%s\" is null", column, RelationGetRelationName(rel));
		*value = datumCopy(*value, att->attbyval, att->attlen);
		*own = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* The session's status as committed now (or changed here).  False: no such session. */
bool
sp_catalog_session(const SpCatalog *catalog, int64 session, SpStatus *status, bool *own)
{
	Datum		value;
	char	   *name;

	if (!read_column(catalog->sessions, catalog->sessions_pkey, session, SESSIONS_STATUS, &value, own))
		return false;
	name = TextDatumGetCString(value);
	*status = sp_status_parse(name);
	if (*status == SP_STATUS_UNKNOWN)
		elog(ERROR, "session " INT64_FORMAT " has status \"%s\"", session, name);
	pfree(name);
	return true;
}

/* The session that the account is part of; 0: no such account. */
int64
sp_catalog_account_session(const SpCatalog *catalog, int64 account, bool *own)
{
	Datum		value;

	if (!read_column(catalog->accounts, catalog->accounts_pkey, account, ACCOUNTS_SYNC_SESSION_ID, &value, own))
		return 0;
	return DatumGetInt64(value);
}
