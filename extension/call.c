/*
 * call.c
 *		Calls to users' payload and authorize functions.
 *
 * Who may write sync_kinds must not become superuser through the worker or a
 * bridge: such a function runs as its owner, in a security-restricted
 * operation, with a fixed search_path, and read-only.  Errors go to the
 * caller, who isolates them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "call.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "shared.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

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
}

void
sp_call_leave(const SpGuard *guard)
{
	AtEOXact_GUC(false, guard->guc_level);
	SetUserIdAndSecContext(guard->user, guard->security);
}

/* A kind's function: found anew at each call, planned once. */
typedef struct SpFunction
{
	Oid			oid;
	SPIPlanPtr	plan;			/* NULL: not yet */
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

/*
 * Runs a query that calls the function, as its owner, read-only; between
 * SPI_connect() and SPI_finish().  Plans are kept: planning a payload takes
 * several times as long as computing it.
 */
static void
call(Oid function, Oid owner, const char *query, int nargs, Oid *types, Datum *args, const char *nulls)
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
	if (known->plan == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(query, nargs, types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare \"%s\"", query);
		known->plan = plan;
	}
	if (SPI_execute_plan(known->plan, args, nulls, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\"", query);
	sp_call_leave(&guard);
}

/* sync_progress_payloads(signature, session_ids) → (session_id, payload) */
Datum
sync_progress_payloads(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result;
	char	   *name;
	Oid			function,
				owner;
	Oid			types[1] = {INT8ARRAYOID};
	Datum		args[1] = {PG_GETARG_DATUM(1)};

	sp_shared_require();
	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	function = resolve(PG_GETARG_TEXT_PP(0), &name, &owner);

	SPI_connect();
	call(function, owner, psprintf("SELECT session_id::bigint, payload::json FROM %s($1)", name), 1, types, args, NULL);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		values[2];
		bool		nulls[2];

		for (int column = 0; column < 2; column++)
			values[column] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, column + 1, &nulls[column]);
		/* without a payload a session is not told; the caller sees it missing */
		if (!nulls[0] && !nulls[1])
			tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}

/* sync_progress_authorized(signature, session_id, claims) → boolean */
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

	sp_shared_require();
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	args[0] = PG_GETARG_DATUM(1);
	nulls[0] = ' ';
	args[1] = PG_GETARG_DATUM(2);
	nulls[1] = PG_ARGISNULL(2) ? 'n' : ' ';
	function = resolve(PG_GETARG_TEXT_PP(0), &name, &owner);

	SPI_connect();
	call(function, owner, psprintf("SELECT %s($1, $2)::boolean", name), 2, types, args, nulls);
	allowed = SPI_processed == 1 &&
		DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)) && !isnull;
	SPI_finish();
	PG_RETURN_BOOL(allowed);
}
