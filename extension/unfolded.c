/*
 * unfolded.c
 *		The exact state now: what the ledger holds, added to the tables' counts.
 *
 * Under the caller's snapshot, so that tables and ledger are of one moment:
 * what a fold is just moving from one to the other is seen once.  What is
 * counted live is newer than any snapshot; what of it a row has is in that row,
 * so the sum is as exact.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "counters.h"
#include "executor/spi.h"
#include "flush.h"
#include "fmgr.h"
#include "funcapi.h"
#include "ledger.h"
#include "rows.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

PG_FUNCTION_INFO_V1(sync_progress_unfolded);

/* Places of sync_progress_unfolded()'s columns. */
enum
{
	OUT_SESSION,
	OUT_ACCOUNT,
	OUT_PROCESSED,
	OUT_TOTAL,
	OUT_DETECTED,
	OUT_ERROR,
	OUT_MESSAGE,
	OUT_COUNTERS,
	OUT_STATUS,
	OUT_GONE,
	OUT_BEGINS,
	OUT_COLUMNS
};

/*
 * Reads counts of sessions or accounts by ids, ordered by id, and the session
 * that each is or belongs to, which the query has after them.
 */
static SpCounts *
read_counts(const char *query, const int64 *ids, int nids, int64 **sessions, int *count)
{
	Oid			types[1] = {INT8ARRAYOID};
	Datum		args[1] = {sp_rows_ids(ids, nids)};
	SpCounts   *counts;

	if (SPI_execute_with_args(query, 1, types, args, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read counts");
	*count = (int) SPI_processed;
	counts = palloc0(Max(*count, 1) * sizeof(SpCounts));
	*sessions = palloc0(Max(*count, 1) * sizeof(int64));
	for (int i = 0; i < *count; i++)
	{
		sp_rows_counts(SPI_tuptable->vals[i], &counts[i]);
		(*sessions)[i] = sp_rows_int64(SPI_tuptable->vals[i], SP_COUNT_COLUMNS + 1, NULL);
	}
	return counts;
}

/* One row of the result: counts with their session and account. */
static void
put(ReturnSetInfo *result, const SpCounts *counts, int64 session, int64 account, const char *counters, bool begins)
{
	Datum		values[OUT_COLUMNS] = {0};
	bool		nulls[OUT_COLUMNS] = {false};

	values[OUT_SESSION] = Int64GetDatum(session);
	values[OUT_ACCOUNT] = Int64GetDatum(account);
	nulls[OUT_ACCOUNT] = account == 0;
	values[OUT_PROCESSED] = Int64GetDatum(counts->processed);
	values[OUT_TOTAL] = Int64GetDatum(counts->total);
	nulls[OUT_TOTAL] = !counts->has_total;
	values[OUT_DETECTED] = Int64GetDatum(counts->detected);
	values[OUT_ERROR] = Int64GetDatum(counts->error);
	nulls[OUT_MESSAGE] = counts->message == NULL;
	if (counts->message != NULL)
		values[OUT_MESSAGE] = CStringGetTextDatum(counts->message);
	nulls[OUT_COUNTERS] = counters == NULL;
	if (counters != NULL)
		values[OUT_COUNTERS] = DirectFunctionCall1(jsonb_in, CStringGetDatum(counters));
	nulls[OUT_STATUS] = counts->status == NULL;
	if (counts->status != NULL)
		values[OUT_STATUS] = CStringGetTextDatum(counts->status);
	values[OUT_GONE] = BoolGetDatum(counts->gone);
	values[OUT_BEGINS] = BoolGetDatum(begins);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* Applies the rows of each session, which are in the order of sp_net_compare(). */
static void
put_all(ReturnSetInfo *result, const SpRows *rows, SpCounts *sessions, int nsessions,
		SpCounts *accounts, const int64 *account_sessions, int naccounts)
{
	int			s = 0;

	for (int first = 0, last; first < rows->count; first = last)
	{
		int64		id = rows->rows[first].session;
		SpCounts   *own = palloc(Max(naccounts, 1) * sizeof(SpCounts));
		int			nown = 0;
		bool		begins = false;

		for (last = first; last < rows->count && rows->rows[last].session == id; last++)
			begins = begins || sp_net_begins(&rows->rows[last]);
		while (s < nsessions && sessions[s].id < id)
			s++;
		if (s == nsessions || sessions[s].id != id)
			continue;			/* gone, or not visible */
		for (int i = 0; i < naccounts; i++)
		{
			if (account_sessions[i] == id)
				own[nown++] = accounts[i];
		}
		sp_net_apply(&sessions[s], own, nown, &rows->rows[first], last - first);
		put(result, &sessions[s], id, 0, sp_counters_sum(&rows->rows[first], last - first), begins);
		for (int i = 0; i < nown; i++)
			put(result, &own[i], id, own[i].id, NULL, begins);
		pfree(own);
	}
}

static int
compare_sums(const void *a, const void *b)
{
	int64		x = ((const SpCellSum *) a)->session;
	int64		y = ((const SpCellSum *) b)->session;

	return x < y ? -1 : x > y;
}

/*
 * Adds rows for what was counted live and is not in the sessions' rows, as the
 * snapshot has these.
 */
static void
add_live(const char *schema, SpDatabase *database, Snapshot snapshot, int64 only_session, SpRows *rows)
{
	Oid			types[1] = {INT8ARRAYOID};
	Datum		args[1];
	int			nsums = 0;
	SpCellSum  *sums = database == NULL ? NULL : sp_cell_sums(database, NULL, &nsums);
	int64	   *ids = palloc(Max(nsums, 1) * sizeof(int64));
	int			nids = 0;
	int			next = 0;

	if (nsums == 0)
		return;
	qsort(sums, nsums, sizeof(SpCellSum), compare_sums);
	for (int i = 0; i < nsums; i++)
	{
		if ((nids == 0 || ids[nids - 1] != sums[i].session) && (only_session == 0 || only_session == sums[i].session))
			ids[nids++] = sums[i].session;
		/* flushed, but not yet where we look */
		if (TransactionIdIsValid(sums[i].flushed_by) && XidInMVCCSnapshot(sums[i].flushed_by, snapshot))
			sums[i].flushed = sums[i].base;
	}
	rows->allocated = rows->count + nsums;
	rows->rows = rows->rows == NULL ? palloc(rows->allocated * sizeof(SpRow))
		: repalloc_huge(rows->rows, rows->allocated * sizeof(SpRow));
	args[0] = sp_rows_ids(ids, nids);
	if (SPI_execute_with_args(psprintf("SELECT id, live FROM %s.sync_sessions WHERE id = ANY ($1) ORDER BY id", schema),
							  1, types, args, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read sessions");
	for (uint64 n = 0; n < SPI_processed; n++)
	{
		int64		id = sp_rows_int64(SPI_tuptable->vals[n], 1, NULL);
		bool		isnull;
		Datum		live = SPI_getbinval(SPI_tuptable->vals[n], SPI_tuptable->tupdesc, 2, &isnull);
		int			first;

		while (next < nsums && sums[next].session < id)
			next++;
		for (first = next; next < nsums && sums[next].session == id;)
			next++;
		rows->count += sp_flush_rows(&sums[first], next - first, isnull ? NULL : DatumGetByteaPP(live),
									 &rows->rows[rows->count]);
	}
}

/* sync_progress_unfolded(only_session) */
Datum
sync_progress_unfolded(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog;
	SpDatabase *database;
	const char *schema;
	ReturnSetInfo *result;
	SpRows		rows = {0};
	int64		only_session = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0);
	SpCounts   *sessions,
			   *accounts;
	int64	   *session_ids,
			   *account_ids,
			   *ignored,
			   *account_sessions;
	int			nsession_ids = 0,
				naccount_ids = 0,
				nsessions,
				naccounts;

	sp_shared_require();
	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	schema = quote_identifier(get_namespace_name(catalog->schema));
	database = sp_shared_database(catalog->sessions);
	SPI_connect();
	sp_ledger_read_visible(catalog, database, GetActiveSnapshot(), only_session, 0, &rows);
	add_live(schema, database, GetActiveSnapshot(), only_session, &rows);
	if (rows.count == 0)
	{
		SPI_finish();
		return (Datum) 0;
	}

	qsort(rows.rows, rows.count, sizeof(SpRow), sp_net_compare);
	session_ids = palloc(rows.count * sizeof(int64));
	account_ids = palloc(rows.count * sizeof(int64));
	for (int i = 0; i < rows.count; i++)
	{
		const SpRow *row = &rows.rows[i];

		if (nsession_ids == 0 || session_ids[nsession_ids - 1] != row->session)
			session_ids[nsession_ids++] = row->session;
		if (row->account != 0 && (naccount_ids == 0 || account_ids[naccount_ids - 1] != row->account))
			account_ids[naccount_ids++] = row->account;
	}
	sessions = read_counts(psprintf("SELECT " SP_SESSION_COUNTS ", id FROM %s.sync_sessions WHERE id = ANY ($1) ORDER BY id", schema),
						   session_ids, nsession_ids, &ignored, &nsessions);
	accounts = read_counts(psprintf("SELECT " SP_ACCOUNT_COUNTS ", sync_session_id FROM %s.sync_session_accounts WHERE id = ANY ($1) ORDER BY id", schema),
						   account_ids, naccount_ids, &account_sessions, &naccounts);
	put_all(result, &rows, sessions, nsessions, accounts, account_sessions, naccounts);
	SPI_finish();
	return (Datum) 0;
}
