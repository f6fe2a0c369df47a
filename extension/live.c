/*
 * live.c
 *		Increments that count at once, whatever becomes of the transaction.
 *
 * SET sync_progress.mode = live: an increment is an addition to a counter in
 * shared memory (cell.c) and a mark for the worker, both at the call.  No row,
 * no WAL, no transaction id, no lock: a backend remembers which cells it has
 * used, so that the next call on one of them is a handful of atomic operations.
 *
 * What is checked is the same as in the other mode.  The first call on a
 * session checks that it exists; a cell is the proof of that for later ones,
 * and its slot's status is forgotten, hence read again, when the session's row
 * is changed or deleted.
 *
 * Where there is no room for another cell, or nobody to flush it, the call
 * counts in the other mode: never lost, but not before commit.
 */
#include "postgres.h"

#include "cell.h"
#include "common/hashfn.h"
#include "guc.h"
#include "live.h"
#include "office.h"
#include "storage/ipc.h"

#define REMEMBERED		4096	/* cells; a power of 2 */

/*
 * A cell that this backend has used; what it is for is looked up in the cell
 * itself, which is read anyway.  So that many fit into the processor's caches.
 */
typedef struct Remembered
{
	uint32		number;			/* of the cell, plus 1; 0: none */
	uint32		generation;
	SpSlot	   *slot;			/* that it had then: a hint */
} Remembered;

static Remembered memory[REMEMBERED];
static SpDatabase *used = NULL; /* something was counted live here */

/* A backend ends that has counted: somebody must flush it. */
static void
at_exit(int code, Datum arg)
{
	SpDatabase *database = used;

	used = NULL;
	if (database != NULL)
		sp_office_pass_by(database);
}

/* This backend is going to count, be it in a cell of its own or in one that others have made. */
static void
note_use(SpDatabase *database)
{
	static bool registered = false;

	if (!registered)
		before_shmem_exit(at_exit, (Datum) 0);
	registered = true;
	used = database;
}

static Remembered *
place_of(const SpRow *row)
{
	uint64		hash = sp_cell_mix((uint64) row->session ^ (uint64) row->op << 56 ^ (uint64) row->account << 32);

	if (row->label != NULL)
		hash ^= hash_bytes_extended((const unsigned char *) row->label, strlen(row->label), 0);
	return &memory[hash & (REMEMBERED - 1)];
}

/*
 * The row's cell, pinned, if this backend has used it lately.
 *
 * What is read before the pin is what it was when it was remembered, if the
 * generation still is: a cell does not change within one.
 */
static SpCell *
recall(Oid relation, const SpRow *row)
{
	Remembered *place = place_of(row);
	SpCell	   *cell = place->number == 0 ? NULL : sp_cell_by_number(place->number - 1);

	if (cell == NULL)
		return NULL;
	/* with many sessions both are far away: fetch them at the same time */
	__builtin_prefetch(place->slot, 1);
	if (cell->session != row->session || cell->account != row->account ||
		cell->op != row->op || cell->relation != relation ||
		(row->label != NULL && strcmp(cell->name, row->label) != 0))
		return NULL;
	if (sp_cell_repin(cell, place->generation))
		return cell;
	place->number = 0;
	return NULL;
}

static void
remember(const SpRow *row, SpCell *cell, uint32 generation)
{
	Remembered *place = place_of(row);

	place->number = (uint32) sp_cell_number(cell) + 1;
	place->generation = generation;
	place->slot = cell->slot;
}

/* The row's cell, pinned, if there is one: used here before, or by others. */
static SpCell *
find_cell(SpDatabase *database, const SpRow *row)
{
	SpCell	   *cell = recall(database->relation, row);
	uint32		generation;

	if (cell != NULL)
		return cell;
	cell = sp_cell_pin(database, NULL, row, &generation);
	if (cell != NULL)
		remember(row, cell, generation);
	return cell;
}

/* Whether the row adds to what a cell can hold. */
static bool
is_live(const SpRow *row, const SpMark *mark)
{
	if (strchr("pdetc", row->op) == NULL || row->amount == 0)
		return false;

	/*
	 * What adds to an absolute value that is not committed yet must come with
	 * it: counted before, it would be overwritten.
	 */
	return mark == NULL || !sp_mark_is_absolute(mark, row->op);
}

/* Adds to a pinned cell, and unpins it.  False: too late, nobody flushes any more. */
static bool
add(SpDatabase *database, SpCell *cell, const SpRow *row)
{
	/* after the pin: who closes waits for pins, and flushes after that */
	if (pg_atomic_read_u32(&database->live_closed) != 0)
	{
		sp_cell_unpin(cell);
		return false;
	}
	pg_atomic_fetch_add_u64(&cell->sum, row->amount);
	if (sp_slot_mark_live(cell->slot, row->op == SP_OP_PROCESSED ? row->amount : 0))
		sp_slot_wake_worker(database, cell->slot);
	sp_cell_unpin(cell);
	return true;
}

/*
 * Count those rows of one session that have cells, and take them out of "rows".  Returns the session's status, SP_STATUS_UNKNOWN where
 * that has to be asked for: then nothing was counted.
 *
 * Raises no error and allocates nothing.
 */
SpStatus
sp_live_again(SpDatabase *database, SpRow *rows, int *nrows)
{
	SpMark	   *mark = *nrows == 0 ? NULL : sp_mark_find(rows[0].session);
	SpStatus	status = SP_STATUS_UNKNOWN;
	int			left = 0;

	note_use(database);
	/* a status that this transaction has changed is nowhere but in its row */
	if (*nrows == 0 || (mark != NULL && mark->restatus))
		return SP_STATUS_UNKNOWN;
	for (int i = 0; i < *nrows; i++)
	{
		SpCell	   *cell = is_live(&rows[i], mark) ? find_cell(database, &rows[i]) : NULL;
		uint32		generation;

		if (cell != NULL && status == SP_STATUS_UNKNOWN)
			status = sp_slot_status(cell->slot, &generation);
		if (cell != NULL && status == SP_STATUS_UNKNOWN)
		{
			sp_cell_unpin(cell);
			break;				/* rows before this one are all left */
		}
		if (cell == NULL || !add(database, cell, &rows[i]))
			rows[left++] = rows[i];
	}
	if (status == SP_STATUS_UNKNOWN)
		return status;
	*nrows = left;
	return status;
}

/* The call counts in the other mode; said aloud once by each backend. */
static void
fall_back(SpDatabase *database)
{
	static bool warned = false;

	pg_atomic_fetch_add_u64(&database->live_fallbacks, 1);
	if (warned)
		return;
	warned = true;
	ereport(WARNING,
			(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("sync_progress cannot count live, and counts when the transaction commits"),
			 pg_atomic_read_u32(&database->live_closed) != 0
			 ? errdetail("No worker is there to write the counts to the table.")
			 : errdetail("All %d counters in shared memory, or the slot of every session, are in use.", sp_max_live_counters),
			 errhint("See live_counters and worker_pid in pg_stat_sync_progress. Increase sync_progress.max_live_counters (or max_sessions, or max_worker_processes) and restart the server.")));
}

/*
 * Count rows of one session in cells that are found or made, and take them out
 * of "rows"; those that stay are to be counted in the other mode.
 *
 * The session and the account are known to exist; the mark's slot is pinned.
 */
void
sp_live_first(SpDatabase *database, SpMark *mark, SpRow *rows, int *nrows)
{
	int			left = 0;
	bool		failed = false;

	for (int i = 0; i < *nrows; i++)
	{
		SpCell	   *cell = NULL;
		uint32		generation;

		if (is_live(&rows[i], mark))
		{
			if (mark->slot != NULL && pg_atomic_read_u32(&database->live_closed) == 0)
				cell = sp_cell_pin(database, mark->slot, &rows[i], &generation);
			if (cell != NULL)
				remember(&rows[i], cell, generation);
			if (cell != NULL && add(database, cell, &rows[i]))
				continue;
			failed = true;
		}
		rows[left++] = rows[i];
	}
	*nrows = left;
	if (failed)
		fall_back(database);
}
