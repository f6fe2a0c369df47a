/*
 * cell.c
 *		Counters in shared memory: what live mode adds to.
 *
 * A cell is one field's count of a session (or of one of its accounts): all
 * that was ever added to it.  How much of that a session's row has is kept in
 * the row, by the cell's serial number (flush.c), so that nothing is counted
 * twice or lost whenever the worker dies.
 *
 * Pins.  Who adds to a cell must be sure that it is still the one that it
 * found, without a lock.  One word has the cell's generation and the number of
 * pins: to pin is to add one and look at the generation that was there.  If it
 * is another one, the cell has been closed or freed, and the pin is taken back.
 * A cell is freed by moving the generation on while there is no pin, in one
 * step.  Nothing between pin and unpin may raise an error.
 *
 * Absolute values.  An increment called before sync_progress_set() is part of
 * the value that was set, one called later adds to it.  A cell cannot tell its
 * increments apart, so a set closes the session's cells, and later increments
 * make new ones: all of a cell's increments lie on one side of every set, and
 * the stamp of its first stands for all of them.
 *
 * Locking.  The lock guards the lists (buckets, free, of a slot) and what a
 * cell is for.  A cell pins its session's slot, so neither can be another's.
 */
#include "postgres.h"

#include "access/transam.h"
#include "cell.h"
#include "common/hashfn.h"
#include "guc.h"
#include "ledger.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#define IDLE_KEPT_US	INT64CONST(300000000)	/* 5 min without an increment */
#define ENDED_KEPT_US	INT64CONST(10000000)	/* 10 s, when the run has
												 * ended */
#define GENERATION		(UINT64CONST(1) << 32)
#define PINS(state)		((uint32) (state))

typedef struct SpCellTable
{
	LWLock	   *lock;
	uint64		boot;			/* differs each time that this memory is made */
	int64		last_serial;
	int			first_free;		/* -1: none */
	int			high_water;		/* cells from here on were never used */
	int		   *buckets;		/* first cell, or -1 */
	SpCell	   *cells;
} SpCellTable;

static SpCellTable *table = NULL;

Size
sp_cell_memory(void)
{
	return add_size(MAXALIGN(sizeof(SpCellTable)),
					mul_size(sp_max_live_counters, sizeof(SpCell) + sizeof(int)) + 2 * PG_CACHE_LINE_SIZE);
}

/* The caller holds AddinShmemInitLock. */
void
sp_cell_attach(bool found)
{
	bool		table_found;
	Size		size = sp_cell_memory();

	table = ShmemInitStruct("sync_progress counters", size, &table_found);
	if (found)
		return;
	table->lock = &(GetNamedLWLockTranche("sync_progress")[1]).lock;
	/* not secret, only never the same again */
	if (!pg_strong_random(&table->boot, sizeof(table->boot)))
		table->boot = (uint64) GetCurrentTimestamp();
	table->last_serial = 0;
	table->first_free = 0;
	table->high_water = 0;
	table->cells = (SpCell *) CACHELINEALIGN((char *) table + MAXALIGN(sizeof(SpCellTable)));
	table->buckets = (int *) (table->cells + sp_max_live_counters);
	memset(table->cells, 0, sp_max_live_counters * sizeof(SpCell));
	for (int i = 0; i < sp_max_live_counters; i++)
	{
		pg_atomic_init_u64(&table->cells[i].state, 0);
		pg_atomic_init_u64(&table->cells[i].sum, 0);
		table->cells[i].next_of_bucket = i + 1 < sp_max_live_counters ? i + 1 : -1;
		table->buckets[i] = -1;
	}
}

uint64
sp_cell_boot(void)
{
	return table->boot;
}

int64
sp_cell_last_serial(void)
{
	return table->last_serial;
}

/* These cells are those of an earlier memory (leftover.c). */
void
sp_cell_continue(uint64 boot, int64 last_serial)
{
	table->boot = boot;
	table->last_serial = last_serial;
}

static int *
bucket_of(Oid relation, int64 session, int64 account, char op, const char *name)
{
	uint64		hash = sp_cell_mix((uint64) session ^ ((uint64) relation << 32) ^ (uint64) op << 24);

	hash = sp_cell_mix(hash ^ (uint64) account);
	if (name[0] != '\0')
		hash ^= hash_bytes_extended((const unsigned char *) name, strlen(name), 0);
	return &table->buckets[hash % (uint64) sp_max_live_counters];
}

/* The open cell for the row's field; the lock is held. */
static SpCell *
find(SpDatabase *database, const SpRow *row, const char *name)
{
	for (int i = *bucket_of(database->relation, row->session, row->account, row->op, name); i >= 0;)
	{
		SpCell	   *cell = &table->cells[i];

		if (cell->session == row->session && cell->account == row->account && cell->op == row->op &&
			cell->relation == database->relation && cell->database == database->database &&
			strcmp(cell->name, name) == 0)
			return cell;
		i = cell->next_of_bucket;
	}
	return NULL;
}

static void
unlink_from_bucket(SpCell *cell)
{
	int		   *place = bucket_of(cell->relation, cell->session, cell->account, cell->op, cell->name);

	while (*place >= 0 && &table->cells[*place] != cell)
		place = &table->cells[*place].next_of_bucket;
	if (*place >= 0)
		*place = cell->next_of_bucket;
}

static void
unlink_from_slot(SpCell *cell)
{
	int		   *place = &cell->slot->first_cell;

	while (*place >= 0 && &table->cells[*place] != cell)
		place = &table->cells[*place].next_of_slot;
	if (*place >= 0)
		*place = cell->next_of_slot;
}

/*
 * Free a cell that nobody has pinned, and whose every increment is flushed (or
 * not to be).  The lock is held exclusively.  Returns whether it is free now.
 */
static bool
release(SpCell *cell)
{
	uint64		expected = pg_atomic_read_u64(&cell->state);

	if (PINS(expected) != 0 ||
		!pg_atomic_compare_exchange_u64(&cell->state, &expected, expected + GENERATION))
		return false;
	/* somebody may have added between the caller's look and this */
	if (!cell->gone && (int64) pg_atomic_read_u64(&cell->sum) != cell->flushed)
		return false;
	if (!cell->closed)
		unlink_from_bucket(cell);
	unlink_from_slot(cell);
	sp_slot_unpin(cell->slot);
	cell->database = InvalidOid;
	cell->next_of_bucket = table->first_free;
	table->first_free = (int) (cell - table->cells);
	return true;
}

/*
 * No cell is free: take those of databases that have no worker any more (they
 * were dropped, or are at rest).  The lock is held exclusively.
 */
static void
reclaim(TimestampTz now)
{
	for (int i = 0; i < table->high_water; i++)
	{
		SpCell	   *cell = &table->cells[i];

		if (cell->database != InvalidOid && cell->database != MyDatabaseId &&
			(int64) pg_atomic_read_u64(&cell->sum) == cell->flushed && now - cell->seen_at > IDLE_KEPT_US)
			(void) release(cell);
	}
}

/* Makes a cell for the row's field of the slot's session.  The lock is held exclusively. */
static SpCell *
make_cell(SpDatabase *database, SpSlot *slot, const SpRow *row, const char *name)
{
	SpCell	   *cell;
	int		   *bucket;
	TimestampTz now = GetCurrentTimestamp();

	if (table->first_free < 0)
		reclaim(now);
	if (table->first_free < 0)
		return NULL;
	cell = &table->cells[table->first_free];
	table->first_free = cell->next_of_bucket;
	table->high_water = Max(table->high_water, (int) (cell - table->cells) + 1);
	pg_atomic_write_u64(&cell->sum, 0);
	cell->slot = slot;
	pg_atomic_fetch_add_u32(&slot->pins, 1);
	cell->session = row->session;
	cell->account = row->account;
	cell->database = database->database;
	cell->relation = database->relation;
	cell->op = row->op;
	strlcpy(cell->name, name, NAMEDATALEN);
	cell->serial = ++table->last_serial;
	cell->opened_at = sp_ledger_stamp(database);
	cell->closed = cell->gone = false;
	cell->flushed = cell->base = cell->seen = 0;
	cell->flushed_by = InvalidTransactionId;
	cell->seen_at = now;
	bucket = bucket_of(cell->relation, cell->session, cell->account, cell->op, name);
	cell->next_of_bucket = *bucket;
	*bucket = (int) (cell - table->cells);
	cell->next_of_slot = slot->first_cell;
	slot->first_cell = (int) (cell - table->cells);
	return cell;
}

/*
 * Find the cell for the row's field, and pin it.  With the session's slot,
 * pinned by the caller, make one if there is none.  Returns NULL when there is
 * none, or no room for one; *generation for sp_cell_repin().
 */
SpCell *
sp_cell_pin(SpDatabase *database, SpSlot *slot, const SpRow *row, uint32 *generation)
{
	const char *name = row->label == NULL ? "" : row->label;
	SpCell	   *cell;

	LWLockAcquire(table->lock, slot == NULL ? LW_SHARED : LW_EXCLUSIVE);
	cell = find(database, row, name);
	if (cell == NULL && slot != NULL)
		cell = make_cell(database, slot, row, name);
	if (cell != NULL)
		*generation = (uint32) (pg_atomic_fetch_add_u64(&cell->state, 1) >> 32);
	LWLockRelease(table->lock);
	return cell;
}

/* The next cell that is not flushed, from *position (start with 0) on; NULL at the end.  When nobody counts any more. */
SpCell *
sp_cell_next_unflushed(int *position)
{
	while (*position < table->high_water)
	{
		SpCell	   *cell = &table->cells[(*position)++];

		if (cell->database != InvalidOid && !cell->gone && (int64) pg_atomic_read_u64(&cell->sum) != cell->flushed)
			return cell;
	}
	return NULL;
}

SpCell *
sp_cell_by_number(int number)
{
	return &table->cells[number];
}

int
sp_cell_number(const SpCell *cell)
{
	return (int) (cell - table->cells);
}

/* Pins a cell found earlier; false when it is not the same any more. */
bool
sp_cell_repin(SpCell *cell, uint32 generation)
{
	if ((uint32) (pg_atomic_fetch_add_u64(&cell->state, 1) >> 32) == generation)
		return true;
	pg_atomic_fetch_sub_u64(&cell->state, 1);
	return false;
}

void
sp_cell_unpin(SpCell *cell)
{
	pg_atomic_fetch_sub_u64(&cell->state, 1);
}

/* Closes the cells of a slot's session: what is counted from now on, others get. */
void
sp_cell_close(SpSlot *slot)
{
	if (slot->first_cell < 0)
		return;
	LWLockAcquire(table->lock, LW_EXCLUSIVE);
	for (int i = slot->first_cell; i >= 0; i = table->cells[i].next_of_slot)
	{
		SpCell	   *cell = &table->cells[i];

		if (cell->closed)
			continue;
		pg_atomic_fetch_add_u64(&cell->state, GENERATION);
		unlink_from_bucket(cell);
		cell->closed = true;
	}
	LWLockRelease(table->lock);
}

/* What these cells have is for a session that is gone (slot NULL: for any of the database). */
void
sp_cell_discard(SpDatabase *database, const SpSlot *slot)
{
	LWLockAcquire(table->lock, LW_EXCLUSIVE);
	for (int i = 0; i < table->high_water; i++)
	{
		SpCell	   *cell = &table->cells[i];

		if (cell->database != database->database || cell->relation != database->relation ||
			cell->gone || (slot != NULL && cell->slot != slot))
			continue;
		cell->gone = true;
		if (!cell->closed)
		{
			pg_atomic_fetch_add_u64(&cell->state, GENERATION);
			unlink_from_bucket(cell);
			cell->closed = true;
		}
		(void) release(cell);
	}
	LWLockRelease(table->lock);
}

static void
copy_sum(SpCellSum *sum, SpCell *cell)
{
	sum->cell = cell;
	sum->serial = cell->serial;
	sum->session = cell->session;
	sum->account = cell->account;
	sum->opened_at = cell->opened_at;
	sum->sum = (int64) pg_atomic_read_u64(&cell->sum);
	sum->flushed = cell->flushed;
	sum->base = cell->base;
	sum->flushed_by = cell->flushed_by;
	sum->is_new = true;
	sum->op = cell->op;
	strlcpy(sum->name, cell->name, NAMEDATALEN);
}

/* What the slot's cells (NULL: all of the database's) have now, palloc'd. */
SpCellSum *
sp_cell_sums(SpDatabase *database, const SpSlot *slot, int *count)
{
	SpCellSum  *sums = NULL;
	int			allocated = 0;
	int			found;

	*count = 0;
	if (slot != NULL && slot->first_cell < 0)
		return NULL;			/* one that is just being made marks the slot
								 * later */
	/* memory is not asked for under the lock: see how much, then try */
	do
	{
		if (sums != NULL)
			pfree(sums);
		sums = allocated == 0 ? NULL : palloc(allocated * sizeof(SpCellSum));
		found = 0;
		LWLockAcquire(table->lock, LW_SHARED);
		for (int i = slot == NULL ? 0 : slot->first_cell;
			 slot == NULL ? i < table->high_water : i >= 0;
			 i = slot == NULL ? i + 1 : table->cells[i].next_of_slot)
		{
			SpCell	   *cell = &table->cells[i];

			if (cell->database != database->database || cell->relation != database->relation || cell->gone)
				continue;
			if (found++ < allocated)
				copy_sum(&sums[found - 1], cell);
		}
		LWLockRelease(table->lock);
	} while (found > allocated && (allocated = found + found / 8));
	*count = found;
	return sums;
}

/*
 * Free what is flushed and not counted with any more, and mark the sessions of
 * what is not flushed: their marks may be lost with a worker.  Returns how many
 * were marked.  Worker only.
 *
 * A cell stays until every snapshot sees the fold that flushed it: who looks
 * with an older one adds the difference.
 */
int
sp_cell_tidy(SpDatabase *database, TimestampTz now)
{
	TransactionId horizon = InvalidTransactionId;
	int			marked = 0;

	LWLockAcquire(table->lock, LW_EXCLUSIVE);
	for (int i = 0; i < table->high_water; i++)
	{
		SpCell	   *cell = &table->cells[i];
		int64		sum = (int64) pg_atomic_read_u64(&cell->sum);
		int64		idle_us;

		if (cell->database != database->database || cell->relation != database->relation)
			continue;
		if (sum != cell->seen || now < cell->seen_at)
		{
			cell->seen = sum;
			cell->seen_at = now;
		}
		idle_us = now - cell->seen_at;
		if (cell->gone)
			(void) release(cell);
		else if (sum != cell->flushed)
		{
			if ((pg_atomic_read_u32(&cell->slot->flags) & SP_SLOT_LIVE) == 0)
			{
				(void) sp_slot_mark(cell->slot, SP_SLOT_LIVE, 0, now);
				marked++;
			}
		}
		else if (cell->closed || idle_us > IDLE_KEPT_US ||
				 (idle_us > ENDED_KEPT_US && sp_slot_has_ended(cell->slot)))
		{
			if (!TransactionIdIsValid(horizon))
				horizon = GetOldestNonRemovableTransactionId(NULL);
			if (!TransactionIdIsValid(cell->flushed_by) || TransactionIdPrecedes(cell->flushed_by, horizon))
				(void) release(cell);
		}
	}
	LWLockRelease(table->lock);
	return marked;
}

/* Waits until nobody is adding, so that a sum read now is final for who was. */
void
sp_cell_settle(SpDatabase *database)
{
	for (int i = 0; i < table->high_water; i++)
	{
		SpCell	   *cell = &table->cells[i];

		/* a pin lasts for some nanoseconds, unless its process lost the CPU */
		for (int tries = 0; tries < 1000 && cell->database == database->database &&
			 PINS(pg_atomic_read_u64(&cell->state)) != 0; tries++)
			pg_usleep(1000);
	}
}

/* How many cells the database uses; NULL: all of them. */
int
sp_cell_count(SpDatabase *database)
{
	int			used = 0;

	LWLockAcquire(table->lock, LW_SHARED);
	for (int i = 0; i < table->high_water; i++)
	{
		if (database == NULL ? table->cells[i].database != InvalidOid
			: table->cells[i].database == database->database && table->cells[i].relation == database->relation)
			used++;
	}
	LWLockRelease(table->lock);
	return used;
}
