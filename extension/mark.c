/*
 * mark.c
 *		What the running transaction will tell the worker when it commits.
 *
 * A mark is a hint: that the session is dirty, by about how much, and whether
 * its status changed.  So nothing is undone when a savepoint is rolled back
 * (the worker then finds nothing in the ledger), and what a prepared
 * transaction would have marked is replaced by a sweep at COMMIT PREPARED,
 * which runs no callback of ours.
 *
 * All that can fail (memory, a slot) happens at the call; the callback at
 * commit only stores to shared memory and sets latches.
 */
#include "postgres.h"

#include "access/xact.h"
#include "cell.h"
#include "mark.h"
#include "tcop/utility.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define LINEAR_MARKS	16		/* more are found by a hash table */

static SpMark *marks = NULL;
static int	nmarks = 0;
static int	allocated_marks = 0;
static HTAB *index_of = NULL;	/* session → place, when there are many */
static SpDatabase *marked_database = NULL;
static uint32 marked_heaps = 0;
static bool marked_truncated = false;
static bool marked_message = false;

static ProcessUtility_hook_type previous_utility = NULL;

typedef struct SpMarkIndex
{
	int64		session;
	int			place;
} SpMarkIndex;

/* The transaction's mark for the session, or NULL. */
SpMark *
sp_mark_find(int64 session)
{
	if (index_of != NULL)
	{
		SpMarkIndex *found = hash_search(index_of, &session, HASH_FIND, NULL);

		return found == NULL ? NULL : &marks[found->place];
	}
	for (int i = nmarks - 1; i >= 0; i--)
	{
		if (marks[i].session == session)
			return &marks[i];
	}
	return NULL;
}

static void
remember(int64 session, int place)
{
	SpMarkIndex *entry = hash_search(index_of, &session, HASH_ENTER, NULL);

	entry->place = place;
}

/*
 * The transaction's mark for the session; makes and pins what is missing.  The
 * session need not exist.  Stays valid until the next call.
 */
SpMark *
sp_mark_session(const SpCatalog *catalog, SpDatabase *database, int64 session)
{
	SpMark	   *mark = sp_mark_find(session);

	if (mark != NULL)
		return mark;
	if (nmarks == allocated_marks)
	{
		int			more = Max(LINEAR_MARKS, allocated_marks * 2);

		marks = marks == NULL
			? MemoryContextAlloc(TopMemoryContext, more * sizeof(SpMark))
			: repalloc(marks, more * sizeof(SpMark));
		allocated_marks = more;
	}
	if (nmarks == LINEAR_MARKS && index_of == NULL)
	{
		HASHCTL		info = {.keysize = sizeof(int64), .entrysize = sizeof(SpMarkIndex), .hcxt = TopTransactionContext};

		index_of = hash_create("sync_progress marks", 256, &info, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		for (int i = 0; i < nmarks; i++)
			remember(marks[i].session, i);
	}
	if (index_of != NULL)
		remember(session, nmarks);
	mark = &marks[nmarks];
	memset(mark, 0, sizeof(SpMark));
	mark->session = session;
	marked_database = database;
	nmarks++;					/* before the pin: an error unpins */
	if (database != NULL)
		mark->slot = sp_slot_pin(database, session);
	return mark;
}

/* Bits for the fields that an op sets or adds to; 0: none that has absolute values. */
static uint8
field_of(char op)
{
	static const char *const fields[] = {"PQGHp", "TUGHt", "Dd", "Re"};
	uint8		bits = 0;

	for (int i = 0; i < lengthof(fields); i++)
	{
		if (strchr(fields[i], op) != NULL)
			bits |= (uint8) (1 << i);
	}
	return bits;
}

/*
 * A row with this op was called, with its stamp.  If it is an absolute value,
 * what is counted live from now on comes after it (see cell.c).
 */
void
sp_mark_absolute(SpMark *mark, char op)
{
	if (field_of(op) == 0 || strchr("ptde", op) != NULL)
		return;
	mark->absolute |= field_of(op);
	if (mark->slot != NULL)
		sp_cell_close(mark->slot);
}

/* Whether this transaction has set what the op adds to. */
bool
sp_mark_is_absolute(const SpMark *mark, char op)
{
	return (mark->absolute & field_of(op)) != 0;
}

/* The session's row was changed, made or deleted by this transaction. */
void
sp_mark_changed(SpMark *mark, uint32 flags)
{
	mark->counted = true;
	mark->restatus = true;
	mark->flags |= flags;
}

void
sp_mark_heap(SpDatabase *database, int heap)
{
	marked_database = database;
	marked_heaps |= 1u << heap;
}

/* The transaction leaves messages in the ledger (told.c). */
void
sp_mark_message(SpDatabase *database)
{
	marked_database = database;
	marked_message = true;
}

/* Every session is gone when this commits. */
void
sp_mark_truncated(SpDatabase *database)
{
	marked_database = database;
	marked_truncated = true;
}

/* Forgets the transaction's marks. */
static void
clear(void)
{
	for (int i = 0; i < nmarks; i++)
	{
		if (marks[i].slot != NULL)
			sp_slot_unpin(marks[i].slot);
	}
	nmarks = 0;
	if (allocated_marks > 1024)
	{
		pfree(marks);
		marks = NULL;
		allocated_marks = 0;
	}
	index_of = NULL;			/* its memory goes with the transaction */
	marked_database = NULL;
	marked_heaps = 0;
	marked_truncated = marked_message = false;
}

/* After commit, visible to all: nothing in here may fail. */
static void
tell(void)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		wake = false;

	if (marked_database == NULL)
		return;
	if (marked_heaps != 0)
		pg_atomic_fetch_or_u32(&marked_database->dirty_heaps, marked_heaps);
	if (marked_truncated)
	{
		sp_slot_forget_all(marked_database);
		wake = true;
	}
	if (marked_message && pg_atomic_exchange_u32(&marked_database->messages, 1) == 0)
		wake = true;
	for (int i = 0; i < nmarks; i++)
	{
		SpMark	   *mark = &marks[i];

		if (mark->slot == NULL)
		{
			/* no slot: the worker has to look for it in the ledger */
			if (mark->counted && pg_atomic_exchange_u32(&marked_database->sweep, 1) == 0)
				wake = true;
			continue;
		}
		if (mark->restatus)
			sp_slot_forget_status(mark->slot);
		if (mark->counted && sp_slot_mark(mark->slot, mark->flags, mark->processed, now))
			sp_slot_wake_worker(marked_database, mark->slot);
	}
	if (wake)
		sp_shared_wake_worker(marked_database);
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			if (nmarks > 0 || marked_database != NULL)
			{
				tell();
				clear();
			}
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			clear();
			break;
		default:
			break;
	}
}

/* COMMIT PREPARED may commit anything, in any session's name: look everywhere. */
static void
utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	Node	   *statement = pstmt->utilityStmt;
	bool		prepared = IsA(statement, TransactionStmt) &&
	((TransactionStmt *) statement)->kind == TRANS_STMT_COMMIT_PREPARED;

	if (previous_utility)
		previous_utility(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	else
		standard_ProcessUtility(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);

	if (prepared)
	{
		const SpCatalog *catalog = sp_catalog_of_extension();
		SpDatabase *database = catalog == NULL ? NULL : sp_shared_database(catalog->sessions);

		if (database != NULL)
		{
			sp_slot_forget_all(database);
			pg_atomic_write_u32(&database->sweep, 1);
			sp_shared_wake_worker(database);
		}
	}
}

/* Registers the callbacks; once, when the library is preloaded. */
void
sp_mark_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
}
