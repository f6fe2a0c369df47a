/*
 * trigger.c
 *		Changes that application SQL makes to sessions and accounts are told too.
 *
 * A row trigger gives a changed row its version and its times, so that no two
 * states of a row share a version, whoever wrote them.  A statement trigger
 * then leaves a touch in the ledger for every session that changed: the same
 * way to the worker as an increment, with the same guarantees.
 *
 * Both return at once in the worker, which does these things itself.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "ledger.h"
#include "mark.h"
#include "rows.h"
#include "trigger.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

bool		sp_am_worker = false;

PG_FUNCTION_INFO_V1(sync_sessions_stamp);
PG_FUNCTION_INFO_V1(sync_sessions_touch);

static int
column(TupleDesc desc, const char *name)
{
	int			number = SPI_fnumber(desc, name);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" is missing", name),
				 errhint("The tables of extension \"sync_progress\" are not to be altered.")));
	return number;
}

/* One column's new value. */
static HeapTuple
set_column(HeapTuple tuple, TupleDesc desc, const char *name, Datum value)
{
	int			number = column(desc, name);
	bool		isnull = false;

	return heap_modify_tuple_by_cols(tuple, desc, 1, &number, &value, &isnull);
}

static char *
get_text(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, column(desc, name), desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static bool
is_null(HeapTuple tuple, TupleDesc desc, const char *name)
{
	bool		isnull;

	heap_getattr(tuple, column(desc, name), desc, &isnull);
	return isnull;
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
		int			number = column(desc, "completed_at");
		Datum		value = (Datum) 0;
		bool		isnull = true;

		tuple = heap_modify_tuple_by_cols(tuple, desc, 1, &number, &value, &isnull);
	}
	return tuple;
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

	version = DatumGetInt64(heap_getattr(update ? data->tg_trigtuple : tuple, column(desc, "version"), desc, &isnull));
	if (update || isnull || version == 0)
		tuple = set_column(tuple, desc, "version",
						   Int64GetDatum(Max(version + 1, sp_unix_us(GetCurrentTimestamp()))));
	if (SPI_fnumber(desc, "owner_id") > 0)
	{
		if (update)
			tuple = set_column(tuple, desc, "updated_at", TimestampTzGetDatum(GetCurrentTimestamp()));
		else if (is_null(tuple, desc, "source_id") && !is_null(tuple, desc, "id"))
		{
			Datum		id = heap_getattr(tuple, column(desc, "id"), desc, &isnull);

			tuple = set_column(tuple, desc, "source_id",
							   CStringGetTextDatum(psprintf(INT64_FORMAT, DatumGetInt64(id))));
		}
		tuple = stamp_times(tuple, desc);
	}
	return PointerGetDatum(tuple);
}

/* Writes one touch and marks its session. */
static void
touch(const SpCatalog *catalog, SpDatabase *database, int64 session, char op, const char *stream, uint32 flags)
{
	SpRow		row = {.session = session, .amount = flags, .op = op, .label = stream};
	int			heap;

	row.stamp = sp_ledger_stamp(database);
	if (op == SP_OP_REVOKED)
		row.stamp = sp_unix_us(row.stamp);	/* comparable with versions */
	heap = sp_ledger_insert(catalog, database, &row, 1);
	if (database != NULL)
	{
		sp_mark_heap(database, heap);
		if (op == SP_OP_REVOKED)
			sp_mark_message(database);
		sp_mark_changed(sp_mark_session(catalog, database, session), flags);
	}
}

static bool
differs(TupleTableSlot *a, TupleTableSlot *b, int number, bool is_text)
{
	bool		anull,
				bnull;
	Datum		x = slot_getattr(a, number, &anull);
	Datum		y = slot_getattr(b, number, &bnull);

	if (anull || bnull)
		return anull != bnull;
	if (!is_text)
		return x != y;
	return strcmp(TextDatumGetCString(x), TextDatumGetCString(y)) != 0;
}

static int64
get_int64(TupleTableSlot *slot, int number)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, number, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

/* The stream that a session's row is told on. */
static char *
stream_of(TupleTableSlot *slot, TupleDesc desc)
{
	bool		isnull;
	char	   *kind = TextDatumGetCString(slot_getattr(slot, column(desc, "kind"), &isnull));
	char	   *source = TextDatumGetCString(slot_getattr(slot, column(desc, "source_id"), &isnull));

	return psprintf("%s:%s", kind, source);
}

/*
 * Whether the stream of a new session was another's before: who watches it
 * was asked about that one.  Looked up in the index, whatever the user may read.
 */
static bool
takes_over(TriggerData *data, const SpCatalog *catalog, TupleTableSlot *new)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	static const char *const columns[] = {"kind", "source_id"};
	ScanKeyData keys[lengthof(columns)];
	Oid			index = get_relname_relid("sync_sessions_source", catalog->schema);
	int64		own = get_int64(new, column(desc, "id"));
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	for (int i = 0; i < lengthof(columns); i++)
	{
		int			number = column(desc, columns[i]);
		bool		isnull;

		ScanKeyEntryInitialize(&keys[i], 0, number, BTEqualStrategyNumber, InvalidOid,
							   TupleDescAttr(desc, number - 1)->attcollation, F_TEXTEQ,
							   slot_getattr(new, number, &isnull));
	}
	scan = systable_beginscan(data->tg_relation, index, true, SnapshotSelf, lengthof(columns), keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;

		found = DatumGetInt64(heap_getattr(tuple, column(desc, "id"), desc, &isnull)) != own;
	}
	systable_endscan(scan);
	return found;
}

/*
 * Touches the session of every row that the statement changed.  The old and
 * the new rows of an UPDATE come in the same order.
 */
static void
touch_rows(TriggerData *data, const SpCatalog *catalog, SpDatabase *database)
{
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	bool		sessions = RelationGetRelid(data->tg_relation) == catalog->sessions;
	bool		gone = TRIGGER_FIRED_BY_DELETE(data->tg_event);
	bool		update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
	int			id = column(desc, sessions ? "id" : "sync_session_id");
	int			status = column(desc, "status");
	int			error = column(desc, "error_message");
	TupleTableSlot *old = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	TupleTableSlot *new = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);

	if (data->tg_oldtable)
		tuplestore_rescan(data->tg_oldtable);
	if (data->tg_newtable)
		tuplestore_rescan(data->tg_newtable);
	for (;;)
	{
		bool		more = true;
		uint32		flags = 0;

		if (data->tg_oldtable)
			more = tuplestore_gettupleslot(data->tg_oldtable, true, false, old);
		if (data->tg_newtable)
			more = tuplestore_gettupleslot(data->tg_newtable, true, false, new) && more;
		if (!more)
			break;
		if (!update || differs(old, new, status, true) || differs(old, new, error, true))
			flags |= SP_SLOT_URGENT;
		if (sessions && gone)
			touch(catalog, database, get_int64(old, id), SP_OP_REVOKED, stream_of(old, desc), flags);
		else
		{
			/*
			 * who watches it must be asked whether they still may, or what
			 * instead
			 */
			if (sessions && update &&
				(differs(old, new, column(desc, "owner_id"), true) ||
				 differs(old, new, column(desc, "source_id"), true) ||
				 differs(old, new, column(desc, "kind"), true)))
				touch(catalog, database, get_int64(old, id), SP_OP_REVOKED, stream_of(old, desc), SP_SLOT_URGENT);
			if (sessions && !update && takes_over(data, catalog, new))
				touch(catalog, database, get_int64(new, id), SP_OP_REVOKED, stream_of(new, desc), SP_SLOT_URGENT);
			touch(catalog, database, get_int64(gone ? old : new, id), SP_OP_TOUCH, NULL, flags);
			if (update && differs(old, new, id, false))
				touch(catalog, database, get_int64(old, id), SP_OP_TOUCH, NULL, flags);
		}
	}
	ExecDropSingleTupleTableSlot(old);
	ExecDropSingleTupleTableSlot(new);
}

/*
 * Before all rows go: those that somebody may still watch are told one by one.
 * Runs that ended more than a day ago are history, and may be many.
 */
static void
touch_truncated(TriggerData *data, const SpCatalog *catalog, SpDatabase *database)
{
	const char *schema = quote_identifier(SPI_getnspname(data->tg_relation));
	bool		sessions = RelationGetRelid(data->tg_relation) == catalog->sessions;

	SPI_connect();
	if (SPI_execute(psprintf("SELECT id, kind || ':' || source_id FROM %s.sync_sessions"
							 " WHERE status IN ('pending', 'processing', 'paused')"
							 " OR completed_at > now() - interval '1 day'", schema), true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read sessions");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];

		touch(catalog, database, sp_rows_int64(tuple, 1, NULL), sessions ? SP_OP_REVOKED : SP_OP_TOUCH,
			  sessions ? sp_rows_text(tuple, 2) : NULL, SP_SLOT_URGENT);
	}
	SPI_finish();
	if (sessions && database != NULL)
		sp_mark_truncated(database);
}

/* AFTER each statement, with transition tables; BEFORE TRUNCATE. */
Datum
sync_sessions_touch(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	const SpCatalog *catalog;
	SpDatabase *database;

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "sync_sessions_touch: not called by trigger manager");
	if (sp_am_worker)
		return PointerGetDatum(NULL);

	catalog = sp_catalog_of_table(RelationGetRelid(data->tg_relation));
	database = sp_shared_database(catalog->sessions);
	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		touch_truncated(data, catalog, database);
	else
		touch_rows(data, catalog, database);
	return PointerGetDatum(NULL);
}
