/*
 * room.h
 *		Room for the ledger's rows, made before it is needed.
 */
#ifndef SP_ROOM_H
#define SP_ROOM_H

#include "shared.h"
#include "storage/itemptr.h"
#include "utils/relcache.h"

extern void sp_room_ahead(SpDatabase *database, int heap, Relation rel, ItemPointer row);
extern void sp_room_prepare(SpDatabase *database, int heap, Relation rel);

#endif							/* SP_ROOM_H */
