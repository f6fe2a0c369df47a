/*
 * waits.c
 *		What our processes wait for, as pg_stat_activity says it.
 *
 * Names are the server's, shared by all backends, and asked for once in each.
 * Before PostgreSQL 17 an extension has no names of its own: all is "Extension".
 */
#include "postgres.h"

#include "compat.h"
#include "utils/wait_event.h"
#include "waits.h"

static const char *const names[SP_WAITS] = {
	[SP_WAIT_WORK] = "SyncProgressWork",
	[SP_WAIT_REST] = "SyncProgressRest",
	[SP_WAIT_OFFICE] = "SyncProgressOffice",
	[SP_WAIT_LAUNCHER] = "SyncProgressLauncher",
	[SP_WAIT_FLUSH] = "SyncProgressFlush",
};

uint32
sp_wait(SpWait wait)
{
	static uint32 events[SP_WAITS];

	if (events[wait] == 0)
		events[wait] = SpWaitEventNew(names[wait]);
	return events[wait];
}
