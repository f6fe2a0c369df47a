/*
 * told.c
 *		Ledger rows that are messages: each is told, whatever became of its session.
 *
 * A state that was not told is made anew from its table.  A message (that a
 * stream is not its watchers' any more, say) is nowhere but in its row.  So the
 * row stays until the NOTIFY has committed, and is deleted in a transaction of
 * its own: whoever dies in between leaves it to be told again, not lost.
 *
 * They are told in the order of their stamps, which for the messages of one
 * session is the order of its versions.  Two changes made one after the other
 * may lie in different heaps, so the caller has read all of them, as of one
 * snapshot.
 */
#include "postgres.h"

#include "access/xact.h"
#include "event.h"
#include "payload.h"
#include "told.h"
#include "utils/timestamp.h"

#define TOLD_BATCH		256		/* messages in a transaction */

static bool
is_message(const SpRow *row)
{
	return row->op == SP_OP_REVOKED || row->op == SP_OP_EVENT;
}

/* Order for qsort(): as they are to be told. */
static int
compare_told(const void *a, const void *b)
{
	const SpRow *x = a;
	const SpRow *y = b;

	if (x->stamp != y->stamp)
		return x->stamp < y->stamp ? -1 : 1;
	if (x->heap != y->heap)
		return x->heap < y->heap ? -1 : 1;
	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Move the messages among the rows from "ledger" to "told", where they are in the order of sp_net_compare(). */
void
sp_told_take(SpRows *ledger, SpRows *told)
{
	int			kept = 0;

	for (int i = 0; i < ledger->count; i++)
		told->allocated += is_message(&ledger->rows[i]);
	if (told->allocated == 0)
		return;
	told->rows = palloc_extended(told->allocated * sizeof(SpRow), MCXT_ALLOC_HUGE);
	memcpy(told->files, ledger->files, sizeof(told->files));
	for (int i = 0; i < ledger->count; i++)
	{
		if (is_message(&ledger->rows[i]))
		{
			told->rows[told->count++] = ledger->rows[i];
			told->heaps |= 1u << ledger->rows[i].heap;
		}
		else
			ledger->rows[kept++] = ledger->rows[i];
	}
	ledger->count = kept;
	qsort(told->rows, told->count, sizeof(SpRow), sp_net_compare);
}

/* Whether one of the messages, as just taken, says that the session is gone or another's. */
bool
sp_told_revoked(const SpRows *told, int64 session)
{
	int			low = 0;
	int			high = told->count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (told->rows[middle].session < session)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < told->count && told->rows[low].session == session; low++)
	{
		if (told->rows[low].op == SP_OP_REVOKED)
			return true;
	}
	return false;
}

/* Deletes the rows of messages that are told; false: that is not possible now. */
static bool
forget(const SpCatalog *catalog, SpDatabase *database, const SpRows *told, int first, int count)
{
	bool		locked;

	StartTransactionCommand();
	locked = sp_ledger_lock(catalog, told);
	if (locked)
		sp_ledger_delete(catalog, database, &told->rows[first], count);
	CommitTransactionCommand();
	return locked;
}

/*
 * Makes the rows' messages; returns how many.  A row that nobody but a human
 * hand can have written is passed over: NOTIFY would refuse it for ever, and
 * all that come after it.
 */
static int
compose(const SpRow *rows, int count, char **messages)
{
	TimestampTz now = GetCurrentTimestamp();
	int			nmessages = 0;

	for (int i = 0; i < count; i++)
	{
		char	   *message = NULL;

		if (rows[i].op == SP_OP_EVENT)
			message = sp_event_message(&rows[i], now);
		else if (rows[i].label != NULL)
			message = sp_payload_revoked(rows[i].label, now);
		if (message != NULL && strlen(message) <= SP_MESSAGE_MAX_BYTES)
			messages[nmessages++] = message;
	}
	return nmessages;
}

/*
 * Tell them, oldest first, and delete their rows.  Returns how many were told;
 * after the first batch that cannot be, for which *error may have the reason,
 * none is, or they would be told out of order.
 *
 * Outside of a transaction.
 */
int
sp_told_tell(const SpCatalog *catalog, SpDatabase *database, SpRows *told, SpNotifier notify, char *error)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *messages[TOLD_BATCH];
	int			first = 0;

	qsort(told->rows, told->count, sizeof(SpRow), compare_told);
	while (first < told->count)
	{
		int			count = Min(TOLD_BATCH, told->count - first);
		int			nmessages;

		/* what could not be deleted would be told again and again: try before */
		if (!forget(catalog, database, told, first, 0))
			break;
		MemoryContextSwitchTo(context);
		nmessages = compose(&told->rows[first], count, messages);
		if (!sp_send(notify, messages, nmessages, error))
			break;
		first += count;
		if (!forget(catalog, database, told, first - count, count))
			break;
	}
	MemoryContextSwitchTo(context);
	return first;
}
