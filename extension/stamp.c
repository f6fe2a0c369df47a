/*
 * stamp.c
 *		A changed row's version, times and lock_version, whoever changed it.
 *
 * A row trigger, so that no two states of a row share a version.  It returns
 * at once in the worker, which does these things itself.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "rows.h"
#include "slot.h"
#include "trigger.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(sync_sessions_stamp);

/* One column's new value. */
static HeapTuple
set_column(HeapTuple tuple, TupleDesc desc, const char *name, Datum value)
{
	int			number = sp_rows_column(desc, name);
	bool		isnull = false;

	return heap_modify_tuple_by_cols(tuple, desc, 1, &number, &value, &isnull);
}

static char *
get_text(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, sp_rows_column(desc, name), desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static bool
is_null(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;

	heap_getattr(tuple, sp_rows_column(desc, name), desc, &isnull);
	return isnull;
}

static bool
differs(HeapTuple old, HeapTuple new, TupleDesc desc, int number)
{
	bool		anull,
				bnull;
	Datum		a = heap_getattr(old, number, desc, &anull);
	Datum		b = heap_getattr(new, number, desc, &bnull);
	Form_pg_attribute att = TupleDescAttr(desc, number - 1);

	if (anull || bnull)
		return anull != bnull;
	return !datum_image_eq(a, b, att->attbyval, att->attlen);
}

/* A status that has just begun or ended a run sets the time of it. */
static HeapTuple
stamp_times(HeapTuple tuple, TupleDesc desc)
{
	SpStatus	status = sp_status_parse(get_text(tuple, desc, "status"));
	Datum		now = TimestampTzGetDatum(GetCurrentTimestamp());
	bool		ended = status >= SP_STATUS_COMPLETED;

	if (status == SP_STATUS_PROCESSING && is_null(tuple, desc, "started_at"))
		tuple = set_column(tuple, desc, "started_at", now);
	if (ended && is_null(tuple, desc, "completed_at"))
		tuple = set_column(tuple, desc, "completed_at", now);
	else if (!ended && !is_null(tuple, desc, "completed_at"))
	{
		int			number = sp_rows_column(desc, "completed_at");
		Datum		value = (Datum) 0;
		bool		isnull = true;

		tuple = heap_modify_tuple_by_cols(tuple, desc, 1, &number, &value, &isnull);
	}
	return tuple;
}

/*
 * An edit by people steps lock_version.  Whoever has stepped it in the same
 * statement, as optimistic locking does, finds what was written there.
 */
static HeapTuple
stamp_edit(HeapTuple old, HeapTuple tuple, TupleDesc desc)
{
	int			title = sp_rows_column(desc, "title");
	int			pinned = sp_rows_column(desc, "pinned");
	int			number = sp_rows_column(desc, "lock_version");
	bool		isnull;
	int32		before;
	int32		given;

	if (!differs(old, tuple, desc, title) && !differs(old, tuple, desc, pinned))
		return tuple;
	before = DatumGetInt32(heap_getattr(old, number, desc, &isnull));
	given = DatumGetInt32(heap_getattr(tuple, number, desc, &isnull));
	if (isnull)
		return tuple;			/* the column refuses it */
	return set_column(tuple, desc, "lock_version", Int32GetDatum(Max(before == PG_INT32_MAX ? before : before + 1, given)));
}

/*
 * BEFORE INSERT OR UPDATE, each row, of sessions and accounts.
 *
 * A restored row keeps the version it comes with.
 */
Datum
sync_sessions_stamp(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	bool		update;
	HeapTuple	tuple;
	TupleDesc	desc;
	bool		isnull;
	int64		version;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "sync_sessions_stamp: not called by trigger manager");
	update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
	tuple = update ? data->tg_newtuple : data->tg_trigtuple;
	desc = RelationGetDescr(data->tg_relation);
	if (sp_am_worker)
		return PointerGetDatum(tuple);

	version = DatumGetInt64(heap_getattr(update ? data->tg_trigtuple : tuple, sp_rows_column(desc, "version"), desc, &isnull));
	if (update || isnull || version == 0)
		tuple = set_column(tuple, desc, "version",
						   Int64GetDatum(Max(version + 1, sp_unix_us(GetCurrentTimestamp()))));
	if (SPI_fnumber(desc, "owner_id") > 0)
	{
		if (update)
		{
			tuple = set_column(tuple, desc, "updated_at", TimestampTzGetDatum(GetCurrentTimestamp()));
			tuple = stamp_edit(data->tg_trigtuple, tuple, desc);
		}
		else if (is_null(tuple, desc, "source_id") && !is_null(tuple, desc, "id"))
		{
			Datum		id = heap_getattr(tuple, sp_rows_column(desc, "id"), desc, &isnull);

			tuple = set_column(tuple, desc, "source_id",
							   CStringGetTextDatum(psprintf(INT64_FORMAT, DatumGetInt64(id))));
		}
		tuple = stamp_times(tuple, desc);
	}
	return PointerGetDatum(tuple);
}
