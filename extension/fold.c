/*
 * fold.c
 *		One batch of due sessions: ledger rows into the tables, and what to tell.
 *
 * In one transaction: lock the rows that are free (an application that holds
 * one delays that session alone), add up what the ledger has for them, update,
 * delete the ledger's rows, compose the messages.  So whoever looks sees each
 * increment exactly once, in the ledger or in the table.
 *
 * Runs in the worker, as the tables' owner, restricted.  The queries are
 * prepared once and named by schema.
 */
#include "postgres.h"

#include "access/xact.h"
#include "call.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "counters.h"
#include "eta.h"
#include "executor/spi.h"
#include "fold.h"
#include "isolate.h"
#include "pace.h"
#include "payload.h"
#include "rows.h"
#include "storage/procarray.h"
#include "tell.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* What a batch has in hand. */
typedef struct Fold
{
	const SpCatalog *catalog;
	SpDatabase *database;
	SpDue	   *due;
	MemoryContext context;
	char	   *error;
	size_t		error_size;
	char	   *owners[SP_FOLD_BATCH];	/* of due[i], when folded */
} Fold;

/* A session's row, locked. */
typedef struct Session
{
	SpCounts	counts;
	SpStatus	status;
	SpPace		pace;
	TimestampTz started_at;
	int64		version;		/* that the fold gives it */
	char	   *owner;
	SpDue	   *due;
} Session;

/* An account's row, locked. */
typedef struct Account
{
	int64		session;
	SpStatus	status;
} Account;

typedef struct Statement
{
	const char *text;			/* %s: the schema */
	int			nargs;
	Oid			args[14];
	SPIPlanPtr	plan;
} Statement;

static Statement lock_sessions = {
	"SELECT " SP_SESSION_COUNTS ", status, pace, started_at, owner_id, every_count,"
	" (extract(epoch FROM every_interval) * 1000000)::bigint, (extract(epoch FROM min_interval) * 1000000)::bigint"
	" FROM %s.sync_sessions AS s JOIN %s.sync_kinds AS k USING (kind) WHERE s.id = ANY ($1)"
	" ORDER BY s.id FOR NO KEY UPDATE OF s SKIP LOCKED", 1, {INT8ARRAYOID}
};
static Statement find_sessions = {
	"SELECT id, xmax::text::bigint FROM %s.sync_sessions WHERE id = ANY ($1)", 1, {INT8ARRAYOID}
};
static Statement lock_accounts = {
	"SELECT " SP_ACCOUNT_COUNTS ", sync_session_id, status"
	" FROM %s.sync_session_accounts WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED", 1, {INT8ARRAYOID}
};
static Statement find_accounts = {
	"SELECT id, sync_session_id FROM %s.sync_session_accounts WHERE id = ANY ($1)", 1, {INT8ARRAYOID}
};
static Statement update_session = {
	"UPDATE %s.sync_sessions SET processed_count = $2, detected_count = $3, error_count = $4, total_count = $5,"
	" processed_set_at = $6, total_set_at = $7, message_set_at = $8, message = coalesce($9, message), status = $10,"
	" counters = CASE WHEN $11 IS NULL THEN counters ELSE %s.sync_counters_add(counters, $11::jsonb) END, pace = $12,"
	" started_at = CASE WHEN $10 = 'processing' THEN coalesce(started_at, $13) ELSE started_at END,"
	" updated_at = $13, version = greatest(version + 1, $14) WHERE id = $1", 14,
	{INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, BYTEAOID, TIMESTAMPTZOID, INT8OID}
};
static Statement update_account = {
	"UPDATE %s.sync_session_accounts SET processed_count = $2, detected_count = $3, error_count = $4, total_count = $5,"
	" processed_set_at = $6, total_set_at = $7, status = $8, version = greatest(version + 1, $9) WHERE id = $1", 9,
	{INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, INT8OID}
};
static void
run(const Fold *fold, Statement *query, Datum *args, const char *nulls, int expected)
{
	int			result;

	if (query->plan == NULL)
	{
		const char *schema = quote_identifier(get_namespace_name(fold->catalog->schema));

		query->plan = SPI_prepare(psprintf(query->text, schema, schema), query->nargs, query->args);
		if (query->plan == NULL || SPI_keepplan(query->plan) != 0)
			elog(ERROR, "could not prepare \"%s\"", query->text);
	}
	result = SPI_execute_plan(query->plan, args, nulls, false, 0);
	if (result != expected)
		elog(ERROR, "unexpected result %d of \"%s\"", result, query->text);
}

static SpStatus
get_status(HeapTuple tuple, int column)
{
	return sp_status_parse(sp_rows_text(tuple, column));
}

static SpDue *
find_due(Fold *fold, int first, int count, int64 session)
{
	for (int i = first; i < first + count; i++)
	{
		if (fold->due[i].session == session)
			return &fold->due[i];
	}
	elog(ERROR, "session " INT64_FORMAT " was not asked for", session);
}

/* Locks what is free.  Returns the sessions, ordered by id. */
static Session *
lock_free_sessions(Fold *fold, int first, int count, int *nsessions)
{
	int64	   *ids = palloc(count * sizeof(int64));
	Session    *sessions = palloc0(count * sizeof(Session));
	Datum		args[1];

	for (int i = 0; i < count; i++)
		ids[i] = fold->due[first + i].session;
	args[0] = sp_rows_ids(ids, count);
	run(fold, &lock_sessions, args, NULL, SPI_OK_SELECT);
	*nsessions = (int) SPI_processed;
	for (int i = 0; i < *nsessions; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		Session    *session = &sessions[i];
		SpCounts   *counts = &session->counts;
		bool		isnull;
		Datum		pace;

		sp_rows_counts(tuple, counts);
		session->status = get_status(tuple, 9);
		sp_ledger_raise_floor(fold->database, Max(counts->processed_set_at, Max(counts->total_set_at, counts->message_set_at)));
		pace = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 10, &isnull);
		sp_pace_read(isnull ? NULL : DatumGetByteaPP(pace), &session->pace);
		session->started_at = (TimestampTz) sp_rows_int64(tuple, 11, NULL);
		session->owner = sp_rows_text(tuple, 12);
		session->due = find_due(fold, first, count, counts->id);
		session->due->outcome = SP_OUTCOME_NOTHING;
		session->due->throttle.every_count = sp_rows_int64(tuple, 13, NULL);
		session->due->throttle.every_interval_us = sp_rows_int64(tuple, 14, NULL);
		session->due->throttle.min_interval_us = sp_rows_int64(tuple, 15, NULL);
	}
	return sessions;
}

/* Those that could not be locked: somebody has them, or they do not exist. */
static void
explain_missing(Fold *fold, int first, int count)
{
	int64	   *ids = palloc(count * sizeof(int64));
	int			missing = 0;
	Datum		args[1];

	for (int i = first; i < first + count; i++)
	{
		if (fold->due[i].outcome == SP_OUTCOME_UNKNOWN)
			ids[missing++] = fold->due[i].session;
	}
	if (missing == 0)
		return;
	args[0] = sp_rows_ids(ids, missing);
	run(fold, &find_sessions, args, NULL, SPI_OK_SELECT);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		SpDue	   *due = find_due(fold, first, count, sp_rows_int64(SPI_tuptable->vals[i], 1, NULL));

		due->outcome = SP_OUTCOME_LOCKED;
		due->blocked_by = BackendXidGetPid((TransactionId) sp_rows_int64(SPI_tuptable->vals[i], 2, NULL));
	}
}

static int
compare_counts(const void *a, const void *b)
{
	int64		x = ((const SpCounts *) a)->id;
	int64		y = ((const SpCounts *) b)->id;

	return x < y ? -1 : x > y;
}

/*
 * Locks the accounts that the sessions' rows name.  A session of which one
 * exists but is not free is put off.
 */
static SpCounts *
lock_free_accounts(Fold *fold, Session *sessions, int nsessions, Account **accounts, int *naccounts)
{
	int64	   *ids;
	int			nids = 0;
	int			most = 1;
	SpCounts   *counts;
	Datum		args[1];

	for (int i = 0; i < nsessions; i++)
		most += sessions[i].due->nrows;
	ids = palloc(most * sizeof(int64));
	for (int i = 0; i < nsessions; i++)
	{
		const SpDue *due = sessions[i].due;

		for (int n = 0; n < due->nrows; n++)
		{
			if (due->rows[n].account != 0 && (nids == 0 || ids[nids - 1] != due->rows[n].account))
				ids[nids++] = due->rows[n].account;
		}
	}
	*naccounts = 0;
	if (nids == 0)
		return NULL;

	args[0] = sp_rows_ids(ids, nids);
	run(fold, &lock_accounts, args, NULL, SPI_OK_SELECT);
	counts = palloc0(Max(SPI_processed, 1) * sizeof(SpCounts));
	*accounts = palloc0(Max(SPI_processed, 1) * sizeof(Account));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];

		sp_rows_counts(tuple, &counts[i]);
		(*accounts)[i].session = sp_rows_int64(tuple, 9, NULL);
		(*accounts)[i].status = get_status(tuple, 10);
	}
	*naccounts = (int) SPI_processed;
	if (*naccounts == nids)
		return counts;

	run(fold, &find_accounts, args, NULL, SPI_OK_SELECT);
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
	return counts;
}

static void
write_session(const Fold *fold, Session *session, int64 processed_before, TimestampTz now)
{
	SpCounts   *counts = &session->counts;
	SpDue	   *due = session->due;
	const char *counters;
	Datum		args[14];
	char		nulls[14];

	memset(nulls, ' ', sizeof(nulls));
	if (session->status == SP_STATUS_PENDING && due->progressed)
	{
		session->status = SP_STATUS_PROCESSING;
		due->restatus = true;
	}
	if (counts->processed != processed_before)
		sp_eta_add(&session->pace, now, counts->processed - processed_before);
	args[0] = Int64GetDatum(counts->id);
	args[1] = Int64GetDatum(counts->processed);
	args[2] = Int64GetDatum(counts->detected);
	args[3] = Int64GetDatum(counts->error);
	args[4] = Int64GetDatum(counts->total);
	nulls[4] = counts->has_total ? ' ' : 'n';
	args[5] = Int64GetDatum(counts->processed_set_at);
	args[6] = Int64GetDatum(counts->total_set_at);
	args[7] = Int64GetDatum(counts->message_set_at);
	args[8] = counts->message == NULL ? (Datum) 0 : CStringGetTextDatum(counts->message);
	nulls[8] = counts->message == NULL ? 'n' : ' ';
	args[9] = CStringGetTextDatum(sp_status_name(session->status));
	counters = sp_counters_sum(due->rows, due->nrows);
	args[10] = counters == NULL ? (Datum) 0 : CStringGetTextDatum(counters);
	nulls[10] = counters == NULL ? 'n' : ' ';
	args[11] = PointerGetDatum(sp_pace_write(&session->pace));
	args[12] = TimestampTzGetDatum(now);
	args[13] = Int64GetDatum(session->version);
	run(fold, &update_session, args, nulls, SPI_OK_UPDATE);
}

static void
write_account(const Fold *fold, const SpCounts *counts, Account *account, int64 version)
{
	Datum		args[9];
	char		nulls[9];

	memset(nulls, ' ', sizeof(nulls));
	if (account->status == SP_STATUS_PENDING)
		account->status = SP_STATUS_PROCESSING;
	if (account->status == SP_STATUS_PROCESSING && counts->has_total && counts->processed >= counts->total)
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
	args[8] = Int64GetDatum(version);
	run(fold, &update_account, args, nulls, SPI_OK_UPDATE);
}

/* A stream whose session was deleted or given away: its watchers are asked for their right again. */
static void
note_revoked(Fold *fold, SpDue *due, TimestampTz now)
{
	for (int i = 0; i < due->nrows; i++)
	{
		MemoryContext old;

		if (due->rows[i].op != SP_OP_REVOKED || due->rows[i].label == NULL)
			continue;
		old = MemoryContextSwitchTo(fold->context);
		due->revoked = sp_payload_revoked(due->rows[i].label, now);
		MemoryContextSwitchTo(old);
		due->discard = true;	/* if it is unknown, we know why */
	}
}

/* Applies one session's rows and writes it and its accounts. */
static void
fold_session(Fold *fold, Session *session, SpCounts *counts, Account *accounts, int naccounts, TimestampTz now)
{
	SpDue	   *due = session->due;
	SpCounts   *own = palloc(Max(naccounts, 1) * sizeof(SpCounts));
	Account   **places = palloc(Max(naccounts, 1) * sizeof(Account *));
	int			nown = 0;
	int64		before = session->counts.processed;

	for (int i = 0; i < naccounts; i++)
	{
		if (accounts[i].session != session->counts.id)
			continue;
		places[nown] = &accounts[i];
		own[nown++] = counts[i];
	}
	for (int i = 0; i < due->nrows; i++)
	{
		if (due->rows[i].op != SP_OP_TOUCH && due->rows[i].op != SP_OP_REVOKED)
			due->progressed = true;
	}
	sp_net_apply(&session->counts, own, nown, due->rows, due->nrows);
	for (int i = 0; i < nown; i++)
		write_account(fold, &own[i], places[i], session->version);
	write_session(fold, session, before, now);
	sp_ledger_delete(fold->catalog, fold->database, due->rows, due->nrows);
	pfree(own);
	pfree(places);
}

/* The work of a range of the batch; an error undoes all of it. */
static void
fold_range(void *state, int first, int count)
{
	Fold	   *fold = state;
	Session    *sessions;
	SpCounts   *counts;
	Account    *accounts = NULL;
	int			nsessions,
				naccounts;
	TimestampTz now = GetCurrentTimestamp();

	for (int i = first; i < first + count; i++)
	{
		SpDue	   *due = &fold->due[i];

		due->outcome = SP_OUTCOME_UNKNOWN;
		due->message = due->revoked = NULL;
		due->progressed = due->restatus = false;
		note_revoked(fold, due, now);
	}
	SPI_connect();
	sessions = lock_free_sessions(fold, first, count, &nsessions);
	explain_missing(fold, first, count);
	counts = lock_free_accounts(fold, sessions, nsessions, &accounts, &naccounts);
	for (int i = 0; i < nsessions; i++)
	{
		SpDue	   *due = sessions[i].due;

		if (due->outcome == SP_OUTCOME_LOCKED)
			continue;

		/*
		 * no two alike, in the order of ids: runs of one source share a
		 * stream
		 */
		sessions[i].version = sp_unix_us(now) + i;
		if (due->nrows > 0)
			fold_session(fold, &sessions[i], counts, accounts, naccounts, now);
		if (due->nrows > 0 || (due->flags & SP_SLOT_RETELL))
		{
			due->outcome = SP_OUTCOME_FOLDED;
			fold->owners[due - fold->due] = MemoryContextStrdup(fold->context, sessions[i].owner);
		}
	}
	for (int i = first; i < first + count; i++)
	{
		if (fold->due[i].outcome == SP_OUTCOME_UNKNOWN && fold->due[i].discard)
			sp_ledger_delete(fold->catalog, fold->database, fold->due[i].rows, fold->due[i].nrows);
	}
	SPI_finish();
}

static void
fold_failed(void *state, int item, ErrorData *error)
{
	Fold	   *fold = state;

	fold->due[item].outcome = SP_OUTCOME_FAILED;
	snprintf(fold->error, fold->error_size, "fold of session " INT64_FORMAT ": %s",
			 fold->due[item].session, error->message);
}

static Oid
owner_of(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", relation);
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

/*
 * Fold at most SP_FOLD_BATCH sessions; due[i].outcome says what became of
 * each, its message lies in "context".
 *
 * In a transaction, with the tables locked against being dropped; the caller
 * commits.  *error gets the last error's text.
 */
void
sp_fold_batch(const SpCatalog *catalog, SpDatabase *database, SpDue *due, int ndue,
			  MemoryContext context, char *error, size_t error_size)
{
	Fold		fold = {catalog, database, due, context, error, error_size};
	SpDue	   *told[SP_FOLD_BATCH];
	char	   *owners[SP_FOLD_BATCH];
	int			ntold = 0;
	SpGuard		guard;

	Assert(ndue <= SP_FOLD_BATCH);
	sp_call_enter(owner_of(catalog->sessions), &guard);
	sp_isolate(fold_range, fold_failed, &fold, 0, ndue, 0);
	for (int i = 0; i < ndue; i++)
	{
		if (due[i].outcome != SP_OUTCOME_FOLDED)
			continue;
		owners[ntold] = fold.owners[i];
		told[ntold++] = &due[i];
	}
	sp_tell_compose(catalog, told, owners, ntold, context, error, error_size);
	sp_call_leave(&guard);
}
