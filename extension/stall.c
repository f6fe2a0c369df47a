/*
 * stall.c
 *		Runs that have stopped moving are told once.
 *
 * Nobody commits anything for a run that stands still, so the worker looks for
 * them at its sweep and leaves a touch in the ledger, as any change does.
 * Being told gives the row a newer updated_at, by which it is known that it was
 * told: nothing has to be remembered.  A run that moves again is due at once by
 * the throttle's own rule.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "isolate.h"
#include "ledger.h"
#include "mark.h"
#include "rows.h"
#include "stall.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

typedef struct Stall
{
	const SpCatalog *catalog;
	SpDatabase *database;
} Stall;

/*
 * Leaves the touches.  Times are compared as numbers: whoever writes the tables
 * can put one so near the end of time that adding to it is an error.
 */
static void
touch_stalled(void *state, int first, int count)
{
	const Stall *stall = state;

	SPI_connect();
	if (SPI_execute(psprintf("SELECT s.id FROM %1$s.sync_sessions AS s JOIN %1$s.sync_kinds AS k USING (kind)"
							 " CROSS JOIN LATERAL %1$s.sync_progress_pace(s.pace) AS p"
							 " CROSS JOIN LATERAL (SELECT extract(epoch FROM coalesce(p.moved_at, s.started_at)) AS moved,"
							 " extract(epoch FROM k.stall_after) AS stall_after) AS t"
							 " WHERE s.status = 'processing' AND t.moved + t.stall_after <= extract(epoch FROM now())"
							 " AND extract(epoch FROM s.updated_at) < t.moved + t.stall_after",
							 quote_identifier(get_namespace_name(stall->catalog->schema))), true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read sessions");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		SpRow		row = {
			.session = sp_rows_int64(SPI_tuptable->vals[i], 1, NULL),
			.amount = SP_SLOT_URGENT,
			.op = SP_OP_TOUCH,
			.stamp = sp_ledger_stamp(stall->database)
		};

		sp_mark_heap(stall->database, sp_ledger_insert(stall->catalog, stall->database, &row, 1));
		sp_mark_changed(sp_mark_session(stall->catalog, stall->database, row.session), SP_SLOT_URGENT);
	}
	SPI_finish();
}

/* Who stands still is not told then; who moves is. */
static void
failed(void *state, int item, ErrorData *error)
{
	ereport(WARNING,
			(errmsg("sync_progress could not look for stalled runs: %s", error->message),
			 errhint("It will try again; everything else goes on.")));
}

/* Worker only, outside of a transaction. */
void
sp_stall_touch(const SpCatalog *catalog, SpDatabase *database)
{
	Stall		stall = {catalog, database};

	SetCurrentStatementStartTimestamp();	/* now() is this */
	StartTransactionCommand();
	/* if not, they are being dropped, say: next time */
	if (sp_catalog_lock(catalog))
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		sp_isolate(touch_stalled, failed, &stall, 0, 1, NULL);
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
}
