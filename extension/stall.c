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
#include "ledger.h"
#include "mark.h"
#include "rows.h"
#include "stall.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

/* Worker only, outside of a transaction. */
void
sp_stall_touch(const SpCatalog *catalog, SpDatabase *database)
{
	SetCurrentStatementStartTimestamp();	/* now() is this */
	StartTransactionCommand();
	if (!sp_catalog_lock(catalog))
	{
		CommitTransactionCommand();
		return;					/* they are being dropped, say: next time */
	}
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute(psprintf("SELECT s.id FROM %1$s.sync_sessions AS s JOIN %1$s.sync_kinds AS k USING (kind)"
							 " CROSS JOIN LATERAL %1$s.sync_progress_pace(s.pace) AS p"
							 " WHERE s.status = 'processing' AND coalesce(p.moved_at, s.started_at) + k.stall_after <= now()"
							 " AND s.updated_at < coalesce(p.moved_at, s.started_at) + k.stall_after",
							 quote_identifier(get_namespace_name(catalog->schema))), true, 0) != SPI_OK_SELECT)
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
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
}
