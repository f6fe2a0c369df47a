/*
 * tracked.h
 *		Rows of an application's tracked table drive sessions.
 */
#ifndef SP_TRACKED_H
#define SP_TRACKED_H

#include "catalog.h"
#include "mapping.h"

#define SP_TRACKED_FUNCTION	"sync_progress_tracked"

extern bool sp_tracked_is(const SpCatalog *catalog, Oid function, int nargs);
extern uint64 sp_tracked_appear(const SpCatalog *catalog, const char *kind, const SpMapping *mapping,
								SpTableRow **facts, int nfacts, bool take_over, uint64 *orphans);

#endif							/* SP_TRACKED_H */
