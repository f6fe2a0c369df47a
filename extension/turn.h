/*
 * turn.h
 *		One turn of the worker: read the ledger, fold and tell in batches.
 */
#ifndef SP_TURN_H
#define SP_TURN_H

#include "catalog.h"
#include "send.h"

extern bool sp_turn(const SpCatalog *catalog, SpDatabase *database, MemoryContext context,
					SpNotifier notify, bool first, TimestampTz *next);

#endif							/* SP_TURN_H */
