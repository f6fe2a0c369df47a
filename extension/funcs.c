/*
 * funcs.c
 *		What applications call to count: check, then write to the ledger (or,
 *		in live mode, to shared memory).
 *
 * Called as often as there is something to count, so nothing here plans a
 * query, takes a row lock or waits.  Rights are those of EXECUTE: the ledger
 * is written by heap access.
 */
#include "postgres.h"

#include "access/xact.h"
#include "compat.h"
#include "fmgr.h"
#include "guc.h"
#include "ledger.h"
#include "live.h"
#include "mark.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#define AMOUNT_MAX		INT64CONST(1000000000000)	/* 10^12 a call */
#define NAME_MAX_BYTES	63
#define LETTERS			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define MESSAGE_MAX		480		/* characters: the ledger's label */

PG_FUNCTION_INFO_V1(sync_progress_increment);
PG_FUNCTION_INFO_V1(sync_progress_increment_many);
PG_FUNCTION_INFO_V1(sync_progress_set);
PG_FUNCTION_INFO_V1(sync_progress_report);

static void SP_NORETURN
unknown_session(int64 session)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("sync session " INT64_FORMAT " does not exist", session),
			 errhint("Pass the id that sync_session_start returned.")));
}

/*
 * The session's status as committed, or as this transaction made it.  Raises
 * an error when there is no such session.
 */
static SpStatus
session_status(const SpCatalog *catalog, SpMark *mark)
{
	SpStatus	status = SP_STATUS_UNKNOWN;
	uint32		generation = 0;
	bool		own = false;

	if (mark->slot != NULL && !mark->restatus)
		status = sp_slot_status(mark->slot, &generation);
	if (status != SP_STATUS_UNKNOWN)
		return status;
	if (!sp_catalog_session(catalog, mark->session, &status, &own))
		unknown_session(mark->session);
	if (mark->slot != NULL && !own && !mark->restatus)
		sp_slot_set_status(mark->slot, generation, status);
	return status;
}

/* Accounts known to be part of a session; an account never changes its session. */
typedef struct SpAccount
{
	int64		account;
	int64		session;
	Oid			relation;
} SpAccount;

/* Raises an error unless the account is part of the session. */
static void
require_account(const SpCatalog *catalog, int64 account, int64 session)
{
	static SpAccount known[64];
	SpAccount  *place = &known[(uint64) account % lengthof(known)];
	int64		found;
	bool		own = false;

	if (place->account == account && place->session == session && place->relation == catalog->accounts)
		return;
	found = sp_catalog_account_session(catalog, account, &own);
	if (found != session)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("account " INT64_FORMAT " does not belong to sync session " INT64_FORMAT, account, session),
				 errhint("Select its accounts' ids from sync_session_accounts by sync_session_id.")));
	if (own)
		return;					/* it may still be rolled back */
	place->account = account;
	place->session = session;
	place->relation = catalog->accounts;
}

static void
require_amount(int64 amount)
{
	if (amount < -AMOUNT_MAX || amount > AMOUNT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("amount " INT64_FORMAT " is out of range", amount),
				 errhint("One call adds at most 10^12; a negative amount corrects.")));
}

static void
require_count(const char *name, int64 value)
{
	if (value < 0 || value > SP_COUNT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s " INT64_FORMAT " is out of range", name, value),
				 errhint("An absolute value is 0 to 2^53-1.")));
}

/* What adding to the field means; *label for a named counter. */
static char
parse_field(const char *field, const char **label)
{
	size_t		length = strlen(field);

	*label = NULL;
	if (strcmp(field, "processed") == 0)
		return SP_OP_PROCESSED;
	if (strcmp(field, "detected") == 0)
		return SP_OP_DETECTED;
	if (strcmp(field, "error") == 0)
		return SP_OP_ERROR;
	if (strcmp(field, "total") == 0)
		return SP_OP_TOTAL;
	if (length < 1 || length > NAME_MAX_BYTES ||
		strspn(field, LETTERS) == 0 || strspn(field, LETTERS "0123456789_.") != length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("bad field \"%s\"", field),
				 errhint("A field is processed, detected, error, total, or a counter's name: a letter, then letters, digits, _ and dots, at most 63 bytes.")));
	*label = field;
	return SP_OP_COUNTER;
}

/*
 * Says of each row whose it is.  Returns how many there are left without those
 * that add nothing: they ask for the status, and leave no trace.
 */
static int
prepare_rows(int64 session, int64 account, SpRow *rows, int nrows)
{
	int			left = 0;

	for (int i = 0; i < nrows; i++)
	{
		if (rows[i].amount == 0 && strchr("pdetc", rows[i].op) != NULL)
			continue;
		rows[left] = rows[i];
		rows[left].session = session;
		rows[left].account = account;
		left++;
	}
	return left;
}

/* Writes rows to the ledger, to be told at commit. */
static void
insert_rows(const SpCatalog *catalog, SpDatabase *database, SpMark *mark, SpRow *rows, int nrows)
{
	int64		stamp = sp_ledger_stamp(database);
	int			heap;

	for (int i = 0; i < nrows; i++)
	{
		rows[i].stamp = stamp;
		if (rows[i].op == SP_OP_PROCESSED)
			mark->processed = sp_net_add(mark->processed, rows[i].amount);
		else if (strchr("PGH", rows[i].op) != NULL)
			/* how much that moves it is the fold's to find out */
			mark->processed = sp_net_add(mark->processed, 1);
		if (database != NULL && strchr("PTMGH", rows[i].op) != NULL)
			sp_ledger_raise_floor(database, stamp);
		sp_mark_absolute(mark, rows[i].op);
	}
	heap = sp_ledger_insert(catalog, database, rows, nrows);
	mark->counted = true;
	if (database != NULL)
		sp_mark_heap(database, heap);
}

/*
 * Count rows of one session (and account), live or in the ledger, and remember
 * to tell.  Returns the session's status as text: what a worker learns of a
 * pause by.
 */
static Datum
write_rows(FunctionCallInfo fcinfo, int64 session, int64 account, SpRow *rows, int nrows)
{
	const SpCatalog *catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	SpDatabase *database = sp_shared_database(catalog->sessions);
	bool		live = sp_mode == SP_MODE_LIVE && database != NULL;
	SpStatus	status = SP_STATUS_UNKNOWN;
	bool		counts;

	nrows = prepare_rows(session, account, rows, nrows);
	counts = nrows > 0;
	if (live)
		status = sp_live_again(database, rows, &nrows);
	if (status == SP_STATUS_UNKNOWN || nrows > 0)
	{
		SpMark	   *mark = sp_mark_session(catalog, database, session);

		status = session_status(catalog, mark);
		if (account != 0)
			require_account(catalog, account, session);
		if (live)
			sp_live_first(database, mark, rows, &nrows);
		if (nrows > 0)
			insert_rows(catalog, database, mark, rows, nrows);
	}
	/* its first increment makes a pending run a running one */
	if (status == SP_STATUS_PENDING && counts)
		status = SP_STATUS_PROCESSING;
	PG_RETURN_TEXT_P(cstring_to_text(sp_status_name(status)));
}

/* The session's id, or an error; NULL is an error of its own. */
static int64
session_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("session_id must not be null"),
				 errhint("Pass the id that sync_session_start returned.")));
	return PG_GETARG_INT64(0);
}

/* The account's id; 0 for none. */
static int64
account_argument(FunctionCallInfo fcinfo, int place, int64 session)
{
	int64		account = PG_ARGISNULL(place) ? 0 : PG_GETARG_INT64(place);

	if (!PG_ARGISNULL(place) && account == 0)
		require_account(sp_catalog_of_function(fcinfo->flinfo->fn_oid), account, session);
	return account;
}

Datum
sync_progress_increment(PG_FUNCTION_ARGS)
{
	SpRow		row = {0};
	int64		session;

	sp_shared_require_writable("sync_progress_increment()");
	session = session_argument(fcinfo);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("amount must not be null"),
				 errhint("Leave it out to add 1.")));
	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("field must not be null"),
				 errhint("Leave it out to count what was processed.")));
	row.amount = PG_GETARG_INT64(1);
	require_amount(row.amount);
	row.op = parse_field(text_to_cstring(PG_GETARG_TEXT_PP(2)), &row.label);
	return write_rows(fcinfo, session, account_argument(fcinfo, 3, session), &row, 1);
}

/* A whole number within a call's bounds, or an error. */
static int64
parse_amount(const JsonbValue *value)
{
	char	   *text = NULL;
	char	   *end;
	int64		amount;

	if (value->type == jbvNumeric)
		text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));

	errno = 0;
	amount = text == NULL ? 0 : strtoi64(text, &end, 10);

	if (text == NULL || *end != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("every amount in counts must be a whole number"),
				 errhint("For instance {\"processed\":100,\"detected\":7}.")));
	if (errno == ERANGE)
		amount = PG_INT64_MAX;
	require_amount(amount);
	return amount;
}

Datum
sync_progress_increment_many(PG_FUNCTION_ARGS)
{
	SpRow	   *rows;
	int64		session;
	int			nrows = 0;
	Jsonb	   *counts;
	JsonbIterator *iterator;
	JsonbValue	value;
	JsonbIteratorToken token;

	sp_shared_require_writable("sync_progress_increment_many()");
	session = session_argument(fcinfo);
	if (PG_ARGISNULL(1) || !JB_ROOT_IS_OBJECT(PG_GETARG_JSONB_P(1)))
		ereport(ERROR,
				(errcode(PG_ARGISNULL(1) ? ERRCODE_NULL_VALUE_NOT_ALLOWED : ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("counts must be a JSON object"),
				 errhint("For instance {\"processed\":100,\"detected\":7}.")));
	counts = PG_GETARG_JSONB_P(1);
	rows = palloc0((JB_ROOT_COUNT(counts) + 1) * sizeof(SpRow));
	iterator = JsonbIteratorInit(&counts->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			rows[nrows].op = parse_field(pnstrdup(value.val.string.val, value.val.string.len), &rows[nrows].label);
		else if (token == WJB_VALUE)
		{
			rows[nrows].amount = parse_amount(&value);
			nrows++;
		}
	}
	return write_rows(fcinfo, session, account_argument(fcinfo, 2, session), rows, nrows);
}

/* A message that is not too long, or an error; NULL for NULL. */
static char *
message_argument(FunctionCallInfo fcinfo, int place)
{
	char	   *message = PG_ARGISNULL(place) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(place));

	if (message != NULL && pg_mbstrlen(message) > MESSAGE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("message is longer than %d characters", MESSAGE_MAX),
				 errhint("It is one line below a bar; keep the rest in your own tables.")));
	return message;
}

Datum
sync_progress_set(PG_FUNCTION_ARGS)
{
	SpRow		rows[3] = {0};
	int64		session;
	int			nrows = 0;

	sp_shared_require_writable("sync_progress_set()");
	session = session_argument(fcinfo);
	if (!PG_ARGISNULL(1))
	{
		require_count("processed_count", PG_GETARG_INT64(1));
		rows[nrows].op = SP_OP_SET_PROCESSED;
		rows[nrows++].amount = PG_GETARG_INT64(1);
	}
	if (!PG_ARGISNULL(2))
	{
		require_count("total_count", PG_GETARG_INT64(2));
		rows[nrows].op = SP_OP_SET_TOTAL;
		rows[nrows++].amount = PG_GETARG_INT64(2);
	}
	if (!PG_ARGISNULL(3))
	{
		char	   *message = message_argument(fcinfo, 3);

		if (!PG_ARGISNULL(4))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("an account has no message"),
					 errhint("Set the message without account_id.")));
		rows[nrows].op = SP_OP_SET_MESSAGE;
		rows[nrows++].label = message;
	}
	return write_rows(fcinfo, session, account_argument(fcinfo, 4, session), rows, nrows);
}

/*
 * sync_progress_report(session_id, processed_count, share, total_count, message, reset)
 *
 * What an outside worker reports (net.c says how reports differ from absolute
 * values); processed_count or share (of SP_WHOLE) or neither.  Without them
 * total and message are absolute values: nothing tells a late report then.
 */
Datum
sync_progress_report(PG_FUNCTION_ARGS)
{
	SpRow		rows[2] = {0};
	int			nrows = 0;
	int64		session;
	char	   *message;
	bool		is_share = !PG_ARGISNULL(2);

	sp_shared_require_writable("sync_progress_callback()");
	session = session_argument(fcinfo);
	message = message_argument(fcinfo, 4);
	if (!PG_ARGISNULL(3))
		require_count("total_count", PG_GETARG_INT64(3));
	if (!PG_ARGISNULL(5) && PG_GETARG_BOOL(5))
	{
		/* a call of its own, so that what follows has a later stamp */
		SpRow		zero = {.op = SP_OP_SET_PROCESSED};

		write_rows(fcinfo, session, 0, &zero, 1);
	}
	if (is_share || !PG_ARGISNULL(1))
	{
		SpRow	   *report = &rows[nrows++];

		report->op = is_share ? SP_OP_REPORT_SHARE : SP_OP_REPORT_COUNT;
		report->amount = PG_GETARG_INT64(is_share ? 2 : 1);
		require_count(is_share ? "share" : "processed_count", report->amount);
		if (is_share && report->amount > SP_WHOLE)
			elog(ERROR, "share " INT64_FORMAT " is more than the whole", report->amount);
		report->label = psprintf("%s%s%s", PG_ARGISNULL(3) ? "" : psprintf(INT64_FORMAT, PG_GETARG_INT64(3)),
								 message == NULL ? "" : " ", message == NULL ? "" : message);
		if (report->label[0] == '\0')
			report->label = NULL;
	}
	else
	{
		if (!PG_ARGISNULL(3))
		{
			rows[nrows].op = SP_OP_SET_TOTAL;
			rows[nrows++].amount = PG_GETARG_INT64(3);
		}
		if (message != NULL)
		{
			rows[nrows].op = SP_OP_SET_MESSAGE;
			rows[nrows++].label = message;
		}
	}
	return write_rows(fcinfo, session, 0, rows, nrows);
}
