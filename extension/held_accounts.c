/*
 * held_accounts.c
 *		The rows of accounts that a fold has locked.
 *
 * By queries, which find them by their ids; else as those of sessions (held.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "held.h"
#include "pace.h"
#include "rows.h"
#include "utils/builtins.h"
#include "utils/guc.h"

static SpStatement lock_accounts = {
	"SELECT " SP_ACCOUNT_COUNTS ", sync_session_id, status, pace"
	" FROM %s.sync_session_accounts WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED", 1, {INT8ARRAYOID}
};
static SpStatement find_accounts = {
	"SELECT id, sync_session_id FROM %s.sync_session_accounts WHERE id = ANY ($1)", 1, {INT8ARRAYOID}
};

static SpStatement last_account = {
	"SELECT last_value - (NOT is_called)::integer FROM %s.sync_session_accounts_id_seq", 0, {0}
};

static SpStatement update_account = {
	"UPDATE %s.sync_session_accounts SET processed_count = $2, detected_count = $3, error_count = $4, total_count = $5,"
	" processed_set_at = $6, total_set_at = $7, status = $8, version = greatest(version + 1, $9), pace = $10 WHERE id = $1", 10,
	{INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, INT8OID, BYTEAOID}
};

static SpStatus
get_status(HeapTuple tuple, int column)
{
	return sp_status_parse(sp_rows_text(tuple, column));
}

static int
compare_counts(const void *a, const void *b)
{
	int64		x = ((const SpCounts *) a)->id;
	int64		y = ((const SpCounts *) b)->id;

	return x < y ? -1 : x > y;
}

/*
 * An account that does not exist was deleted, or a restore has yet to come to
 * it: the ledger's rows and the sessions are before it in a dump, and its id is
 * one that this database has not given out then.  Such a session waits as one
 * that is not there itself, and as long (due->discard: long enough).
 */
static void
await_accounts(const SpCatalog *catalog, SpHeldSession *sessions, int nsessions, const SpCounts *counts, int ncounts)
{
	int64		last;

	sp_held_run(catalog, &last_account, NULL, NULL, SPI_OK_SELECT);
	last = sp_rows_int64(SPI_tuptable->vals[0], 1, NULL);
	for (int n = 0; n < nsessions; n++)
	{
		SpDue	   *due = sessions[n].due;

		for (int i = 0; i < sessions[n].nrows && due->outcome == SP_OUTCOME_NOTHING && !due->discard; i++)
		{
			SpCounts	key = {.id = sessions[n].rows[i].account};

			if (key.id > last && bsearch(&key, counts, ncounts, sizeof(SpCounts), compare_counts) == NULL)
				due->outcome = SP_OUTCOME_UNKNOWN;
		}
	}
}

/*
 * Lock the accounts that the sessions' rows name.  A session of which one
 * exists but is not free becomes SP_OUTCOME_LOCKED, one of which one is still
 * to be restored SP_OUTCOME_UNKNOWN.
 */
SpCounts *
sp_held_accounts(const SpCatalog *catalog, SpHeldSession *sessions, int nsessions,
				 SpHeldAccount **accounts, int *naccounts)
{
	int64	   *ids;
	int			nids = 0;
	int			most = 1;
	int			guc_level;
	SpCounts   *counts;
	Datum		args[1];

	for (int i = 0; i < nsessions; i++)
		most += sessions[i].nrows;
	ids = palloc(most * sizeof(int64));
	for (int i = 0; i < nsessions; i++)
	{
		const SpRow *rows = sessions[i].rows;

		for (int n = 0; n < sessions[i].nrows; n++)
		{
			if (rows[n].account != 0 && (nids == 0 || ids[nids - 1] != rows[n].account))
				ids[nids++] = rows[n].account;
		}
	}
	*naccounts = 0;
	if (nids == 0)
		return NULL;

	/*
	 * an account that a policy hides from the owner would look as if it were
	 * deleted: an error instead
	 */
	guc_level = NewGUCNestLevel();
	(void) set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	args[0] = sp_rows_ids(ids, nids);
	sp_held_run(catalog, &lock_accounts, args, NULL, SPI_OK_SELECT);
	AtEOXact_GUC(false, guc_level);
	counts = palloc0(Max(SPI_processed, 1) * sizeof(SpCounts));
	*accounts = palloc0(Max(SPI_processed, 1) * sizeof(SpHeldAccount));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		bool		isnull;
		Datum		pace;

		sp_rows_counts(tuple, &counts[i]);
		(*accounts)[i].session = sp_rows_int64(tuple, SP_COUNT_COLUMNS + 1, NULL);
		(*accounts)[i].status = get_status(tuple, SP_COUNT_COLUMNS + 2);
		(*accounts)[i].processed_before = counts[i].processed;
		pace = SPI_getbinval(tuple, SPI_tuptable->tupdesc, SP_COUNT_COLUMNS + 3, &isnull);
		sp_pace_read_part(isnull ? NULL : DatumGetByteaPP(pace), &(*accounts)[i].tempo);
	}
	*naccounts = (int) SPI_processed;
	if (*naccounts == nids)
		return counts;

	sp_held_run(catalog, &find_accounts, args, NULL, SPI_OK_SELECT);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int64		id = sp_rows_int64(SPI_tuptable->vals[i], 1, NULL);
		int64		session = sp_rows_int64(SPI_tuptable->vals[i], 2, NULL);
		SpCounts	key = {.id = id};
		bool		locked = bsearch(&key, counts, *naccounts, sizeof(SpCounts), compare_counts) != NULL;

		for (int n = 0; n < nsessions && !locked; n++)
		{
			if (sessions[n].counts.id == session)
				sessions[n].due->outcome = SP_OUTCOME_LOCKED;
		}
	}
	await_accounts(catalog, sessions, nsessions, counts, *naccounts);
	return counts;
}

/*
 * Write an account's new counts, and what they make of its status and pace.
 * Before its session's, whose last report is when an account's first was begun.
 */
void
sp_held_write_account(const SpCatalog *catalog, const SpCounts *counts, SpHeldAccount *account,
					  const SpHeldSession *session, TimestampTz now)
{
	int64		since = session->pace.tempo.told_at != 0 ? session->pace.tempo.told_at : session->started_at;
	Datum		args[10];
	char		nulls[10];

	memset(nulls, ' ', sizeof(nulls));
	if (counts->status != NULL && sp_status_parse(counts->status) != SP_STATUS_UNKNOWN)
		account->status = sp_status_parse(counts->status);	/* a tracked table knows
															 * best */
	else if (account->status == SP_STATUS_PENDING)
		account->status = SP_STATUS_PROCESSING;
	if (counts->status == NULL && account->status == SP_STATUS_PROCESSING && counts->has_total && counts->processed >= counts->total)
		account->status = SP_STATUS_COMPLETED;
	args[0] = Int64GetDatum(counts->id);
	args[1] = Int64GetDatum(counts->processed);
	args[2] = Int64GetDatum(counts->detected);
	args[3] = Int64GetDatum(counts->error);
	args[4] = Int64GetDatum(counts->total);
	nulls[4] = counts->has_total ? ' ' : 'n';
	args[5] = Int64GetDatum(counts->processed_set_at);
	args[6] = Int64GetDatum(counts->total_set_at);
	args[7] = CStringGetTextDatum(sp_status_name(account->status));
	args[8] = Int64GetDatum(session->version);
	if (counts->processed != account->processed_before)
		sp_tempo_add(&account->tempo, since, now, counts->processed - account->processed_before);
	args[9] = PointerGetDatum(sp_pace_write_part(&account->tempo));
	sp_held_run(catalog, &update_account, args, nulls, SPI_OK_UPDATE);
	if (SPI_processed == 0)
		sp_held_not_written("account", counts->id);
}
