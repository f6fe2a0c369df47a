/*
 * stat.c
 *		What the worker of this database has done, for pg_stat_sync_progress.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog.h"
#include "cell.h"
#include "fmgr.h"
#include "funcapi.h"
#include "guc.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(sync_progress_stat);
PG_FUNCTION_INFO_V1(sync_progress_stat_reset);

#define STAT_COLUMNS	29

/* sync_progress_stat(); the columns are in the extension's script. */
Datum
sync_progress_stat(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	SpDatabase *database;
	SpStats		stats;
	Datum		values[STAT_COLUMNS];
	bool		nulls[STAT_COLUMNS] = {false};
	static const double quantiles[] = {0.5, 0.95, 0.99};
	TimestampTz beat;
	int			waiting;
	int			n = 0;

	sp_shared_require();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	database = sp_shared_database(sp_catalog_of_function(fcinfo->flinfo->fn_oid)->sessions);
	if (database == NULL)
		PG_RETURN_NULL();
	SpinLockAcquire(&database->stats_lock);
	stats = database->stats;
	SpinLockRelease(&database->stats_lock);
	beat = (TimestampTz) pg_atomic_read_u64(&database->beat);

	values[n] = Int32GetDatum((int32) pg_atomic_read_u32(&database->worker_pid));
	nulls[n++] = pg_atomic_read_u32(&database->worker_pid) == 0;
	values[n] = TimestampTzGetDatum(beat);
	nulls[n++] = beat == 0;
	values[n++] = Int32GetDatum((int32) pg_atomic_read_u32(&database->attached));
	values[n++] = Int64GetDatum(stats.folds);
	values[n++] = Float8GetDatum((double) stats.fold_us / 1000);
	values[n++] = Float8GetDatum((double) stats.last_fold_us / 1000);
	values[n++] = Int64GetDatum(stats.increments);
	values[n++] = Int64GetDatum(stats.notifications);
	values[n++] = Int64GetDatum(stats.suppressed);
	values[n++] = Int64GetDatum(stats.discarded);
	values[n++] = Int64GetDatum(stats.backed_off);
	values[n] = CStringGetTextDatum(stats.last_error);
	nulls[n++] = stats.last_error[0] == '\0';
	values[n] = Int32GetDatum(stats.blocked_by);
	nulls[n++] = stats.blocked_by == 0;
	values[n++] = Int32GetDatum(sp_slot_count(database, &waiting));
	values[n++] = Int32GetDatum(waiting);
	values[n++] = Int32GetDatum(sp_max_sessions);
	values[n++] = Int32GetDatum((int32) pg_atomic_read_u32(&database->current_heap));
	for (int i = 0; i < lengthof(quantiles); i++)
	{
		double		ms = sp_shared_latency_ms(&stats, quantiles[i]);

		values[n] = Float8GetDatum(ms);
		nulls[n++] = isnan(ms);
	}
	values[n++] = TimestampTzGetDatum(stats.reset_at);
	values[n++] = Int32GetDatum(sp_cell_count(database));
	values[n++] = Int32GetDatum(sp_max_live_counters);
	values[n++] = Int64GetDatum((int64) pg_atomic_read_u64(&database->live_fallbacks));
	values[n++] = Int64GetDatum(stats.eta_sessions);
	values[n++] = Int64GetDatum(stats.eta_marks);
	for (int i = 0; i < 3; i++)
	{
		double		sum = i == 0 ? stats.eta_error : i == 1 ? (double) stats.eta_within_25 : stats.eta_bias;
		double		mean = sum / Max(stats.eta_marks, 1);

		values[n] = Float8GetDatum(i == 2 ? exp(mean) : 100 * mean);
		nulls[n++] = stats.eta_marks == 0;
	}
	Assert(n == STAT_COLUMNS);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

Datum
sync_progress_stat_reset(PG_FUNCTION_ARGS)
{
	SpDatabase *database;

	sp_shared_require();
	database = sp_shared_database(sp_catalog_of_function(fcinfo->flinfo->fn_oid)->sessions);
	if (database != NULL)
	{
		SpinLockAcquire(&database->stats_lock);
		memset(&database->stats, 0, sizeof(SpStats));
		database->stats.reset_at = GetCurrentTimestamp();
		pg_atomic_write_u64(&database->live_fallbacks, 0);
		SpinLockRelease(&database->stats_lock);
	}
	PG_RETURN_VOID();
}
