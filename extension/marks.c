/*
 * marks.c
 *		Estimates that are kept until it is known how good they were.
 *
 * As a session passes 10, 25, 50, 75 and 90 % of its work, the fold keeps the
 * estimate that its watchers are told then, in its pace.  The fold that finds
 * the session completed compares them with the truth, once: that it did is
 * part of the pace, and so of the same commit.  The sums go to shared memory
 * after it; a crash loses them as it loses the other statistics.
 *
 * In the fold's transaction, within SPI.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "marks.h"
#include "pace.h"
#include "rows.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* A worker serves one extension until its end, so one plan will do. */
static SPIPlanPtr parts_plan = NULL;

/* The session's accounts with totals, as this fold leaves them. */
static SpEtaPart *
read_parts(const SpCatalog *catalog, int64 session, int *count)
{
	Oid			types[1] = {INT8OID};
	Datum		args[1] = {Int64GetDatum(session)};
	SpEtaPart  *parts;

	if (parts_plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(psprintf("SELECT greatest(total_count - processed_count, 0), status IN ('pending', 'processing', 'paused'), pace"
												" FROM %s.sync_session_accounts WHERE sync_session_id = $1 AND total_count IS NOT NULL",
												quote_identifier(get_namespace_name(catalog->schema))), 1, types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare the query for accounts");
		parts_plan = plan;
	}
	if (SPI_execute_plan(parts_plan, args, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read accounts");
	*count = (int) SPI_processed;
	parts = palloc0(Max(*count, 1) * sizeof(SpEtaPart));
	for (int i = 0; i < *count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		isnull;
		Datum		pace = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 3, &isnull);

		sp_pace_read_part(isnull ? NULL : DatumGetByteaPP(pace), &parts[i].tempo);
		parts[i].left = sp_rows_int64(tuple, 1, NULL);
		parts[i].open = DatumGetBool(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull));
	}
	return parts;
}

/*
 * Keeps the estimate as of now for a session that is processing, if its count
 * has just passed a mark.  Its accounts must have been written.
 */
void
sp_marks_keep(const SpCatalog *catalog, SpPace *pace, const SpCounts *counts, int64 processed_before,
			  TimestampTz started_at, TimestampTz now)
{
	SpEtaWork	work = {counts->processed, counts->has_total ? counts->total : -1, started_at, 0, false, NULL, 0};
	SpEta		eta;
	int			mark = sp_eta_mark_due(pace, processed_before, counts->processed, work.total);

	if (mark < 0)
		return;
	sp_eta_estimate(pace, &work, now, &eta);
	if (eta.state != SP_ETA_STEADY)
		return;
	work.parts = read_parts(catalog, counts->id, &work.nparts);
	if (work.nparts > 1)
		sp_eta_estimate(pace, &work, now, &eta);
	sp_eta_mark(pace, mark, eta.seconds, started_at, now);
}

/* Adds a session's score to the statistics; their lock must be held. */
void
sp_marks_count(SpStats *stats, const SpEtaScore *score)
{
	if (score->marks == 0)
		return;
	stats->eta_sessions++;
	stats->eta_marks += score->marks;
	stats->eta_within_25 += score->within_25;
	stats->eta_error += score->error;
	stats->eta_bias += score->bias;
}
