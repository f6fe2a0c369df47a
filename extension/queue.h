/*
 * queue.h
 *		Who is due, and what becomes of those that were.
 */
#ifndef SP_QUEUE_H
#define SP_QUEUE_H

#include "fold.h"

/* The sessions of one turn; its arrays live in "context". */
typedef struct SpQueue
{
	SpDatabase *database;
	MemoryContext context;
	TimestampTz now;
	bool		all;			/* take those that are not due, too */
	SpDue	   *due;
	int			ndue;
	int			allocated;
	TimestampTz next;			/* the earliest of those not due */
} SpQueue;

extern void sp_queue_retell(SpQueue *queue, const SpCatalog *catalog);
extern void sp_queue_take(SpQueue *queue);
extern void sp_queue_deal(SpQueue *queue, SpRows *ledger);
extern int	sp_queue_part(SpQueue *queue);
extern void sp_queue_finish(SpDatabase *database, SpDue *due, TimestampTz now);
extern uint32 sp_queue_leftover(void);
extern TimestampTz sp_queue_next(SpDatabase *database);

#endif							/* SP_QUEUE_H */
