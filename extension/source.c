/*
 * source.c
 *		Sessions and accounts by the application's own ids: found, and made.
 *
 * Found in the index by what is committed now and what this transaction did,
 * whatever its snapshot and its rights: a row is counted for its newest run.
 * A look with SnapshotSelf could miss a row whose new version is just being
 * committed, and take an older run for the newest.  So everybody's uncommitted
 * changes are looked at, and only sessions that others are just making passed
 * over.  No predicate lock is taken.
 *
 * Made by plain INSERTs, many at a time, as the tables' owner: then the
 * extension's triggers tell them as they tell any other.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "call.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "locked.h"
#include "source.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Places of columns, as the extension's script creates them. */
#define SESSIONS_ID			1
#define SESSIONS_KIND		3
#define SESSIONS_SOURCE		4
#define SESSIONS_STATUS		8
#define ACCOUNTS_ID			1
#define ACCOUNTS_SESSION	2

static char *
get_text(HeapTuple tuple, Relation rel, int column)
{
	bool		isnull;

	return TextDatumGetCString(heap_getattr(tuple, column, RelationGetDescr(rel), &isnull));
}

/*
 * A row that somebody else is just making.  One that somebody else is changing
 * has an uncommitted version as well, but a committed one too.
 */
static bool
is_unborn(HeapTuple tuple, const SnapshotData *dirty)
{
	return TransactionIdIsValid(dirty->xmin) && (tuple->t_data->t_infomask & HEAP_UPDATED) == 0;
}

/* A key for a text column of rel, in the column's own collation as its index has it. */
static void
text_key(ScanKey key, Relation rel, AttrNumber number, const char *value)
{
	ScanKeyEntryInitialize(key, 0, number, BTEqualStrategyNumber, InvalidOid,
						   TupleDescAttr(RelationGetDescr(rel), number - 1)->attcollation, F_TEXTEQ,
						   CStringGetTextDatum(value));
}

/* The newest run of a source, and whether it has ended (may be NULL); 0: there is none. */
int64
sp_source_session(const SpCatalog *catalog, const char *kind, const char *source, bool *ended)
{
	Relation	rel = table_open(catalog->sessions, AccessShareLock);
	Relation	index = index_open(catalog->sessions_source, AccessShareLock);
	SnapshotData dirty;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	int64		session = 0;
	bool		isnull;

	InitDirtySnapshot(dirty);
	text_key(&key[0], rel, SESSIONS_KIND, kind);
	text_key(&key[1], rel, SESSIONS_SOURCE, source);
	scan = systable_beginscan_ordered(rel, index, &dirty, lengthof(key), key);
	while (session == 0 && HeapTupleIsValid(tuple = systable_getnext_ordered(scan, BackwardScanDirection)))
	{
		if (is_unborn(tuple, &dirty))
			continue;
		session = DatumGetInt64(heap_getattr(tuple, SESSIONS_ID, RelationGetDescr(rel), &isnull));
		if (ended != NULL)
			*ended = sp_status_parse(get_text(tuple, rel, SESSIONS_STATUS)) >= SP_STATUS_COMPLETED;
	}
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(rel, AccessShareLock);
	return session;
}

/* A session's account with the application's id; 0: there is none. */
int64
sp_source_account(const SpCatalog *catalog, int64 session, const char *source)
{
	Relation	rel = table_open(catalog->accounts, AccessShareLock);
	AttrNumber	number = get_attnum(catalog->accounts, "source_id");
	SnapshotData dirty;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	int64		account = 0;
	bool		isnull;

	InitDirtySnapshot(dirty);
	ScanKeyInit(&key[0], ACCOUNTS_SESSION, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(session));
	text_key(&key[1], rel, number, source);
	scan = systable_beginscan(rel, catalog->accounts_source, true, &dirty, lengthof(key), key);
	while (account == 0 && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (!is_unborn(tuple, &dirty))
			account = DatumGetInt64(heap_getattr(tuple, ACCOUNTS_ID, RelationGetDescr(rel), &isnull));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return account;
}

/*
 * Keep the session from being deleted until this transaction has ended: its
 * row may be gone and back, and the worker about to fold the first half of
 * that.  Waits for nobody but a worker that is just deleting it; false: it has.
 */
bool
sp_source_keep(const SpCatalog *catalog, int64 session)
{
	Relation	rel = table_open(catalog->sessions, RowShareLock);
	TupleTableSlot *row = sp_locked_row(rel, catalog->sessions_pkey, session, LockTupleKeyShare);

	table_close(rel, NoLock);
	if (row == NULL)
		return false;
	ExecDropSingleTupleTableSlot(row);
	return true;
}

/* An argument text[]: one field of each. */
static Datum
column_of(SpTableRow **facts, int nfacts, SpField field)
{
	Datum	   *values = palloc(nfacts * sizeof(Datum));
	bool	   *nulls = palloc(nfacts * sizeof(bool));
	int			dimension = nfacts;
	int			bound = 1;

	for (int i = 0; i < nfacts; i++)
	{
		const char *value = facts[i]->values[field];

		nulls[i] = value == NULL;
		values[i] = value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
	}
	return PointerGetDatum(construct_md_array(values, nulls, 1, &dimension, &bound, TEXTOID, -1, false, TYPALIGN_INT));
}

/* A statement that makes rows from arrays; planned once for a schema. */
typedef struct Maker
{
	const char *text;			/* %1$s: the schema */
	Oid			first;			/* type of its first argument; text[] the
								 * others */
	int			nfields;
	SpField		fields[14];
	Oid			schema;
	SPIPlanPtr	plan;
} Maker;

static Maker make_sessions = {
	"INSERT INTO %1$s.sync_sessions (kind, source_id, owner_id, title, status, message, error_message, result_url, total_count,"
	" processed_count, detected_count, error_count, started_at, completed_at, created_at, version)"
	" SELECT $1, a, b, c, coalesce(d, 'pending'), e, f, g, h::bigint, i::bigint, j::bigint, k::bigint,"
	" l::timestamptz, m::timestamptz, coalesce(n::timestamptz, now()), %1$s.sync_session_next_version($1, a)"
	" FROM unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) WITH ORDINALITY"
	" AS r (a, b, c, d, e, f, g, h, i, j, k, l, m, n, nth) ORDER BY nth"
	" ON CONFLICT (kind, source_id) WHERE status IN ('pending', 'processing', 'paused') DO NOTHING",
	TEXTOID, 14, {SP_FIELD_ID, SP_FIELD_OWNER, SP_FIELD_TITLE, SP_FIELD_STATUS, SP_FIELD_MESSAGE, SP_FIELD_ERROR_MESSAGE,
	SP_FIELD_RESULT, SP_FIELD_TOTAL, SP_FIELD_PROCESSED, SP_FIELD_DETECTED, SP_FIELD_ERROR, SP_FIELD_STARTED, SP_FIELD_COMPLETED, SP_FIELD_CREATED}
};
static Maker make_accounts = {
	"INSERT INTO %1$s.sync_session_accounts (sync_session_id, source_id, name, email, status, error_message, total_count,"
	" processed_count, detected_count, error_count)"
	" SELECT session, a, coalesce(b, c, a), c, coalesce(d, 'pending'), e, f::bigint, g::bigint, h::bigint, i::bigint"
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) WITH ORDINALITY AS r (session, a, b, c, d, e, f, g, h, i, nth) ORDER BY nth"
	" ON CONFLICT (sync_session_id, source_id) WHERE source_id IS NOT NULL DO NOTHING",
	INT8ARRAYOID, 9, {SP_FIELD_ID, SP_FIELD_TITLE, SP_FIELD_EMAIL, SP_FIELD_STATUS, SP_FIELD_ERROR_MESSAGE,
	SP_FIELD_TOTAL, SP_FIELD_PROCESSED, SP_FIELD_DETECTED, SP_FIELD_ERROR}
};

/*
 * Runs it as the tables' owner; returns how many rows it made.
 *
 * All values are sent as text and cast in the statement: there they are of a
 * known form, so no cast can fail, and one kind of array serves every column.
 */
static uint64
make(const SpCatalog *catalog, Maker *maker, Datum first, SpTableRow **facts, int nfacts)
{
	Oid			types[lengthof(maker->fields) + 1] = {maker->first};
	Datum		args[lengthof(maker->fields) + 1] = {first};
	SpGuard		guard;
	uint64		made;

	for (int i = 0; i < maker->nfields; i++)
	{
		types[i + 1] = TEXTARRAYOID;
		args[i + 1] = column_of(facts, nfacts, maker->fields[i]);
	}
	SPI_connect();
	sp_call_enter(sp_catalog_owner(catalog->sessions), &guard);
	sp_call_by_keys();
	if (maker->plan == NULL || maker->schema != catalog->schema)
	{
		SPIPlanPtr	plan = SPI_prepare(psprintf(maker->text, quote_identifier(get_namespace_name(catalog->schema))),
									   maker->nfields + 1, types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare \"%s\"", maker->text);
		maker->plan = plan;
		maker->schema = catalog->schema;
	}
	if (SPI_execute_plan(maker->plan, args, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not run \"%s\"", maker->text);
	made = SPI_processed;
	sp_call_leave(&guard);
	SPI_finish();
	return made;
}

/* Make a session of each, where no run of its source is open. */
uint64
sp_source_make_sessions(const SpCatalog *catalog, const char *kind, SpTableRow **facts, int nfacts)
{
	return make(catalog, &make_sessions, CStringGetTextDatum(kind), facts, nfacts);
}

/* Make an account of each, part of sessions[i], where it has none of that id. */
uint64
sp_source_make_accounts(const SpCatalog *catalog, const int64 *sessions, SpTableRow **facts, int nfacts)
{
	Datum	   *ids = palloc(nfacts * sizeof(Datum));

	for (int i = 0; i < nfacts; i++)
		ids[i] = Int64GetDatum(sessions[i]);
	return make(catalog, &make_accounts,
				PointerGetDatum(construct_array(ids, nfacts, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
				facts, nfacts);
}
