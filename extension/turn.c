/*
 * turn.c
 *		One turn of the worker: read the ledger, fold and tell in batches.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fold.h"
#include "nodes/pg_list.h"
#include "queue.h"
#include "stall.h"
#include "storage/lmgr.h"
#include "turn.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define SWEEP_INTERVAL_US	INT64CONST(10000000)
#define ROTATE_INTERVAL_US	INT64CONST(500000)
#define LOCKED_RETRY_US		INT64CONST(200000)
#define UNSENT_RETRY_US		INT64CONST(1000000)
#define UNSENT_MAX			10000
#define ALL_HEAPS			((1u << SP_HEAPS) - 1)

typedef struct Turn
{
	const SpCatalog *catalog;
	SpNotifier	notify;
	SpQueue		queue;
	SpRows		rows;
} Turn;

/*
 * Revocations whose NOTIFY failed.  A state is told anew from its table; these
 * are nowhere else.
 */
static List *unsent = NIL;

static TimestampTz swept_at = 0;
static TimestampTz rotated_at = 0;

/* Counts a batch, and says aloud once what went wrong. */
static void
account_for(Turn *turn, const SpDue *due, int ndue, int nmessages, int64 fold_us, const char *error)
{
	SpStats    *stats = &turn->queue.database->stats;
	TimestampTz now = GetCurrentTimestamp();
	bool		news = false;

	SpinLockAcquire(&turn->queue.database->stats_lock);
	stats->folds++;
	stats->last_fold_us = fold_us;
	stats->fold_us += fold_us;
	stats->notifications += nmessages;
	for (int i = 0; i < ndue; i++)
	{
		if (due[i].outcome == SP_OUTCOME_FOLDED || due[i].outcome == SP_OUTCOME_UNTOLD)
			stats->increments += due[i].nrows;
		if (due[i].outcome == SP_OUTCOME_FOLDED)
		{
			stats->suppressed += due[i].marks > 1 ? (int64) due[i].marks - 1 : 0;
			if (due[i].slot != NULL && due[i].slot->backoff_ms > 0)
				stats->blocked_by = 0;	/* the one that was held up is through */
			sp_shared_note_latency(stats, now - due[i].since);
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
	SpinLockRelease(&turn->queue.database->stats_lock);
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

/* Keeps a revocation that could not be sent. */
static void
keep_unsent(const char *message)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	if (list_length(unsent) < UNSENT_MAX)
		unsent = lappend(unsent, pstrdup(message));
	MemoryContextSwitchTo(old);
}

/* Tries again to send what is kept. */
static void
send_unsent(Turn *turn)
{
	char		error[SP_ERROR_LENGTH];
	char	  **messages;
	int			count = 0;
	ListCell   *cell;

	if (unsent == NIL)
		return;
	messages = MemoryContextAlloc(turn->queue.context, list_length(unsent) * sizeof(char *));
	foreach(cell, unsent)
		messages[count++] = lfirst(cell);
	if (send(turn, messages, count, error))
	{
		list_free_deep(unsent);
		unsent = NIL;
	}
	else
		turn->queue.next = Min(turn->queue.next, turn->queue.now + UNSENT_RETRY_US);
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
			if (due[i].revoked != NULL)
				keep_unsent(due[i].revoked);
		}
		nmessages = 0;
	}
	account_for(turn, due, ndue, nmessages, folded - start, error);
	for (int i = 0; i < ndue; i++)
		sp_queue_finish(&due[i], folded);
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
	uint32		heaps;
	bool		look;

	queue->now = GetCurrentTimestamp();
	queue->next = queue->now + SWEEP_INTERVAL_US;
	queue->all = first || flush != pg_atomic_read_u64(&database->flush_done);
	look = queue->all || sweep || queue->now - swept_at >= SWEEP_INTERVAL_US || queue->now < swept_at;
	if (first)
		sp_queue_retell(queue, catalog);
	if (look)
	{
		sp_stall_touch(catalog, database);
		MemoryContextSwitchTo(context);
	}
	send_unsent(&turn);
	sp_queue_take(queue);
	*next = queue->next;
	if (queue->ndue == 0 && !look)
		return false;

	/* after the flags, which are set after these bits */
	heaps = pg_atomic_exchange_u32(&database->dirty_heaps, 0) | sp_queue_leftover() | (look ? ALL_HEAPS : 0);
	if (look)
		swept_at = queue->now;
	StartTransactionCommand();
	MemoryContextSwitchTo(context);
	sp_ledger_read_committed(catalog, database, heaps, &turn.rows);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	if (turn.rows.skipped != 0)
	{
		swept_at = queue->now - SWEEP_INTERVAL_US + LOCKED_RETRY_US;
		queue->next = Min(queue->next, queue->now + LOCKED_RETRY_US);
	}
	sp_queue_deal(queue, &turn.rows);
	for (int i = 0; i < queue->ndue; i += SP_FOLD_BATCH)
		do_batch(&turn, &queue->due[i], Min(SP_FOLD_BATCH, queue->ndue - i));

	if (queue->now - rotated_at >= ROTATE_INTERVAL_US || queue->now < rotated_at)
	{
		rotated_at = queue->now;
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
	*next = queue->next;
	return queue->ndue > 0;
}
