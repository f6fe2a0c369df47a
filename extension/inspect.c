/*
 * inspect.c
 *		What sync_progress_doctor() asks that only the library knows.
 *
 * None of it writes, waits for a lock or needs the worker, and what says whether
 * the library is preloaded needs nothing at all: a doctor that fails where the
 * patient is ill is no use.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "backlog.h"
#include "catalog.h"
#include "compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "holder.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(sync_progress_library);
PG_FUNCTION_INFO_V1(sync_progress_inspect);
PG_FUNCTION_INFO_V1(sync_progress_holder);

#define BLOCKS_READ		4096	/* of the ledger, 32 MB: for one session */
#define INSPECT_COLUMNS	16

static Datum
make_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* sync_progress_library() → (version, preloaded): of the library that is loaded */
Datum
sync_progress_library(PG_FUNCTION_ARGS)
{
	Datum		values[2] = {CStringGetTextDatum(SP_VERSION), BoolGetDatum(sp_shared != NULL)};
	bool		nulls[2] = {false};

	return make_row(fcinfo, values, nulls);
}

static void
put_time(Datum *values, bool *nulls, int n, TimestampTz at)
{
	values[n] = TimestampTzGetDatum(at);
	nulls[n] = at == 0;
}

/* A transaction, and the process that it is of: none for a prepared one. */
static void
put_holder(Datum *values, bool *nulls, int n, TransactionId holder)
{
	int			pid = TransactionIdIsValid(holder) ? BackendXidGetPid(holder) : 0;

	values[n] = TransactionIdGetDatum(holder);
	nulls[n] = !TransactionIdIsValid(holder);
	values[n + 1] = Int32GetDatum(pid);
	nulls[n + 1] = pid == 0;
}

/* What shared memory knows of the session: columns 0 to 9. */
static void
put_slot(Datum *values, bool *nulls, SpDatabase *database, SpSlot *slot)
{
	uint32		flags = pg_atomic_read_u32(&slot->flags);
	TimestampTz now = GetCurrentTimestamp();
	int64		due_at = sp_slot_due_at(slot, now);

	values[0] = BoolGetDatum(flags != 0);
	values[1] = BoolGetDatum((flags & SP_SLOT_URGENT) != 0);
	values[2] = Int64GetDatum((int64) pg_atomic_read_u64(&slot->marks));
	values[3] = Int64GetDatum((int64) pg_atomic_read_u64(&slot->pending));
	put_time(values, nulls, 4, flags == 0 ? 0 : (TimestampTz) pg_atomic_read_u64(&slot->marked_at));
	put_time(values, nulls, 5, Max(slot->told_at, slot->urgent_at));
	put_time(values, nulls, 6, due_at < 0 ? 0 : Max(due_at, (int64) pg_atomic_read_u64(&slot->marked_at)));
	put_time(values, nulls, 7, slot->retry_at > now ? slot->retry_at : 0);
	values[8] = Int32GetDatum(slot->backoff_ms);
	values[9] = BoolGetDatum(slot->untellable);
}

static void
put_rows(Datum *values, bool *nulls, const SpBacklog *backlog)
{
	values[10] = Int64GetDatum(backlog->session.committed);
	put_time(values, nulls, 11, backlog->session.newest);
	values[12] = Int64GetDatum(backlog->session.uncommitted);
	put_time(values, nulls, 13, backlog->session.oldest_uncommitted);
	put_holder(values, nulls, 14, backlog->session.holder);
}

/*
 * sync_progress_inspect(session_id); the columns are in the extension's script.
 * Those of shared memory are NULL where it has nothing of the session.
 */
Datum
sync_progress_inspect(PG_FUNCTION_ARGS)
{
	int64		session = PG_GETARG_INT64(0);
	const SpCatalog *catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	SpDatabase *database = sp_shared_database(catalog->sessions);
	SpSlot	   *slot = database == NULL ? NULL : sp_slot_find(database, session);
	SpBacklog	backlog;
	Datum		values[INSPECT_COLUMNS] = {0};
	bool		nulls[INSPECT_COLUMNS] = {false};

	if (slot != NULL)
	{
		put_slot(values, nulls, database, slot);
		sp_slot_unpin(slot);
	}
	else
		memset(nulls, true, 10);
	sp_backlog_read(catalog, database, session, BLOCKS_READ, &backlog);
	put_rows(values, nulls, &backlog);
	return make_row(fcinfo, values, nulls);
}

/* sync_progress_holder(session_id) → (xid, pid) */
Datum
sync_progress_holder(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	Datum		values[2];
	bool		nulls[2];

	put_holder(values, nulls, 0, sp_holder_of_session(catalog, PG_GETARG_INT64(0)));
	return make_row(fcinfo, values, nulls);
}
