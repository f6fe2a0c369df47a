/*
 * flush.h
 *		What was counted live, into the sessions' rows.
 */
#ifndef SP_FLUSH_H
#define SP_FLUSH_H

#include "fold.h"
#include "held.h"

extern int	sp_flush_rows(const SpCellSum *sums, int nsums, const bytea *stored, SpRow *rows);
extern void sp_flush_session(SpDatabase *database, SpHeldSession *session, MemoryContext context);
extern bytea *sp_flush_stored(const SpHeldSession *session);
extern bool sp_flush_is_unborn(const SpCatalog *catalog, SpDue *due);
extern void sp_flush_done(SpDatabase *database, SpDue *due);
extern bool sp_flush_is_last(void);
extern void sp_flush_at_exit(SpDatabase *database, bool last);

#endif							/* SP_FLUSH_H */
