/*
 * turn.c
 *		One turn of the worker: who is due, their rows, their batches.
 *
 * Order matters.  A slot's flags are taken before the ledger is read: a commit
 * that comes later sets them again, and costs at most a turn that finds
 * nothing.  What could not be folded or told gets its flags back.
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "fold.h"
#include "isolate.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "turn.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define SWEEP_INTERVAL_US	INT64CONST(10000000)
#define ROTATE_INTERVAL_US	INT64CONST(500000)
#define UNKNOWN_KEPT_US		INT64CONST(600000000)	/* a restore loads sessions late */
#define UNKNOWN_RETRY_US	INT64CONST(5000000)
#define BACKOFF_MIN_MS		50
#define LOCKED_MAX_MS		1000
#define FAILED_MAX_MS		60000
#define ALL_HEAPS			((1u << SP_HEAPS) - 1)

/* The sessions of a turn. */
typedef struct Turn
{
	const SpCatalog *catalog;
	SpDatabase *database;
	MemoryContext context;
	SpNotifier	notify;
	TimestampTz now;
	bool		all;			/* whether due or not */
	SpDue	   *due;
	int			ndue;
	int			allocated;
	TimestampTz next;			/* the earliest of those not due */
	SpRows		rows;
} Turn;

static uint32 leftover_heaps = 0;	/* have rows that wait for their turn */
static TimestampTz swept_at = 0;
static TimestampTz rotated_at = 0;

static SpDue *
add_due(Turn *turn, int64 session)
{
	SpDue	   *due;

	if (turn->ndue == turn->allocated)
	{
		turn->allocated = Max(64, turn->allocated * 2);
		turn->due = turn->due == NULL
			? palloc(turn->allocated * sizeof(SpDue))
			: repalloc_huge(turn->due, turn->allocated * sizeof(SpDue));
	}
	due = &turn->due[turn->ndue++];
	memset(due, 0, sizeof(SpDue));
	due->session = session;
	due->since = turn->now;
	return due;
}

static int64
slot_due_at(SpSlot *slot)
{
	uint32		flags = pg_atomic_read_u32(&slot->flags);
	SpPulse		pulse = {
		.dirty = (flags & SP_SLOT_DIRTY) != 0,
		.urgent = (flags & SP_SLOT_URGENT) != 0,
		.pending = (int64) pg_atomic_read_u64(&slot->pending),
		.told_at = slot->told_at,
		.urgent_at = slot->urgent_at,
		.retry_at = slot->retry_at,
	};

	return sp_throttle_due_at(&pulse, &slot->throttle);
}

/* Takes the marks of a slot that is due; SP_SLOT_BUSY keeps it until finish(). */
static void
take(Turn *turn, SpSlot *slot, int64 due_at)
{
	SpDue	   *due = add_due(turn, slot->key.session);

	due->slot = slot;
	due->since = Max(due_at, (int64) pg_atomic_read_u64(&slot->marked_at));
	due->flags = pg_atomic_exchange_u32(&slot->flags, SP_SLOT_BUSY) & ~SP_SLOT_BUSY;
	due->pending = pg_atomic_exchange_u64(&slot->pending, 0);
	due->marks = pg_atomic_exchange_u64(&slot->marks, 0);
}

static void
take_due_slots(Turn *turn)
{
	int			position = 0;
	SpSlot	   *slot;

	while ((slot = sp_slot_next(turn->database, &position)) != NULL)
	{
		int64		due_at = slot_due_at(slot);

		if (due_at < 0)
		{
			/* a predecessor that died had it in hand */
			pg_atomic_fetch_and_u32(&slot->flags, ~SP_SLOT_BUSY);
			continue;
		}
		if (turn->all || due_at <= turn->now)
			take(turn, slot, due_at);
		else
			turn->next = Min(turn->next, due_at);
	}
}

/* Whether a turn would find something to do now. */
bool
sp_turn_due(SpDatabase *database, TimestampTz now)
{
	int			position = 0;
	SpSlot	   *slot;

	if (pg_atomic_read_u32(&database->sweep) != 0 ||
		pg_atomic_read_u64(&database->flush_wanted) != pg_atomic_read_u64(&database->flush_done))
		return true;
	while ((slot = sp_slot_next(database, &position)) != NULL)
	{
		int64		due_at = slot_due_at(slot);

		if (due_at >= 0 && due_at <= now)
			return true;
	}
	return false;
}

/* Runs that watchers may still wait for are told again, folded or not. */
static void
add_retold(Turn *turn)
{
	int64	   *ids;
	uint64		count;

	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute(psprintf("SELECT id FROM %1$s.sync_sessions WHERE status IN ('pending', 'processing', 'paused')"
							 " UNION ALL SELECT id FROM %1$s.sync_sessions"
							 " WHERE status IN ('completed', 'failed', 'cancelled') AND completed_at > now() - interval '10 minutes'",
							 quote_identifier(get_namespace_name(turn->catalog->schema))), true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read sessions");
	count = SPI_processed;
	ids = MemoryContextAlloc(turn->context, Max(count, 1) * sizeof(int64));
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;

		ids[i] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
	}
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();

	MemoryContextSwitchTo(turn->context);
	for (uint64 i = 0; i < count; i++)
	{
		SpSlot	   *slot = sp_slot_pin(turn->database, ids[i]);

		if (slot == NULL)
		{
			add_due(turn, ids[i])->flags = SP_SLOT_RETELL;
			continue;
		}
		/* a state that a predecessor left is not the truth any more */
		slot->told_at = slot->urgent_at = slot->retry_at = 0;
		sp_slot_forget_status(slot);
		(void) sp_slot_mark(slot, SP_SLOT_RETELL, 0, turn->now);
		sp_slot_unpin(slot);
	}
}

static int
compare_due(const void *a, const void *b)
{
	int64		x = ((const SpDue *) a)->session;
	int64		y = ((const SpDue *) b)->session;

	return x < y ? -1 : x > y;
}

/*
 * Gives each due session its rows.  Rows of sessions that have no mark (after
 * a restart, or for want of a slot) make these due.
 */
static void
deal_rows(Turn *turn)
{
	SpRow	   *rows = turn->rows.rows;
	int			marked = turn->ndue;

	qsort(rows, turn->rows.count, sizeof(SpRow), sp_net_compare);
	qsort(turn->due, turn->ndue, sizeof(SpDue), compare_due);
	for (int first = 0, last, d = 0; first < turn->rows.count; first = last)
	{
		SpDue	   *due = NULL;
		SpSlot	   *slot;

		for (last = first; last < turn->rows.count && rows[last].session == rows[first].session;)
			last++;
		while (d < marked && turn->due[d].session < rows[first].session)
			d++;
		if (d < marked && turn->due[d].session == rows[first].session)
			due = &turn->due[d];
		else if ((slot = sp_slot_pin(turn->database, rows[first].session)) == NULL)
			due = add_due(turn, rows[first].session);
		else
		{
			int64		due_at;

			if ((pg_atomic_read_u32(&slot->flags) & SP_SLOT_DIRTY) == 0)
				(void) sp_slot_mark(slot, 0, last - first, turn->now);
			due_at = slot_due_at(slot);
			if (turn->all || due_at <= turn->now)
			{
				take(turn, slot, due_at);
				due = &turn->due[turn->ndue - 1];
			}
			else
				turn->next = Min(turn->next, due_at);
			sp_slot_unpin(slot);
		}
		if (due != NULL)
		{
			due->rows = &rows[first];
			due->nrows = last - first;
		}
		else
		{
			for (int i = first; i < last; i++)
				leftover_heaps |= 1u << rows[i].heap;
		}
	}
}

/*
 * Locks the tables against being dropped, in one fixed order and without
 * waiting: DROP EXTENSION, which wants them all, must not deadlock with us.
 */
static bool
lock_tables(const SpCatalog *catalog)
{
	if (!ConditionalLockRelationOid(catalog->sessions, RowExclusiveLock) ||
		!ConditionalLockRelationOid(catalog->accounts, RowExclusiveLock) ||
		!ConditionalLockRelationOid(catalog->kinds, RowShareLock))
		return false;
	for (int i = 0; i < SP_HEAPS; i++)
	{
		if (!ConditionalLockRelationOid(catalog->ledger[i], RowExclusiveLock))
			return false;
	}
	return true;
}

static void
put_back(SpDue *due, uint32 flags, TimestampTz retry_at)
{
	for (int i = 0; i < due->nrows; i++)
		leftover_heaps |= 1u << due->rows[i].heap;
	if (due->slot == NULL)
		return;
	due->slot->retry_at = retry_at;
	pg_atomic_fetch_add_u64(&due->slot->pending, due->pending);
	pg_atomic_fetch_add_u64(&due->slot->marks, due->marks);
	pg_atomic_fetch_or_u32(&due->slot->flags, flags | SP_SLOT_DIRTY);
}

/* A later turn, after twice as long as last time. */
static TimestampTz
back_off(SpDue *due, TimestampTz now, int max_ms)
{
	int			ms = BACKOFF_MIN_MS;

	if (due->slot != NULL)
	{
		ms = Min(Max(due->slot->backoff_ms * 2, BACKOFF_MIN_MS), max_ms);
		due->slot->backoff_ms = ms;
	}
	return now + (int64) ms * 1000;
}

/* Writes down what became of one session, and lets go of its slot. */
static void
finish(Turn *turn, SpDue *due, TimestampTz now)
{
	SpSlot	   *slot = due->slot;

	switch (due->outcome)
	{
		case SP_OUTCOME_LOCKED:
			put_back(due, due->flags, back_off(due, now, LOCKED_MAX_MS));
			break;
		case SP_OUTCOME_FAILED:
			put_back(due, due->flags, back_off(due, now, FAILED_MAX_MS));
			break;
		case SP_OUTCOME_UNTOLD:
			due->nrows = 0;
			put_back(due, due->flags | SP_SLOT_RETELL, back_off(due, now, FAILED_MAX_MS));
			break;
		case SP_OUTCOME_UNKNOWN:
			if (due->nrows > 0 && !due->discard)
			{
				if (slot != NULL && slot->unknown_since == 0)
					slot->unknown_since = now;
				put_back(due, 0, now + UNKNOWN_RETRY_US);
			}
			break;
		case SP_OUTCOME_FOLDED:
			if (slot == NULL)
				break;
			slot->retry_at = slot->unknown_since = 0;
			slot->backoff_ms = 0;
			if (due->progressed || (due->flags & SP_SLOT_URGENT) == 0)
				slot->told_at = now;
			if (due->flags & SP_SLOT_URGENT)
				slot->urgent_at = now;
			break;
		case SP_OUTCOME_NOTHING:
			break;
	}
	if (slot == NULL)
		return;
	if (due->throttle.every_count > 0)
	{
		slot->throttle = due->throttle;
		pg_atomic_write_u32(&slot->every_count, (uint32) Min(due->throttle.every_count, PG_INT32_MAX));
	}
	if (due->restatus && due->outcome != SP_OUTCOME_FAILED)
		sp_slot_forget_status(slot);
	pg_atomic_fetch_and_u32(&slot->flags, ~SP_SLOT_BUSY);
	due->slot = NULL;
}

/* Counts a batch, and says aloud once what went wrong. */
static void
account_for(Turn *turn, const SpDue *due, int ndue, int nmessages, TimestampTz start, TimestampTz end, const char *error)
{
	SpStats    *stats = &turn->database->stats;
	bool		news = false;

	SpinLockAcquire(&turn->database->stats_lock);
	stats->folds++;
	stats->last_fold_us = end - start;
	stats->fold_us += end - start;
	stats->notifications += nmessages;
	for (int i = 0; i < ndue; i++)
	{
		if (due[i].outcome == SP_OUTCOME_FOLDED || due[i].outcome == SP_OUTCOME_UNTOLD)
			stats->increments += due[i].nrows;
		if (due[i].outcome == SP_OUTCOME_FOLDED)
		{
			stats->suppressed += due[i].marks > 1 ? (int64) due[i].marks - 1 : 0;
			sp_shared_note_latency(stats, end - due[i].since);
		}
		else if (due[i].outcome == SP_OUTCOME_UNKNOWN && due[i].discard)
			stats->discarded += due[i].nrows;
		else if (due[i].outcome != SP_OUTCOME_NOTHING)
			stats->backed_off++;
		if (due[i].outcome == SP_OUTCOME_LOCKED)
			stats->blocked_by = due[i].blocked_by;
	}
	if (error[0] != '\0' && strcmp(error, stats->last_error) != 0)
	{
		strlcpy(stats->last_error, error, SP_ERROR_LENGTH);
		news = true;
	}
	SpinLockRelease(&turn->database->stats_lock);
	if (news)
		ereport(WARNING,
				(errmsg("sync_progress: %s", error),
				 errdetail("The session is put off and tried again; the others go on."),
				 errhint("See last_error in pg_stat_sync_progress.")));
}

/* Sends a batch's messages.  Returns false, with *error, when that failed. */
static bool
send(Turn *turn, char **messages, int count, char *error)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool sent = true;

	if (count == 0)
		return true;
	PG_TRY();
	{
		turn->notify(messages, count);
	}
	PG_CATCH();
	{
		ErrorData  *data;

		MemoryContextSwitchTo(context);
		data = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		snprintf(error, SP_ERROR_LENGTH, "notify: %s", data->message);
		sent = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	return sent;
}

/* Folds a batch in one transaction and tells it in another. */
static void
do_batch(Turn *turn, SpDue *due, int ndue)
{
	char		error[SP_ERROR_LENGTH] = "";
	char	  **messages = palloc(2 * ndue * sizeof(char *));
	int			nmessages = 0;
	TimestampTz start = GetCurrentTimestamp();
	TimestampTz folded;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (lock_tables(turn->catalog))
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(turn->context);
		sp_fold_batch(turn->catalog, turn->database, due, ndue, turn->context, error, sizeof(error));
		PopActiveSnapshot();
	}
	else
	{
		for (int i = 0; i < ndue; i++)
			due[i].outcome = SP_OUTCOME_LOCKED;
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(turn->context);
	folded = GetCurrentTimestamp();

	for (int i = 0; i < ndue; i++)
	{
		if (due[i].revoked != NULL)
			messages[nmessages++] = due[i].revoked;
		if (due[i].message != NULL)
			messages[nmessages++] = due[i].message;
	}
	if (!send(turn, messages, nmessages, error))
	{
		for (int i = 0; i < ndue; i++)
		{
			if (due[i].message != NULL)
				due[i].outcome = SP_OUTCOME_UNTOLD;
		}
		nmessages = 0;
	}
	account_for(turn, due, ndue, nmessages, start, folded, error);
	for (int i = 0; i < ndue; i++)
		finish(turn, &due[i], folded);
}

/*
 * Do one turn.  Returns whether there was something to do; *next gets when the
 * next one is due at the latest.
 *
 * Outside of a transaction, in "context", which lives as long as the turn.
 */
bool
sp_turn(const SpCatalog *catalog, SpDatabase *database, MemoryContext context,
		SpNotifier notify, bool first, TimestampTz *next)
{
	Turn		turn = {.catalog = catalog, .database = database, .context = context, .notify = notify};
	uint64		flush = pg_atomic_read_u64(&database->flush_wanted);
	uint32		sweep = pg_atomic_exchange_u32(&database->sweep, 0);
	uint32		heaps;
	bool		look;

	turn.now = GetCurrentTimestamp();
	turn.next = turn.now + SWEEP_INTERVAL_US;
	turn.all = first || sweep > 1 || flush != pg_atomic_read_u64(&database->flush_done);
	look = turn.all || sweep || turn.now - swept_at >= SWEEP_INTERVAL_US;
	if (first)
		add_retold(&turn);
	take_due_slots(&turn);
	if (turn.ndue == 0 && !look)
	{
		*next = turn.next;
		return false;
	}
	heaps = pg_atomic_exchange_u32(&database->dirty_heaps, 0) | leftover_heaps | (look ? ALL_HEAPS : 0);
	leftover_heaps = 0;
	if (look)
		swept_at = turn.now;

	StartTransactionCommand();
	MemoryContextSwitchTo(context);
	sp_ledger_read_committed(catalog, database, heaps, &turn.rows);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	deal_rows(&turn);
	for (int i = 0; i < turn.ndue; i++)
	{
		SpSlot	   *slot = turn.due[i].slot;

		turn.due[i].discard = slot != NULL && slot->unknown_since != 0 &&
			turn.now - slot->unknown_since > UNKNOWN_KEPT_US;
	}
	for (int i = 0; i < turn.ndue; i += SP_FOLD_BATCH)
		do_batch(&turn, &turn.due[i], Min(SP_FOLD_BATCH, turn.ndue - i));

	if (turn.now - rotated_at >= ROTATE_INTERVAL_US)
	{
		rotated_at = turn.now;
		StartTransactionCommand();
		sp_ledger_rotate(catalog, database);
		CommitTransactionCommand();
		MemoryContextSwitchTo(context);
	}
	if (flush != pg_atomic_read_u64(&database->flush_done))
	{
		pg_atomic_write_u64(&database->flush_done, flush);
		ConditionVariableBroadcast(&database->flushed);
	}
	*next = turn.next;
	return turn.ndue > 0;
}
