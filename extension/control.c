/*
 * control.c
 *		What administrators and bridges ask of the worker.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "event.h"
#include "fmgr.h"
#include "funcapi.h"
#include "guc.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "waits.h"

#define FLUSH_TIMEOUT_MS	30000
#define OWNER_MAX			200 /* characters, as in sync_sessions */

PG_FUNCTION_INFO_V1(sync_progress_flush);
PG_FUNCTION_INFO_V1(sync_progress_attach);
PG_FUNCTION_INFO_V1(sync_progress_due);
PG_FUNCTION_INFO_V1(sync_progress_disconnect);

/* The entry of the calling function's database, or an error. */
static SpDatabase *
require_database(FunctionCallInfo fcinfo)
{
	SpDatabase *database;

	sp_shared_require();
	database = sp_shared_database(sp_catalog_of_function(fcinfo->flinfo->fn_oid)->sessions);
	if (database == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d databases of this server use sync_progress", SP_MAX_DATABASES),
				 errhint("Drop the extension where it is not needed.")));
	return database;
}

Datum
sync_progress_flush(PG_FUNCTION_ARGS)
{
	SpDatabase *database = require_database(fcinfo);
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), FLUSH_TIMEOUT_MS);
	uint64		mine;

	sp_shared_require_primary("sync_progress_flush()");
	mine = pg_atomic_add_fetch_u64(&database->flush_wanted, 1);
	sp_shared_wake_worker(database);
	ConditionVariablePrepareToSleep(&database->flushed);
	while ((int64) (pg_atomic_read_u64(&database->flush_done) - mine) < 0)
	{
		ConditionVariableTimedSleep(&database->flushed, 200, sp_wait(SP_WAIT_FLUSH));
		if (pg_atomic_read_u32(&database->worker_pid) == 0)
			sp_shared_wake_worker(database);
		if (GetCurrentTimestamp() > deadline)
		{
			ConditionVariableCancelSleep();
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the worker did not answer within %d s", FLUSH_TIMEOUT_MS / 1000),
					 errhint("See pg_stat_sync_progress and the server's log; a worker needs a free slot of max_worker_processes.")));
		}
	}
	ConditionVariableCancelSleep();
	PG_RETURN_VOID();
}

/* The entries that this session is attached to; one but for a re-created extension. */
static SpDatabase *attached = NULL;

static void
detach(int code, Datum arg)
{
	if (attached != NULL)
		pg_atomic_fetch_sub_u32(&attached->attached, 1);
	attached = NULL;
}

/* sync_progress_attach() → (worker_pid, channel, heartbeat_interval_ms) */
Datum
sync_progress_attach(PG_FUNCTION_ARGS)
{
	static bool registered = false;
	SpDatabase *database = require_database(fcinfo);
	Datum		values[3];
	bool		nulls[3] = {false};

	sp_shared_require_primary("sync_progress_attach()");
	if (!registered)
	{
		before_shmem_exit(detach, (Datum) 0);
		registered = true;
	}
	if (attached != database)
	{
		detach(0, (Datum) 0);
		pg_atomic_fetch_add_u32(&database->attached, 1);
		attached = database;
	}
	sp_shared_wake_worker(database);
	InitMaterializedSRF(fcinfo, 0);
	values[0] = Int32GetDatum((int32) pg_atomic_read_u32(&database->worker_pid));
	values[1] = CStringGetTextDatum(sp_channel);
	values[2] = Int32GetDatum(sp_heartbeat_interval_ms);
	tuplestore_putvalues(((ReturnSetInfo *) fcinfo->resultinfo)->setResult,
						 ((ReturnSetInfo *) fcinfo->resultinfo)->setDesc, values, nulls);
	return (Datum) 0;
}

/* Somebody begins to watch these: tell what is not told yet, without waiting for its turn. */
Datum
sync_progress_due(PG_FUNCTION_ARGS)
{
	SpDatabase *database = require_database(fcinfo);
	Datum	   *ids;
	bool	   *nulls;
	int			count;
	bool		wake = false;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &ids, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		SpSlot	   *slot = nulls[i] ? NULL : sp_slot_pin(database, DatumGetInt64(ids[i]));

		if (slot == NULL)
			continue;
		if (pg_atomic_read_u32(&slot->flags) & SP_SLOT_DIRTY)
			wake = sp_slot_mark(slot, SP_SLOT_URGENT, 0, GetCurrentTimestamp()) || wake;
		sp_slot_unpin(slot);
	}
	if (wake)
		sp_shared_wake_worker(database);
	PG_RETURN_VOID();
}

/* The owner's id, or an error. */
static char *
owner_argument(FunctionCallInfo fcinfo, int place)
{
	char	   *owner = PG_ARGISNULL(place) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(place));

	if (owner == NULL || owner[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("owner_id must not be empty"),
				 errhint("Pass the id of the user who is to be disconnected.")));
	if (pg_mbstrlen(owner) > OWNER_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("owner_id is longer than %d characters", OWNER_MAX),
				 errhint("Pass the owner_id that the user's sessions and tokens have.")));
	return owner;
}

/*
 * sync_progress_disconnect(owner_id, reconnect)
 *
 * A row in the ledger, as any message is: told by the worker when this
 * transaction has committed, and never if it rolls back.
 */
Datum
sync_progress_disconnect(PG_FUNCTION_ARGS)
{
	SpDatabase *database = require_database(fcinfo);
	char	   *owner;

	sp_shared_require_writable("sync_progress_disconnect()");
	owner = owner_argument(fcinfo, 0);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("reconnect must not be null"),
				 errhint("true asks the user's clients to come back by themselves, false to stay away.")));
	sp_event_disconnect(sp_catalog_of_function(fcinfo->flinfo->fn_oid), database, owner, PG_GETARG_BOOL(1));
	PG_RETURN_VOID();
}
