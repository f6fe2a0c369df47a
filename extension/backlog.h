/*
 * backlog.h
 *		What the ledger holds that is not folded yet, without reading all of it.
 */
#ifndef SP_BACKLOG_H
#define SP_BACKLOG_H

#include "catalog.h"

/* Rows of one session, or of all. */
typedef struct SpBacklogRows
{
	int64		committed;
	TimestampTz newest;			/* when the last of them was called; 0: none */
	int64		uncommitted;	/* of transactions that go on */
	TimestampTz oldest_uncommitted; /* when the first of them was called */
	TransactionId holder;		/* whose it is */
} SpBacklogRows;

typedef struct SpBacklog
{
	SpBacklogRows all;
	SpBacklogRows session;		/* the one that was asked for */
	bool		exact;			/* all of it was read */
	int64		bytes;			/* of all heaps, what is folded included */
	int			heaps;			/* that are not empty */
	int			undrained;		/* of these, not the current one, with rows to
								 * fold */
	int			held;			/* folded, but some snapshot may need them */
	int			locked;			/* that could not be looked at */
} SpBacklog;

extern void sp_backlog_read(const SpCatalog *catalog, SpDatabase *database, int64 session,
							BlockNumber most, SpBacklog *backlog);

#endif							/* SP_BACKLOG_H */
