/*
 * status.c
 *		Changes of a session's or an account's status, by applications.
 *
 * A status is changed in the row itself, at once: what the transaction does
 * next must see it.  Meanwhile the worker has perhaps folded into that row, so
 * under REPEATABLE READ a plain UPDATE would fail for no reason of the
 * application's.  Hence the row's last version is locked first, whatever the
 * transaction's snapshot sees, and then updated under a fresh snapshot.
 *
 * The price: until it ends, such a transaction may see the row twice, as its
 * snapshot has it and as it has changed it.  PostgreSQL's own answer, an error
 * that asks to try again, would meet every try of a worker that takes longer
 * than others' increments take to be folded.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog.h"
#include "compat.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "storage/lockdefs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(sync_session_change);
PG_FUNCTION_INFO_V1(sync_session_account_change);

#define BIT(status)		(1u << SP_STATUS_##status)
#define OPEN			(BIT(PENDING) | BIT(PROCESSING) | BIT(PAUSED))

/* From which statuses a session may come to each. */
static const uint32 allowed_from[] = {
	[SP_STATUS_PROCESSING] = BIT(PENDING) | BIT(PAUSED),
	[SP_STATUS_PAUSED] = BIT(PENDING) | BIT(PROCESSING),
	[SP_STATUS_COMPLETED] = OPEN,
	[SP_STATUS_FAILED] = OPEN,
	[SP_STATUS_CANCELLED] = OPEN,
};

/*
 * Lock the last version of the row with this id, waiting for whoever changes
 * it.  Returns it in a slot that the caller drops; NULL: there is none.
 */
static TupleTableSlot *
lock_row(Relation rel, Oid index, int64 id)
{
	SysScanDesc scan;
	HeapTuple	tuple = sp_catalog_find(rel, index, id, &scan);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TM_FailureData failure;
	TM_Result	result = TM_Deleted;

	if (HeapTupleIsValid(tuple))
	{
		ItemPointerData tid = tuple->t_self;

		PushActiveSnapshot(GetLatestSnapshot());
		result = table_tuple_lock(rel, &tid, GetActiveSnapshot(), slot, GetCurrentCommandId(false),
								  LockTupleNoKeyExclusive, LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
		PopActiveSnapshot();
	}
	systable_endscan(scan);
	if (result == TM_Ok)
		return slot;
	ExecDropSingleTupleTableSlot(slot);
	if (result != TM_Deleted)
		elog(ERROR, "could not lock row " INT64_FORMAT " of \"%s\": %d", id, RelationGetRelationName(rel), result);
	return NULL;
}

/* Run the update under a snapshot that sees what was just locked. */
static void
update_row(const char *query, int nargs, Oid *types, Datum *args, const char *nulls)
{
	SPIPlanPtr	plan;

	SPI_connect();
	plan = SPI_prepare(query, nargs, types);
	if (plan == NULL ||
		SPI_execute_snapshot(plan, args, nulls, GetLatestSnapshot(), InvalidSnapshot, false, true, 0) != SPI_OK_UPDATE ||
		SPI_processed != 1)
		elog(ERROR, "could not run \"%s\"", query);
	SPI_finish();
}

static char *
get_text(TupleTableSlot *slot, Relation rel, const char *name)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, get_attnum(RelationGetRelid(rel), name), &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* "pending or paused" */
static char *
describe(uint32 statuses)
{
	char	   *text = NULL;

	for (int i = SP_STATUS_PENDING; i <= SP_STATUS_CANCELLED; i++)
	{
		if (statuses & (1u << i))
			text = text == NULL ? pstrdup(sp_status_name(i)) : psprintf("%s or %s", text, sp_status_name(i));
	}
	return text;
}

static void SP_NORETURN
no_session(FunctionCallInfo fcinfo)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 PG_ARGISNULL(0) ? errmsg("sync session NULL does not exist")
			 : errmsg("sync session " INT64_FORMAT " does not exist", PG_GETARG_INT64(0)),
			 errhint("Pass the id that sync_session_start returned.")));
}

/* sync_session_change(session_id, target, message, error_message, result_url) → status */
Datum
sync_session_change(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	Oid			types[5] = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		args[5];
	char		nulls[5];
	Relation	rel;
	TupleTableSlot *row;
	SpStatus	target;
	char	   *status;

	sp_shared_require();
	if (PG_ARGISNULL(0))
		no_session(fcinfo);
	target = sp_status_parse(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	rel = table_open(catalog->sessions, RowExclusiveLock);
	row = lock_row(rel, catalog->sessions_pkey, PG_GETARG_INT64(0));
	if (row == NULL)
		no_session(fcinfo);
	status = get_text(row, rel, "status");
	ExecDropSingleTupleTableSlot(row);
	table_close(rel, NoLock);
	if ((allowed_from[target] & (1u << sp_status_parse(status))) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("session " INT64_FORMAT " is %s, it cannot become %s",
						PG_GETARG_INT64(0), status, sp_status_name(target)),
				 errhint("Only a session that is %s can become %s.",
						 describe(allowed_from[target]), sp_status_name(target))));
	for (int i = 0; i < 5; i++)
	{
		args[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	update_row(psprintf("UPDATE %s.sync_sessions SET status = $2, message = coalesce($3, message),"
						" error_message = CASE WHEN $2 = 'failed' THEN $4 ELSE error_message END,"
						" result_url = coalesce($5, result_url) WHERE id = $1",
						quote_identifier(get_namespace_name(catalog->schema))), 5, types, args, nulls);
	PG_RETURN_DATUM(PG_GETARG_DATUM(1));
}

/* sync_session_account_change(session_id, account_id, target, error_message) → the session's status */
Datum
sync_session_account_change(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	Oid			types[3] = {INT8OID, TEXTOID, TEXTOID};
	Datum		args[3] = {PG_GETARG_DATUM(1), PG_GETARG_DATUM(2), PG_GETARG_DATUM(3)};
	char		nulls[3] = {' ', ' ', PG_ARGISNULL(3) ? 'n' : ' '};
	Relation	rel;
	TupleTableSlot *row;
	SpStatus	status;
	bool		own;
	bool		fits;

	sp_shared_require();
	if (PG_ARGISNULL(0) || !sp_catalog_session(catalog, PG_GETARG_INT64(0), &status, &own))
		no_session(fcinfo);
	rel = table_open(catalog->accounts, RowExclusiveLock);
	row = lock_row(rel, catalog->accounts_pkey, PG_GETARG_INT64(1));
	fits = false;
	if (row != NULL)
	{
		bool		isnull;

		fits = DatumGetInt64(slot_getattr(row, get_attnum(catalog->accounts, "sync_session_id"), &isnull)) == PG_GETARG_INT64(0);
		ExecDropSingleTupleTableSlot(row);
	}
	table_close(rel, NoLock);
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("account " INT64_FORMAT " does not belong to sync session " INT64_FORMAT,
						PG_GETARG_INT64(1), PG_GETARG_INT64(0)),
				 errhint("Select its accounts' ids from sync_session_accounts by sync_session_id.")));
	update_row(psprintf("UPDATE %s.sync_session_accounts SET status = $2, error_message = $3 WHERE id = $1",
						quote_identifier(get_namespace_name(catalog->schema))), 3, types, args, nulls);
	PG_RETURN_TEXT_P(cstring_to_text(sp_status_name(status)));
}
