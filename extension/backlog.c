/*
 * backlog.c
 *		What the ledger holds that is not folded yet, without reading all of it.
 *
 * For administrators, who ask most often when it is large.  Before a heap's
 * mark (ledger.c) everything is folded, so what lies after it is read, up to a
 * number of blocks; the rest is taken to be as full as those.  Rows of
 * transactions that go on are counted apart: a worker that commits once an hour
 * is the usual reason why a bar stands still.
 *
 * It waits for no lock: a heap that somebody has locked is left out.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/subtrans.h"
#include "access/table.h"
#include "access/transam.h"
#include "backlog.h"
#include "compat.h"
#include "miscadmin.h"
#include "net.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* Places of columns, as the extension's script creates them. */
#define LEDGER_SESSION_ID	1
#define LEDGER_STAMP		3
#define LEDGER_OP			4

#define ROOM_BLOCKS			512 /* more than room.c makes ahead */

static int64
get_int64(Relation rel, HeapTuple tuple, AttrNumber column)
{
	bool		isnull;

	return DatumGetInt64(heap_getattr(tuple, column, RelationGetDescr(rel), &isnull));
}

/* When the row's call was; 0 for a message, whose stamp is its session's version. */
static TimestampTz
get_time(Relation rel, HeapTuple tuple)
{
	bool		isnull;
	char		op = DatumGetChar(heap_getattr(tuple, LEDGER_OP, RelationGetDescr(rel), &isnull));

	return op == SP_OP_EVENT || op == SP_OP_REVOKED ? 0 : get_int64(rel, tuple, LEDGER_STAMP);
}

static void
add(SpBacklogRows *rows, HTSV_Result state, HeapTuple tuple, TimestampTz stamp)
{
	if (state != HEAPTUPLE_INSERT_IN_PROGRESS)
	{
		rows->committed++;
		rows->newest = Max(rows->newest, stamp);
		return;
	}
	rows->uncommitted++;
	if (stamp != 0 && (rows->oldest_uncommitted == 0 || stamp < rows->oldest_uncommitted))
	{
		rows->oldest_uncommitted = stamp;
		rows->holder = HeapTupleHeaderGetXmin(tuple->t_data);
	}
}

static void
read_block(Relation rel, BlockNumber block, int64 session, SpBacklog *backlog)
{
	Buffer		buffer = ReadBuffer(rel, block);
	Page		page;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	for (OffsetNumber n = FirstOffsetNumber; n <= PageGetMaxOffsetNumber(page); n = OffsetNumberNext(n))
	{
		ItemId		item = PageGetItemId(page, n);
		HeapTupleData tuple;
		TransactionId dead_after;
		HTSV_Result state;
		TimestampTz stamp;

		if (!ItemIdIsNormal(item))
			continue;
		tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		tuple.t_len = ItemIdGetLength(item);
		tuple.t_tableOid = RelationGetRelid(rel);
		ItemPointerSet(&tuple.t_self, block, n);
		state = HeapTupleSatisfiesVacuumHorizon(&tuple, buffer, &dead_after);
		if (state == HEAPTUPLE_DEAD || state == HEAPTUPLE_RECENTLY_DEAD)
			continue;
		stamp = get_time(rel, &tuple);
		add(&backlog->all, state, &tuple, stamp);
		if (session != 0 && get_int64(rel, &tuple, LEDGER_SESSION_ID) == session)
			add(&backlog->session, state, &tuple, stamp);
	}
	UnlockReleaseBuffer(buffer);
}

/* Where in the heap there may be something to fold. */
static BlockNumber
get_start(SpDatabase *database, int heap, Relation rel, BlockNumber blocks)
{
	if (database == NULL || pg_atomic_read_u32(&database->scan_file[heap]) != SpFileNumber(rel))
		return 0;
	pg_read_barrier();
	return Min(pg_atomic_read_u32(&database->scan_from[heap]), blocks);
}

/* The end of what is in use: empty pages behind it were made ahead (room.c). */
static BlockNumber
get_end(Relation rel, BlockNumber from, BlockNumber blocks)
{
	BlockNumber least = blocks > ROOM_BLOCKS + from ? blocks - ROOM_BLOCKS : from;

	while (blocks > least)
	{
		Buffer		buffer = ReadBuffer(rel, blocks - 1);
		bool		is_used;

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		is_used = PageGetMaxOffsetNumber(BufferGetPage(buffer)) > 0;
		UnlockReleaseBuffer(buffer);
		if (is_used)
			break;
		blocks--;
	}
	return blocks;
}

/* The transaction that a subtransaction is part of; it is going on, or was a moment ago. */
static TransactionId
get_top(TransactionId xid)
{
	if (!TransactionIdIsNormal(xid) || TransactionIdPrecedes(xid, TransactionXmin))
		return xid;
	return SubTransGetTopmostTransaction(xid);
}

/*
 * Look at "most" blocks at most, and at the rows of one session (0: none).
 * Within a transaction that has a snapshot.
 */
void
sp_backlog_read(const SpCatalog *catalog, SpDatabase *database, int64 session, BlockNumber most, SpBacklog *backlog)
{
	int			current = database == NULL ? 0 : (int) pg_atomic_read_u32(&database->current_heap);
	uint64		wanted = 0;
	uint64		done = 0;

	memset(backlog, 0, sizeof(SpBacklog));
	for (int heap = 0; heap < SP_HEAPS; heap++)
	{
		Relation	rel;
		BlockNumber blocks,
					from;

		if (!ConditionalLockRelationOid(catalog->ledger[heap], AccessShareLock))
		{
			backlog->locked++;
			continue;
		}
		rel = table_open(catalog->ledger[heap], NoLock);
		blocks = RelationGetNumberOfBlocks(rel);
		from = get_start(database, heap, rel, blocks);
		backlog->bytes += (int64) blocks * BLCKSZ;
		backlog->heaps += blocks > 0;
		backlog->undrained += heap != current && from < blocks;
		backlog->held += heap != current && blocks > 0 && from == blocks;
		blocks = get_end(rel, from, blocks);
		wanted += blocks - from;
		for (; from < blocks && done < most; from++, done++)
		{
			CHECK_FOR_INTERRUPTS();
			read_block(rel, from, session, backlog);
		}
		table_close(rel, AccessShareLock);
	}
	backlog->exact = done == wanted && backlog->locked == 0;
	if (done > 0 && done < wanted)
		backlog->all.committed = (int64) ((double) backlog->all.committed * (double) wanted / (double) done);
	backlog->all.holder = get_top(backlog->all.holder);
	backlog->session.holder = get_top(backlog->session.holder);
}
