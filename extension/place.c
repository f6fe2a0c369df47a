/*
 * place.c
 *		Where the sessions' rows were last.
 *
 * Each telling writes a new version of a session's row.  While somebody holds
 * an old snapshot, a pg_dump for hours, none of them can be removed, and an
 * index leads to all: to find the one that counts all are looked at, and a
 * fold takes longer with each that was before it.  So the worker, which wrote
 * the last version itself, remembers its place and looks there first; with no
 * luck it asks the index.
 *
 * A place is a hint, and may be as wrong as it likes: what is there now counts
 * only if it is visible to the snapshot and has the id.  Of an id a snapshot
 * sees one version, so that is it: whether it was moved by an application's
 * UPDATE, VACUUM gave its place to another row, a transaction that wrote it was
 * undone, or the table is in another file or shorter than it was.  Nothing
 * needs to be forgotten.
 *
 * Pages are pruned by whom an index leads to them, and would not be any more:
 * so it is done here, before a row is pointed to.
 *
 * Bounded: PLACES of them, that of an id in the slot of its remainder.  Ids are
 * given out in turn, so that those of runs that are active together rarely
 * share one; the one that was noted last has it.
 *
 * In the worker's memory.  Other processes note nothing and find nothing.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "compat.h"
#include "place.h"
#include "rows.h"
#include "state.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"

#define PLACES	16384

typedef struct Place
{
	int64		session;
	ItemPointerData tid;
} Place;

static Place *places = NULL;

static Place *
place_of(int64 session)
{
	return &places[(uint64) session % PLACES];
}

/* The session's last version is there now. */
void
sp_place_note(int64 session, const ItemPointerData *tid)
{
	Place	   *place;

	if (places == NULL)
		places = MemoryContextAllocZero(TopMemoryContext, PLACES * sizeof(Place));
	place = place_of(session);
	place->session = session;
	place->tid = *tid;
}

/* Likewise for all that the last query returned: their ids and ctids. */
void
sp_place_note_returned(void)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		ItemPointerData tid;

		sp_rows_tid(SPI_tuptable->vals[i], 2, &tid);
		sp_place_note(sp_rows_int64(SPI_tuptable->vals[i], 1, NULL), &tid);
	}
}

/* Whether the session is one of them. */
bool
sp_place_is_returned(int64 session)
{
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		if (sp_rows_int64(SPI_tuptable->vals[i], 1, NULL) == session)
			return true;
	}
	return false;
}

/* For sp_place_fetch(), as long as the table is locked: it does not shrink. */
BlockNumber
sp_place_blocks(Relation sessions)
{
	return places == NULL ? 0 : RelationGetNumberOfBlocks(sessions);
}

/*
 * Gets the version of the session's row that the snapshot sees, if it is in
 * the place where the last one was.
 */
bool
sp_place_fetch(Relation sessions, BlockNumber blocks, Snapshot snapshot, int64 session, TupleTableSlot *row)
{
	Place	   *place;
	Buffer		buffer,
				map = InvalidBuffer;
	bool		found;

	ExecClearTuple(row);
	if (blocks == 0)
		return false;
	place = place_of(session);
	/* a slot that nobody has used is all zeros: an offset that no row has */
	if (place->session != session || !ItemPointerIsValid(&place->tid) ||
		ItemPointerGetBlockNumber(&place->tid) >= blocks)
		return false;
	buffer = ReadBuffer(sessions, ItemPointerGetBlockNumber(&place->tid));
	SpHeapPrune(sessions, buffer, &map);
	if (BufferIsValid(map))
		ReleaseBuffer(map);
	found = table_tuple_fetch_row_version(sessions, &place->tid, snapshot, row);
	ReleaseBuffer(buffer);
	if (!found)
		return false;
	slot_getallattrs(row);
	return sp_state_int64(row, SP_SESSIONS_ID) == session;
}
