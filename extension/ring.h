/*
 * ring.h
 *		Which heap of the ledger is written to, and when one is emptied.
 */
#ifndef SP_RING_H
#define SP_RING_H

#include "catalog.h"

extern void sp_ring_rotate(const SpCatalog *catalog, SpDatabase *database);

#endif							/* SP_RING_H */
