/*
 * locked.c
 *		The last version of a row, locked and then changed by an application's call.
 *
 * What an application's call changes in a row is changed at once: what the
 * transaction does next must see it.  Meanwhile the worker has perhaps folded
 * into that row, so under REPEATABLE READ a plain UPDATE would fail for no
 * reason of the application's.  Hence the row's last version is locked first,
 * whatever the transaction's snapshot sees, and then updated under a fresh
 * snapshot.
 *
 * The price: until it ends, such a transaction may see the row twice, as its
 * snapshot has it and as it has changed it.  PostgreSQL's own answer, an error
 * that asks to try again, would meet every try of a worker that takes longer
 * than others' increments take to be folded.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "locked.h"
#include "rows.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * Lock the last version of the row with this id, waiting for whoever changes
 * it.  Not on a standby: there it would wait for a transaction of the primary,
 * and for ever.  Returns it in a slot that the caller drops; NULL: there is none.
 */
TupleTableSlot *
sp_locked_row(Relation rel, Oid index, int64 id, LockTupleMode mode)
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
								  mode, LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
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

/* A column of the row. */
Datum
sp_locked_value(TupleTableSlot *slot, const char *column, bool *isnull)
{
	return slot_getattr(slot, sp_rows_column(slot->tts_tupleDescriptor, column), isnull);
}

/* A column of the row as text; NULL for NULL. */
char *
sp_locked_text(TupleTableSlot *slot, const char *column)
{
	bool		isnull;
	Datum		value = sp_locked_value(slot, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/*
 * Run a query under a snapshot that sees what was just locked.  %s in it is
 * the schema.  Between SPI_connect() and SPI_finish().
 */
void
sp_locked_run(const SpCatalog *catalog, const char *query, int expected,
			  int nargs, Oid *types, Datum *args, const char *nulls)
{
	SPIPlanPtr	plan = SPI_prepare(psprintf(query, quote_identifier(get_namespace_name(catalog->schema))), nargs, types);

	if (plan == NULL ||
		SPI_execute_snapshot(plan, args, nulls, GetLatestSnapshot(), InvalidSnapshot, false, true, 0) != expected)
		elog(ERROR, "could not run \"%s\"", query);
}

/* Raises the error that the first argument names no session. */
void
sp_locked_no_session(FunctionCallInfo fcinfo)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 PG_ARGISNULL(0) ? errmsg("sync session NULL does not exist")
			 : errmsg("sync session " INT64_FORMAT " does not exist", PG_GETARG_INT64(0)),
			 errhint("Pass the id that sync_session_start returned.")));
}
