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
 * In the fold's transaction, within SPI, where the extension's own triggers do
 * nothing: who watches is told by rows that are left in the ledger again.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "event.h"
#include "executor/spi.h"
#include "follow.h"
#include "mark.h"
#include "rows.h"
#include "utils/builtins.h"
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
	" detected_set_at = $11, error_set_at = $12,"
	" lock_version = s.lock_version + (CASE WHEN $2[1] THEN $3 IS DISTINCT FROM s.title ELSE false END)::integer"
	" FROM %1$s.sync_sessions AS o WHERE s.id = $1 AND o.id = s.id"
	" RETURNING s.owner_id IS DISTINCT FROM o.owner_id, s.owner_id, s.kind || ':' || s.source_id", 12,
	{INT8OID, BOOLARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, INT8OID, INT8OID}
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
static Statement lock_session = {
	"SELECT kind || ':' || source_id FROM %1$s.sync_sessions WHERE id = $1 FOR UPDATE SKIP LOCKED", 1, {INT8OID}
};
static Statement lock_accounts = {
	"SELECT FROM (SELECT FROM %1$s.sync_session_accounts WHERE sync_session_id = $1 FOR UPDATE SKIP LOCKED) AS locked"
	" HAVING count(*) = (SELECT count(*) FROM %1$s.sync_session_accounts WHERE sync_session_id = $1)", 1, {INT8OID}
};
static Statement delete_session = {
	"DELETE FROM %1$s.sync_sessions WHERE id = $1", 1, {INT8OID}
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
	int			result;

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
		if (rows[i].op == SP_OP_SET_DETECTED || rows[i].op == SP_OP_SET_ERROR)
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

/* Has the worker's next turn tell that the stream's watchers must be asked again. */
static void
ask_again(const SpCatalog *catalog, SpDatabase *database, int64 session, const char *stream)
{
	sp_event_revoked(catalog, database, session, stream);
	sp_mark_changed(sp_mark_session(catalog, database, session), SP_SLOT_URGENT);
}

/*
 * The session's new status, and what else its table says of it; before its
 * counts are written.
 */
void
sp_follow_session(const SpCatalog *catalog, SpDatabase *database, SpHeldSession *session)
{
	SpCounts   *counts = &session->counts;
	SpStatus	status = counts->status == NULL ? SP_STATUS_UNKNOWN : sp_status_parse(counts->status);
	Attributes	attributes;
	Datum		args[12];
	char		nulls[12];
	bool		isnull;

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
	run(catalog, &update_session, args, nulls, SPI_OK_UPDATE_RETURNING);
	if (SPI_processed == 1 && DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)))
	{
		ask_again(catalog, database, counts->id, sp_rows_text(SPI_tuptable->vals[0], 3));
		session->owner = sp_rows_text(SPI_tuptable->vals[0], 2);
	}
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

/*
 * Its row in the application's table is gone, so it goes too, and its accounts
 * with it.  Returns false when somebody holds one of them.
 */
bool
sp_follow_delete_session(const SpCatalog *catalog, SpDatabase *database, SpHeldSession *session)
{
	int64		id = session->counts.id;
	Datum		args[1] = {Int64GetDatum(id)};
	char	   *stream;

	/* with this lock nobody can add an account any more */
	if (!finds(catalog, &lock_session, id))
		return false;
	stream = sp_rows_text(SPI_tuptable->vals[0], 1);
	if (!finds(catalog, &lock_accounts, id))
		return false;
	run(catalog, &delete_session, args, NULL, SPI_OK_DELETE);
	ask_again(catalog, database, id, stream);
	return true;
}

/* Likewise for an account. */
bool
sp_follow_delete_account(const SpCatalog *catalog, int64 account)
{
	Datum		args[1] = {Int64GetDatum(account)};

	if (!finds(catalog, &lock_account, account))
		return false;
	run(catalog, &delete_account, args, NULL, SPI_OK_DELETE);
	return true;
}
