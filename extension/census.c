/*
 * census.c
 *		What the places in shared memory are used for, counted.
 *
 * For administrators.  It looks at every slot in use under the lock that who
 * makes one needs, some 50 µs for 10,000, and never waits for the worker.  What
 * is the worker's alone is read without a lock of its own: a number that is
 * torn by the moment is no matter here.
 */
#include "postgres.h"

#include "cell.h"
#include "census.h"
#include "guc.h"
#include "utils/timestamp.h"

static void
count_own(SpSlot *slot, TimestampTz now, SpCensus *census)
{
	int64		due_at;

	census->used++;
	if (pg_atomic_read_u32(&slot->flags) == 0)
		return;
	census->waiting++;
	census->held += slot->retry_at > now || slot->backoff_ms > 0;
	due_at = sp_slot_due_at(slot, now);
	if (due_at >= 0 && due_at < now)
		census->late_us = Max(census->late_us, now - Max(due_at, (int64) pg_atomic_read_u64(&slot->marked_at)));
}

void
sp_census(SpDatabase *database, SpCensus *census)
{
	TimestampTz now = GetCurrentTimestamp();
	int			position = 0;
	SpSlot	   *slot;

	memset(census, 0, sizeof(SpCensus));
	LWLockAcquire(sp_shared->lock, LW_SHARED);
	while ((slot = sp_slot_each(&position)) != NULL)
	{
		census->server_used++;
		census->server_needed += pg_atomic_read_u32(&slot->flags) != 0 || pg_atomic_read_u32(&slot->pins) != 0;
		if (slot->key.database == database->database && slot->key.relation == database->relation)
			count_own(slot, now, census);
	}
	LWLockRelease(sp_shared->lock);
	census->server_cells = sp_cell_count(NULL);
	census->bytes = sizeof(SpShared) + sp_slot_memory() / sp_max_sessions * census->server_used +
		sp_cell_memory() / sp_max_live_counters * census->server_cells;
}
