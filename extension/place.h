/*
 * place.h
 *		Where the sessions' rows were last.
 */
#ifndef SP_PLACE_H
#define SP_PLACE_H

#include "executor/tuptable.h"
#include "storage/block.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

extern void sp_place_note(int64 session, const ItemPointerData *tid);
extern void sp_place_note_returned(void);
extern bool sp_place_is_returned(int64 session);
extern BlockNumber sp_place_blocks(Relation sessions);
extern bool sp_place_fetch(Relation sessions, BlockNumber blocks, Snapshot snapshot, int64 session, TupleTableSlot *row);

#endif							/* SP_PLACE_H */
