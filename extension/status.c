/*
 * status.c
 *		Changes of a session's or an account's status, by applications.
 *
 * A status is changed in the row itself, at once, under a lock of its last
 * version (locked.c): a worker that ends its run must not fail because others'
 * increments were folded meanwhile.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "ledger.h"
#include "locked.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(sync_session_change);
PG_FUNCTION_INFO_V1(sync_session_account_change);

#define BIT(status)		(1u << SP_STATUS_##status)
#define OPEN			(BIT(PENDING) | BIT(PROCESSING) | BIT(PAUSED))

/* From which statuses a session may come to each. */
static const uint32 allowed_from[] = {
	[SP_STATUS_PROCESSING] = BIT(PENDING) | BIT(PAUSED),
	[SP_STATUS_PAUSED] = BIT(PENDING) | BIT(PROCESSING),
	[SP_STATUS_COMPLETED] = OPEN,
	[SP_STATUS_FAILED] = OPEN,
	[SP_STATUS_CANCELLED] = OPEN,
};

/* "pending or paused" */
static char *
describe(uint32 statuses)
{
	char	   *text = NULL;

	for (int i = SP_STATUS_PENDING; i <= SP_STATUS_CANCELLED; i++)
	{
		if (statuses & (1u << i))
			text = text == NULL ? pstrdup(sp_status_name(i)) : psprintf("%s or %s", text, sp_status_name(i));
	}
	return text;
}

/* Updates the row that was just locked. */
static void
update_row(const SpCatalog *catalog, const char *query, int nargs, Oid *types, Datum *args, const char *nulls)
{
	SPI_connect();
	sp_locked_run(catalog, query, SPI_OK_UPDATE, nargs, types, args, nulls);
	if (SPI_processed != 1)
		elog(ERROR, "the row that was locked is gone");
	SPI_finish();
}

/* sync_session_change(session_id, target, message, error_message, result_url) → status */
Datum
sync_session_change(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	Oid			types[6] = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8OID};
	Datum		args[6];
	char		nulls[6];
	Relation	rel;
	TupleTableSlot *row;
	SpStatus	target;
	char	   *status;

	sp_shared_require_writable("a change of status");
	if (PG_ARGISNULL(0))
		sp_locked_no_session(fcinfo);
	target = sp_status_parse(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	rel = table_open(catalog->sessions, RowExclusiveLock);
	row = sp_locked_row(rel, catalog->sessions_pkey, PG_GETARG_INT64(0), LockTupleNoKeyExclusive);
	if (row == NULL)
		sp_locked_no_session(fcinfo);
	status = sp_locked_text(row, "status");
	ExecDropSingleTupleTableSlot(row);
	table_close(rel, NoLock);
	if ((allowed_from[target] & (1u << sp_status_parse(status))) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("session " INT64_FORMAT " is %s, it cannot become %s",
						PG_GETARG_INT64(0), status, sp_status_name(target)),
				 errhint("Only a session that is %s can become %s.",
						 describe(allowed_from[target]), sp_status_name(target))));
	for (int i = 0; i < 5; i++)
	{
		args[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	/* a message set before, and not folded yet, must not come after this one */
	args[5] = Int64GetDatum(sp_ledger_stamp(sp_shared_database(catalog->sessions)));
	nulls[5] = ' ';
	update_row(catalog, "UPDATE %s.sync_sessions SET status = $2, message = coalesce($3, message),"
			   " message_set_at = CASE WHEN $3 IS NULL THEN message_set_at ELSE greatest(message_set_at, $6) END,"
			   " error_message = CASE WHEN $2 = 'failed' THEN $4 ELSE error_message END,"
			   " result_url = coalesce($5, result_url) WHERE id = $1", 6, types, args, nulls);
	PG_RETURN_DATUM(PG_GETARG_DATUM(1));
}

/* sync_session_account_change(session_id, account_id, target, error_message) → the session's status */
Datum
sync_session_account_change(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	Oid			types[3] = {INT8OID, TEXTOID, TEXTOID};
	Datum		args[3] = {PG_GETARG_DATUM(1), PG_GETARG_DATUM(2), PG_GETARG_DATUM(3)};
	char		nulls[3] = {' ', ' ', PG_ARGISNULL(3) ? 'n' : ' '};
	Relation	rel;
	TupleTableSlot *row;
	SpStatus	status;
	bool		own;
	bool		fits;

	sp_shared_require_writable("a change of status");
	if (PG_ARGISNULL(0) || !sp_catalog_session(catalog, PG_GETARG_INT64(0), &status, &own))
		sp_locked_no_session(fcinfo);
	rel = table_open(catalog->accounts, RowExclusiveLock);
	row = sp_locked_row(rel, catalog->accounts_pkey, PG_GETARG_INT64(1), LockTupleNoKeyExclusive);
	fits = false;
	if (row != NULL)
	{
		bool		isnull;

		fits = DatumGetInt64(sp_locked_value(row, "sync_session_id", &isnull)) == PG_GETARG_INT64(0);
		ExecDropSingleTupleTableSlot(row);
	}
	table_close(rel, NoLock);
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("account " INT64_FORMAT " does not belong to sync session " INT64_FORMAT,
						PG_GETARG_INT64(1), PG_GETARG_INT64(0)),
				 errhint("Select its accounts' ids from sync_session_accounts by sync_session_id.")));
	update_row(catalog, "UPDATE %s.sync_session_accounts SET status = $2, error_message = $3 WHERE id = $1",
			   3, types, args, nulls);
	PG_RETURN_TEXT_P(cstring_to_text(sp_status_name(status)));
}
