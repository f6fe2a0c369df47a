/*
 * general.c
 *		The payload of kind "sync": the general form, with accounts.
 *
 * The worker makes thousands of these a second, which as SQL was half of its
 * work.  The text is byte for byte what the same keys and values give by
 * json_build_object() and json_agg() (test/sql/general.sql compares it with the
 * SQL function of version 1.0.0), or without the white space between its parts.
 *
 * SQL sees it as sync_payload(), a function like anybody's own, that reads with
 * the rights of whoever calls it.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/objectaddress.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "general.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "pace.h"
#include "parser/parse_func.h"
#include "payload.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rls.h"
#include "utils/tuplestore.h"

#define ELLIPSIS			"\342\200\246"
#define EXACT_TOTAL			INT64CONST(1000000000000)
#define TITLE_MAX			500
#define MESSAGE_MAX			2000
#define ERROR_MAX			10000
#define URL_MAX				2000
#define ACCOUNT_NAME_MAX	200
#define ACCOUNT_EMAIL_MAX	320
#define ACCOUNT_ERROR_MAX	1000

PG_FUNCTION_INFO_V1(sync_progress_general_payload);

/* An object that is being written. */
typedef struct Writer
{
	StringInfo text;
	bool		compact;
	bool		begun;
} Writer;

/* What the accounts say together. */
typedef struct Accounts
{
	StringInfoData list;
	int64		version;
	SpEtaPart  *parts;			/* those with a total */
	int			nparts;
	int			allocated;
} Accounts;

static void
append_key(Writer *writer, const char *key)
{
	if (writer->begun)
		appendStringInfoString(writer->text, writer->compact ? "," : ", ");
	else
		appendStringInfoChar(writer->text, '{');
	writer->begun = true;
	appendStringInfoChar(writer->text, '"');
	appendStringInfoString(writer->text, key);
	appendStringInfoString(writer->text, writer->compact ? "\":" : "\" : ");
}

/* Text that is JSON; NULL: null. */
static void
put_json(Writer *writer, const char *key, const char *json)
{
	append_key(writer, key);
	appendStringInfoString(writer->text, json == NULL ? "null" : json);
}

static void
put_int64(Writer *writer, const char *key, int64 value)
{
	char		digits[MAXINT8LEN + 1];

	pg_lltoa(value, digits);
	put_json(writer, key, digits);
}

static void
put_count(Writer *writer, const char *key, TupleTableSlot *row, int column)
{
	if (sp_state_is_null(row, column))
		put_json(writer, key, NULL);
	else
		put_int64(writer, key, sp_state_int64(row, column));
}

static void
put_text(Writer *writer, const char *key, const char *value)
{
	if (value == NULL)
	{
		put_json(writer, key, NULL);
		return;
	}
	append_key(writer, key);
	escape_json(writer->text, value);
}

/*
 * How many bytes its first characters have.  SQL_ASCII knows none, and whoever
 * reads it as UTF-8 would get an error for half of one: it is left out.
 */
static int
clip(const char *value, int bytes, int longest)
{
	int			clipped = pg_mbcharcliplen(value, bytes, longest);

	if (GetDatabaseEncoding() == PG_SQL_ASCII && clipped < bytes)
	{
		while (clipped > 0 && (value[clipped] & 0xC0) == 0x80)
			clipped--;
	}
	return clipped;
}

/* A text as watchers are sent it: cut where it has more characters than that. */
static void
put_shown(Writer *writer, const char *key, TupleTableSlot *row, int column, int longest)
{
	char	   *value = sp_state_text(row, column);
	int			bytes = value == NULL ? 0 : (int) strlen(value);

	if (bytes > longest && pg_mbstrlen_with_len(value, bytes) > longest)
	{
		value[clip(value, bytes, longest - 1)] = '\0';
		value = psprintf("%s%s", value, ELLIPSIS);
	}
	put_text(writer, key, value);
}

/* Likewise an address, of which a part is of no use. */
static void
put_url(Writer *writer, const char *key, TupleTableSlot *row, int column)
{
	char	   *value = sp_state_text(row, column);

	put_text(writer, key, value != NULL && pg_mbstrlen(value) > URL_MAX ? NULL : value);
}

static void
put_time(Writer *writer, const char *key, TupleTableSlot *row, int column)
{
	char text[	MAXDATELEN + 1];

	if (sp_state_is_null(row, column))
	{
		put_json(writer, key, NULL);
		return;
	}
	JsonEncodeDateTime(text, row->tts_values[column], TIMESTAMPTZOID, NULL);
	append_key(writer, key);
	appendStringInfoChar(writer->text, '"');
	appendStringInfoString(writer->text, text);
	appendStringInfoChar(writer->text, '"');
}

/* sync_progress_percentage(), whose arithmetic is numeric's where numbers are large. */
static void
put_percentage(Writer *writer, const char *key, TupleTableSlot *row, int processed_column, int total_column, bool completed)
{
	int64		processed = sp_state_int64(row, processed_column);
	int64		total;
	int64		percentage;

	if (sp_state_is_null(row, total_column))
	{
		put_json(writer, key, NULL);
		return;
	}
	total = sp_state_int64(row, total_column);
	if (total == 0)
		percentage = completed ? 100 : 0;
	else if (processed <= 0)
		percentage = 0;
	else if (processed >= total)
		percentage = 100;
	else if (total <= EXACT_TOTAL)
		percentage = processed * 100 / total;
	else
	{
		Datum		share = DirectFunctionCall2(numeric_mul, NumericGetDatum(int64_to_numeric(processed)), NumericGetDatum(int64_to_numeric(100)));

		share = DirectFunctionCall2(numeric_div, share, NumericGetDatum(int64_to_numeric(total)));
		share = DirectFunctionCall2(numeric_trunc, share, Int32GetDatum(0));
		percentage = Min(DatumGetInt32(DirectFunctionCall1(numeric_int4, share)), 100);
	}
	put_int64(writer, key, percentage);
}

/* round(rate::numeric, 1) */
static void
put_rate(Writer *writer, const char *key, double rate)
{
	Datum		number = DirectFunctionCall1(float8_numeric, Float8GetDatum(rate));

	number = DirectFunctionCall2(numeric_round, number, Int32GetDatum(1));
	put_json(writer, key, DatumGetCString(DirectFunctionCall1(numeric_out, number)));
}

/* Named counters, nested by dots: by sync_counters_nested(), unless there are none. */
static void
put_counters(Writer *writer, const char *key, TupleTableSlot *row, const SpCatalog *catalog)
{
	Jsonb	   *counters = DatumGetJsonbP(row->tts_values[SP_SESSIONS_COUNTERS]);
	char	   *text;

	if (JB_ROOT_COUNT(counters) > 0)
	{
		Oid			type = JSONBOID;
		List	   *name = list_make2(makeString(get_namespace_name(catalog->schema)), makeString("sync_counters_nested"));

		counters = DatumGetJsonbP(OidFunctionCall1(LookupFuncName(name, 1, &type, false), JsonbPGetDatum(counters)));
	}
	text = JsonbToCString(NULL, &counters->root, VARSIZE(counters));

	put_json(writer, key, writer->compact ? sp_payload_compact(text) : text);
}

static bool
is_status(TupleTableSlot *row, int column, const char *status)
{
	text	   *value = DatumGetTextPP(row->tts_values[column]);

	return VARSIZE_ANY_EXHDR(value) == strlen(status) && memcmp(VARDATA_ANY(value), status, strlen(status)) == 0;
}

/* When an account is done, as far as that is known: sync_progress_part_seconds(). */
static void
put_part_seconds(Writer *writer, const char *key, TupleTableSlot *account, SpEtaPart *part, int64 stall_after_us, TimestampTz at)
{
	SpEtaPart	one = {.tempo = part->tempo, .open = true};
	int64		seconds;

	one.left = sp_state_int64(account, SP_ACCOUNTS_TOTAL_COUNT) - sp_state_int64(account, SP_ACCOUNTS_PROCESSED_COUNT);
	seconds = sp_eta_part_seconds(&one, stall_after_us, at);
	if (seconds < 0)
		put_json(writer, key, NULL);
	else
		put_int64(writer, key, seconds);
}

/* Adds an account with a total to what the session's estimate is made of. */
static SpEtaPart *
add_part(Accounts *accounts, TupleTableSlot *row)
{
	SpEtaPart  *part;

	if (accounts->nparts == accounts->allocated)
	{
		accounts->allocated = Max(8, accounts->allocated * 2);
		accounts->parts = accounts->parts == NULL
			? palloc(accounts->allocated * sizeof(SpEtaPart))
			: repalloc(accounts->parts, accounts->allocated * sizeof(SpEtaPart));
	}
	part = &accounts->parts[accounts->nparts++];
	sp_pace_read_part(sp_state_is_null(row, SP_ACCOUNTS_PACE) ? NULL : DatumGetByteaPP(row->tts_values[SP_ACCOUNTS_PACE]), &part->tempo);
	part->left = Max(sp_state_int64(row, SP_ACCOUNTS_TOTAL_COUNT) - sp_state_int64(row, SP_ACCOUNTS_PROCESSED_COUNT), 0);
	part->open = is_status(row, SP_ACCOUNTS_STATUS, "pending") || is_status(row, SP_ACCOUNTS_STATUS, "processing") ||
		is_status(row, SP_ACCOUNTS_STATUS, "paused");
	return part;
}

/* Adds an account to the list.  "at": the session's time, if it is being processed. */
static void
add_account(Accounts *accounts, TupleTableSlot *row, bool compact, bool processing, int64 stall_after_us, TimestampTz at)
{
	Writer		writer = {&accounts->list, compact, false};
	SpEtaPart  *part = sp_state_is_null(row, SP_ACCOUNTS_TOTAL_COUNT) ? NULL : add_part(accounts, row);

	accounts->version = Max(accounts->version, sp_state_int64(row, SP_ACCOUNTS_VERSION));
	appendStringInfoString(&accounts->list, accounts->list.len == 0 ? "[" : compact ? "," : ", ");
	put_count(&writer, "id", row, SP_ACCOUNTS_ID);
	put_shown(&writer, "name", row, SP_ACCOUNTS_NAME, ACCOUNT_NAME_MAX);
	put_shown(&writer, "email", row, SP_ACCOUNTS_EMAIL, ACCOUNT_EMAIL_MAX);
	put_text(&writer, "status", sp_state_text(row, SP_ACCOUNTS_STATUS));
	put_percentage(&writer, "progress_percentage", row, SP_ACCOUNTS_PROCESSED_COUNT, SP_ACCOUNTS_TOTAL_COUNT,
				   is_status(row, SP_ACCOUNTS_STATUS, "completed"));
	put_count(&writer, "processed_count", row, SP_ACCOUNTS_PROCESSED_COUNT);
	put_count(&writer, "total_count", row, SP_ACCOUNTS_TOTAL_COUNT);
	put_count(&writer, "detected_count", row, SP_ACCOUNTS_DETECTED_COUNT);
	put_count(&writer, "error_count", row, SP_ACCOUNTS_ERROR_COUNT);
	put_shown(&writer, "error_message", row, SP_ACCOUNTS_ERROR_MESSAGE, ACCOUNT_ERROR_MAX);
	if (processing && part != NULL && !sp_state_is_null(row, SP_ACCOUNTS_PACE) && is_status(row, SP_ACCOUNTS_STATUS, "processing"))
		put_part_seconds(&writer, "eta_seconds", row, part, stall_after_us, at);
	else
		put_json(&writer, "eta_seconds", NULL);
	appendStringInfoChar(&accounts->list, '}');
}

/* Lists the accounts of the session that was got last. */
static void
read_accounts(SpState *state, TupleTableSlot *session, bool compact, bool processing, Accounts *accounts)
{
	TupleTableSlot *row;

	memset(accounts, 0, sizeof(Accounts));
	sp_state_begin_accounts(state);
	while ((row = sp_state_account(state)) != NULL)
	{
		if (accounts->list.data == NULL)
			initStringInfo(&accounts->list);
		add_account(accounts, row, compact, processing, sp_state_kind(state, session)->stall_after_us, sp_state_int64(session, SP_SESSIONS_UPDATED_AT));
	}
	if (accounts->list.data != NULL)
		appendStringInfoChar(&accounts->list, ']');
}

/* How long it will take, and how fast it is. */
static void
put_pace(Writer *writer, SpState *state, TupleTableSlot *session, const Accounts *accounts, bool processing)
{
	SpPaceShown shown = {.time_remaining = -1,.eta.state = SP_ETA_NONE};
	SpEtaWork	work = {
		.processed = sp_state_int64(session, SP_SESSIONS_PROCESSED_COUNT),
		.total = sp_state_is_null(session, SP_SESSIONS_TOTAL_COUNT) ? -1 : sp_state_int64(session, SP_SESSIONS_TOTAL_COUNT),
	};
	bool		started = !sp_state_is_null(session, SP_SESSIONS_STARTED_AT);
	SpPace		pace;

	if (started)
	{
		bool		ended = !sp_state_is_null(session, SP_SESSIONS_COMPLETED_AT);

		sp_pace_read(sp_state_is_null(session, SP_SESSIONS_PACE) ? NULL : DatumGetByteaPP(session->tts_values[SP_SESSIONS_PACE]), &pace);
		work.started_us = sp_state_int64(session, SP_SESSIONS_STARTED_AT);
		if (processing)
		{
			work.stall_after_us = sp_state_kind(state, session)->stall_after_us;
			work.parts = accounts->parts;
			work.nparts = accounts->nparts;
		}
		sp_pace_show(&pace, &work, processing, sp_state_int64(session, ended ? SP_SESSIONS_COMPLETED_AT : SP_SESSIONS_UPDATED_AT), &shown);
	}
	if (shown.time_remaining < 0)
		put_json(writer, "time_remaining", NULL);
	else
		put_int64(writer, "time_remaining", shown.time_remaining);
	if (shown.eta.state == SP_ETA_STEADY)
	{
		put_int64(writer, "eta_seconds", shown.eta.seconds);
		put_int64(writer, "eta_low", shown.eta.low);
		put_int64(writer, "eta_high", shown.eta.high);
	}
	else
	{
		put_json(writer, "eta_seconds", NULL);
		put_json(writer, "eta_low", NULL);
		put_json(writer, "eta_high", NULL);
	}
	put_text(writer, "eta_state", sp_pace_state_name(shown.eta.state));
	/* JSON has no NaN, which a pace has only if somebody has edited it */
	if (started && isfinite(shown.eta.rate))
		put_rate(writer, "rate", shown.eta.rate);
	else
		put_json(writer, "rate", NULL);
}

/*
 * Write the payload of the session that was got last; *version gets that of the
 * state, its accounts' included.  In the current memory context.
 */
char *
sp_general_payload(SpState *state, TupleTableSlot *session, bool compact, int64 *version)
{
	StringInfoData json;
	Writer		writer = {&json, compact, false};
	Accounts	accounts;
	bool		processing = is_status(session, SP_SESSIONS_STATUS, "processing");

	read_accounts(state, session, compact, processing, &accounts);
	*version = Max(sp_state_int64(session, SP_SESSIONS_VERSION), accounts.version);
	initStringInfo(&json);
	put_count(&writer, "session_id", session, SP_SESSIONS_ID);
	put_text(&writer, "job_id", DatumGetCString(DirectFunctionCall1(uuid_out, session->tts_values[SP_SESSIONS_JOB_ID])));
	put_text(&writer, "kind", sp_state_text(session, SP_SESSIONS_KIND));
	put_text(&writer, "source_id", sp_state_text(session, SP_SESSIONS_SOURCE_ID));
	put_text(&writer, "status", sp_state_text(session, SP_SESSIONS_STATUS));
	put_shown(&writer, "title", session, SP_SESSIONS_TITLE, TITLE_MAX);
	put_shown(&writer, "message", session, SP_SESSIONS_MESSAGE, MESSAGE_MAX);
	put_shown(&writer, "error_message", session, SP_SESSIONS_ERROR_MESSAGE, ERROR_MAX);
	put_percentage(&writer, "progress_percentage", session, SP_SESSIONS_PROCESSED_COUNT, SP_SESSIONS_TOTAL_COUNT,
				   is_status(session, SP_SESSIONS_STATUS, "completed"));
	put_count(&writer, "processed_count", session, SP_SESSIONS_PROCESSED_COUNT);
	put_count(&writer, "total_count", session, SP_SESSIONS_TOTAL_COUNT);
	put_count(&writer, "detected_count", session, SP_SESSIONS_DETECTED_COUNT);
	put_count(&writer, "error_count", session, SP_SESSIONS_ERROR_COUNT);
	put_pace(&writer, state, session, &accounts, processing);
	put_counters(&writer, "counters", session, sp_state_catalog(state));
	put_json(&writer, "accounts", accounts.list.data == NULL ? "[]" : accounts.list.data);
	put_url(&writer, "result_url", session, SP_SESSIONS_RESULT_URL);
	put_time(&writer, "started_at", session, SP_SESSIONS_STARTED_AT);
	put_time(&writer, "completed_at", session, SP_SESSIONS_COMPLETED_AT);
	put_time(&writer, "updated_at", session, SP_SESSIONS_UPDATED_AT);
	put_int64(&writer, "version", *version);
	put_int64(&writer, "lock_version", DatumGetInt32(session->tts_values[SP_SESSIONS_LOCK_VERSION]));
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* Raises an error unless the user may read the table, and all of it. */
static void
check_table(Oid relation, Oid user)
{
	AclResult	result = pg_class_aclcheck(relation, user, ACL_SELECT);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_TABLE, get_rel_name(relation));
	if (check_enable_rls(relation, user, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("sync_payload() does not go by the row security policies of table \"%s\"", get_rel_name(relation)),
				 errhint("Call it as the tables' owner, or as a role with BYPASSRLS.")));
}

/* Raises an error unless the user may read what a payload says. */
void
sp_general_check(const SpCatalog *catalog, Oid user)
{
	check_table(catalog->sessions, user);
	check_table(catalog->accounts, user);
	check_table(catalog->kinds, user);
}

static int
compare_ids(const void *a, const void *b)
{
	int64		x = DatumGetInt64(*(const Datum *) a);
	int64		y = DatumGetInt64(*(const Datum *) b);

	return x < y ? -1 : x > y;
}

/* sync_payload(session_ids) → (session_id, payload) */
Datum
sync_progress_general_payload(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	ReturnSetInfo *result;
	MemoryContext context;
	SpState    *state;
	Datum	   *ids;
	bool	   *nulls;
	int			nids;
	int			kept = 0;

	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	sp_general_check(catalog, GetUserId());
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &ids, &nulls, &nids);
	for (int i = 0; i < nids; i++)
	{
		if (!nulls[i])
			ids[kept++] = ids[i];
	}
	qsort(ids, kept, sizeof(Datum), compare_ids);
	state = sp_state_open(catalog);
	context = AllocSetContextCreate(CurrentMemoryContext, "sync_payload", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < kept; i++)
	{
		TupleTableSlot *session = i > 0 && ids[i] == ids[i - 1] ? NULL : sp_state_session(state, DatumGetInt64(ids[i]));
		MemoryContext old;
		Datum		values[2];
		bool		no_nulls[2] = {false, false};
		int64		version;

		CHECK_FOR_INTERRUPTS();
		if (session == NULL)
			continue;
		old = MemoryContextSwitchTo(context);
		values[0] = ids[i];
		values[1] = CStringGetTextDatum(sp_general_payload(state, session, false, &version));
		MemoryContextSwitchTo(old);
		tuplestore_putvalues(result->setResult, result->setDesc, values, no_nulls);
		MemoryContextReset(context);
	}
	sp_state_close(state);
	return (Datum) 0;
}
