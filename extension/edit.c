/*
 * edit.c
 *		Edits by people: rename, pin, delete; never over somebody else's.
 *
 * Who edits says which lock_version was on the screen.  If the row has a later
 * one, the edit is refused with what the row is now, for the person to decide.
 * The row is locked before it is compared, so that of two who edit the same
 * version one wins and one is told (locked.c says how, in any isolation level).
 *
 * The row trigger steps lock_version, as it does for an UPDATE by anybody; the
 * statement trigger leaves the event (event.c).
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "locked.h"
#include "mb/pg_wchar.h"
#include "rows.h"
#include "utils/builtins.h"

#define TITLE_MAX		500		/* characters */
#define ERRCODE_STALE	MAKE_SQLSTATE('S', 'P', '4', '0', '9')

PG_FUNCTION_INFO_V1(sync_session_rename);
PG_FUNCTION_INFO_V1(sync_session_pin);
PG_FUNCTION_INFO_V1(sync_session_delete);

/* The row as it is now, JSON, for who has an old one. */
static char *
current_row(const SpCatalog *catalog, Datum session)
{
	Oid			types[1] = {INT8OID};

	sp_locked_run(catalog, "SELECT row_to_json(r) FROM (SELECT id AS session_id, title, pinned, status, owner_id,"
				  " lock_version, version, updated_at FROM %s.sync_sessions WHERE id = $1) AS r",
				  SPI_OK_SELECT, 1, types, &session, NULL);
	return SPI_processed == 0 ? NULL : sp_rows_text(SPI_tuptable->vals[0], 1);
}

static void
refuse_stale(const SpCatalog *catalog, FunctionCallInfo fcinfo, int32 lock_version)
{
	char	   *row = current_row(catalog, PG_GETARG_DATUM(0));

	ereport(ERROR,
			(errcode(ERRCODE_STALE),
			 errmsg("session " INT64_FORMAT " was edited meanwhile: its lock_version is %d, not %d",
					PG_GETARG_INT64(0), lock_version, PG_GETARG_INT32(fcinfo->nargs - 1)),
			 row == NULL ? 0 : errdetail_internal("%s", row),
			 errhint("Reload it and try again.")));
}

/*
 * Lock the session of the first argument; refuse if the last one, the expected
 * lock_version, is not the row's.  Returns the row; *lock_version gets its own.
 * Within SPI; the caller drops the slot.
 */
static TupleTableSlot *
lock_for_edit(const SpCatalog *catalog, FunctionCallInfo fcinfo, LockTupleMode mode, int32 *lock_version)
{
	int			expected = fcinfo->nargs - 1;
	Relation	rel;
	TupleTableSlot *row;
	bool		isnull;

	rel = table_open(catalog->sessions, RowExclusiveLock);
	row = PG_ARGISNULL(0) ? NULL : sp_locked_row(rel, catalog->sessions_pkey, PG_GETARG_INT64(0), mode);
	if (row == NULL)
		sp_locked_no_session(fcinfo);
	*lock_version = DatumGetInt32(sp_locked_value(row, "lock_version", &isnull));
	if (!PG_ARGISNULL(expected) && PG_GETARG_INT32(expected) != *lock_version)
		refuse_stale(catalog, fcinfo, *lock_version);
	table_close(rel, NoLock);
	return row;
}

/* Sets one column of the locked session; returns the new lock_version. */
static int32
edit(const SpCatalog *catalog, const char *query, Datum session, Oid type, Datum value, bool isnull)
{
	Oid			types[2] = {INT8OID, type};
	Datum		args[2] = {session, value};
	char		nulls[2] = {' ', isnull ? 'n' : ' '};

	sp_locked_run(catalog, query, SPI_OK_UPDATE_RETURNING, 2, types, args, nulls);
	if (SPI_processed != 1)
		elog(ERROR, "the row that was locked is gone");
	return DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

/* sync_session_rename(session_id, title, expected_lock_version) → lock_version */
Datum
sync_session_rename(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	char	   *title = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *before;
	TupleTableSlot *row;
	int32		lock_version;

	sp_shared_require_writable("sync_session_rename()");
	if (title != NULL && pg_mbstrlen(title) > TITLE_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("title has %d characters", pg_mbstrlen(title)),
				 errhint("A title has at most %d characters.", TITLE_MAX)));
	if (title != NULL && title[0] == '\0')
		title = NULL;			/* no title, as when it never had one */
	SPI_connect();
	row = lock_for_edit(catalog, fcinfo, LockTupleNoKeyExclusive, &lock_version);
	before = sp_locked_text(row, "title");
	if (title == NULL || before == NULL ? title != before : strcmp(title, before) != 0)
		lock_version = edit(catalog, "UPDATE %s.sync_sessions SET title = $2 WHERE id = $1 RETURNING lock_version",
							PG_GETARG_DATUM(0), TEXTOID, title == NULL ? (Datum) 0 : CStringGetTextDatum(title), title == NULL);
	ExecDropSingleTupleTableSlot(row);
	SPI_finish();
	PG_RETURN_INT32(lock_version);
}

/* sync_session_pin(session_id, pinned, expected_lock_version) → lock_version */
Datum
sync_session_pin(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	TupleTableSlot *row;
	int32		lock_version;
	bool		isnull;

	sp_shared_require_writable("sync_session_pin()");
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("pinned must not be NULL"),
				 errhint("Pass true to pin the session, false to unpin it.")));
	SPI_connect();
	row = lock_for_edit(catalog, fcinfo, LockTupleNoKeyExclusive, &lock_version);
	if (DatumGetBool(sp_locked_value(row, "pinned", &isnull)) != PG_GETARG_BOOL(1))
		lock_version = edit(catalog, "UPDATE %s.sync_sessions SET pinned = $2 WHERE id = $1 RETURNING lock_version",
							PG_GETARG_DATUM(0), BOOLOID, PG_GETARG_DATUM(1), false);
	ExecDropSingleTupleTableSlot(row);
	SPI_finish();
	PG_RETURN_INT32(lock_version);
}

/*
 * sync_session_delete(session_id, expected_lock_version)
 *
 * Its accounts go first: the foreign key would delete them under the
 * transaction's snapshot, which under REPEATABLE READ fails when a fold has
 * written one since.  The session's row, once locked, keeps folds away.
 */
Datum
sync_session_delete(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	Oid			types[1] = {INT8OID};
	Datum		args[1];
	int32		lock_version;

	sp_shared_require_writable("sync_session_delete()");
	SPI_connect();
	ExecDropSingleTupleTableSlot(lock_for_edit(catalog, fcinfo, LockTupleExclusive, &lock_version));
	args[0] = PG_GETARG_DATUM(0);
	sp_locked_run(catalog, "DELETE FROM %s.sync_session_accounts WHERE sync_session_id = $1", SPI_OK_DELETE, 1, types, args, NULL);
	sp_locked_run(catalog, "DELETE FROM %s.sync_sessions WHERE id = $1", SPI_OK_DELETE, 1, types, args, NULL);
	if (SPI_processed != 1)
		elog(ERROR, "the row that was locked is gone");
	SPI_finish();
	PG_RETURN_VOID();
}
