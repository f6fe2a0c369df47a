/*
 * flush.c
 *		What was counted live, into the sessions' rows.
 *
 * A session's row says, in its column "live", how much of each cell's sum it
 * has; the rest is made ledger rows that were never in the ledger, and folded
 * with those that were: accounts, counters and absolute values need no rules of
 * their own.  Counts and column are written in one UPDATE.  So whenever the
 * worker dies, its successor adds exactly what the row does not have, and who
 * looks under an older snapshot adds exactly what that snapshot's row does not.
 *
 * Shared memory begins at zero after a crash, under another boot number: what
 * the column says of an earlier one is void.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "cell.h"
#include "compat.h"
#include "flush.h"
#include "told.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define ALL_HEAPS		((1u << SP_HEAPS) - 1)
#define STORED_FORM		INT64CONST(0x53504c4956450001)

/* How much of a cell a row has. */
typedef struct Flushed
{
	int64		serial;
	int64		sum;
} Flushed;

/* The column's value. */
typedef struct Stored
{
	int64		form;
	uint64		boot;
	Flushed		flushed[FLEXIBLE_ARRAY_MEMBER];
} Stored;

/*
 * How much of the cell the row has.  A row that says nothing of a cell that is
 * known to be flushed is another one with the same id: it was deleted, and
 * made again from a copy, and has nothing of it to get.
 */
static int64
flushed_of(SpCellSum *sum, const bytea *stored)
{
	Size		length = stored == NULL ? 0 : VARSIZE_ANY_EXHDR(stored);
	Stored		head;

	sum->is_new = true;
	if (length < sizeof(Stored))
		return sum->flushed;
	memcpy(&head, VARDATA_ANY(stored), sizeof(Stored));
	if (head.form != STORED_FORM || head.boot != sp_cell_boot())
		return sum->flushed;
	for (Size at = sizeof(Stored); at + sizeof(Flushed) <= length; at += sizeof(Flushed))
	{
		Flushed		flushed;

		memcpy(&flushed, VARDATA_ANY(stored) + at, sizeof(Flushed));
		if (flushed.serial != sum->serial)
			continue;
		sum->is_new = false;
		return flushed.sum;
	}
	return sum->flushed;
}

/*
 * Make rows of what cells of one session have and its row, with column "live"
 * as stored, does not.  "rows" has room for all; returns how many there are.
 * The names in them are those in "sums".
 */
int
sp_flush_rows(SpCellSum *sums, int nsums, const bytea *stored, SpRow *rows)
{
	int			count = 0;

	for (int i = 0; i < nsums; i++)
	{
		/* the sum may have wrapped around: the difference has not */
		int64		more = (int64) ((uint64) sums[i].sum - (uint64) flushed_of(&sums[i], stored));
		SpRow		row = {
			.session = sums[i].session,
			.account = sums[i].account,
			.amount = more,
			.stamp = sums[i].opened_at,
			.label = sums[i].name[0] == '\0' ? NULL : sums[i].name,
			.op = sums[i].op
		};

		if (more != 0)
			rows[count++] = row;
	}
	return count;
}

/*
 * Look what the cells of the sessions have.  Before the ledger is read: what is
 * counted after an absolute value was set must not be folded before it is.
 */
void
sp_flush_read(SpDatabase *database, SpDue *due, int ndue)
{
	for (int i = 0; i < ndue; i++)
	{
		if (due[i].slot == NULL)
			continue;
		due[i].sums = sp_cell_sums(database, due[i].slot, &due[i].nsums);
		due[i].summed = true;
	}
}

/* Adds to a locked session's rows what its cells had, in the current memory context. */
void
sp_flush_session(SpHeldSession *session)
{
	SpDue	   *due = session->due;
	SpRow	   *rows;

	session->rows = due->rows;
	session->nrows = due->nrows;
	if (due->nsums == 0)
		return;
	due->fold_xid = GetTopTransactionId();
	rows = palloc((due->nrows + due->nsums) * sizeof(SpRow));
	if (due->nrows > 0)
		memcpy(rows, due->rows, due->nrows * sizeof(SpRow));
	session->nrows += sp_flush_rows(due->sums, due->nsums, session->live, rows + due->nrows);
	session->rows = rows;
	qsort(rows, session->nrows, sizeof(SpRow), sp_net_compare);
}

/* The column's new value, for the counts that sp_flush_session() led to; NULL: none. */
bytea *
sp_flush_stored(const SpHeldSession *session)
{
	const SpDue *due = session->due;
	Size		size = VARHDRSZ + sizeof(Stored) + due->nsums * sizeof(Flushed);
	Stored		head = {STORED_FORM, sp_cell_boot()};
	bytea	   *stored;

	if (!due->summed)
		return session->live;
	if (due->nsums == 0)
		return NULL;
	stored = palloc(size);
	SET_VARSIZE(stored, size);
	memcpy(VARDATA(stored), &head, sizeof(Stored));
	for (int i = 0; i < due->nsums; i++)
	{
		Flushed		flushed = {due->sums[i].serial, due->sums[i].sum};

		memcpy(VARDATA(stored) + sizeof(Stored) + i * sizeof(Flushed), &flushed, sizeof(Flushed));
	}
	return stored;
}

/*
 * Whether an unknown session has counts that must be kept, because the
 * transaction that makes it may yet commit.
 */
bool
sp_flush_is_unborn(const SpCatalog *catalog, SpDue *due)
{
	Relation	rel;
	SysScanDesc scan;
	ScanKeyData key;
	SnapshotData dirty;
	bool		unborn;

	if (due->slot == NULL || due->slot->first_cell < 0)
		return false;
	InitDirtySnapshot(dirty);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(due->session));
	rel = table_open(catalog->sessions, AccessShareLock);
	scan = systable_beginscan(rel, catalog->sessions_pkey, true, &dirty, 1, &key);
	unborn = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(rel, NoLock);
	return unborn;
}

/* After commit: says of the cells what the row has of them now. */
void
sp_flush_done(SpDatabase *database, SpDue *due)
{
	bool		flushed = sp_outcome_is_folded(due->outcome);

	for (int i = 0; i < due->nsums && flushed; i++)
	{
		SpCellSum  *sum = &due->sums[i];

		if (sum->cell->serial != sum->serial || sum->cell->flushed == sum->sum)
			continue;
		if (sum->is_new)
			sum->cell->base = sum->cell->flushed;
		sum->cell->flushed_by = due->fold_xid;
		sum->cell->flushed = sum->sum;
	}
	due->nsums = 0;
	if (due->slot != NULL && due->slot->first_cell >= 0 &&
		(due->gone || (due->outcome == SP_OUTCOME_UNKNOWN && due->discard)))
		sp_cell_discard(database, due->slot);
}

static int
compare_sums(const void *a, const void *b)
{
	int64		x = ((const SpCellSum *) a)->session;
	int64		y = ((const SpCellSum *) b)->session;

	return x < y ? -1 : x > y;
}

/* The sessions with cells that are not flushed, in the current memory context. */
static SpDue *
list_unflushed(SpDatabase *database, int *ndue)
{
	int			nsums;
	SpCellSum  *sums = sp_cell_sums(database, NULL, &nsums);
	SpDue	   *due = palloc0(Max(nsums, 1) * sizeof(SpDue));

	*ndue = 0;
	qsort(sums, nsums, sizeof(SpCellSum), compare_sums);
	for (int first = 0, last; first < nsums; first = last)
	{
		bool		flushed = true;

		for (last = first; last < nsums && sums[last].session == sums[first].session; last++)
			flushed = flushed && sums[last].sum == sums[last].flushed;
		if (flushed)
			continue;
		due[*ndue].session = sums[first].session;
		due[*ndue].slot = sums[first].cell->slot;
		due[*ndue].sums = &sums[first];
		due[*ndue].nsums = last - first;
		due[*ndue].summed = due[*ndue].quiet = due[*ndue].at_exit = true;
		(*ndue)++;
	}
	return due;
}

/*
 * Gives the sessions their rows of the ledger.  Those of others, and those that
 * are messages, are left to the next worker.
 */
static void
deal_ledger(const SpCatalog *catalog, SpDatabase *database, SpDue *due, int ndue, MemoryContext context)
{
	SpRows		rows = {0};
	SpRows		told = {0};
	int			first = 0;

	StartTransactionCommand();
	MemoryContextSwitchTo(context);
	sp_ledger_read_committed(catalog, database, ALL_HEAPS, &rows);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	sp_told_take(&rows, &told);
	qsort(rows.rows, rows.count, sizeof(SpRow), sp_net_compare);
	for (int i = 0; i < ndue; i++)
	{
		while (first < rows.count && rows.rows[first].session < due[i].session)
			first++;
		due[i].rows = &rows.rows[first];
		while (first < rows.count && rows.rows[first].session == due[i].session)
		{
			due[i].nrows++;
			first++;
		}
	}
}

/* Flush sessions, and tell nobody.  Returns how many could not be: they are locked. */
static int
flush_batch(const SpCatalog *catalog, SpDatabase *database, SpDue *due, int ndue, MemoryContext context, char *error)
{
	int			left = 0;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	XactReadOnly = false;
	XactIsoLevel = XACT_READ_COMMITTED;
	for (int i = 0; i < ndue; i++)
		due[i].outcome = SP_OUTCOME_LOCKED;
	if (sp_catalog_lock(catalog))
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(context);
		sp_fold_batch(catalog, database, due, ndue, context, error, SP_ERROR_LENGTH);
		PopActiveSnapshot();
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	for (int i = 0; i < ndue; i++)
	{
		sp_flush_done(database, &due[i]);
		if (due[i].outcome == SP_OUTCOME_LOCKED)
			left++;
	}
	return left;
}

/*
 * Flush everything, in "context", which is reset.  Returns how many sessions
 * are locked, and were left.
 *
 * Outside of a transaction; the caller holds the office (office.c).
 */
int
sp_flush_all(SpDatabase *database, MemoryContext context)
{
	char		error[SP_ERROR_LENGTH] = "";
	const SpCatalog *catalog;
	SpDue	   *due;
	int			ndue;
	int			left = 0;

	MemoryContextReset(context);
	MemoryContextSwitchTo(context);
	due = list_unflushed(database, &ndue);
	if (ndue == 0)
		return 0;
	StartTransactionCommand();
	catalog = sp_catalog_of_extension();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	if (catalog == NULL || catalog->sessions != database->relation)
		return 0;				/* dropped, and its sessions with it */
	deal_ledger(catalog, database, due, ndue, context);
	for (int first = 0; first < ndue; first += SP_FOLD_BATCH)
		left += flush_batch(catalog, database, &due[first], Min(SP_FOLD_BATCH, ndue - first), context, error);
	if (error[0] != '\0')
		ereport(LOG, (errmsg("sync_progress: %s", error)));
	return left;
}
