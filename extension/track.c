/*
 * track.c
 *		sync_progress_track() and its likes: an application's table drives sessions.
 *
 * Everything that is known of a tracked table is in its triggers: the kind and
 * the mapping are their arguments.  So a dump carries it, no table of ours
 * names one of theirs, and DROP TABLE leaves nothing behind.  The trigger for
 * UPDATE compares the mapped columns in its WHEN clause: other updates cost
 * nothing, and PostgreSQL itself refuses to drop or alter such a column.
 *
 * All that is done to the application's table is done with the caller's
 * rights; what is done to ours, as its owner.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "call.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "rows.h"
#include "source.h"
#include "storage/lmgr.h"
#include "tracked.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#define BACKFILL_BATCH	20000	/* rows read, and sessions made, at a time */

PG_FUNCTION_INFO_V1(sync_progress_track);
PG_FUNCTION_INFO_V1(sync_progress_untrack);
PG_FUNCTION_INFO_V1(sync_progress_session);

/* A call of sync_progress_track(). */
typedef struct Tracking
{
	const SpCatalog *catalog;
	Oid			table;
	char	   *name;			/* quoted, with its schema */
	bool		partitioned;
	char	   *kind;
	char	   *json;
	SpMapping  *mapping;
} Tracking;

/* For queries and messages alike. */
static char *
quoted_name(Oid table)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)), get_rel_name(table));
}

/* Raises an error unless there is such a kind; nobody else tracks for it until we have. */
static void
require_kind(const SpCatalog *catalog, const char *kind, bool lock)
{
	Oid			types[1] = {TEXTOID};
	Datum		args[1] = {CStringGetTextDatum(kind)};
	const char *schema = quote_identifier(get_namespace_name(catalog->schema));
	SpGuard		guard;

	sp_call_enter(sp_catalog_owner(catalog->sessions), &guard);
	if (SPI_execute_with_args(psprintf("SELECT FROM %s.sync_kinds WHERE kind = $1%s", schema, lock ? " FOR NO KEY UPDATE" : ""),
							  1, types, args, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read kinds");
	sp_call_leave(&guard);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("unknown kind of sync \"%s\"", kind),
				 errhint("SELECT kind FROM %s.sync_kinds; lists the kinds there are.", schema)));
}

/* Raises an error unless rows of this relation can drive sessions. */
static void
require_table(const SpCatalog *catalog, Relation rel)
{
	const char *why = NULL;
	const char *hint = "Track an ordinary or a partitioned table.";
	Oid			table = RelationGetRelid(rel);

	if (rel->rd_rel->relkind != RELKIND_RELATION && rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		why = "it is no table";
	else if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		why = "it is temporary";
	else if (rel->rd_rel->relispartition)
	{
		why = "it is a partition";
		hint = "Track the table that it is a partition of.";
	}
	else if (rel->rd_rel->relkind == RELKIND_RELATION &&
			 (has_superclass(table) || find_inheritance_children(table, NoLock) != NIL))
		why = "it inherits, or is inherited from";
	else if (IsCatalogRelation(rel) || table == catalog->kinds || RelationGetNamespace(rel) == catalog->schema)
	{
		why = "it is the extension's or the system's own";
		hint = "Track a table of your application.";
	}
	if (why != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot track \"%s\": %s", RelationGetRelationName(rel), why),
				 errhint("%s", hint)));
}

/*
 * The table's triggers that are ours, their names in a list; *kind, if there
 * are any.
 */
static List *
triggers_of(const SpCatalog *catalog, Relation rel, char **kind)
{
	List	   *names = NIL;

	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &rel->trigdesc->triggers[i];

		if (!sp_tracked_is(catalog, trigger->tgfoid, trigger->tgnargs))
			continue;
		names = lappend(names, pstrdup(trigger->tgname));
		*kind = pstrdup(trigger->tgargs[0]);
	}
	return names;
}

/*
 * The table whose rows are this kind's sessions by now; InvalidOid: none.  All
 * triggers of the database are looked through: there is no index by function,
 * and nobody tracks often.
 */
static Oid
table_of_kind(const SpCatalog *catalog, const char *kind)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(triggers, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;
	Oid			table = InvalidOid;

	while (!OidIsValid(table) && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);
		bool		isnull;
		bytea	   *args;
		char	   *first;

		if (!sp_tracked_is(catalog, trigger->tgfoid, trigger->tgnargs))
			continue;
		/* arguments lie one after the other, each with its own end */
		args = DatumGetByteaPP(fastgetattr(tuple, Anum_pg_trigger_tgargs, RelationGetDescr(triggers), &isnull));
		first = VARDATA_ANY(args);
		if (strcmp(first, kind) == 0 && !sp_mapping_parse(first + strlen(first) + 1)->parts)
			table = trigger->tgrelid;
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	return table;
}

/* Raises an error where the table, or the kind, is taken. */
static void
require_untracked(const Tracking *tracking, Relation rel)
{
	char	   *kind;
	Oid			other;

	if (triggers_of(tracking->catalog, rel, &kind) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("table %s is tracked already, for kind \"%s\"", tracking->name, kind),
				 errhint("To change how, call sync_progress_untrack() first; its sessions stay.")));
	if (tracking->mapping->parts)
		return;
	other = table_of_kind(tracking->catalog, tracking->kind);
	if (OidIsValid(other))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("kind \"%s\" has table %s already", tracking->kind, quoted_name(other)),
				 errhint("Ids of two tables would mix. Make a kind of its own: INSERT INTO sync_kinds.")));
}

/*
 * Whether the values of a type are compared by = as they are shown.  Types
 * from elsewhere may call equal what is not the same to read (citext), and
 * json has no = at all: those are compared as text.
 */
static bool
has_equality(Oid type)
{
	return type < FirstNormalObjectId && OidIsValid(lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr);
}

/* "old.a IS DISTINCT FROM new.a OR ...", of all columns that are mapped */
static char *
any_changed(const SpMapping *mapping)
{
	char	   *condition = NULL;

	for (int i = 0; i < SP_FIELDS; i++)
	{
		const SpColumn *column = &mapping->columns[i];
		const char *name = column->name == NULL ? NULL : quote_identifier(column->name);
		const char *cast = column->name == NULL || has_equality(column->type) ? "" : "::text";

		if (name != NULL)
			condition = psprintf("%s%sold.%s%s IS DISTINCT FROM new.%s%s", condition == NULL ? "" : condition,
								 condition == NULL ? "" : " OR ", name, cast, name, cast);
	}
	return condition;
}

/* One trigger, with kind and mapping as its arguments. */
static void
make_trigger(const Tracking *tracking, const char *name, const char *event, const char *condition)
{
	char	   *query = psprintf("CREATE TRIGGER sync_progress_%s %s ON %s %s EXECUTE FUNCTION %s.%s(%s, %s)",
								 name, event, tracking->name, condition,
								 quote_identifier(get_namespace_name(tracking->catalog->schema)), SP_TRACKED_FUNCTION,
								 quote_literal_cstr(tracking->kind), quote_literal_cstr(tracking->json));

	if (SPI_execute(query, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not run \"%s\"", query);
}

/*
 * A statement's new rows come together, so that a bulk load makes its sessions
 * by one INSERT.  Partitions have no such thing: there they come one by one.
 */
static void
make_triggers(const Tracking *tracking)
{
	make_trigger(tracking, "insert", "AFTER INSERT", tracking->partitioned ? "FOR EACH ROW"
				 : "REFERENCING NEW TABLE AS sync_progress_rows FOR EACH STATEMENT");
	make_trigger(tracking, "update", "AFTER UPDATE", psprintf("FOR EACH ROW WHEN (%s)", any_changed(tracking->mapping)));
	make_trigger(tracking, "delete", "AFTER DELETE", "FOR EACH ROW");
	make_trigger(tracking, "truncate", "BEFORE TRUNCATE", "FOR EACH STATEMENT");
}

/* Raises an error where the table has a status that means nothing to us. */
static void
require_statuses(const Tracking *tracking)
{
	const SpColumn *column = &tracking->mapping->columns[SP_FIELD_STATUS];
	char	   *unknown = NULL;

	if (column->name == NULL)
		return;
	if (SPI_execute(psprintf("SELECT DISTINCT %1$s::text FROM %2$s WHERE %1$s IS NOT NULL ORDER BY 1",
							 quote_identifier(column->name), tracking->name), true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read statuses");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *status = sp_rows_text(SPI_tuptable->vals[i], 1);

		if (sp_mapping_status(tracking->mapping, status) == NULL && (unknown == NULL || strlen(unknown) < 500))
			unknown = unknown == NULL ? psprintf("\"%s\"", status) : psprintf("%s, \"%s\"", unknown, status);
	}
	if (unknown != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" of %s has statuses that status_map does not map: %s", column->name, tracking->name, unknown),
				 errhint("Map each to pending, processing, paused, completed, failed or cancelled: {\"status_map\":{\"running\":\"processing\"}}.")));
}

/*
 * The table's rows, as the caller may see them, become sessions.  Returns how
 * many.
 *
 * In batches: each is one INSERT, of which lists are told once, and only its
 * rows are in memory.  What has a session from an earlier time keeps it.
 */
static uint64
backfill(Tracking *tracking)
{
	char	   *columns = NULL;
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "sync_progress rows", ALLOCSET_DEFAULT_SIZES);
	uint64		made = 0;
	uint64		orphans = 0;
	uint64		fetched;
	Portal		portal;

	for (int i = 0; i < SP_FIELDS; i++)
	{
		const char *name = tracking->mapping->columns[i].name;

		if (name != NULL)
			columns = columns == NULL ? pstrdup(quote_identifier(name)) : psprintf("%s, %s", columns, quote_identifier(name));
	}
	portal = SPI_cursor_open_with_args(NULL, psprintf("SELECT %s FROM %s", columns, tracking->name),
									   0, NULL, NULL, NULL, true, 0);
	do
	{
		SPITupleTable *rows;
		MemoryContext old = MemoryContextSwitchTo(batch);
		SpTableRow **facts;

		SPI_cursor_fetch(portal, true, BACKFILL_BATCH);
		rows = SPI_tuptable;
		fetched = SPI_processed;
		facts = palloc(Max(fetched, 1) * sizeof(SpTableRow *));
		for (uint64 i = 0; i < fetched; i++)
		{
			Datum	   *values = palloc(rows->tupdesc->natts * sizeof(Datum));
			bool	   *nulls = palloc(rows->tupdesc->natts * sizeof(bool));

			heap_deform_tuple(rows->vals[i], rows->tupdesc, values, nulls);
			sp_mapping_resolve(tracking->mapping, rows->tupdesc, tracking->name);
			facts[i] = palloc(sizeof(SpTableRow));
			sp_mapping_read(tracking->mapping, values, nulls, facts[i]);
		}
		made += sp_tracked_appear(tracking->catalog, tracking->kind, tracking->mapping, facts, (int) fetched, true, &orphans);
		SPI_freetuptable(rows);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	} while (fetched > 0);
	SPI_cursor_close(portal);
	MemoryContextDelete(batch);
	if (orphans > 0)
		ereport(WARNING,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg(UINT64_FORMAT " rows of %s are parts of what has no session", orphans, tracking->name),
				 errhint("Track the table that they are parts of first, then untrack and track this one again.")));
	return made;
}

/* Raises an error where the first so many arguments have a NULL among them. */
static void
require_arguments(FunctionCallInfo fcinfo, int nargs)
{
	sp_shared_require();
	for (int i = 0; i < nargs; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument %d of %s() must not be null", i + 1, get_func_name(fcinfo->flinfo->fn_oid)),
					 nargs == 1 ? errhint("Pass the table: sync_progress_untrack('meshes').") :
					 errhint("For instance sync_progress_track('meshes', 'mesh', '{\"id\":\"id\",\"owner_id\":\"user_id\",\"status\":\"status\"}').")));
	}
}

/*
 * Opens the table, as nobody else may change it or write to it until the end
 * of the transaction; raises an error where the caller may not put triggers on it.
 */
static Relation
open_table(Oid table)
{
	AclResult	allowed;
	Relation	rel;

	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(table)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no table with OID %u", table),
				 errhint("Name the table, for instance 'public.meshes'.")));
	allowed = pg_class_aclcheck(table, GetUserId(), ACL_TRIGGER);
	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, get_relkind_objtype(get_rel_relkind(table)), get_rel_name(table));
	rel = relation_open(table, ShareRowExclusiveLock);
	return rel;
}

/* sync_progress_track("table", kind, columns): how many sessions (or accounts) were made for its rows */
Datum
sync_progress_track(PG_FUNCTION_ARGS)
{
	Tracking	tracking = {0};
	Relation	rel;
	uint64		made;

	require_arguments(fcinfo, 3);
	tracking.catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	tracking.table = PG_GETARG_OID(0);
	tracking.kind = text_to_cstring(PG_GETARG_TEXT_PP(1));
	tracking.json = JsonbToCString(NULL, &PG_GETARG_JSONB_P(2)->root, 0);
	tracking.mapping = sp_mapping_parse(tracking.json);
	rel = open_table(tracking.table);
	require_table(tracking.catalog, rel);
	tracking.name = quoted_name(tracking.table);
	tracking.partitioned = rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	sp_mapping_resolve(tracking.mapping, RelationGetDescr(rel), RelationGetRelationName(rel));

	SPI_connect();
	require_kind(tracking.catalog, tracking.kind, true);
	require_untracked(&tracking, rel);
	relation_close(rel, NoLock);
	make_triggers(&tracking);

	/*
	 * with all that was committed before the lock, whatever the isolation
	 * level
	 */
	PushActiveSnapshot(GetLatestSnapshot());
	require_statuses(&tracking);
	made = backfill(&tracking);
	PopActiveSnapshot();
	SPI_finish();
	PG_RETURN_INT64((int64) made);
}

/* sync_progress_untrack("table") */
Datum
sync_progress_untrack(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog;
	Relation	rel;
	char	   *kind;
	char	   *name;
	List	   *triggers;
	ListCell   *cell;

	require_arguments(fcinfo, 1);
	catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	rel = open_table(PG_GETARG_OID(0));
	name = quoted_name(PG_GETARG_OID(0));
	triggers = triggers_of(catalog, rel, &kind);
	if (triggers == NIL || rel->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table %s is not tracked", name),
				 errhint("Its triggers named sync_progress_* would show in psql's \\d.")));
	relation_close(rel, NoLock);
	SPI_connect();
	foreach(cell, triggers)
	{
		char	   *query = psprintf("DROP TRIGGER %s ON %s", quote_identifier(lfirst(cell)), name);

		if (SPI_execute(query, false, 0) != SPI_OK_UTILITY)
			elog(ERROR, "could not run \"%s\"", query);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

/* sync_progress_session(kind, source_id): the newest run's id */
Datum
sync_progress_session(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog;
	char	   *kind,
			   *source;
	int64		session;

	sp_shared_require();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("kind and source_id must not be null"),
				 errhint("For instance sync_progress_session('mesh', '42').")));
	catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	kind = text_to_cstring(PG_GETARG_TEXT_PP(0));
	source = text_to_cstring(PG_GETARG_TEXT_PP(1));
	session = sp_source_session(catalog, kind, source, NULL);
	if (session == 0)
	{
		SPI_connect();
		require_kind(catalog, kind, false);
		SPI_finish();
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("%s \"%s\" has no sync session", kind, source),
				 errhint("Start one with sync_session_start(..., source_id => '%s'), or track the table that it is a row of.", source)));
	}
	PG_RETURN_INT64(session);
}
