/*
 * change.h
 *		What a changed row of a tracked table leaves in the ledger.
 */
#ifndef SP_CHANGE_H
#define SP_CHANGE_H

#include "ledger.h"
#include "mapping.h"

#define SP_CHANGE_ROWS	12		/* most that one change leaves */

/* Ledger rows about one session or account, in the making. */
typedef struct SpChange
{
	SpRow		rows[SP_CHANGE_ROWS];
	int			nrows;
	int64		processed;		/* by how much it grows, for the throttle */
	uint32		flags;
} SpChange;

extern bool sp_change_same(const SpTableRow *a, const SpTableRow *b, SpField field);
extern void sp_change_add(SpChange *change, char op, int64 amount, const char *label);
extern void sp_change_compare(const SpMapping *mapping, const SpTableRow *old, const SpTableRow *new, SpChange *change);
extern void sp_change_write(const SpCatalog *catalog, int64 session, int64 account, SpChange *change);

#endif							/* SP_CHANGE_H */
