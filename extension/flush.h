/*
 * flush.h
 *		What was counted live, into the sessions' rows.
 */
#ifndef SP_FLUSH_H
#define SP_FLUSH_H

#include "fold.h"
#include "held.h"

extern int	sp_flush_rows(SpCellSum *sums, int nsums, const bytea *stored, SpRow *rows);
extern void sp_flush_read(SpDatabase *database, SpDue *due, int ndue);
extern void sp_flush_session(SpHeldSession *session);
extern bytea *sp_flush_stored(const SpHeldSession *session);
extern bool sp_flush_is_unborn(const SpCatalog *catalog, SpDue *due);
extern void sp_flush_done(SpDatabase *database, SpDue *due);
extern int	sp_flush_all(SpDatabase *database, MemoryContext context);

#endif							/* SP_FLUSH_H */
