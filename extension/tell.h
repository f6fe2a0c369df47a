/*
 * tell.h
 *		What the watchers of folded sessions are told.
 */
#ifndef SP_TELL_H
#define SP_TELL_H

#include "fold.h"

extern void sp_tell_compose(const SpCatalog *catalog, SpDatabase *database, SpDue **told, int ntold,
							MemoryContext context);

#endif							/* SP_TELL_H */
