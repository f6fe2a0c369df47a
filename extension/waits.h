/*
 * waits.h
 *		What our processes wait for, as pg_stat_activity says it.
 */
#ifndef SP_WAITS_H
#define SP_WAITS_H

#include "c.h"

typedef enum SpWait
{
	SP_WAIT_WORK,				/* the worker: nothing is due */
	SP_WAIT_REST,				/* between turns, so that they become larger */
	SP_WAIT_OFFICE,				/* until its predecessor has ended */
	SP_WAIT_LAUNCHER,			/* until a database needs a worker */
	SP_WAIT_FLUSH,				/* who called sync_progress_flush() */
	SP_WAITS
} SpWait;

extern uint32 sp_wait(SpWait wait);

#endif							/* SP_WAITS_H */
