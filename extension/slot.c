/*
 * slot.c
 *		What is known in shared memory of a session that is being counted.
 *
 * A slot holds marks (committed, not told yet), the session's committed status
 * and the throttle's state.  All of it can be lost or missing: the ledger and
 * the tables have the truth, and the worker's sweep finds what no mark told.
 *
 * Life.  sp_slot_pin() finds or makes a slot; a pinned slot stays what it is.
 * One that is not pinned and has no flag (or nobody to look at it) may be taken
 * for another session when the free list is empty, the one unused for longest
 * first.
 *
 * Status.  One word, generation << 8 | status.  Whoever commits a change of
 * status moves the generation on and leaves SP_STATUS_UNKNOWN.  Whoever then
 * reads the row stores what it read only if the generation is still the one
 * from before its reading.  So a status in a slot is never older than the last
 * commit, without a lock.
 */
#include "postgres.h"

#include "access/xact.h"
#include "compat.h"
#include "guc.h"
#include "miscadmin.h"
#include "slot.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#define GENERATION_STEP		0x100
#define STATUS_MASK			0xff

typedef struct SpSlotTable
{
	int			first_free;		/* -1: none */
	int			high_water;		/* slots from here on were never used */
	SpSlot	   *slots;			/* each in cache lines of its own */
} SpSlotTable;

typedef struct SpSlotEntry
{
	SpSlotKey	key;
	int			number;
} SpSlotEntry;

static SpSlotTable *table = NULL;
static HTAB *hash = NULL;

static const char *const status_names[] = {
	[SP_STATUS_UNKNOWN] = "unknown",
	[SP_STATUS_PENDING] = "pending",
	[SP_STATUS_PROCESSING] = "processing",
	[SP_STATUS_PAUSED] = "paused",
	[SP_STATUS_COMPLETED] = "completed",
	[SP_STATUS_FAILED] = "failed",
	[SP_STATUS_CANCELLED] = "cancelled",
};

SpStatus
sp_status_parse(const char *name)
{
	for (int i = SP_STATUS_PENDING; i <= SP_STATUS_CANCELLED; i++)
	{
		if (strcmp(name, status_names[i]) == 0)
			return (SpStatus) i;
	}
	return SP_STATUS_UNKNOWN;
}

const char *
sp_status_name(SpStatus status)
{
	return status_names[status];
}

/* Without the hash table. */
static Size
table_memory(void)
{
	return add_size(MAXALIGN(sizeof(SpSlotTable)) + PG_CACHE_LINE_SIZE, mul_size(sp_max_sessions, sizeof(SpSlot)));
}

Size
sp_slot_memory(void)
{
	return add_size(MAXALIGN(table_memory()), hash_estimate_size(sp_max_sessions, sizeof(SpSlotEntry)));
}

static void
init_slot(SpSlot *slot)
{
	memset(&slot->key, 0, sizeof(SpSlotKey));
	slot->first_cell = -1;
	pg_atomic_init_u32(&slot->pins, 0);
	pg_atomic_init_u32(&slot->flags, 0);
	pg_atomic_init_u32(&slot->status, SP_STATUS_UNKNOWN);
	pg_atomic_init_u32(&slot->every_count, 100);
	pg_atomic_init_u64(&slot->pending, 0);
	pg_atomic_init_u64(&slot->marks, 0);
	pg_atomic_init_u64(&slot->marked_at, 0);
	pg_atomic_init_u64(&slot->used_at, 0);
	pg_atomic_init_u64(&slot->live_at, 0);
	slot->throttle.every_count = 100;
	slot->throttle.every_interval_us = 5 * USECS_PER_SEC;
	slot->throttle.min_interval_us = USECS_PER_SEC;
	slot->told_at = slot->urgent_at = slot->retry_at = slot->fold_retry_at = slot->unknown_since = 0;
	slot->backoff_ms = 0;
	slot->untellable = false;
	slot->revoked = false;
	slot->end_seen = false;
}

/* The caller holds AddinShmemInitLock. */
void
sp_slot_attach(bool found)
{
	HASHCTL		info = {.keysize = sizeof(SpSlotKey), .entrysize = sizeof(SpSlotEntry)};
	bool		table_found;

	table = ShmemInitStruct("sync_progress slots", table_memory(), &table_found);
	if (!found)
	{
		table->slots = (SpSlot *) CACHELINEALIGN((char *) table + MAXALIGN(sizeof(SpSlotTable)));
		table->first_free = 0;
		table->high_water = 0;
		for (int i = 0; i < sp_max_sessions; i++)
		{
			init_slot(&table->slots[i]);
			table->slots[i].next_free = i + 1 < sp_max_sessions ? i + 1 : -1;
		}
	}
	hash = SpShmemInitHash("sync_progress hash", sp_max_sessions, &info, HASH_ELEM | HASH_BLOBS);
}

/*
 * Whether somebody will look at what the slot is marked with.  Nobody does when
 * its database, or the extension there, was dropped: a worker that was ended
 * for it leaves its slots as they are.  (One that comes back reads everything.)
 */
static bool
is_served(const SpSlot *slot)
{
	for (int i = 0; i < SP_MAX_DATABASES; i++)
	{
		SpDatabase *database = &sp_shared->databases[i];

		if (database->database == slot->key.database && database->relation == slot->key.relation)
			return pg_atomic_read_u32(&database->wanted) != 0 ||
				pg_atomic_read_u32(&database->worker_proc) != SP_NO_PROC;
	}
	return false;
}

/* Frees the least recently used slot that nobody needs.  The lock is held exclusively. */
static void
evict(void)
{
	SpSlot	   *oldest = NULL;

	for (int i = 0; i < sp_max_sessions; i++)
	{
		SpSlot	   *slot = &table->slots[i];

		if (slot->key.database != InvalidOid &&
			pg_atomic_read_u32(&slot->pins) == 0 &&
			(pg_atomic_read_u32(&slot->flags) == 0 || !is_served(slot)) &&
			(oldest == NULL || pg_atomic_read_u64(&slot->used_at) < pg_atomic_read_u64(&oldest->used_at)))
			oldest = slot;
	}
	if (oldest == NULL)
		return;
	hash_search(hash, &oldest->key, HASH_REMOVE, NULL);
	init_slot(oldest);
	oldest->next_free = table->first_free;
	table->first_free = (int) (oldest - table->slots);
}

/* The session's slot, pinned, if there is one. */
SpSlot *
sp_slot_find(SpDatabase *database, int64 session)
{
	SpSlotKey	key = {database->database, database->relation, session};
	SpSlotEntry *entry;
	SpSlot	   *slot = NULL;

	LWLockAcquire(sp_shared->lock, LW_SHARED);
	entry = hash_search(hash, &key, HASH_FIND, NULL);
	if (entry != NULL)
	{
		slot = &table->slots[entry->number];
		pg_atomic_fetch_add_u32(&slot->pins, 1);
	}
	LWLockRelease(sp_shared->lock);
	return slot;
}

/*
 * Find or make the session's slot, and pin it.
 *
 * Returns NULL when all slots are in use: the caller goes on without, and asks
 * for a sweep instead of marking.
 */
SpSlot *
sp_slot_pin(SpDatabase *database, int64 session)
{
	SpSlotKey	key = {database->database, database->relation, session};
	SpSlotEntry *entry;
	SpSlot	   *slot = sp_slot_find(database, session);

	if (slot == NULL)
	{
		LWLockAcquire(sp_shared->lock, LW_EXCLUSIVE);
		entry = hash_search(hash, &key, HASH_FIND, NULL);
		if (entry == NULL && table->first_free < 0)
			evict();
		if (entry == NULL && table->first_free >= 0)
		{
			entry = hash_search(hash, &key, HASH_ENTER_NULL, NULL);
			if (entry != NULL)
			{
				entry->number = table->first_free;
				slot = &table->slots[entry->number];
				table->first_free = slot->next_free;
				slot->key = key;
				table->high_water = Max(table->high_water, entry->number + 1);
			}
		}
		else if (entry != NULL)
			slot = &table->slots[entry->number];
		if (slot != NULL)
			pg_atomic_fetch_add_u32(&slot->pins, 1);
		LWLockRelease(sp_shared->lock);
	}
	if (slot != NULL)
		pg_atomic_write_u64(&slot->used_at, (uint64) GetCurrentTransactionStartTimestamp());
	return slot;
}

void
sp_slot_unpin(SpSlot *slot)
{
	pg_atomic_fetch_sub_u32(&slot->pins, 1);
}

/*
 * The next slot of this database that has a flag set, from *position (start
 * with 0) on; NULL at the end.  Without a lock: a slot with a flag keeps its
 * identity, and only the database's one worker clears flags.
 */
SpSlot *
sp_slot_next(SpDatabase *database, int *position)
{
	while (*position < table->high_water)
	{
		SpSlot	   *slot = &table->slots[(*position)++];

		if (pg_atomic_read_u32(&slot->flags) != 0 &&
			slot->key.database == database->database && slot->key.relation == database->relation)
			return slot;
	}
	return NULL;
}

/* The next slot in use, of any database; the caller holds the lock. */
SpSlot *
sp_slot_each(int *position)
{
	while (*position < table->high_water)
	{
		SpSlot	   *slot = &table->slots[(*position)++];

		if (slot->key.database != InvalidOid)
			return slot;
	}
	return NULL;
}

/*
 * Mark a pinned slot: so much was committed.  Returns whether the worker has
 * to be woken: it sleeps until the earliest time it knows of, so only a first
 * mark, an urgent one, and passing every_count tell it something new.
 */
bool
sp_slot_mark(SpSlot *slot, uint32 flags, int64 processed, TimestampTz now)
{
	uint32		old_flags;
	uint64		pending = 0;
	uint64		every = pg_atomic_read_u32(&slot->every_count);

	pg_atomic_fetch_add_u64(&slot->marks, 1);
	if (processed > 0)
		pending = pg_atomic_fetch_add_u64(&slot->pending, processed);
	old_flags = pg_atomic_read_u32(&slot->flags);
	if ((old_flags & SP_SLOT_DIRTY) == 0)
		pg_atomic_write_u64(&slot->marked_at, (uint64) now);
	if ((flags & ~old_flags) & SP_SLOT_LIVE)
		pg_atomic_write_u64(&slot->live_at, (uint64) now);
	old_flags = pg_atomic_fetch_or_u32(&slot->flags, flags | SP_SLOT_DIRTY);
	return (old_flags & SP_SLOT_DIRTY) == 0 ||
		(flags & ~old_flags) != 0 ||
		(pending < every && pending + (uint64) Max(processed, 0) >= every);
}

/*
 * Likewise for what was counted live, after it was added: marked already, as a
 * rule, and then this asks for no clock and writes no more than it must.
 */
bool
sp_slot_mark_live(SpSlot *slot, int64 processed)
{
	uint32		set = SP_SLOT_DIRTY | SP_SLOT_LIVE;
	uint64		every = pg_atomic_read_u32(&slot->every_count);
	uint64		pending;

	if ((pg_atomic_read_u32(&slot->flags) & set) != set)
		return sp_slot_mark(slot, SP_SLOT_LIVE, processed, GetCurrentTimestamp());
	pg_atomic_fetch_add_u64(&slot->marks, 1);
	if (processed <= 0)
		return false;
	pending = pg_atomic_fetch_add_u64(&slot->pending, processed);
	return pending < every && pending + (uint64) processed >= every;
}

/*
 * When the slot's session is to be told; -1: nothing is to be.  Times from
 * before the clock was set back count as now.
 */
int64
sp_slot_due_at(SpSlot *slot, TimestampTz now)
{
	uint32		flags = pg_atomic_read_u32(&slot->flags);
	SpPulse		pulse = {
		.dirty = (flags & SP_SLOT_DIRTY) != 0,
		.urgent = (flags & SP_SLOT_URGENT) != 0,
		.pending = (int64) pg_atomic_read_u64(&slot->pending),
		.told_at = Min(slot->told_at, now),
		.urgent_at = Min(slot->urgent_at, now),
		.retry_at = Min(slot->retry_at, now + SP_SLOT_RETRY_MAX_MS * INT64CONST(1000)),
	};

	return sp_throttle_due_at(&pulse, &slot->throttle);
}

/* When its counters have to be flushed, told or not; PG_INT64_MAX: never. */
int64
sp_slot_flush_at(SpSlot *slot, TimestampTz now)
{
	if ((pg_atomic_read_u32(&slot->flags) & SP_SLOT_LIVE) == 0)
		return PG_INT64_MAX;
	return Max(Min((int64) pg_atomic_read_u64(&slot->live_at), now) + (int64) sp_flush_interval_ms * 1000,
			   Min(slot->fold_retry_at, now + SP_SLOT_RETRY_MAX_MS * INT64CONST(1000)));
}

/*
 * Wake the database's worker for a slot that was marked, unless it will look at
 * it in time by itself: under load that is a wake-up for each session and turn.
 */
void
sp_slot_wake_worker(SpDatabase *database, SpSlot *slot)
{
	TimestampTz now = GetCurrentTimestamp();
	int64		wake_at = (int64) pg_atomic_read_u64(&database->wake_at);
	int64		due_at = sp_slot_due_at(slot, now);

	if (Min(due_at, sp_slot_flush_at(slot, now)) < wake_at || pg_atomic_read_u32(&database->worker_pid) == 0)
		sp_shared_wake_worker(database);
}

/* Whether its run is known to have ended. */
bool
sp_slot_has_ended(SpSlot *slot)
{
	return (pg_atomic_read_u32(&slot->status) & STATUS_MASK) >= SP_STATUS_COMPLETED;
}

/* The committed status, or SP_STATUS_UNKNOWN; *generation for storing it. */
SpStatus
sp_slot_status(SpSlot *slot, uint32 *generation)
{
	uint32		word = pg_atomic_read_u32(&slot->status);

	*generation = word & ~STATUS_MASK;
	return (SpStatus) (word & STATUS_MASK);
}

/* Stores a status read from the table after *generation was. */
void
sp_slot_set_status(SpSlot *slot, uint32 generation, SpStatus status)
{
	uint32		expected = generation | SP_STATUS_UNKNOWN;

	pg_atomic_compare_exchange_u32(&slot->status, &expected, generation | status);
}

/* The status was changed by a commit: the next reader reads the row. */
void
sp_slot_forget_status(SpSlot *slot)
{
	uint32		word = pg_atomic_read_u32(&slot->status);

	while (!pg_atomic_compare_exchange_u32(&slot->status, &word, (word & ~STATUS_MASK) + GENERATION_STEP))
		;
}

/* Likewise for all sessions of a database: its table was truncated. */
void
sp_slot_forget_all(SpDatabase *database)
{
	for (int i = 0; i < sp_max_sessions; i++)
	{
		SpSlot	   *slot = &table->slots[i];

		if (slot->key.database == database->database && slot->key.relation == database->relation)
			sp_slot_forget_status(slot);
	}
}
