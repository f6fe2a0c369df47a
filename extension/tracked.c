/*
 * tracked.c
 *		Rows of an application's tracked table drive sessions.
 *
 * sync_progress_track() puts triggers on the table (track.c) that call
 * sync_progress_tracked(kind, mapping).  A new row makes a session at once, so
 * that the application may count for it in the same transaction.  A changed
 * row touches no session: it leaves in the ledger what its columns say now,
 * absolute, and the worker does the rest; so does a deleted one.  So the
 * application waits for nobody here, and its worker's rows commute with
 * everybody's increments as sync_progress_set() does.
 *
 * Nothing in a row makes this fail, or the application would: what does not
 * fit is a warning.  And it works for roles that have no right to anything of
 * the extension's: sessions and ledger are reached below SQL, and what is SQL
 * runs as the owner of its tables.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "call.h"
#include "change.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "rows.h"
#include "source.h"
#include "tracked.h"
#include "trigger.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#define APPEAR_BATCH	20000	/* rows made by one statement */

PG_FUNCTION_INFO_V1(sync_progress_tracked);

/* What a trigger was made with; kept for the backend's life. */
typedef struct Tracked
{
	Oid			trigger;
	char	   *kind;
	char	   *json;
	SpMapping  *mapping;
	MemoryContext context;
} Tracked;

/* Whether a trigger with this function and so many arguments is one of ours. */
bool
sp_tracked_is(const SpCatalog *catalog, Oid function, int nargs)
{
	char	   *name;

	if (nargs != 2 || get_func_namespace(function) != catalog->schema)
		return false;
	name = get_func_name(function);
	return name != NULL && strcmp(name, SP_TRACKED_FUNCTION) == 0;
}

/* The trigger's kind and mapping, with the columns of this table. */
static Tracked *
tracked_by(TriggerData *data)
{
	static HTAB *known = NULL;
	Trigger    *trigger = data->tg_trigger;
	Tracked    *tracked;
	bool		found;

	if (trigger->tgnargs != 2)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION),
				 errmsg("trigger \"%s\" of table \"%s\" was not made by sync_progress_track()",
						trigger->tgname, RelationGetRelationName(data->tg_relation)),
				 errhint("Drop it, and call sync_progress_track().")));
	if (known == NULL)
	{
		HASHCTL		info = {.keysize = sizeof(Oid), .entrysize = sizeof(Tracked)};

		known = hash_create("sync_progress tracked tables", 16, &info, HASH_ELEM | HASH_BLOBS);
	}
	tracked = hash_search(known, &trigger->tgoid, HASH_ENTER, &found);
	if (!found)
	{
		tracked->mapping = NULL;
		tracked->context = NULL;
	}
	if (tracked->mapping == NULL || strcmp(tracked->kind, trigger->tgargs[0]) != 0 || strcmp(tracked->json, trigger->tgargs[1]) != 0)
	{
		MemoryContext old;

		if (tracked->context != NULL)
			MemoryContextDelete(tracked->context);
		tracked->mapping = NULL;
		tracked->context = NULL;
		tracked->context = AllocSetContextCreate(TopMemoryContext, "sync_progress tracked table", ALLOCSET_SMALL_SIZES);
		old = MemoryContextSwitchTo(tracked->context);
		tracked->kind = pstrdup(trigger->tgargs[0]);
		tracked->json = pstrdup(trigger->tgargs[1]);
		tracked->mapping = sp_mapping_parse(tracked->json);
		MemoryContextSwitchTo(old);
	}
	sp_mapping_resolve(tracked->mapping, RelationGetDescr(data->tg_relation), RelationGetRelationName(data->tg_relation));
	return tracked;
}

static bool
is_id(const char *text)
{
	return text !=NULL && text[0] != '\0' && pg_mbstrlen(text) <= SP_SOURCE_MAX;
}

/* Whether there can be a session for the row; a warning where not. */
static bool
is_fit(const SpMapping *mapping, SpTableRow *facts)
{
	SpField		bad = SP_FIELDS;

	if (!is_id(facts->values[SP_FIELD_ID]))
		bad = SP_FIELD_ID;
	else if (mapping->parts && !is_id(facts->values[SP_FIELD_SESSION]))
		bad = SP_FIELD_SESSION;
	else if (pg_mbstrlen(facts->values[SP_FIELD_OWNER]) > SP_SOURCE_MAX)
		bad = SP_FIELD_OWNER;
	if (bad == SP_FIELDS)
		return true;
	/* a part of nothing is no mistake */
	if (bad != SP_FIELD_SESSION)
		ereport(WARNING,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("sync_progress takes no notice of a row: its column \"%s\" is no id", mapping->columns[bad].name),
				 errhint("An id has 1 to %d characters.", SP_SOURCE_MAX)));
	return false;
}

/* Rows of sessions: some have one already, the others get one. */
static uint64
appear_sessions(const SpCatalog *catalog, const char *kind, const SpMapping *mapping, SpTableRow **facts, int nfacts, bool take_over)
{
	SpTableRow **missing = palloc(Max(nfacts, 1) * sizeof(SpTableRow *));
	int			nmissing = 0;
	uint64		made;
	SpChange	change;

	for (int i = 0; i < nfacts; i++)
	{
		bool		ended = false;
		int64		session = 0;

		if (is_fit(mapping, facts[i]))
			session = sp_source_session(catalog, kind, facts[i]->values[SP_FIELD_ID], &ended);
		else
			continue;
		if (session != 0 && (take_over || !ended) && sp_source_keep(catalog, session))
		{
			sp_change_compare(mapping, NULL, facts[i], &change);
			sp_change_write(catalog, session, 0, &change);
		}
		else
			missing[nmissing++] = facts[i];
	}
	made = nmissing == 0 ? 0 : sp_source_make_sessions(catalog, kind, missing, nmissing);
	/* somebody else made a run of one of them at the same moment: use that */
	for (int i = 0; i < nmissing && made < nmissing; i++)
	{
		int64		session = sp_source_session(catalog, kind, missing[i]->values[SP_FIELD_ID], NULL);

		if (session == 0)
			continue;			/* and ended and deleted it, all in this
								 * moment */
		sp_change_compare(mapping, NULL, missing[i], &change);
		sp_change_write(catalog, session, 0, &change);
	}
	return made;
}

/* Likewise rows of accounts, whose session is there, or they are of no interest. */
static uint64
appear_accounts(const SpCatalog *catalog, const char *kind, const SpMapping *mapping, SpTableRow **facts, int nfacts,
				uint64 *orphans)
{
	SpTableRow **missing = palloc(Max(nfacts, 1) * sizeof(SpTableRow *));
	int64	   *sessions = palloc(Max(nfacts, 1) * sizeof(int64));
	int			nmissing = 0;

	for (int i = 0; i < nfacts; i++)
	{
		int64		session = 0;
		int64		account;
		SpChange	change;

		if (is_fit(mapping, facts[i]))
			session = sp_source_session(catalog, kind, facts[i]->values[SP_FIELD_SESSION], NULL);
		if (session == 0 || !sp_source_keep(catalog, session))
		{
			*orphans += is_id(facts[i]->values[SP_FIELD_SESSION]);
			continue;
		}
		account = sp_source_account(catalog, session, facts[i]->values[SP_FIELD_ID]);
		if (account != 0)
		{
			sp_change_compare(mapping, NULL, facts[i], &change);
			sp_change_write(catalog, session, account, &change);
			continue;
		}
		sessions[nmissing] = session;
		missing[nmissing++] = facts[i];
	}
	return nmissing == 0 ? 0 : sp_source_make_accounts(catalog, sessions, missing, nmissing);
}

/*
 * Rows that have appeared in the table: each gets a session (or an account),
 * or says all it has to say to the one that it has.  With "take_over" a run
 * that has ended is the row's own, else it was another row's before.  Returns
 * how many were made; *orphans grows by parts of what has no session.
 */
uint64
sp_tracked_appear(const SpCatalog *catalog, const char *kind, const SpMapping *mapping,
				  SpTableRow **facts, int nfacts, bool take_over, uint64 *orphans)
{
	return mapping->parts
		? appear_accounts(catalog, kind, mapping, facts, nfacts, orphans)
		: appear_sessions(catalog, kind, mapping, facts, nfacts, take_over);
}

/* Likewise for a trigger. */
static void
appear(const SpCatalog *catalog, const Tracked *tracked, SpTableRow **facts, int nfacts)
{
	uint64		orphans = 0;

	for (int i = 0; i < nfacts; i++)
	{
		if (facts[i]->unknown != NULL)
			sp_mapping_warn(tracked->mapping, facts[i]);
	}
	(void) sp_tracked_appear(catalog, tracked->kind, tracked->mapping, facts, nfacts, false, &orphans);
}

/* The session of a row and, if it is a part, the account; false: there is none. */
static bool
find(const SpCatalog *catalog, const Tracked *tracked, const SpTableRow *facts, int64 *session, int64 *account)
{
	bool		parts = tracked->mapping->parts;
	const char *source = facts->values[parts ? SP_FIELD_SESSION : SP_FIELD_ID];

	*account = 0;
	*session = is_id(source) ? sp_source_session(catalog, tracked->kind, source, NULL) : 0;
	if (*session == 0 || !parts)
		return *session != 0;
	if (is_id(facts->values[SP_FIELD_ID]))
		*account = sp_source_account(catalog, *session, facts->values[SP_FIELD_ID]);
	return *account != 0;
}

static void
disappear(const SpCatalog *catalog, const Tracked *tracked, const SpTableRow *facts)
{
	SpChange	change = {.flags = SP_SLOT_URGENT};
	int64		session,
				account;

	if (!find(catalog, tracked, facts, &session, &account))
		return;
	sp_change_add(&change, SP_OP_GONE, 0, NULL);
	sp_change_write(catalog, session, account, &change);
}

static SpTableRow *
read_tuple(const Tracked *tracked, HeapTuple tuple, TupleDesc desc)
{
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	SpTableRow *facts = palloc(sizeof(SpTableRow));

	heap_deform_tuple(tuple, desc, values, nulls);
	sp_mapping_read(tracked->mapping, values, nulls, facts);
	return facts;
}

static void
changed(const SpCatalog *catalog, const Tracked *tracked, SpTableRow *old, SpTableRow *new)
{
	SpChange	change;
	int64		session,
				account;

	/* under another id it is another's row */
	if (!sp_change_same(old, new, SP_FIELD_ID) || !sp_change_same(old, new, SP_FIELD_SESSION))
		disappear(catalog, tracked, old);
	else if (is_fit(tracked->mapping, new) && find(catalog, tracked, new, &session, &account))
	{
		if (new->unknown != NULL && (old->unknown == NULL || strcmp(old->unknown, new->unknown) != 0))
			sp_mapping_warn(tracked->mapping, new);
		sp_change_compare(tracked->mapping, old, new, &change);
		sp_change_write(catalog, session, account, &change);
		return;
	}
	/* or it came while the triggers were off */
	appear(catalog, tracked, &new, 1);
}

/* The rows of a statement's INSERT. */
static void
inserted(TriggerData *data, const SpCatalog *catalog, const Tracked *tracked)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(data->tg_relation), &TTSOpsMinimalTuple);
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "sync_progress rows", ALLOCSET_DEFAULT_SIZES);
	bool		more = true;

	tuplestore_rescan(data->tg_newtable);
	while (more)
	{
		MemoryContext old = MemoryContextSwitchTo(batch);
		SpTableRow **facts = palloc(APPEAR_BATCH * sizeof(SpTableRow *));
		int			nfacts = 0;

		while (nfacts < APPEAR_BATCH && (more = tuplestore_gettupleslot(data->tg_newtable, true, false, slot)))
		{
			slot_getallattrs(slot);
			facts[nfacts] = palloc(sizeof(SpTableRow));
			sp_mapping_read(tracked->mapping, slot->tts_values, slot->tts_isnull, facts[nfacts++]);
		}
		appear(catalog, tracked, facts, nfacts);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	}
	MemoryContextDelete(batch);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * Before all rows go: each is said to.  Who may TRUNCATE may not read them, so
 * they are read as the table's owner.
 */
static void
truncated(TriggerData *data, const SpCatalog *catalog, const Tracked *tracked)
{
	Relation	rel = data->tg_relation;
	const SpMapping *mapping = tracked->mapping;
	const char *session = mapping->parts ? quote_identifier(mapping->columns[SP_FIELD_SESSION].name) : "NULL";
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "sync_progress rows", ALLOCSET_DEFAULT_SIZES);
	uint64		fetched;
	SpGuard		guard;
	Portal		portal;

	/*
	 * what was committed before the table was locked, whatever the isolation
	 * level
	 */
	PushActiveSnapshot(GetLatestSnapshot());
	SPI_connect();
	sp_call_enter(rel->rd_rel->relowner, &guard);
	portal = SPI_cursor_open_with_args(NULL,
									   psprintf("SELECT %s::text, %s::text FROM %s.%s",
												quote_identifier(mapping->columns[SP_FIELD_ID].name), session,
												quote_identifier(get_namespace_name(RelationGetNamespace(rel))),
												quote_identifier(RelationGetRelationName(rel))),
									   0, NULL, NULL, NULL, true, 0);
	sp_call_leave(&guard);
	do
	{
		MemoryContext old = MemoryContextSwitchTo(batch);

		SPI_cursor_fetch(portal, true, 1000);
		fetched = SPI_processed;
		for (uint64 i = 0; i < fetched; i++)
		{
			SpTableRow	facts = {{NULL}};

			facts.values[SP_FIELD_ID] = sp_rows_text(SPI_tuptable->vals[i], 1);
			facts.values[SP_FIELD_SESSION] = sp_rows_text(SPI_tuptable->vals[i], 2);
			disappear(catalog, tracked, &facts);
		}
		SPI_freetuptable(SPI_tuptable);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	} while (fetched > 0);
	SPI_cursor_close(portal);
	SPI_finish();
	PopActiveSnapshot();
	MemoryContextDelete(batch);
}

/*
 * sync_progress_tracked(kind, mapping): AFTER INSERT of a statement with a
 * transition table or of each row, UPDATE and DELETE of each row, BEFORE
 * TRUNCATE.
 */
Datum
sync_progress_tracked(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	const SpCatalog *catalog;
	Tracked    *tracked;
	TupleDesc	desc;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("sync_progress_tracked() is a trigger's function"),
				 errhint("Call sync_progress_track(), which makes the triggers.")));
	if (sp_am_worker)
		return PointerGetDatum(NULL);
	catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	tracked = tracked_by(data);
	desc = RelationGetDescr(data->tg_relation);

	if (TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		truncated(data, catalog, tracked);
	else if (TRIGGER_FIRED_BY_INSERT(data->tg_event) && data->tg_newtable != NULL)
		inserted(data, catalog, tracked);
	else if (!TRIGGER_FIRED_FOR_ROW(data->tg_event))
		elog(ERROR, "trigger \"%s\" has no rows", data->tg_trigger->tgname);
	else if (TRIGGER_FIRED_BY_UPDATE(data->tg_event))
		changed(catalog, tracked, read_tuple(tracked, data->tg_trigtuple, desc),
				read_tuple(tracked, data->tg_newtuple, desc));
	else
	{
		SpTableRow *facts = read_tuple(tracked, data->tg_trigtuple, desc);

		if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
			appear(catalog, tracked, &facts, 1);
		else
			disappear(catalog, tracked, facts);
	}
	return PointerGetDatum(NULL);
}
