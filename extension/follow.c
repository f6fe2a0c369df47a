/*
 * follow.c
 *		What a tracked table says besides counts: status, texts, times, deletion.
 *
 * An application's table (see tracked.c) leaves in the ledger what changed in
 * it; here the fold writes that into the session, which it has locked.  The
 * table is the truth: any change of status is made, and of several values of a
 * field the latest called wins.
 *
 * Nothing here waits.  A row that is to be deleted is locked for it first,
 * without waiting for whoever may hold it; then its time has not come.
 *
 * In the fold's transaction, within SPI.  What lists of sessions are told, and
 * who watches a stream, the extension's triggers leave in the ledger, as they
 * do when an application renames or deletes a session.
 */
#include "postgres.h"

#include "call.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "follow.h"
#include "rows.h"
#include "trigger.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

typedef struct Statement
{
	const char *text;			/* %1$s: the schema */
	int			nargs;
	Oid			args[13];
	SPIPlanPtr	plan;
} Statement;

static Statement update_session = {
	"UPDATE %1$s.sync_sessions AS s SET title = CASE WHEN $2[1] THEN $3 ELSE s.title END,"
	" message = CASE WHEN $2[2] THEN $4 ELSE s.message END, error_message = CASE WHEN $2[3] THEN $5 ELSE s.error_message END,"
	" owner_id = CASE WHEN $2[4] THEN $6 ELSE s.owner_id END, result_url = CASE WHEN $2[5] THEN $7 ELSE s.result_url END,"
	" started_at = CASE WHEN $2[6] THEN $8::timestamptz ELSE s.started_at END,"
	" completed_at = CASE WHEN $10 THEN coalesce(CASE WHEN $2[7] THEN $9::timestamptz ELSE s.completed_at END, clock_timestamp()) END,"
	" detected_set_at = $11, error_set_at = $12, version = greatest(s.version + 1, $13),"
	" lock_version = s.lock_version + ($2[1] AND $3 IS DISTINCT FROM s.title)::integer"
	" WHERE s.id = $1 RETURNING s.owner_id, s.ctid", 13,
	{INT8OID, BOOLARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, INT8OID, INT8OID, INT8OID}
};
static Statement other_open_run = {
	"SELECT FROM %1$s.sync_sessions AS s JOIN %1$s.sync_sessions AS o USING (kind, source_id)"
	" WHERE s.id = $1 AND o.id <> s.id AND o.status IN ('pending', 'processing', 'paused')", 1, {INT8OID}
};
static Statement update_account = {
	"UPDATE %1$s.sync_session_accounts SET name = CASE WHEN $2[1] THEN coalesce($3, name) ELSE name END,"
	" email = CASE WHEN $2[2] THEN $4 ELSE email END, error_message = CASE WHEN $2[3] THEN $5 ELSE error_message END,"
	" detected_set_at = $6, error_set_at = $7 WHERE id = $1", 7,
	{INT8OID, BOOLARRAYOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, INT8OID}
};
static Statement lock_sessions = {
	"SELECT id FROM %1$s.sync_sessions WHERE id = ANY ($1) ORDER BY id FOR UPDATE SKIP LOCKED", 1, {INT8ARRAYOID}
};
static Statement lock_accounts = {
	"SELECT id FROM unnest($1) AS s (id) WHERE (SELECT count(*) FROM %1$s.sync_session_accounts WHERE sync_session_id = s.id)"
	" = (SELECT count(*) FROM (SELECT FROM %1$s.sync_session_accounts WHERE sync_session_id = s.id FOR UPDATE SKIP LOCKED) AS locked)",
	1, {INT8ARRAYOID}
};
static Statement delete_sessions = {
	"DELETE FROM %1$s.sync_sessions WHERE id = ANY ($1)", 1, {INT8ARRAYOID}
};
static Statement lock_account = {
	"SELECT FROM %1$s.sync_session_accounts WHERE id = $1 FOR UPDATE SKIP LOCKED", 1, {INT8OID}
};
static Statement delete_account = {
	"DELETE FROM %1$s.sync_session_accounts WHERE id = $1", 1, {INT8OID}
};

static void
run(const SpCatalog *catalog, Statement *query, Datum *args, const char *nulls, int expected)
{
	int			guc_level = NewGUCNestLevel();
	int			result;

	sp_call_by_keys();
	if (query->plan == NULL)
	{
		query->plan = SPI_prepare(psprintf(query->text, quote_identifier(get_namespace_name(catalog->schema))),
								  query->nargs, query->args);
		if (query->plan == NULL || SPI_keepplan(query->plan) != 0)
			elog(ERROR, "could not prepare \"%s\"", query->text);
	}
	result = SPI_execute_plan(query->plan, args, nulls, false, 0);
	if (result != expected)
		elog(ERROR, "unexpected result %d of \"%s\"", result, query->text);
	AtEOXact_GUC(false, guc_level);
}

/* Whether the query finds something for this id. */
static bool
finds(const SpCatalog *catalog, Statement *query, int64 id)
{
	Datum		args[1] = {Int64GetDatum(id)};

	run(catalog, query, args, NULL, SPI_OK_SELECT);
	return SPI_processed > 0;
}

/* The newest value of each attribute that the rows (of one account, or of none) name. */
typedef struct Attributes
{
	bool		set[SP_ATTRIBUTES];
	const char *value[SP_ATTRIBUTES];
	int64		stamp[SP_ATTRIBUTES];
	bool		any;			/* there is something to write */
} Attributes;

static void
collect(Attributes *attributes, int64 account, const SpRow *rows, int nrows)
{
	memset(attributes, 0, sizeof(Attributes));
	for (int i = 0; i < nrows; i++)
	{
		int			n = (int) rows[i].amount;

		if (rows[i].account != account)
			continue;
		if (rows[i].op == SP_OP_TABLE_DETECTED || rows[i].op == SP_OP_TABLE_ERROR)
			attributes->any = true;
		if (rows[i].op != SP_OP_ATTRIBUTE || rows[i].amount < 0 || rows[i].amount >= SP_ATTRIBUTES ||
			rows[i].stamp < attributes->stamp[n])
			continue;
		attributes->any = attributes->set[n] = true;
		attributes->value[n] = rows[i].label;
		attributes->stamp[n] = rows[i].stamp;
	}
}

/* Arguments from *args on: which are set, and the first n values. */
static void
bind(const Attributes *attributes, int n, Datum *args, char *nulls)
{
	Datum		set[SP_ATTRIBUTES];

	for (int i = 0; i < SP_ATTRIBUTES; i++)
		set[i] = BoolGetDatum(attributes->set[i]);
	args[0] = PointerGetDatum(construct_array(set, SP_ATTRIBUTES, BOOLOID, 1, true, TYPALIGN_CHAR));
	for (int i = 0; i < n; i++)
	{
		nulls[1 + i] = attributes->value[i] == NULL ? 'n' : ' ';
		args[1 + i] = attributes->value[i] == NULL ? (Datum) 0 : CStringGetTextDatum(attributes->value[i]);
	}
}

/* Runs a change of sessions that lists of them, and who watches, are told as if an application had made it. */
static void
run_aloud(const SpCatalog *catalog, Statement *query, Datum *args, const char *nulls, int expected)
{
	sp_follows = true;
	PG_TRY();
	{
		run(catalog, query, args, nulls, expected);
	}
	PG_FINALLY();
	{
		sp_follows = false;
	}
	PG_END_TRY();
}

/*
 * The session's new status, and what else its table says of it; before its
 * counts are written.
 */
void
sp_follow_session(const SpCatalog *catalog, SpHeldSession *session)
{
	SpCounts   *counts = &session->counts;
	SpStatus	status = counts->status == NULL ? SP_STATUS_UNKNOWN : sp_status_parse(counts->status);
	Attributes	attributes;
	Datum		args[13];
	char		nulls[13];

	/* one that ended begins again, unless the source has another run by now */
	if (status != SP_STATUS_UNKNOWN && status < SP_STATUS_COMPLETED && session->status >= SP_STATUS_COMPLETED &&
		finds(catalog, &other_open_run, counts->id))
		status = SP_STATUS_UNKNOWN;
	if (status != SP_STATUS_UNKNOWN && status != session->status)
	{
		session->status = status;
		session->due->restatus = true;
	}
	collect(&attributes, 0, session->due->rows, session->due->nrows);
	if (!attributes.any && !session->due->restatus)
		return;

	/* of a message set by a call and one in the table the later is meant */
	if (attributes.set[SP_ATTRIBUTE_MESSAGE])
	{
		attributes.set[SP_ATTRIBUTE_MESSAGE] = attributes.stamp[SP_ATTRIBUTE_MESSAGE] > sp_net_when(counts->message_set_at);
		if (attributes.set[SP_ATTRIBUTE_MESSAGE])
		{
			counts->message = NULL;
			counts->message_set_at = attributes.stamp[SP_ATTRIBUTE_MESSAGE];
		}
	}
	memset(nulls, ' ', sizeof(nulls));
	args[0] = Int64GetDatum(counts->id);
	bind(&attributes, SP_ATTRIBUTES, &args[1], &nulls[1]);
	args[9] = BoolGetDatum(session->status >= SP_STATUS_COMPLETED);
	args[10] = Int64GetDatum(counts->detected_set_at);
	args[11] = Int64GetDatum(counts->error_set_at);
	args[12] = Int64GetDatum(session->version);
	run_aloud(catalog, &update_session, args, nulls, SPI_OK_UPDATE_RETURNING);
	if (SPI_processed != 1)
		return;
	session->owner = sp_rows_text(SPI_tuptable->vals[0], 1);
	sp_rows_tid(SPI_tuptable->vals[0], 2, &session->tid);
}

/* Likewise for an account; rows are its session's. */
void
sp_follow_account(const SpCatalog *catalog, const SpCounts *counts, SpHeldAccount *account,
				  const SpRow *rows, int nrows)
{
	Attributes	attributes;
	Datum		args[7];
	char		nulls[7];

	collect(&attributes, counts->id, rows, nrows);
	if (!attributes.any)
		return;
	memset(nulls, ' ', sizeof(nulls));
	args[0] = Int64GetDatum(counts->id);
	bind(&attributes, 3, &args[1], &nulls[1]);
	args[5] = Int64GetDatum(counts->detected_set_at);
	args[6] = Int64GetDatum(counts->error_set_at);
	run(catalog, &update_account, args, nulls, SPI_OK_UPDATE);
}

/* Of the ids those that the query finds, in place; returns how many. */
static int
keep_found(const SpCatalog *catalog, Statement *query, int64 *ids, int count)
{
	Datum		args[1] = {sp_rows_ids(ids, count)};

	if (count == 0)
		return 0;
	run(catalog, query, args, NULL, SPI_OK_SELECT);
	for (uint64 i = 0; i < SPI_processed; i++)
		ids[i] = sp_rows_int64(SPI_tuptable->vals[i], 1, NULL);
	return (int) SPI_processed;
}

/*
 * Their rows in the application's table are gone, so they go too, and their
 * accounts with them: together, so that lists are told once.  But for those
 * that somebody holds, or an account of which somebody does.  "sessions" gets
 * those that are gone; returns how many.
 */
int
sp_follow_delete(const SpCatalog *catalog, int64 *sessions, int count)
{
	Datum		args[1];

	/* with the first lock nobody can add an account any more */
	count = keep_found(catalog, &lock_sessions, sessions, count);
	count = keep_found(catalog, &lock_accounts, sessions, count);
	args[0] = sp_rows_ids(sessions, count);
	if (count > 0)
		run_aloud(catalog, &delete_sessions, args, NULL, SPI_OK_DELETE);
	return count;
}

/* Deletes an account likewise. */
bool
sp_follow_delete_account(const SpCatalog *catalog, int64 account)
{
	Datum		args[1] = {Int64GetDatum(account)};

	if (!finds(catalog, &lock_account, account))
		return false;
	run(catalog, &delete_account, args, NULL, SPI_OK_DELETE);
	return true;
}
