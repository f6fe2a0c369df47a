/*
 * queue.c
 *		Who is due, and what becomes of those that were.
 *
 * A slot's flags are taken before the ledger is read: a commit that comes later
 * sets them again, and costs at most a turn that finds nothing.  What could not
 * be folded or told gets its flags back, to be tried again later.
 */
#include "postgres.h"

#include "access/xact.h"
#include "flush.h"
#include "queue.h"
#include "rows.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define UNKNOWN_KEPT_US		INT64CONST(600000000)	/* 10 min: for restores */
#define UNKNOWN_RETRY_US	INT64CONST(5000000)
#define BACKOFF_MIN_MS		50
#define LOCKED_MAX_MS		1000
#define FAILED_MAX_MS		SP_SLOT_RETRY_MAX_MS

static uint32 leftover_heaps = 0;	/* have rows that wait for their turn */

/* Sessions that are marked and not due yet; of the turn, in its context. */
static HTAB *waiting = NULL;

/* Bits of the heaps with rows that wait for a later turn; forgets them. */
uint32
sp_queue_leftover(void)
{
	uint32		heaps = leftover_heaps;

	leftover_heaps = 0;
	return heaps;
}

static SpDue *
add_due(SpQueue *queue, int64 session)
{
	SpDue	   *due;

	if (queue->ndue == queue->allocated)
	{
		queue->allocated = Max(64, queue->allocated * 2);
		queue->due = queue->due == NULL
			? palloc(queue->allocated * sizeof(SpDue))
			: repalloc_huge(queue->due, queue->allocated * sizeof(SpDue));
	}
	due = &queue->due[queue->ndue++];
	memset(due, 0, sizeof(SpDue));
	due->session = session;
	due->since = queue->now;
	return due;
}

/* Takes the marks of a slot that is due; SP_SLOT_BUSY keeps it until sp_queue_finish(). */
static void
take(SpQueue *queue, SpSlot *slot, int64 due_at)
{
	SpDue	   *due = add_due(queue, slot->key.session);

	due->slot = slot;
	due->since = Min(queue->now, Max(due_at, (int64) pg_atomic_read_u64(&slot->marked_at)));
	due->flags = pg_atomic_exchange_u32(&slot->flags, SP_SLOT_BUSY) & ~SP_SLOT_BUSY;
	due->pending = pg_atomic_exchange_u64(&slot->pending, 0);
	due->marks = pg_atomic_exchange_u64(&slot->marks, 0);
}

static HTAB *
make_waiting(MemoryContext context)
{
	HASHCTL		info = {.keysize = sizeof(int64), .entrysize = sizeof(int64), .hcxt = context};

	return hash_create("sync_progress waiting", 256, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Takes all that are due; queue->next gets the time of the first that is not. */
void
sp_queue_take(SpQueue *queue)
{
	int			position = 0;
	SpSlot	   *slot;

	waiting = NULL;				/* that of the turn before is gone with it */
	while ((slot = sp_slot_next(queue->database, &position)) != NULL)
	{
		int64		due_at = sp_slot_due_at(slot, queue->now);
		int64		flush_at = sp_slot_flush_at(slot, queue->now);

		if (due_at < 0)
		{
			/* a predecessor that died had it in hand */
			pg_atomic_fetch_and_u32(&slot->flags, ~SP_SLOT_BUSY);
			continue;
		}
		if (queue->all || due_at <= queue->now)
			take(queue, slot, due_at);
		else if (flush_at <= queue->now)
		{
			take(queue, slot, due_at);
			queue->due[queue->ndue - 1].quiet = true;
		}
		else
		{
			queue->next = Min(queue->next, Min(due_at, flush_at));
			if (waiting == NULL)
				waiting = make_waiting(queue->context);
			(void) hash_search(waiting, &slot->key.session, HASH_ENTER, NULL);
		}
	}
}

/*
 * Leaves out the rows of sessions whose turn is later: of a session that is
 * counted a thousand times a second each row is read in many turns, and to sort
 * them every time was a third of the worker's work.
 */
static void
leave_waiting(SpRows *ledger)
{
	int			kept = 0;

	if (waiting == NULL)
		return;
	for (int i = 0; i < ledger->count; i++)
	{
		if (hash_search(waiting, &ledger->rows[i].session, HASH_FIND, NULL) != NULL)
			leftover_heaps |= 1u << ledger->rows[i].heap;
		else
			ledger->rows[kept++] = ledger->rows[i];
	}
	ledger->count = kept;
}

/*
 * When the next session is due, as the marks stand; 0: there is something to
 * do at once, INT64_MAX: nothing.
 */
TimestampTz
sp_queue_next(SpDatabase *database)
{
	int			position = 0;
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz next = PG_INT64_MAX;
	SpSlot	   *slot;

	if (pg_atomic_read_u32(&database->sweep) != 0 || pg_atomic_read_u32(&database->messages) != 0 ||
		pg_atomic_read_u64(&database->flush_wanted) != pg_atomic_read_u64(&database->flush_done))
		return 0;
	while ((slot = sp_slot_next(database, &position)) != NULL)
	{
		int64		due_at = sp_slot_due_at(slot, now);

		if (due_at >= 0)
			next = Min(next, Min(due_at, sp_slot_flush_at(slot, now)));
	}
	return next;
}

/* Runs that watchers may still wait for are told again, folded or not. */
void
sp_queue_retell(SpQueue *queue, const SpCatalog *catalog)
{
	int64	   *ids;
	uint64		count;

	SetCurrentStatementStartTimestamp();	/* now() is this */
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute(psprintf("SELECT id FROM %1$s.sync_sessions WHERE status IN ('pending', 'processing', 'paused')"
							 " UNION ALL SELECT id FROM %1$s.sync_sessions"
							 " WHERE status IN ('completed', 'failed', 'cancelled') AND completed_at > now() - interval '10 minutes'",
							 quote_identifier(get_namespace_name(catalog->schema))), true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read sessions");
	count = SPI_processed;
	ids = MemoryContextAlloc(queue->context, Max(count, 1) * sizeof(int64));
	for (uint64 i = 0; i < count; i++)
		ids[i] = sp_rows_int64(SPI_tuptable->vals[i], 1, NULL);
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();

	MemoryContextSwitchTo(queue->context);
	for (uint64 i = 0; i < count; i++)
	{
		SpSlot	   *slot = sp_slot_pin(queue->database, ids[i]);

		if (slot == NULL)
		{
			add_due(queue, ids[i])->flags = SP_SLOT_RETELL;
			continue;
		}
		/* a state that a predecessor left is not the truth any more */
		slot->told_at = slot->urgent_at = slot->retry_at = 0;
		sp_slot_forget_status(slot);
		(void) sp_slot_mark(slot, SP_SLOT_RETELL, 0, queue->now);
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
void
sp_queue_deal(SpQueue *queue, SpRows *ledger)
{
	SpRow	   *rows = ledger->rows;
	int			marked = queue->ndue;
	SpSlot	   *slot;

	leave_waiting(ledger);
	qsort(rows, ledger->count, sizeof(SpRow), sp_net_compare);
	qsort(queue->due, queue->ndue, sizeof(SpDue), compare_due);
	for (int first = 0, last, d = 0; first < ledger->count; first = last)
	{
		SpDue	   *due = NULL;

		for (last = first; last < ledger->count && rows[last].session == rows[first].session;)
			last++;
		while (d < marked && queue->due[d].session < rows[first].session)
			d++;
		if (d < marked && queue->due[d].session == rows[first].session)
			due = &queue->due[d];
		else if ((slot = sp_slot_pin(queue->database, rows[first].session)) == NULL)
			due = add_due(queue, rows[first].session);
		else
		{
			int64		due_at;
			uint32		flags = 0;

			for (int i = first; i < last; i++)
			{
				if (rows[i].op == SP_OP_TOUCH)
					flags |= (uint32) rows[i].amount & SP_SLOT_URGENT;
				else if (rows[i].op == SP_OP_STATUS || rows[i].op == SP_OP_GONE)
					flags |= SP_SLOT_URGENT;
			}
			if ((pg_atomic_read_u32(&slot->flags) & SP_SLOT_DIRTY) == 0)
				(void) sp_slot_mark(slot, flags, last - first, queue->now);
			due_at = sp_slot_due_at(slot, queue->now);
			if (queue->all || due_at <= queue->now)
			{
				take(queue, slot, due_at);
				due = &queue->due[queue->ndue - 1];
				/* its cells are not looked at this time */
				if (due->flags & SP_SLOT_LIVE)
					pg_atomic_fetch_or_u32(&slot->flags, SP_SLOT_LIVE | SP_SLOT_DIRTY);
			}
			else
				queue->next = Min(queue->next, due_at);
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
	for (int i = 0; i < queue->ndue; i++)
	{
		slot = queue->due[i].slot;
		queue->due[i].discard = slot != NULL &&
			(slot->revoked || (slot->unknown_since != 0 && queue->now - slot->unknown_since > UNKNOWN_KEPT_US));
	}
}

/*
 * Those whose payload failed last time come last: their batches may take long,
 * and those before are told by then.  Returns how many come before.
 */
int
sp_queue_part(SpQueue *queue)
{
	SpDue	   *last = palloc(Max(queue->ndue, 1) * sizeof(SpDue));
	int			first = 0;
	int			nlast = 0;

	for (int i = 0; i < queue->ndue; i++)
	{
		if (queue->due[i].slot != NULL && queue->due[i].slot->untellable)
			last[nlast++] = queue->due[i];
		else
			queue->due[first++] = queue->due[i];
	}
	memcpy(&queue->due[first], last, nlast * sizeof(SpDue));
	return first;
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

/* A later queue, after twice as long as last time. */
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
void
sp_queue_finish(SpDatabase *database, SpDue *due, TimestampTz now)
{
	SpSlot	   *slot = due->slot;

	sp_flush_done(database, due);
	switch (due->outcome)
	{
		case SP_OUTCOME_LOCKED:
			put_back(due, due->flags, back_off(due, now, LOCKED_MAX_MS));
			break;
		case SP_OUTCOME_ENDING:
			put_back(due, due->flags, slot->retry_at);
			break;
		case SP_OUTCOME_FAILED:
			put_back(due, due->flags, back_off(due, now, FAILED_MAX_MS));
			break;
		case SP_OUTCOME_UNTOLD:
			due->nrows = 0;
			put_back(due, (due->flags & ~SP_SLOT_LIVE) | SP_SLOT_RETELL, back_off(due, now, FAILED_MAX_MS));
			if (slot != NULL && due->untellable)
				slot->untellable = true;
			break;
		case SP_OUTCOME_PUT_OFF:
			due->nrows = 0;
			put_back(due, (due->flags & ~SP_SLOT_LIVE) | SP_SLOT_RETELL, due->retry_at);
			break;
		case SP_OUTCOME_UNKNOWN:
			if (due->discard || (due->nrows == 0 && (slot == NULL || slot->first_cell < 0)))
				break;
			if (slot != NULL && slot->unknown_since == 0)
				slot->unknown_since = now;
			/* counted live for a session whose transaction goes on: soon */
			put_back(due, 0, due->nrows > 0 ? now + UNKNOWN_RETRY_US : back_off(due, now, LOCKED_MAX_MS));
			break;
		case SP_OUTCOME_FLUSHED:
			/* when to tell it is as it was */
			due->nrows = 0;
			slot->unknown_since = 0;
			if (!slot->untellable)
				slot->backoff_ms = 0;
			put_back(due, (due->flags & ~SP_SLOT_LIVE) | SP_SLOT_RETELL, slot->retry_at);
			break;
		case SP_OUTCOME_FOLDED:
			if (slot == NULL)
				break;
			slot->retry_at = slot->unknown_since = 0;
			slot->backoff_ms = 0;
			slot->untellable = false;
			if (due->progressed || (due->flags & SP_SLOT_URGENT) == 0)
				slot->told_at = now;
			if (due->flags & SP_SLOT_URGENT)
				slot->urgent_at = now;
			break;
		case SP_OUTCOME_NOTHING:
			/* all that was to be told is still to be told */
			if (due->quiet && !due->gone)
				put_back(due, due->flags & ~SP_SLOT_LIVE, slot->retry_at);
			break;
	}
	if (slot == NULL)
		return;
	slot->fold_retry_at = sp_outcome_is_folded(due->outcome) ? 0 : slot->retry_at;
	if (sp_outcome_is_folded(due->outcome))
		slot->revoked = false;
	if (sp_outcome_is_folded(due->outcome) || due->outcome == SP_OUTCOME_ENDING)
		slot->end_seen = due->ended;
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
