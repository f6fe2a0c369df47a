/*
 * lineage.c
 *		After a failover what watchers know may never have happened.
 *
 * A standby that is promoted may lack the last folds of the old primary, whose
 * states have been sent: what it has is older by its version, so no watcher
 * would believe it, and if nothing is counted any more it stays so.  The same
 * holds for a restored backup.  Both begin a new timeline, which is therefore
 * kept in a table.  Where the server's is another one, each run that watchers
 * may still wait for gets a touch, as any change leaves it, and with that a
 * version of now.
 *
 * The touches and the new timeline are committed together, so a worker that
 * dies meanwhile leaves all of it to its successor.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "call.h"
#include "executor/spi.h"
#include "isolate.h"
#include "ledger.h"
#include "lineage.h"
#include "mark.h"
#include "rows.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

typedef struct Lineage
{
	const SpCatalog *catalog;
	SpDatabase *database;
	bool		settled;
} Lineage;

static bool
lock_timeline(const SpCatalog *catalog)
{
	Oid			table = get_relname_relid("sync_timeline", catalog->schema);

	return OidIsValid(table) && ConditionalLockRelationOid(table, RowExclusiveLock);
}

/* Is the server's timeline another one than that in the table?  It is written there. */
static bool
is_new(const char *schema)
{
	int64		now = GetWALInsertionTimeLine();
	bool		known;

	if (SPI_execute(psprintf("SELECT timeline FROM %s.sync_timeline", schema), true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the timeline");
	known = SPI_processed > 0;
	if (known && sp_rows_int64(SPI_tuptable->vals[0], 1, NULL) == now)
		return false;
	/* an empty table knows nothing, so whatever there is counts as another's */
	if (SPI_execute(psprintf(known ? "UPDATE %s.sync_timeline SET timeline = " INT64_FORMAT :
							 "INSERT INTO %s.sync_timeline VALUES (" INT64_FORMAT ")", schema, now), false, 0) < 0)
		elog(ERROR, "could not write the timeline");
	if (known)
		ereport(LOG,
				(errmsg("sync_progress is on a new timeline, and tells every run anew")));
	return true;
}

/* Those that are told again after a start, and whoever was told of late. */
static void
touch_all(const SpCatalog *catalog, SpDatabase *database, const char *schema)
{
	if (SPI_execute(psprintf("SELECT id FROM %s.sync_sessions WHERE status IN ('pending', 'processing', 'paused')"
							 " OR completed_at > now() - interval '10 minutes'"
							 " OR version > 1000000 * extract(epoch FROM now() - interval '10 minutes')", schema), true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read sessions");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		SpRow		row = {
			.session = sp_rows_int64(SPI_tuptable->vals[i], 1, NULL),
			.amount = SP_SLOT_URGENT,
			.op = SP_OP_TOUCH,
			.stamp = sp_ledger_stamp(database)
		};

		sp_mark_heap(database, sp_ledger_insert(catalog, database, &row, 1));
		sp_mark_changed(sp_mark_session(catalog, database, row.session), SP_SLOT_URGENT);
	}
}

static void
touch_if_new(void *state, int first, int count)
{
	Lineage    *lineage = state;
	const char *schema = quote_identifier(get_namespace_name(lineage->catalog->schema));
	SpGuard		guard;

	sp_call_enter(sp_catalog_owner(lineage->catalog->sessions), &guard);
	SPI_connect();
	if (is_new(schema))
		touch_all(lineage->catalog, lineage->database, schema);
	SPI_finish();
	sp_call_leave(&guard);
	lineage->settled = true;
}

static void
failed(void *state, int item, ErrorData *error)
{
	ereport(WARNING,
			(errmsg("sync_progress could not look at the timeline: %s", error->message),
			 errhint("It will try again; everything else goes on.")));
}

/* Worker only, outside of a transaction.  Does nothing more once it has succeeded. */
void
sp_lineage_touch(const SpCatalog *catalog, SpDatabase *database)
{
	static bool settled = false;
	Lineage		lineage = {catalog, database};

	if (settled)
		return;
	SetCurrentStatementStartTimestamp();	/* now() is this */
	StartTransactionCommand();
	/* if not, they are being dropped, say: next time */
	if (sp_catalog_lock(catalog) && lock_timeline(catalog))
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		sp_isolate(touch_if_new, failed, &lineage, 0, 1, NULL);
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
	settled = lineage.settled;
}
