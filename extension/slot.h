/*
 * slot.h
 *		What is known in shared memory of a session that is being counted.
 */
#ifndef SP_SLOT_H
#define SP_SLOT_H

#include "shared.h"
#include "throttle.h"

/* A status, as text in tables and JSON.  SP_STATUS_UNKNOWN: read the row. */
typedef enum SpStatus
{
	SP_STATUS_UNKNOWN,
	SP_STATUS_PENDING,
	SP_STATUS_PROCESSING,
	SP_STATUS_PAUSED,
	SP_STATUS_COMPLETED,
	SP_STATUS_FAILED,
	SP_STATUS_CANCELLED,
} SpStatus;

#define SP_SLOT_DIRTY	0x1		/* something is committed that was not told */
#define SP_SLOT_URGENT	0x2		/* its status or error message changed */
#define SP_SLOT_BUSY	0x8		/* the worker has it in hand */
#define SP_SLOT_RETELL	0x4		/* tell it even if the fold finds nothing */
#define SP_SLOT_LIVE	0x10	/* something was counted live that is not
								 * flushed */

#define SP_SLOT_RETRY_MAX_MS	60000	/* what fails is tried again */

typedef struct SpSlotKey
{
	Oid			database;
	Oid			relation;
	int64		session;
} SpSlotKey;

typedef struct SpSlot
{
	SpSlotKey	key;			/* database InvalidOid: free; under the lock */
	int			next_free;

	int			first_cell;		/* counters of live mode, or -1: see cell.c */

	pg_atomic_uint32 pins;		/* transactions that will mark it, and cells */
	pg_atomic_uint32 flags;
	pg_atomic_uint32 status;	/* generation << 8 | SpStatus, see slot.c */
	pg_atomic_uint32 every_count;	/* wake the worker when pending passes it */
	pg_atomic_uint64 pending;	/* processed and committed since it was told */
	pg_atomic_uint64 marks;		/* commits since it was told */
	pg_atomic_uint64 marked_at; /* when it became dirty */
	pg_atomic_uint64 used_at;
	pg_atomic_uint64 live_at;	/* when SP_SLOT_LIVE was set */

	/* The worker's alone. */
	SpThrottle	throttle;
	TimestampTz told_at;
	TimestampTz urgent_at;
	TimestampTz retry_at;
	TimestampTz fold_retry_at;	/* likewise, where it is the fold that waits */
	int			backoff_ms;
	bool		untellable;		/* its payload failed last time */
	TimestampTz unknown_since;	/* ledger rows, but no session: see fold.c */
	bool		revoked;		/* told so: if it is unknown, it was deleted */
	bool		end_seen;		/* a fold has found that its run has ended */
} SP_CACHE_ALIGNED SpSlot;

extern Size sp_slot_memory(void);
extern void sp_slot_attach(bool found);
extern SpSlot *sp_slot_pin(SpDatabase *database, int64 session);
extern SpSlot *sp_slot_find(SpDatabase *database, int64 session);
extern void sp_slot_unpin(SpSlot *slot);
extern SpSlot *sp_slot_next(SpDatabase *database, int *position);
extern SpSlot *sp_slot_each(int *position);
extern bool sp_slot_mark(SpSlot *slot, uint32 flags, int64 processed, TimestampTz now);
extern bool sp_slot_mark_live(SpSlot *slot, int64 processed);
extern int64 sp_slot_due_at(SpSlot *slot, TimestampTz now);
extern int64 sp_slot_flush_at(SpSlot *slot, TimestampTz now);
extern void sp_slot_wake_worker(SpDatabase *database, SpSlot *slot);
extern bool sp_slot_has_ended(SpSlot *slot);
extern SpStatus sp_slot_status(SpSlot *slot, uint32 *generation);
extern void sp_slot_set_status(SpSlot *slot, uint32 generation, SpStatus status);
extern void sp_slot_forget_status(SpSlot *slot);
extern void sp_slot_forget_all(SpDatabase *database);

extern SpStatus sp_status_parse(const char *name);
extern const char *sp_status_name(SpStatus status);

#endif							/* SP_SLOT_H */
