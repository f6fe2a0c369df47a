/*
 * lineage.h
 *		After a failover what watchers know may never have happened.
 */
#ifndef SP_LINEAGE_H
#define SP_LINEAGE_H

#include "catalog.h"

extern void sp_lineage_touch(const SpCatalog *catalog, SpDatabase *database);

#endif							/* SP_LINEAGE_H */
