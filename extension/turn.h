/*
 * turn.h
 *		One turn of the worker: who is due, their rows, their batches.
 */
#ifndef SP_TURN_H
#define SP_TURN_H

#include "catalog.h"

/* Sends messages in a transaction of its own; may raise an error. */
typedef void (*SpNotifier) (char **messages, int count);

extern bool sp_turn(const SpCatalog *catalog, SpDatabase *database, MemoryContext context,
					SpNotifier notify, bool first, TimestampTz *next);
extern bool sp_turn_due(SpDatabase *database, TimestampTz now);

#endif							/* SP_TURN_H */
