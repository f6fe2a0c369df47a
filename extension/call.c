/*
 * call.c
 *		Calls to users' payload and authorize functions.
 *
 * Who may write sync_kinds must not become superuser through the worker or a
 * bridge: such a function runs as its owner, in a security-restricted
 * operation, with a fixed search_path and time zone (a version has one text,
 * whoever asks for it), and read-only.  Errors go to the caller, who isolates
 * them.
 *
 * A question of a bridge's is about many streams and has one deadline, after
 * which all of it would be cancelled.  Each call may take a third of what is
 * left, so that there is time to find the one that is to blame and to answer the
 * rest.  The worker has limits of its own (tell.c) and gives no deadline.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "call.h"
#include "compat.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "shared.h"
#include "storage/latch.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#define ERRCODE_SP_TOO_SLOW	MAKE_SQLSTATE('S','P','4','0','8')
#define CALL_MIN_MS			10

PG_FUNCTION_INFO_V1(sync_progress_payloads);
PG_FUNCTION_INFO_V1(sync_progress_authorized);

/* Go on as "owner", restricted, until sp_call_leave() or the transaction's end. */
void
sp_call_enter(Oid owner, SpGuard *guard)
{
	GetUserIdAndSecContext(&guard->user, &guard->security);
	SetUserIdAndSecContext(owner, guard->security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	guard->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("timezone", "UTC", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

void
sp_call_leave(const SpGuard *guard)
{
	AtEOXact_GUC(false, guard->guc_level);
	SetUserIdAndSecContext(guard->user, guard->security);
}

/*
 * From here to the end of the GUC nest level queries are planned to go by keys.
 *
 * For queries whose plan is made once and kept: if the table is small at that
 * time, reading all of it looks cheap, and it will not be small for ever.
 */
void
sp_call_by_keys(void)
{
	static const char *const unwanted[] = {"enable_seqscan", "enable_hashjoin", "enable_mergejoin"};

	for (int i = 0; i < lengthof(unwanted); i++)
		(void) set_config_option(unwanted[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* A kind's function: found anew at each call, planned once. */
typedef struct SpFunction
{
	Oid			oid;
	SPIPlanPtr	plan;			/* NULL: not yet */
	char	   *query;			/* that it is the plan of */
} SpFunction;

/*
 * Finds the function of a kind: *name gets its name quoted for SQL, *owner its
 * owner.  Raises an error when there is none.
 */
static Oid
resolve(text *signature, char **name, Oid *owner)
{
	LOCAL_FCINFO(info, 1);
	Oid			function;
	HeapTuple	tuple = NULL;
	Form_pg_proc proc;

	/* it gives NULL, not an error, for what does not exist */
	InitFunctionCallInfoData(*info, NULL, 1, InvalidOid, NULL, NULL);
	info->args[0].value = PointerGetDatum(signature);
	info->args[0].isnull = false;
	function = DatumGetObjectId(to_regprocedure(info));
	if (!info->isnull)
		tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function \"%s\" does not exist", text_to_cstring(signature)),
				 errhint("Correct payload_function and authorize_function in sync_kinds.")));
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	*owner = proc->proowner;
	*name = pstrdup(quote_qualified_identifier(get_namespace_name(proc->pronamespace), NameStr(proc->proname)));
	ReleaseSysCache(tuple);
	return function;
}

/* The timer of a call with a deadline. */
static TimeoutId timer = MAX_TIMEOUTS;
static volatile sig_atomic_t timed_out = false;

/* In a signal handler: as if somebody had cancelled the query. */
static void
on_timeout(void)
{
	timed_out = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

static void SP_NORETURN
too_slow(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_SP_TOO_SLOW),
			 errmsg("%s() took too long", name),
			 errhint("Make it faster (EXPLAIN its queries), or raise sync_progress.payload_timeout and the bridge's statement_timeout.")));
}

/* Milliseconds that a call may take until the deadline. */
static int
limit_ms(TimestampTz deadline, const char *name)
{
	long		left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);

	if (left_ms == 0)
		too_slow(name);
	return (int) Max(Min(left_ms, 3600000) / 3, CALL_MIN_MS);
}

/*
 * Runs a plan, read-only, for at most so long (0: no limit).  An error other
 * than a cancelled query can be caught by SQL, so too late is such a one.
 */
static int
execute(SPIPlanPtr plan, Datum *args, const char *nulls, const char *name, int within_ms)
{
	MemoryContext context = CurrentMemoryContext;
	volatile int result = 0;

	if (within_ms == 0)
		return SPI_execute_plan(plan, args, nulls, true, 0);
	if (timer == MAX_TIMEOUTS)
		timer = RegisterTimeout(USER_TIMEOUT, on_timeout);
	timed_out = false;
	enable_timeout_after(timer, within_ms);
	PG_TRY();
	{
		result = SPI_execute_plan(plan, args, nulls, true, 0);
		disable_timeout(timer, false);
	}
	PG_CATCH();
	{
		disable_timeout(timer, false);
		if (timed_out)
			QueryCancelPending = false; /* it came with another error */
		if (!timed_out || geterrcode() != ERRCODE_QUERY_CANCELED)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		too_slow(name);
	}
	PG_END_TRY();
	if (timed_out)
		QueryCancelPending = false; /* it came at the last moment */
	return result;
}

/*
 * Runs a query that calls the function, as its owner, read-only; between
 * SPI_connect() and SPI_finish().  Plans are kept: planning a payload takes
 * several times as long as computing it.
 */
static void
call(Oid function, Oid owner, const char *name, const char *query, int nargs, Oid *types, Datum *args, const char *nulls,
	 int within_ms)
{
	static HTAB *functions = NULL;
	SpFunction *known;
	bool		found;
	SpGuard		guard;

	if (functions == NULL)
	{
		HASHCTL		info = {.keysize = sizeof(Oid), .entrysize = sizeof(SpFunction)};

		functions = hash_create("sync_progress functions", 16, &info, HASH_ELEM | HASH_BLOBS);
	}
	known = hash_search(functions, &function, HASH_ENTER, &found);
	if (!found)
		known->plan = NULL;
	sp_call_enter(owner, &guard);
	/* a function that was renamed, or moved, is the same one */
	if (known->plan != NULL && strcmp(known->query, query) != 0)
	{
		SPI_freeplan(known->plan);
		known->plan = NULL;
		pfree(known->query);
	}
	if (known->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(query, nargs, types);

		if (plan == NULL)
			elog(ERROR, "could not prepare \"%s\"", query);
		known->query = MemoryContextStrdup(TopMemoryContext, query);
		if (SPI_keepplan(plan) != 0)
			elog(ERROR, "could not keep \"%s\"", query);
		known->plan = plan;
	}
	if (execute(known->plan, args, nulls, name, within_ms) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\"", query);
	sp_call_leave(&guard);
}

static int
compare_int64(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/*
 * A payload function has given one row for each session it was asked for, or
 * this is an error: what is shown must not depend on which of two comes first,
 * and a session without a payload could never be told.
 */
static void
check_complete(const char *name, ArrayType *asked, int64 *given, int ngiven)
{
	Datum	   *ids;
	bool	   *nulls;
	int			nids;

	qsort(given, ngiven, sizeof(int64), compare_int64);
	deconstruct_array(asked, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &ids, &nulls, &nids);
	for (int i = 0; i < nids; i++)
	{
		int64		id = nulls[i] ? 0 : DatumGetInt64(ids[i]);
		int64	   *found = nulls[i] ? NULL : bsearch(&id, given, ngiven, sizeof(int64), compare_int64);

		if (found == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NO_DATA_FOUND),
					 errmsg("%s() gave nothing for session " INT64_FORMAT, name, id),
					 errhint("It returns one row with a payload for every id it is given.")));
		if ((found > given && found[-1] == id) || (found < given + ngiven - 1 && found[1] == id))
			ereport(ERROR,
					(errcode(ERRCODE_CARDINALITY_VIOLATION),
					 errmsg("%s() gave more than one row for session " INT64_FORMAT, name, id),
					 errhint("It returns one row with a payload for every id it is given.")));
	}
}

/* Raises an error if a payload by this function is larger than one may be. */
void
sp_call_check_size(const char *name, int64 session, Size bytes)
{
	if (bytes > SP_PAYLOAD_MAX_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s() gave %zu bytes for session " INT64_FORMAT, name, bytes, session),
				 errhint("A payload has at most %d bytes: leave out what does not change, and let pages ask for it.", SP_PAYLOAD_MAX_BYTES)));
}

/*
 * Ask a kind's function for payloads: one is taken for each of the ids, or this
 * is an error.  Between SPI_connect() and SPI_finish(); what is taken is good
 * until then.
 */
static void
ask(text *signature, Datum ids, Datum deadline, bool limited, SpTakePayload take, void *state)
{
	char	   *name;
	Oid			owner;
	Oid			types[1] = {INT8ARRAYOID};
	Datum		args[1] = {ids};
	int64	   *given;
	int			ngiven = 0;
	Oid			function = resolve(signature, &name, &owner);
	int			within_ms = limited ? limit_ms(DatumGetTimestampTz(deadline), name) : 0;

	call(function, owner, name, psprintf("SELECT session_id::bigint, payload::json FROM %s($1)", name), 1, types, args, NULL, within_ms);
	given = MemoryContextAllocHuge(CurrentMemoryContext, (SPI_processed + 1) * sizeof(int64));
	for (uint64 i = 0; i < SPI_processed && ngiven < PG_INT32_MAX; i++)
	{
		Datum		values[2];
		bool		nulls[2];

		for (int column = 0; column < 2; column++)
			values[column] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, column + 1, &nulls[column]);
		if (nulls[0] || nulls[1])
			continue;
		given[ngiven++] = DatumGetInt64(values[0]);
		sp_call_check_size(name, given[ngiven - 1], toast_raw_datum_size(values[1]) - VARHDRSZ);
		take(state, given[ngiven - 1], values[1]);
	}
	check_complete(name, DatumGetArrayTypeP(ids), given, ngiven);
}

/* Likewise, for as long as it takes. */
void
sp_call_payloads(const char *signature, Datum ids, SpTakePayload take, void *state)
{
	ask(cstring_to_text(signature), ids, (Datum) 0, false, take, state);
}

/* Whether a kind's function is this one of ours, and whose it is. */
bool
sp_call_is(const char *signature, PGFunction function, Oid *owner)
{
	char	   *name;
	FmgrInfo	info;

	fmgr_info(resolve(cstring_to_text(signature), &name, owner), &info);
	return info.fn_addr == function;
}

static void
put_payload(void *state, int64 session, Datum payload)
{
	ReturnSetInfo *result = state;
	Datum		values[2] = {Int64GetDatum(session), payload};
	bool		nulls[2] = {false, false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* sync_progress_payloads(signature, session_ids, deadline) → (session_id, payload) */
Datum
sync_progress_payloads(PG_FUNCTION_ARGS)
{
	sp_shared_require();
	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	SPI_connect();
	ask(PG_GETARG_TEXT_PP(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2), !PG_ARGISNULL(2), put_payload, fcinfo->resultinfo);
	SPI_finish();
	return (Datum) 0;
}

/* sync_progress_authorized(signature, session_id, claims, deadline) → boolean */
Datum
sync_progress_authorized(PG_FUNCTION_ARGS)
{
	char	   *name;
	Oid			function,
				owner;
	Oid			types[2] = {INT8OID, JSONBOID};
	Datum		args[2];
	char		nulls[2];
	bool		isnull;
	bool		allowed;
	int			within_ms;

	sp_shared_require();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	args[0] = PG_GETARG_DATUM(1);
	nulls[0] = ' ';
	args[1] = PG_GETARG_DATUM(2);
	nulls[1] = PG_ARGISNULL(2) ? 'n' : ' ';
	function = resolve(PG_GETARG_TEXT_PP(0), &name, &owner);
	within_ms = PG_ARGISNULL(3) ? 0 : limit_ms(PG_GETARG_TIMESTAMPTZ(3), name);

	SPI_connect();
	call(function, owner, name, psprintf("SELECT %s($1, $2)::boolean", name), 2, types, args, nulls, within_ms);
	allowed = SPI_processed == 1 &&
		DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)) && !isnull;
	SPI_finish();
	PG_RETURN_BOOL(allowed);
}
