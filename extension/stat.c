/*
 * stat.c
 *		What the worker of this database has done, for pg_stat_sync_progress.
 *
 * The columns are in the extension's scripts.  A version that adds some has a
 * function of its own, which begins with those of the one before: the library
 * goes on serving a database whose SQL is older.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "backlog.h"
#include "catalog.h"
#include "cell.h"
#include "census.h"
#include "fmgr.h"
#include "funcapi.h"
#include "guc.h"
#include "holder.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(sync_progress_stat);
PG_FUNCTION_INFO_V1(sync_progress_stat_1_1);
PG_FUNCTION_INFO_V1(sync_progress_stat_reset);

#define STAT_COLUMNS	29
#define STAT_COLUMNS_1_1 55
#define BLOCKS_READ		256		/* of the ledger, 2 MB: a few milliseconds */
#define STARTS_US		INT64CONST(60000000)	/* a worker that starts often
												 * in that time does not stay */

/* A row that is being made. */
typedef struct StatRow
{
	Datum		values[STAT_COLUMNS_1_1];
	bool		nulls[STAT_COLUMNS_1_1];
	int			n;
} StatRow;

static void
put(StatRow *row, Datum value, bool isnull)
{
	row->values[row->n] = value;
	row->nulls[row->n++] = isnull;
}

static void
put_time(StatRow *row, TimestampTz at)
{
	put(row, TimestampTzGetDatum(at), at == 0);
}

static void
put_quantiles(StatRow *row, const uint32 *buckets)
{
	static const double quantiles[] = {0.5, 0.95, 0.99};

	for (int i = 0; i < lengthof(quantiles); i++)
	{
		double		ms = sp_shared_latency_ms(buckets, quantiles[i]);

		put(row, Float8GetDatum(ms), isnan(ms));
	}
}

static void
put_estimates(StatRow *row, const SpStats *stats)
{
	put(row, Int64GetDatum(stats->eta_sessions), false);
	put(row, Int64GetDatum(stats->eta_marks), false);
	for (int i = 0; i < 3; i++)
	{
		double		sum = i == 0 ? stats->eta_error : i == 1 ? (double) stats->eta_within_25 : stats->eta_bias;
		double		mean = sum / Max(stats->eta_marks, 1);

		put(row, Float8GetDatum(i == 2 ? exp(mean) : 100 * mean), stats->eta_marks == 0);
	}
}

/* The columns of 1.0. */
static void
put_1_0(StatRow *row, SpDatabase *database, const SpStats *stats, const SpCensus *census)
{
	uint32		pid = pg_atomic_read_u32(&database->worker_pid);

	put(row, Int32GetDatum((int32) pid), pid == 0);
	put_time(row, (TimestampTz) pg_atomic_read_u64(&database->beat));
	put(row, Int32GetDatum((int32) pg_atomic_read_u32(&database->attached)), false);
	put(row, Int64GetDatum(stats->folds), false);
	put(row, Float8GetDatum((double) stats->fold_us / 1000), false);
	put(row, Float8GetDatum((double) stats->last_fold_us / 1000), false);
	put(row, Int64GetDatum(stats->increments), false);
	put(row, Int64GetDatum(stats->notifications), false);
	put(row, Int64GetDatum(stats->suppressed), false);
	put(row, Int64GetDatum(stats->discarded), false);
	put(row, Int64GetDatum(stats->backed_off), false);
	put(row, CStringGetTextDatum(stats->last_error), stats->last_error[0] == '\0');
	put(row, Int32GetDatum(stats->blocked_by), stats->blocked_by == 0);
	put(row, Int32GetDatum(census->used), false);
	put(row, Int32GetDatum(census->waiting), false);
	put(row, Int32GetDatum(sp_max_sessions), false);
	put(row, Int32GetDatum((int32) pg_atomic_read_u32(&database->current_heap)), false);
	put_quantiles(row, stats->latency);
	put_time(row, stats->reset_at);
	put(row, Int32GetDatum(sp_cell_count(database)), false);
	put(row, Int32GetDatum(sp_max_live_counters), false);
	put(row, Int64GetDatum((int64) pg_atomic_read_u64(&database->live_fallbacks)), false);
	put_estimates(row, stats);
}

/* When the present worker began, or the last one; and how often one did lately. */
static void
put_starts(StatRow *row, SpDatabase *database)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz last = 0;
	int			lately = 0;

	for (int i = 0; i < SP_STARTS; i++)
	{
		TimestampTz at = (TimestampTz) pg_atomic_read_u64(&database->started[i]);

		last = Max(last, at);
		lately += at != 0 && now - at < STARTS_US;
	}
	put_time(row, last);
	put(row, Int32GetDatum(lately), false);
}

/* Those that 1.1 added. */
static void
put_1_1(StatRow *row, SpDatabase *database, const SpStats *stats, const SpCensus *census, const SpBacklog *backlog)
{
	put_starts(row, database);
	put_quantiles(row, stats->fold_latency);
	put(row, Int64GetDatum(stats->backed_off_locked), false);
	put(row, Int64GetDatum(stats->backed_off_failed), false);
	put(row, Int64GetDatum(stats->backed_off_untold), false);
	put(row, Int64GetDatum(stats->backed_off_unknown), false);
	put_time(row, stats->last_error_at);
	put(row, Int64GetDatum(stats->blocked_session), stats->blocked_session == 0);
	put_time(row, stats->blocked_session == 0 ? 0 : stats->blocked_at);
	put(row, Int32GetDatum(census->held), false);
	put(row, Float8GetDatum((double) census->late_us / 1000), false);
	put(row, Int32GetDatum(census->server_used), false);
	put(row, Int32GetDatum(census->server_needed), false);
	put(row, Int32GetDatum(census->server_cells), false);
	put(row, Int64GetDatum(backlog->all.committed), false);
	put(row, BoolGetDatum(backlog->exact), false);
	put(row, Int64GetDatum(backlog->all.uncommitted), false);
	put(row, Int64GetDatum(backlog->bytes), false);
	put(row, Int32GetDatum(backlog->heaps), false);
	put(row, Int32GetDatum(backlog->undrained), false);
	put(row, Int32GetDatum(backlog->held), false);
	put(row, Int64GetDatum((int64) sp_shared_memory()), false);
	put(row, Int64GetDatum((int64) census->bytes), false);
}

static SpStats
get_stats(SpDatabase *database)
{
	SpStats		stats;

	SpinLockAcquire(&database->stats_lock);
	stats = database->stats;
	SpinLockRelease(&database->stats_lock);
	return stats;
}

/* The row of this database, of 1.0 or of 1.1; NULL: it has no place in shared memory. */
static Datum
make_row(FunctionCallInfo fcinfo, bool is_1_1)
{
	TupleDesc	desc;
	const SpCatalog *catalog;
	SpDatabase *database;
	SpStats		stats;
	SpCensus	census;
	SpBacklog	backlog;
	StatRow		row = {.n = 0};

	sp_shared_require();
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	database = sp_shared_database(catalog->sessions);
	if (database == NULL)
		PG_RETURN_NULL();
	stats = get_stats(database);
	/* the worker does not see through savepoints and locks of several */
	if (stats.blocked_session != 0 && stats.blocked_by == 0)
		stats.blocked_by = BackendXidGetPid(sp_holder_of_session(catalog, stats.blocked_session));
	sp_census(database, &census);
	put_1_0(&row, database, &stats, &census);
	if (is_1_1)
	{
		sp_backlog_read(catalog, database, 0, BLOCKS_READ, &backlog);
		put_1_1(&row, database, &stats, &census, &backlog);
	}
	Assert(row.n == (is_1_1 ? STAT_COLUMNS_1_1 : STAT_COLUMNS));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), row.values, row.nulls)));
}

/* sync_progress_stat() of 1.0 */
Datum
sync_progress_stat(PG_FUNCTION_ARGS)
{
	return make_row(fcinfo, false);
}

/* sync_progress_stat_1_1() */
Datum
sync_progress_stat_1_1(PG_FUNCTION_ARGS)
{
	return make_row(fcinfo, true);
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
