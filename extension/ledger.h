/*
 * ledger.h
 *		An increment becomes a row; the ring of heaps that the rows live in.
 */
#ifndef SP_LEDGER_H
#define SP_LEDGER_H

#include "catalog.h"
#include "net.h"
#include "utils/snapshot.h"

/* Of a touch's amount, beside the slot's flags. */
#define SP_TOUCH_END	0x100

/* Rows read from the ledger, in one palloc'd array. */
typedef struct SpRows
{
	SpRow	   *rows;
	int			count;
	int			allocated;
	uint32		heaps;			/* bit per heap that has one of them */
	uint32		skipped;		/* bit per heap that was locked */
	uint32		files[SP_HEAPS];	/* the files that they were read from */
} SpRows;

/* Whether the row was left by the change that ended its session's run. */
static inline bool
sp_ledger_is_end(const SpRow *row)
{
	return row->op == SP_OP_TOUCH && (row->amount & SP_TOUCH_END) != 0;
}

extern int64 sp_ledger_stamp(SpDatabase *database);
extern void sp_ledger_raise_floor(SpDatabase *database, int64 stamp);
extern int	sp_ledger_insert(const SpCatalog *catalog, SpDatabase *database, const SpRow *rows, int nrows);
extern void sp_ledger_read_visible(const SpCatalog *catalog, SpDatabase *database, Snapshot snapshot,
								   int64 session, char op, SpRows *result);
extern void sp_ledger_read_committed(const SpCatalog *catalog, SpDatabase *database, uint32 heaps, SpRows *result);
extern bool sp_ledger_lock(const SpCatalog *catalog, const SpRows *rows);
extern bool sp_ledger_moved(const SpCatalog *catalog, const SpRows *rows);
extern void sp_ledger_delete(const SpCatalog *catalog, SpDatabase *database, const SpRow *rows, int nrows);

#endif							/* SP_LEDGER_H */
