/*
 * ring.c
 *		Which heap of the ledger is written to, and when one is emptied.
 *
 * When the current heap is large, writers are sent to an empty one; a heap that
 * is dead to every snapshot is truncated, under a lock that is taken only if it
 * is free.  No lock is waited for here; that writers need not wait for each
 * other's extension of the heap is room.c's matter.  With no empty heap the
 * current one grows: that costs space, not time.
 */
#include "postgres.h"

#include "access/gist_private.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/storage.h"
#include "compat.h"
#include "ring.h"
#include "room.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/rel.h"

#define ROTATE_BLOCKS	512		/* 4 MB: then writers move on to an empty heap */

/*
 * A standby's snapshots are no part of what this server knows as needed (but by
 * hot_standby_feedback).  One that is older than the last fold still has the
 * session's row without what was folded, and would find the ledger's rows gone:
 * it would count less than there was.  VACUUM logs for such a snapshot which
 * transaction it has to be newer than, and replay waits for it or cancels it
 * (max_standby_streaming_delay).  A truncation logs no such thing, so it is done
 * here, by a record that GiST has for the same purpose and that touches no page.
 *
 * Before the heap is locked: that lock is logged as well, and replay would have
 * it while it waits for a query that waits for the lock.
 */
static void
log_conflict(Relation rel, int heap, TransactionId fold)
{
	static TransactionId logged[SP_HEAPS] = {0};
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		age = XidFromFullTransactionId(next) - fold;

	/* once, if the heap is locked by somebody for long */
	if (!XLogStandbyInfoActive() || fold == logged[heap] || U64FromFullTransactionId(next) <= age)
		return;
	logged[heap] = fold;
	SpLogConflict(rel, FullTransactionIdFromU64(U64FromFullTransactionId(next) - age));
}

/* Whether no snapshot of this server needs anything in the heap; *fold gets its last fold. */
static bool
is_needless(Relation rel, SpDatabase *database, int heap, TransactionId *fold)
{
	*fold = pg_atomic_read_u32(&database->fold_xid[heap]);
	return pg_atomic_read_u32(&database->scan_file[heap]) == SpFileNumber(rel) &&
		pg_atomic_read_u32(&database->scan_from[heap]) >= RelationGetNumberOfBlocks(rel) &&
		(!TransactionIdIsValid(*fold) || TransactionIdPrecedes(*fold, GetOldestNonRemovableTransactionId(rel)));
}

/* Truncates the heap that is open here, which no snapshot needed, if nobody holds another lock on it. */
static void
truncate_heap(Relation rel, SpDatabase *database, int heap, TransactionId before)
{
	TransactionId fold;

	if (!ConditionalLockRelationOid(RelationGetRelid(rel), AccessExclusiveLock))
		return;

	/*
	 * no writer is left now, not even a prepared one, so the mark stands
	 * still
	 */
	if (is_needless(rel, database, heap, &fold) && fold == before)
	{
		RelationTruncate(rel, 0);
		pg_atomic_write_u32(&database->scan_from[heap], 0);
		pg_atomic_write_u32(&database->fold_xid[heap], InvalidTransactionId);
	}

	/*
	 * as VACUUM does: the truncation is not transactional, so neither is the
	 * lock
	 */
	UnlockRelationOid(RelationGetRelid(rel), AccessExclusiveLock);
}

/*
 * Send writers to an empty heap when the current one is large, and empty those
 * that are no longer needed.  Worker only, in a transaction of its own.
 */
void
sp_ring_rotate(const SpCatalog *catalog, SpDatabase *database)
{
	int			current = (int) pg_atomic_read_u32(&database->current_heap);
	int			empty = -1;
	bool		large = false;
	Relation	rel;

	for (int n = 1; n <= SP_HEAPS; n++)
	{
		int			heap = (current + n) % SP_HEAPS;
		BlockNumber blocks;
		TransactionId fold;

		if (!ConditionalLockRelationOid(catalog->ledger[heap], AccessShareLock))
			continue;
		rel = table_open(catalog->ledger[heap], NoLock);
		blocks = RelationGetNumberOfBlocks(rel);
		if (heap == current)
			large = blocks >= ROTATE_BLOCKS;
		else if (blocks > 0 && is_needless(rel, database, heap, &fold))
		{
			if (TransactionIdIsValid(fold))
				log_conflict(rel, heap, fold);
			truncate_heap(rel, database, heap, fold);
			/* if it worked, the next turn finds it empty */
		}
		else if (blocks == 0 && empty < 0)
			empty = heap;
		table_close(rel, AccessShareLock);
	}
	if (!large || empty < 0)
		return;
	if (ConditionalLockRelationOid(catalog->ledger[empty], RowExclusiveLock))
	{
		rel = table_open(catalog->ledger[empty], NoLock);
		sp_room_prepare(database, empty, rel);
		table_close(rel, RowExclusiveLock);
	}
	pg_atomic_write_u32(&database->current_heap, empty);
}
