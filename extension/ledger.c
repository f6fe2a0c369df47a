/*
 * ledger.c
 *		An increment becomes a row; the ring of heaps that the rows live in.
 *
 * Rows are inserted by the counting transaction itself, so that rollback,
 * savepoints, two-phase commit and every isolation level are plain MVCC, and
 * deleted by the worker in the transaction that adds them to the session.
 * Both by heap access: no executor, no names, no triggers, and nothing that a
 * publication could refuse.
 *
 * Cost under an old snapshot.  Deleted rows stay as long as some snapshot may
 * see them, hours under a pg_dump.  A fold that read them all each time would
 * slow down without end, so each heap has a mark, scan_from: every row in the
 * blocks before it is dead to all snapshots from now on.  Only the worker
 * moves it on; a writer that puts a row before it (a page with room may be
 * anywhere) moves it back.  Neither may miss the other:
 *
 *		writer:	insert; barrier; if scan_from is past my block, lower it
 *		worker:	raise scan_from; barrier; look at those blocks once more, and
 *				lower it again where a live row is found
 *
 * A reader whose snapshot is older than the last fold in a heap (fold_xid) may
 * still see rows before the mark and reads the heap from its start.
 *
 * Order.  A fold reads as of one snapshot: what was committed while it reads
 * waits for the next one, or of two rows that were written one after the other
 * (under a row lock, say) it could see the second without the first.
 *
 * Which heap is current, and when one is emptied, is in ring.c.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "compat.h"
#include "ledger.h"
#include "miscadmin.h"
#include "room.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Columns of a ledger heap, in the order of the extension's script. */
enum
{
	LEDGER_SESSION_ID,
	LEDGER_AMOUNT,
	LEDGER_STAMP,
	LEDGER_OP,
	LEDGER_ACCOUNT_ID,
	LEDGER_LABEL,
	LEDGER_COLUMNS
};

/*
 * The time of a call: microseconds that never repeat in a backend, and are
 * later than every absolute value known here.  A clock that is set back, or
 * that of the next primary, must not make an increment look as if it were part
 * of an absolute value that was there before it.
 */
int64
sp_ledger_stamp(SpDatabase *database)
{
	static int64 last = 0;
	int64		now = GetCurrentTimestamp();
	int64		floor = database == NULL ? 0 : (int64) pg_atomic_read_u64(&database->stamp_floor);

	last = Max(now, Max(last, floor) + 1);
	return last;
}

/* An absolute value with this stamp is called, or found in a table. */
void
sp_ledger_raise_floor(SpDatabase *database, int64 stamp)
{
	uint64		floor = pg_atomic_read_u64(&database->stamp_floor);

	while ((int64) floor < stamp && !pg_atomic_compare_exchange_u64(&database->stamp_floor, &floor, (uint64) stamp))
		;
}

/* Lowers the heap's mark to the block, if it is past it. */
static void
lower_mark(SpDatabase *database, int heap, BlockNumber block)
{
	uint32		mark = pg_atomic_read_u32(&database->scan_from[heap]);

	while (mark > block && !pg_atomic_compare_exchange_u32(&database->scan_from[heap], &mark, block))
		;
}

/*
 * Insert rows into the current heap, in the caller's transaction.  Returns the
 * heap's number, for the mark at commit.  "database" may be NULL (not
 * preloaded: a restore, say); the next worker's first pass finds the rows.
 */
int
sp_ledger_insert(const SpCatalog *catalog, SpDatabase *database, const SpRow *rows, int nrows)
{
	int			heap = database == NULL ? 0 : (int) pg_atomic_read_u32(&database->current_heap);
	Relation	rel;

	/*
	 * The worker holds an exclusive lock while it truncates an empty heap,
	 * and never the current one but for a moment after it moved on: try again
	 * with the new current one rather than wait.
	 */
	while (!ConditionalLockRelationOid(catalog->ledger[heap], RowExclusiveLock))
	{
		int			next = database == NULL ? heap : (int) pg_atomic_read_u32(&database->current_heap);

		if (next == heap)
		{
			LockRelationOid(catalog->ledger[heap], RowExclusiveLock);
			break;
		}
		heap = next;
	}
	rel = table_open(catalog->ledger[heap], NoLock);
	for (int i = 0; i < nrows; i++)
	{
		Datum		values[LEDGER_COLUMNS];
		bool		nulls[LEDGER_COLUMNS] = {false};
		HeapTuple	tuple;

		values[LEDGER_SESSION_ID] = Int64GetDatum(rows[i].session);
		values[LEDGER_AMOUNT] = Int64GetDatum(rows[i].amount);
		values[LEDGER_STAMP] = Int64GetDatum(rows[i].stamp);
		values[LEDGER_OP] = CharGetDatum(rows[i].op);
		values[LEDGER_ACCOUNT_ID] = Int64GetDatum(rows[i].account);
		nulls[LEDGER_ACCOUNT_ID] = rows[i].account == 0;
		nulls[LEDGER_LABEL] = rows[i].label == NULL;
		values[LEDGER_LABEL] = rows[i].label == NULL ? (Datum) 0 : CStringGetTextDatum(rows[i].label);

		tuple = heap_form_tuple(RelationGetDescr(rel), values, nulls);
		/* logical decoding has no use for it: a subscriber folds its own */
		heap_insert(rel, tuple, GetCurrentCommandId(true), HEAP_INSERT_NO_LOGICAL, NULL);
		if (database != NULL)
		{
			pg_memory_barrier();
			lower_mark(database, heap, ItemPointerGetBlockNumber(&tuple->t_self));
			sp_room_ahead(database, heap, rel, &tuple->t_self);
		}
		heap_freetuple(tuple);
	}
	table_close(rel, NoLock);
	return heap;
}

static void
append(SpRows *result, Relation rel, HeapTuple tuple, int heap)
{
	Datum		values[LEDGER_COLUMNS];
	bool		nulls[LEDGER_COLUMNS];
	SpRow	   *row;

	if (result->count == result->allocated)
	{
		result->allocated = Max(64, result->allocated * 2);
		result->rows = result->rows == NULL
			? palloc(result->allocated * sizeof(SpRow))
			: repalloc_huge(result->rows, result->allocated * sizeof(SpRow));
	}
	heap_deform_tuple(tuple, RelationGetDescr(rel), values, nulls);
	row = &result->rows[result->count++];
	row->session = DatumGetInt64(values[LEDGER_SESSION_ID]);
	row->amount = DatumGetInt64(values[LEDGER_AMOUNT]);
	row->stamp = DatumGetInt64(values[LEDGER_STAMP]);
	row->op = DatumGetChar(values[LEDGER_OP]);
	row->account = nulls[LEDGER_ACCOUNT_ID] ? 0 : DatumGetInt64(values[LEDGER_ACCOUNT_ID]);
	row->label = nulls[LEDGER_LABEL] ? NULL : TextDatumGetCString(values[LEDGER_LABEL]);
	row->heap = (uint8) heap;
	row->block = ItemPointerGetBlockNumber(&tuple->t_self);
	row->offset = ItemPointerGetOffsetNumber(&tuple->t_self);
	result->heaps |= 1u << heap;
}

/* What a row says, without reading all of it. */
static char
get_op(Relation rel, HeapTuple tuple)
{
	bool		isnull;

	return DatumGetChar(heap_getattr(tuple, LEDGER_OP + 1, RelationGetDescr(rel), &isnull));
}

/*
 * Read one block: append the rows that the snapshot sees (NULL: none), of one
 * session (0: all) and of one op (0: any).  With "dead", only those that nobody
 * is deleting; *dead gets whether every row in the block is dead to all snapshots
 * from now on.
 *
 * Done by hand, not by a table scan, which in SERIALIZABLE would lock the
 * whole heap against the increments of others.
 */
static void
read_block(Relation rel, int heap, BlockNumber block, Snapshot snapshot, int64 session, char op, SpRows *result, bool *dead)
{
	Buffer		buffer = ReadBuffer(rel, block);
	Page		page;

	if (dead != NULL)
		*dead = true;
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	for (OffsetNumber n = FirstOffsetNumber; n <= PageGetMaxOffsetNumber(page); n = OffsetNumberNext(n))
	{
		ItemId		item = PageGetItemId(page, n);
		HeapTupleData tuple;
		bool		wanted = snapshot != NULL;

		if (!ItemIdIsNormal(item))
			continue;
		tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple.t_len = ItemIdGetLength(item);
		tuple.t_tableOid = RelationGetRelid(rel);
		ItemPointerSet(&tuple.t_self, block, n);
		if (dead != NULL)
		{
			TransactionId dead_after;
			HTSV_Result state = HeapTupleSatisfiesVacuumHorizon(&tuple, buffer, &dead_after);

			wanted = wanted && state == HEAPTUPLE_LIVE;
			if (state != HEAPTUPLE_DEAD && state != HEAPTUPLE_RECENTLY_DEAD)
				*dead = false;
		}
		wanted = wanted && (op == 0 || get_op(rel, &tuple) == op);
		if (wanted && HeapTupleSatisfiesVisibility(&tuple, snapshot, buffer))
		{
			append(result, rel, &tuple, heap);
			if (session != 0 && result->rows[result->count - 1].session != session)
				result->count--;
		}
	}
	UnlockReleaseBuffer(buffer);
}

/*
 * Append the rows that the snapshot sees: all, or with session <> 0 those of
 * one, with op <> 0 those that say this.  Locks are kept to the end of the
 * transaction, so that no heap is truncated under the snapshot.
 */
void
sp_ledger_read_visible(const SpCatalog *catalog, SpDatabase *database, Snapshot snapshot,
					   int64 session, char op, SpRows *result)
{
	for (int heap = 0; heap < SP_HEAPS; heap++)
	{
		Relation	rel = table_open(catalog->ledger[heap], AccessShareLock);
		BlockNumber blocks = RelationGetNumberOfBlocks(rel);
		BlockNumber from = 0;

		if (database != NULL && pg_atomic_read_u32(&database->scan_file[heap]) == SpFileNumber(rel))
		{
			TransactionId fold;

			pg_read_barrier();
			/* the mark first: it holds for folds up to the one read after it */
			from = pg_atomic_read_u32(&database->scan_from[heap]);
			pg_read_barrier();
			fold = pg_atomic_read_u32(&database->fold_xid[heap]);
			if (TransactionIdIsValid(fold) && XidInMVCCSnapshot(fold, snapshot))
				from = 0;
		}
		for (BlockNumber block = from; block < blocks; block++)
		{
			CHECK_FOR_INTERRUPTS();
			read_block(rel, heap, block, snapshot, session, op, result, NULL);
		}
		table_close(rel, NoLock);
	}
}

/* The newest transaction that there has been. */
static TransactionId
last_transaction(void)
{
	TransactionId xid = XidFromFullTransactionId(ReadNextFullTransactionId());

	TransactionIdRetreat(xid);
	return xid;
}

/*
 * Where the fold has to begin in a heap.  A mark set for another file (VACUUM
 * FULL has rewritten the heap) or past its end (VACUUM has cut it) is void.
 */
static BlockNumber
start_of_scan(SpDatabase *database, int heap, Relation rel, BlockNumber blocks)
{
	if (pg_atomic_read_u32(&database->scan_file[heap]) != SpFileNumber(rel))
	{
		/*
		 * who deleted here before the server was started is not known any
		 * more: anybody
		 */
		if (!TransactionIdIsValid(pg_atomic_read_u32(&database->fold_xid[heap])))
			pg_atomic_write_u32(&database->fold_xid[heap], last_transaction());
		pg_atomic_write_u32(&database->scan_from[heap], 0);
		pg_write_barrier();
		pg_atomic_write_u32(&database->scan_file[heap], SpFileNumber(rel));
	}
	lower_mark(database, heap, blocks);
	return pg_atomic_read_u32(&database->scan_from[heap]);
}

/* Moves the heap's mark on, unless a writer puts a row before it meanwhile. */
static void
raise_mark(SpDatabase *database, int heap, Relation rel, BlockNumber from, BlockNumber to)
{
	uint32		expected = from;

	if (!pg_atomic_compare_exchange_u32(&database->scan_from[heap], &expected, to))
		return;					/* lowered: the next turn tries again */
	pg_memory_barrier();
	for (BlockNumber block = from; block < to; block++)
	{
		bool		dead;

		read_block(rel, heap, block, NULL, 0, 0, NULL, &dead);
		if (!dead)
		{
			lower_mark(database, heap, block);
			pg_atomic_fetch_or_u32(&database->dirty_heaps, 1u << heap);
			return;
		}
	}
}

/*
 * Append the committed rows of the given heaps, as of one snapshot, and move
 * their marks on over what is dead.  Worker only, in a transaction.  A heap
 * that somebody has locked is left for the sweep.
 */
void
sp_ledger_read_committed(const SpCatalog *catalog, SpDatabase *database, uint32 heaps, SpRows *result)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	for (int heap = 0; heap < SP_HEAPS; heap++)
	{
		Relation	rel;
		BlockNumber blocks,
					from,
					dead_to;

		if ((heaps & (1u << heap)) == 0)
			continue;
		if (!ConditionalLockRelationOid(catalog->ledger[heap], AccessShareLock))
		{
			result->skipped |= 1u << heap;
			continue;
		}
		rel = table_open(catalog->ledger[heap], NoLock);
		result->files[heap] = SpFileNumber(rel);
		blocks = RelationGetNumberOfBlocks(rel);
		from = dead_to = start_of_scan(database, heap, rel, blocks);
		for (BlockNumber block = from; block < blocks; block++)
		{
			bool		dead;

			read_block(rel, heap, block, snapshot, 0, 0, result, &dead);
			if (dead && dead_to == block)
				dead_to = block + 1;
		}
		if (dead_to > from)
			raise_mark(database, heap, rel, from, dead_to);
		table_close(rel, AccessShareLock);
	}
	UnregisterSnapshot(snapshot);
}

/*
 * Lock the given heaps for sp_ledger_delete(), without waiting.  False: one is
 * locked by somebody, or was rewritten since the rows were read.
 */
bool
sp_ledger_lock(const SpCatalog *catalog, const SpRows *rows)
{
	for (int heap = 0; heap < SP_HEAPS; heap++)
	{
		if ((rows->heaps & (1u << heap)) != 0 &&
			!ConditionalLockRelationOid(catalog->ledger[heap], RowExclusiveLock))
			return false;
	}
	return !sp_ledger_moved(catalog, rows);
}

/*
 * Whether a heap was rewritten (VACUUM FULL, CLUSTER) since its rows were read:
 * they lie elsewhere now.  The caller holds locks on all heaps.
 */
bool
sp_ledger_moved(const SpCatalog *catalog, const SpRows *rows)
{
	bool		moved = false;

	for (int heap = 0; heap < SP_HEAPS && !moved; heap++)
	{
		Relation	rel;

		if ((rows->heaps & (1u << heap)) == 0)
			continue;
		rel = table_open(catalog->ledger[heap], NoLock);
		moved = SpFileNumber(rel) != rows->files[heap];
		table_close(rel, NoLock);
	}
	return moved;
}

/*
 * Delete rows that sp_ledger_read_committed() found, in the fold's
 * transaction.  Raises an error if somebody else deleted one: the fold must
 * not count it then.
 */
void
sp_ledger_delete(const SpCatalog *catalog, SpDatabase *database, const SpRow *rows, int nrows)
{
	Relation	rel = NULL;
	int			heap = -1;

	for (int i = 0; i < nrows; i++)
	{
		ItemPointerData tid;
		TM_FailureData failure;

		if (rows[i].heap != heap)
		{
			if (rel != NULL)
				table_close(rel, NoLock);
			heap = rows[i].heap;
			rel = table_open(catalog->ledger[heap], RowExclusiveLock);
			pg_atomic_write_u32(&database->fold_xid[heap], GetTopTransactionId());
			pg_write_barrier();
		}
		ItemPointerSet(&tid, rows[i].block, rows[i].offset);
		if (SpHeapDelete(rel, &tid, GetCurrentCommandId(true), &failure) != TM_Ok)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("a row of \"%s\" was changed by somebody else", RelationGetRelationName(rel)),
					 errhint("The ledger is written by the library only.")));
	}
	if (rel != NULL)
		table_close(rel, NoLock);
}
