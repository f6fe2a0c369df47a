/*
 * told.h
 *		Ledger rows that are messages: each is told, whatever became of its session.
 */
#ifndef SP_TOLD_H
#define SP_TOLD_H

#include "ledger.h"
#include "send.h"

extern void sp_told_take(SpRows *ledger, SpRows *told);
extern bool sp_told_revoked(const SpRows *told, int64 session);
extern int	sp_told_tell(const SpCatalog *catalog, SpDatabase *database, SpRows *told,
						 SpNotifier notify, char *error);

#endif							/* SP_TOLD_H */
