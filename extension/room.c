/*
 * room.c
 *		Room for the ledger's rows, made before it is needed.
 *
 * PostgreSQL makes a heap longer when somebody finds no page with room, and
 * whoever else finds none waits for that one's lock on the relation's extension.
 * With many writers that is often, most of all when they come to an empty heap.
 *
 * So while a heap fills quickly, who begins a page near its end makes it longer
 * then, if the lock is free: a chunk of empty pages that the free space map
 * knows of.  The others go on meanwhile in the pages that are left.  A heap that
 * the ring moves on to gets its first chunk before.
 *
 * Not while it fills slowly: the free space map gives every connection a page of
 * its own, and rows all over a chunk would keep the ledger's mark (ledger.c)
 * back.
 *
 * All of this is a matter of time only, but that a disk which fills up is full
 * 1.5 MB earlier, as it is with PostgreSQL's own making of pages ahead.  Without
 * room, because the free space map is not crash-safe or VACUUM has cut the heap,
 * writers wait for each other as they do for any table.  A page that a crash has
 * lost the contents of is new to PostgreSQL, which knows what to do with those.
 */
#include "postgres.h"

#include "room.h"
#include "storage/bufmgr.h"
#include "storage/freespace.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#define LOW_BLOCKS		64		/* then there is more to be made */
#define CHUNK_BLOCKS	128		/* so much: 1 MB, a quarter of what the ring
								 * lets a heap have */
#define QUICK_US		20000	/* from page to page: some 7,000 rows a second */
#define BUSY_US			1000000

/* Adds empty pages, and tells the free space map.  The caller holds the extension lock. */
static void
add_pages(Relation rel, BlockNumber count)
{
	BlockNumber first = InvalidBlockNumber;
	BlockNumber last = InvalidBlockNumber;

	for (BlockNumber n = 0; n < count; n++)
	{
		Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, P_NEW, RBM_ZERO_AND_LOCK, NULL);
		Page		page = BufferGetPage(buffer);
		Size		space;

		PageInit(page, BufferGetPageSize(buffer), 0);
		MarkBufferDirty(buffer);
		last = BufferGetBlockNumber(buffer);
		space = PageGetHeapFreeSpace(page);
		UnlockReleaseBuffer(buffer);
		RecordPageWithFreeSpace(rel, last, space);
		if (first == InvalidBlockNumber)
			first = last;
	}
	/* its upper levels, or nobody finds them */
	if (count > 0)
		FreeSpaceMapVacuumRange(rel, first, last + 1);
}

/* Makes the heap so long at least, unless somebody else is at it. */
static void
extend_to(SpDatabase *database, int heap, Relation rel, BlockNumber wanted)
{
	BlockNumber blocks;

	if (!ConditionalLockRelationForExtension(rel, ExclusiveLock))
		return;
	blocks = RelationGetNumberOfBlocks(rel);
	if (blocks < wanted)
		add_pages(rel, wanted - blocks);
	pg_atomic_write_u32(&database->room_to[heap], Max(blocks, wanted));
	UnlockRelationForExtension(rel, ExclusiveLock);
}

/*
 * A row was inserted there: make room if it has begun a page near the end, soon
 * after the page before it.  Waits for nothing.  The caller holds a lock on the
 * heap that lets it insert.
 */
void
sp_room_ahead(SpDatabase *database, int heap, Relation rel, ItemPointer row)
{
	BlockNumber block = ItemPointerGetBlockNumber(row);
	TimestampTz now,
				before;

	if (ItemPointerGetOffsetNumber(row) != FirstOffsetNumber)
		return;
	now = GetCurrentTimestamp();
	before = (TimestampTz) pg_atomic_exchange_u64(&database->page_begun_at, (uint64) now);
	if (now - before < QUICK_US && block + LOW_BLOCKS >= pg_atomic_read_u32(&database->room_to[heap]))
		extend_to(database, heap, rel, block + LOW_BLOCKS + CHUNK_BLOCKS);
}

/*
 * The heap, which is empty, is to be the current one: make room if there is as
 * much to do as there was.  Worker only, with a lock on the heap.
 */
void
sp_room_prepare(SpDatabase *database, int heap, Relation rel)
{
	TimestampTz begun = (TimestampTz) pg_atomic_read_u64(&database->page_begun_at);

	pg_atomic_write_u32(&database->room_to[heap], 0);
	if (GetCurrentTimestamp() - begun < BUSY_US)
		extend_to(database, heap, rel, CHUNK_BLOCKS);
}
