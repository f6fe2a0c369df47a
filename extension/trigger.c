/*
 * trigger.c
 *		Changes that application SQL makes to sessions and accounts are told too.
 *
 * A statement trigger leaves a touch in the ledger for every session that
 * changed: the same way to the worker as an increment, with the same
 * guarantees.  Beside it the messages: that a stream must be asked for again,
 * and what lists of sessions show (event.c).
 *
 * It returns at once in the worker, which does these things itself.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/xact.h"
#include "call.h"
#include "commands/trigger.h"
#include "event.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "ledger.h"
#include "mark.h"
#include "rows.h"
#include "trigger.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

bool		sp_am_worker = false;
bool		sp_follows = false;

PG_FUNCTION_INFO_V1(sync_sessions_touch);

/* Writes one touch and marks its session. */
static void
touch(const SpCatalog *catalog, SpDatabase *database, int64 session, uint32 flags)
{
	SpRow		row = {.session = session, .amount = flags, .op = SP_OP_TOUCH};
	int			heap;

	row.stamp = sp_ledger_stamp(database);
	heap = sp_ledger_insert(catalog, database, &row, 1);
	if (database == NULL)
		return;
	sp_mark_heap(database, heap);
	sp_mark_changed(sp_mark_session(catalog, database, session), flags & ~SP_TOUCH_END);
}

/* Says that the session is gone: to its watchers, to its workers, to the fold. */
static void
say_gone(const SpCatalog *catalog, SpDatabase *database, int64 session, const char *stream)
{
	sp_event_revoked(catalog, database, session, stream);
	if (database != NULL)
		sp_mark_changed(sp_mark_session(catalog, database, session), SP_SLOT_URGENT);
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

/* Whether a session's row has just become that of a run that has ended. */
static bool
ends(TupleTableSlot *old, TupleTableSlot *new, int status)
{
	bool		isnull;

	return new != NULL && (old == NULL || differs(old, new, status, true)) &&
		sp_status_parse(TextDatumGetCString(slot_getattr(new, status, &isnull))) >= SP_STATUS_COMPLETED;
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
	char	   *kind = TextDatumGetCString(slot_getattr(slot, sp_rows_column(desc, "kind"), &isnull));
	char	   *source = TextDatumGetCString(slot_getattr(slot, sp_rows_column(desc, "source_id"), &isnull));

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
	int64		own = get_int64(new, sp_rows_column(desc, "id"));
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found = false;

	for (int i = 0; i < lengthof(columns); i++)
	{
		int			number = sp_rows_column(desc, columns[i]);
		bool		isnull;

		ScanKeyEntryInitialize(&keys[i], 0, number, BTEqualStrategyNumber, InvalidOid,
							   TupleDescAttr(desc, number - 1)->attcollation, F_TEXTEQ,
							   slot_getattr(new, number, &isnull));
	}
	scan = systable_beginscan(data->tg_relation, index, true, SnapshotSelf, lengthof(columns), keys);
	while (!found && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		isnull;

		found = DatumGetInt64(heap_getattr(tuple, sp_rows_column(desc, "id"), desc, &isnull)) != own;
	}
	systable_endscan(scan);
	return found;
}

/* What a statement has done, row by row. */
typedef struct Statement
{
	TriggerData *data;
	const SpCatalog *catalog;
	SpDatabase *database;
	SpEvents   *events;
	bool		quiet;			/* states are not told: see touch_rows() */
} Statement;

/* Leaves in the ledger what a session's row makes necessary. */
static void
touch_session(Statement *statement, TupleTableSlot *old, TupleTableSlot *new, uint32 flags)
{
	TupleDesc	desc = RelationGetDescr(statement->data->tg_relation);
	const SpCatalog *catalog = statement->catalog;
	SpDatabase *database = statement->database;
	int			id = sp_rows_column(desc, "id");

	sp_events_add(statement->events, old, new);
	if (new == NULL)
	{
		say_gone(catalog, database, get_int64(old, id), stream_of(old, desc));
		return;
	}

	/* who watches it must be asked whether they still may, or what instead */
	if (old != NULL &&
		(differs(old, new, sp_rows_column(desc, "owner_id"), true) ||
		 differs(old, new, sp_rows_column(desc, "source_id"), true) ||
		 differs(old, new, sp_rows_column(desc, "kind"), true)))
		sp_event_revoked(catalog, database, get_int64(old, id), stream_of(old, desc));
	else if (old == NULL && takes_over(statement->data, catalog, new))
		sp_event_revoked(catalog, database, get_int64(new, id), stream_of(new, desc));
	else if (statement->quiet)
		return;					/* nobody can watch it yet */
	touch(catalog, database, get_int64(new, id), flags);
	if (old != NULL && differs(old, new, id, false))
		touch(catalog, database, get_int64(old, id), flags);
}

/* Likewise an account's row. */
static void
touch_account(Statement *statement, TupleTableSlot *old, TupleTableSlot *new, uint32 flags)
{
	int			id = sp_rows_column(RelationGetDescr(statement->data->tg_relation), "sync_session_id");

	if (statement->quiet)
		return;
	touch(statement->catalog, statement->database, get_int64(new == NULL ? old : new, id), flags);
	if (old != NULL && new != NULL && differs(old, new, id, false))
		touch(statement->catalog, statement->database, get_int64(old, id), flags);
}

/*
 * Goes through the rows that the statement changed.  The old and the new rows
 * of an UPDATE come in the same order.
 */
static void
touch_rows(Statement *statement)
{
	TriggerData *data = statement->data;
	TupleDesc	desc = RelationGetDescr(data->tg_relation);
	bool		sessions = RelationGetRelid(data->tg_relation) == statement->catalog->sessions;
	int			status = sp_rows_column(desc, "status");
	int			error = sp_rows_column(desc, "error_message");
	TupleTableSlot *old = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	TupleTableSlot *new = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	MemoryContext each = AllocSetContextCreate(CurrentMemoryContext, "sync_progress row", ALLOCSET_DEFAULT_SIZES);

	if (data->tg_oldtable)
		tuplestore_rescan(data->tg_oldtable);
	if (data->tg_newtable)
		tuplestore_rescan(data->tg_newtable);
	/* the fold tells states itself, but not what lists are told */
	statement->quiet = sp_follows || (sessions && TRIGGER_FIRED_BY_INSERT(data->tg_event) &&
									  tuplestore_tuple_count(data->tg_newtable) > SP_EVENTS_EACH);
	for (;;)
	{
		TupleTableSlot *before = data->tg_oldtable ? old : NULL;
		TupleTableSlot *after = data->tg_newtable ? new : NULL;
		uint32		flags = 0;
		MemoryContext context;

		if ((before && !tuplestore_gettupleslot(data->tg_oldtable, true, false, old)) ||
			(after && !tuplestore_gettupleslot(data->tg_newtable, true, false, new)))
			break;
		context = MemoryContextSwitchTo(each);
		if (!before || !after || differs(old, new, status, true) || differs(old, new, error, true))
			flags |= SP_SLOT_URGENT;
		if (sessions && ends(before, after, status))
			flags |= SP_TOUCH_END;
		if (sessions)
			touch_session(statement, before, after, flags);
		else
			touch_account(statement, before, after, flags);
		MemoryContextSwitchTo(context);
		MemoryContextReset(each);
	}
	ExecDropSingleTupleTableSlot(old);
	ExecDropSingleTupleTableSlot(new);
}

/*
 * Before all rows go: those that somebody may still watch are told one by one.
 * Runs that ended more than a day ago are history, and may be many.
 *
 * Read as the tables' owner, whatever the user may read, and as of now: nobody
 * else can write any more, but under REPEATABLE READ may have since the
 * transaction began.
 */
static void
touch_truncated(Statement *statement)
{
	Relation	rel = statement->data->tg_relation;
	const char *schema = quote_identifier(SPI_getnspname(rel));
	bool		sessions = RelationGetRelid(rel) == statement->catalog->sessions;
	SpGuard		guard;

	sp_call_enter(rel->rd_rel->relowner, &guard);
	PushActiveSnapshot(GetLatestSnapshot());
	SPI_connect();
	if (SPI_execute(psprintf("SELECT id, kind || ':' || source_id FROM %s.sync_sessions"
							 " WHERE status IN ('pending', 'processing', 'paused')"
							 " OR completed_at > now() - interval '1 day'", schema), true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read sessions");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];

		if (sessions)
			say_gone(statement->catalog, statement->database, sp_rows_int64(tuple, 1, NULL), sp_rows_text(tuple, 2));
		else
			touch(statement->catalog, statement->database, sp_rows_int64(tuple, 1, NULL), SP_SLOT_URGENT);
	}
	if (sessions)
	{
		if (SPI_execute(psprintf("SELECT count(*), owner_id FROM %s.sync_sessions GROUP BY owner_id", schema), true, 0) != SPI_OK_SELECT)
			elog(ERROR, "could not read owners");
		for (uint64 i = 0; i < SPI_processed; i++)
			sp_events_add_reloaded(statement->events, sp_rows_text(SPI_tuptable->vals[i], 2),
								   sp_rows_int64(SPI_tuptable->vals[i], 1, NULL));
	}
	SPI_finish();
	PopActiveSnapshot();
	sp_call_leave(&guard);
	if (sessions && statement->database != NULL)
		sp_mark_truncated(statement->database);
}

/* AFTER each statement, with transition tables; BEFORE TRUNCATE. */
Datum
sync_sessions_touch(PG_FUNCTION_ARGS)
{
	Statement	statement = {.data = (TriggerData *) fcinfo->context};

	if (!CALLED_AS_TRIGGER(fcinfo))
		elog(ERROR, "sync_sessions_touch: not called by trigger manager");
	if (sp_am_worker && !sp_follows)
		return PointerGetDatum(NULL);

	statement.catalog = sp_catalog_of_table(RelationGetRelid(statement.data->tg_relation));
	statement.database = sp_shared_database(statement.catalog->sessions);
	statement.events = sp_events_begin(statement.catalog, statement.database);
	if (TRIGGER_FIRED_BY_TRUNCATE(statement.data->tg_event))
		touch_truncated(&statement);
	else
		touch_rows(&statement);
	sp_events_end(statement.events);
	return PointerGetDatum(NULL);
}
