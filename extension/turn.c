/*
 * turn.c
 *		One turn of the worker: read the ledger, fold and tell in batches.
 */
#include "postgres.h"

#include "access/xact.h"
#include "activity.h"
#include "cell.h"
#include "flush.h"
#include "fold.h"
#include "lineage.h"
#include "marks.h"
#include "queue.h"
#include "ring.h"
#include "stall.h"
#include "storage/lmgr.h"
#include "told.h"
#include "turn.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define SWEEP_INTERVAL_US	INT64CONST(10000000)
#define ROTATE_INTERVAL_US	INT64CONST(500000)
#define LOCKED_RETRY_US		INT64CONST(200000)
#define UNTOLD_RETRY_US		INT64CONST(1000000)
#define ALL_HEAPS			((1u << SP_HEAPS) - 1)

typedef struct Turn
{
	const SpCatalog *catalog;
	SpNotifier	notify;
	SpQueue		queue;
	SpRows		rows;
	SpRows		told;			/* those that are messages */
	bool		ending;			/* a session was left to the next turn */
} Turn;

static TimestampTz swept_at = 0;
static TimestampTz rotated_at = 0;
static TimestampTz untold_at = 0;	/* when to try again; 0: nothing to */

/* Counts messages, and says aloud once what went wrong. */
static void
account_for_messages(Turn *turn, int nmessages, char *error)
{
	SpStats    *stats = &turn->queue.database->stats;

	SpinLockAcquire(&turn->queue.database->stats_lock);
	stats->notifications += nmessages;
	SpinLockRelease(&turn->queue.database->stats_lock);
	if (error[0] != '\0' && sp_shared_note_error(turn->queue.database, error))
		ereport(WARNING,
				(errmsg("sync_progress: %s", error),
				 errdetail("The session is put off and tried again; the others go on."),
				 errhint("See last_error in pg_stat_sync_progress.")));
}

/* Counts a session that was put off, and why. */
static void
account_for_delay(SpStats *stats, const SpDue *due, TimestampTz now)
{
	stats->backed_off++;
	if (due->outcome == SP_OUTCOME_LOCKED)
	{
		stats->backed_off_locked++;
		stats->blocked_by = due->blocked_by;
		stats->blocked_session = due->session;
		stats->blocked_at = now;
	}
	else if (due->outcome == SP_OUTCOME_FAILED)
		stats->backed_off_failed++;
	else if (due->outcome == SP_OUTCOME_UNKNOWN)
		stats->backed_off_unknown++;
	else
		stats->backed_off_untold++;
}

/* Counts a batch. */
static void
account_for(Turn *turn, const SpDue *due, int ndue, int64 fold_us)
{
	SpStats    *stats = &turn->queue.database->stats;
	TimestampTz now = GetCurrentTimestamp();

	SpinLockAcquire(&turn->queue.database->stats_lock);
	stats->folds++;
	stats->last_fold_us = fold_us;
	stats->fold_us += fold_us;
	sp_shared_note_latency(stats->fold_latency, fold_us);
	for (int i = 0; i < ndue; i++)
	{
		if (due[i].outcome == SP_OUTCOME_FOLDED || due[i].outcome == SP_OUTCOME_UNTOLD ||
			due[i].outcome == SP_OUTCOME_FLUSHED || due[i].outcome == SP_OUTCOME_PUT_OFF)
		{
			stats->increments += due[i].nrows;
			sp_marks_count(stats, &due[i].score);
		}
		if (due[i].outcome == SP_OUTCOME_FOLDED)
		{
			stats->suppressed += due[i].marks > 1 ? (int64) due[i].marks - 1 : 0;
			if (due[i].slot != NULL && due[i].slot->backoff_ms > 0)
				stats->blocked_by = stats->blocked_session = 0; /* the one that was held
																 * up is through */
			sp_shared_note_latency(stats->latency, now - due[i].since);
		}
		else if (due[i].outcome == SP_OUTCOME_UNKNOWN && due[i].discard)
			stats->discarded += due[i].nrows;
		else if (due[i].outcome != SP_OUTCOME_NOTHING && due[i].outcome != SP_OUTCOME_FLUSHED &&
				 due[i].outcome != SP_OUTCOME_ENDING)
			account_for_delay(stats, &due[i], now);
	}
	SpinLockRelease(&turn->queue.database->stats_lock);
}

/* Folds a batch in one transaction and tells it in another. */
static void
do_batch(Turn *turn, SpDue *due, int ndue)
{
	char		error[SP_ERROR_LENGTH] = "";
	char	  **messages = palloc(ndue * sizeof(char *));
	int			nmessages = 0;
	TimestampTz start = GetCurrentTimestamp();
	TimestampTz folded;
	int			nrows = 0;

	for (int i = 0; i < ndue; i++)
		nrows += due[i].nrows;
	sp_activity_folding(ndue, nrows);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (sp_catalog_lock(turn->catalog) && !sp_ledger_moved(turn->catalog, &turn->rows))
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		MemoryContextSwitchTo(turn->queue.context);
		sp_fold_batch(turn->catalog, turn->queue.database, due, ndue, turn->queue.context, error, sizeof(error));
		PopActiveSnapshot();
	}
	else
	{
		for (int i = 0; i < ndue; i++)
			due[i].outcome = SP_OUTCOME_LOCKED;
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(turn->queue.context);
	folded = GetCurrentTimestamp();

	for (int i = 0; i < ndue; i++)
	{
		if (due[i].message != NULL)
			messages[nmessages++] = due[i].message;
	}
	if (!sp_send(turn->notify, messages, nmessages, error))
	{
		for (int i = 0; i < ndue; i++)
		{
			if (due[i].message != NULL)
				due[i].outcome = SP_OUTCOME_UNTOLD;
		}
		nmessages = 0;
	}
	account_for(turn, due, ndue, folded - start);
	account_for_messages(turn, nmessages, error);
	for (int i = 0; i < ndue; i++)
	{
		turn->ending = turn->ending || due[i].outcome == SP_OUTCOME_ENDING;
		sp_queue_finish(turn->queue.database, &due[i], folded);
	}
}

/* Tells the rows that are messages; what cannot be told now, later. */
static void
tell_messages(Turn *turn)
{
	char		error[SP_ERROR_LENGTH] = "";
	int			told = sp_told_tell(turn->catalog, turn->queue.database, &turn->told, turn->notify, error);

	account_for_messages(turn, told, error);
	untold_at = told == turn->told.count ? 0 : GetCurrentTimestamp() + UNTOLD_RETRY_US;
}

/* Reads the ledger, in a transaction that ends before anything is locked. */
static void
read_ledger(Turn *turn, uint32 heaps)
{
	SpQueue    *queue = &turn->queue;

	StartTransactionCommand();
	MemoryContextSwitchTo(queue->context);
	sp_ledger_read_committed(turn->catalog, queue->database, heaps, &turn->rows);
	CommitTransactionCommand();
	MemoryContextSwitchTo(queue->context);
	sp_told_take(&turn->rows, &turn->told);
	if (turn->rows.skipped != 0)
	{
		swept_at = queue->now - SWEEP_INTERVAL_US + LOCKED_RETRY_US;
		queue->next = Min(queue->next, queue->now + LOCKED_RETRY_US);
	}
}

/*
 * Remembers which sessions were deleted (or are another's), for when their turn
 * comes: these rows are told and gone by then.
 */
static void
note_revoked(Turn *turn)
{
	for (int i = 0; i < turn->told.count; i++)
	{
		SpSlot	   *slot = turn->told.rows[i].op == SP_OP_REVOKED
		? sp_slot_find(turn->queue.database, turn->told.rows[i].session) : NULL;

		if (slot == NULL)
			continue;
		slot->revoked = true;
		sp_slot_unpin(slot);
	}
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
	Turn		turn = {catalog, notify, {.database = database, .context = context}};
	SpQueue    *queue = &turn.queue;
	uint64		flush = pg_atomic_read_u64(&database->flush_wanted);
	uint32		sweep = pg_atomic_exchange_u32(&database->sweep, 0);
	uint32		messages = pg_atomic_exchange_u32(&database->messages, 0);
	uint32		heaps;
	int			first_part;
	bool		look;
	bool		tell;

	queue->now = GetCurrentTimestamp();
	queue->next = queue->now + SWEEP_INTERVAL_US;
	queue->all = first || flush != pg_atomic_read_u64(&database->flush_done);
	look = queue->all || sweep || queue->now - swept_at >= SWEEP_INTERVAL_US || queue->now < swept_at;
	if (first)
		sp_queue_retell(queue, catalog);
	if (look)
	{
		sp_lineage_touch(catalog, database);
		sp_stall_touch(catalog, database);
		MemoryContextSwitchTo(context);
	}
	if (look)
		sp_cell_tidy(database, queue->now);
	sp_queue_take(queue);
	tell = look || messages != 0 || (untold_at != 0 && queue->now >= untold_at);
	if (queue->ndue == 0 && !tell)
	{
		*next = queue->next;
		return false;
	}

	/* after the flags, which are set after these bits */
	heaps = pg_atomic_exchange_u32(&database->dirty_heaps, 0) | sp_queue_leftover() | (tell ? ALL_HEAPS : 0);
	if (look)
		swept_at = queue->now;
	sp_flush_read(database, queue->due, queue->ndue);
	read_ledger(&turn, heaps);
	note_revoked(&turn);
	sp_queue_deal(queue, &turn.rows);
	for (int i = 0; i < queue->ndue; i++)
		queue->due[i].discard |= sp_told_revoked(&turn.told, queue->due[i].session);
	/* those of a heap that was not read might have to go first */
	if (tell && turn.rows.skipped == 0)
		tell_messages(&turn);
	first_part = sp_queue_part(queue);
	for (int i = 0; i < first_part; i += SP_FOLD_BATCH)
		do_batch(&turn, &queue->due[i], Min(SP_FOLD_BATCH, first_part - i));
	for (int i = first_part; i < queue->ndue; i += SP_FOLD_BATCH)
		do_batch(&turn, &queue->due[i], Min(SP_FOLD_BATCH, queue->ndue - i));

	if (queue->now - rotated_at >= ROTATE_INTERVAL_US || queue->now < rotated_at)
	{
		rotated_at = queue->now;
		StartTransactionCommand();
		sp_ring_rotate(catalog, database);
		CommitTransactionCommand();
		MemoryContextSwitchTo(context);
	}
	if (flush != pg_atomic_read_u64(&database->flush_done) && !turn.ending)
	{
		pg_atomic_write_u64(&database->flush_done, flush);
		ConditionVariableBroadcast(&database->flushed);
	}
	*next = untold_at == 0 ? queue->next : Min(queue->next, untold_at);
	return queue->ndue > 0 || turn.told.count > 0;
}
