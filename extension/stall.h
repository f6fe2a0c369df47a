/*
 * stall.h
 *		Runs that have stopped moving are told once.
 */
#ifndef SP_STALL_H
#define SP_STALL_H

#include "catalog.h"

extern void sp_stall_touch(const SpCatalog *catalog, SpDatabase *database);

#endif							/* SP_STALL_H */
