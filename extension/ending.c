/*
 * ending.c
 *		Which runs have ended, but have not been folded since.
 *
 * A status changes in the session's row at once, counts when they are folded.  In
 * between the row says that the run has ended, with counts that are not its last,
 * and whoever was shown that would stop looking.  The change leaves a touch in the
 * ledger, in the same transaction.  A fold reads the ledger as of one snapshot, so
 * with the touch it has all that was committed before it: the run is shown as
 * ended once that touch is gone.
 *
 * Not once the ledger has nothing of the session: of a run that was cancelled,
 * whose workers go on for a while, nothing would ever be shown.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "ledger.h"
#include "rows.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/snapmgr.h"

PG_FUNCTION_INFO_V1(sync_progress_ending);

/*
 * False: a heap is being emptied or rewritten, and to wait for that would hold up
 * all that a bridge asks.
 */
static bool
lock_heaps(const SpCatalog *catalog)
{
	for (int heap = 0; heap < SP_HEAPS; heap++)
	{
		if (!ConditionalLockRelationOid(catalog->ledger[heap], AccessShareLock))
			return false;
	}
	return true;
}

/*
 * Whether the worker is about to fold and tell the session, by its mark.  That is
 * a hint, but enough for the moment for which a heap is locked: who is shown
 * nothing hears of it.
 */
static bool
is_marked(SpDatabase *database, int64 session)
{
	SpSlot	   *slot = database == NULL ? NULL : sp_slot_find(database, session);
	uint32		flags;

	if (slot == NULL)
		return false;
	flags = pg_atomic_read_u32(&slot->flags);
	sp_slot_unpin(slot);
	return (flags & (SP_SLOT_DIRTY | SP_SLOT_BUSY)) != 0;
}

static int
compare_int64(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/* The sessions that the ledger has an end of, in order. */
static int64 *
read_ends(const SpCatalog *catalog, SpDatabase *database, int *count)
{
	SpRows		rows = {0};
	int64	   *ids;

	sp_ledger_read_visible(catalog, database, GetActiveSnapshot(), 0, SP_OP_TOUCH, &rows);
	ids = palloc(Max(rows.count, 1) * sizeof(int64));
	*count = 0;
	for (int i = 0; i < rows.count; i++)
	{
		if (sp_ledger_is_end(&rows.rows[i]))
			ids[(*count)++] = rows.rows[i].session;
	}
	qsort(ids, *count, sizeof(int64), compare_int64);
	return ids;
}

/*
 * sync_progress_ending(session_ids) → those whose end is not folded, as the
 * caller's snapshot sees it.
 */
Datum
sync_progress_ending(PG_FUNCTION_ARGS)
{
	const SpCatalog *catalog = sp_catalog_of_function(fcinfo->flinfo->fn_oid);
	SpDatabase *database = sp_shared_database(catalog->sessions);
	int64	   *ends = NULL;
	int			nends = 0;
	Datum	   *values;
	bool	   *nulls;
	int			count;
	int			kept = 0;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &values, &nulls, &count);
	if (lock_heaps(catalog))
		ends = read_ends(catalog, database, &nends);
	for (int i = 0; i < count; i++)
	{
		int64		id = nulls[i] ? 0 : DatumGetInt64(values[i]);

		if (ends == NULL ? is_marked(database, id)
			: bsearch(&id, ends, nends, sizeof(int64), compare_int64) != NULL)
			values[kept++] = values[i];
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(values, kept, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
