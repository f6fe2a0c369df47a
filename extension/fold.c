/*
 * fold.c
 *		One batch of due sessions: ledger rows into the tables, and what to tell.
 *
 * In one transaction: lock the rows that are free (an application that holds
 * one delays that session alone), add up what the ledger has for them, update,
 * delete the ledger's rows, compose the messages.  So whoever looks sees each
 * increment exactly once, in the ledger or in the table.
 *
 * The end of a run is told with everything that was counted before it, for
 * watchers stop at it.  The rows were read before the session was locked, so a
 * run may have ended in between, with counts that are not among them.  If the end
 * was read, which is a touch, so was all before it; else the session waits for the
 * next turn, once.  Until that touch is folded nobody is shown the run as ended
 * (ending.c).
 *
 * Runs in the worker, as the tables' owner, restricted.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "call.h"
#include "executor/spi.h"
#include "flush.h"
#include "fold.h"
#include "follow.h"
#include "held.h"
#include "isolate.h"
#include "storage/bufmgr.h"
#include "tell.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* What a batch has in hand. */
typedef struct Fold
{
	const SpCatalog *catalog;
	SpDatabase *database;
	SpDue	   *due;
	MemoryContext context;
	char	   *error;
	size_t		error_size;
	SpDue	   *gone[SP_FOLD_BATCH];	/* to be deleted */
	int			ngone;
} Fold;

/*
 * Applies one session's rows, writes its accounts and notes what to write of
 * it.  Returns false when it is not there to be told: it was deleted, or is to
 * be and somebody holds it.
 */
static bool
fold_session(Fold *fold, SpHeldSession *session, SpCounts *counts, SpHeldAccount *accounts, int naccounts, TimestampTz now)
{
	SpDue	   *due = session->due;
	SpCounts   *own = palloc(Max(naccounts, 1) * sizeof(SpCounts));
	SpHeldAccount **places = palloc(Max(naccounts, 1) * sizeof(SpHeldAccount *));
	int			nown = 0;
	int64		before = session->counts.processed;
	bool		locked = false;

	for (int i = 0; i < naccounts; i++)
	{
		if (accounts[i].session != session->counts.id)
			continue;
		places[nown] = &accounts[i];
		own[nown++] = counts[i];
	}
	for (int i = 0; i < session->nrows; i++)
	{
		due->progressed = due->progressed || sp_net_is_progress(&session->rows[i]);
		session->begins = session->begins || sp_net_begins(&session->rows[i]);
	}
	sp_net_apply(&session->counts, own, nown, session->rows, session->nrows);
	for (int i = 0; i < nown && !session->counts.gone; i++)
		locked = locked || (own[i].gone && !sp_follow_delete_account(fold->catalog, own[i].id));
	if (session->counts.gone || locked)
	{
		/* unless delete_gone() gets hold of it */
		due->outcome = SP_OUTCOME_LOCKED;
		if (session->counts.gone)
			fold->gone[fold->ngone++] = due;
		return false;
	}
	sp_follow_session(fold->catalog, session);
	for (int i = 0; i < nown; i++)
	{
		if (own[i].gone)
			continue;
		sp_follow_account(fold->catalog, &own[i], places[i], due->rows, due->nrows);
		sp_held_write_account(fold->catalog, &own[i], places[i], session, now);
	}
	sp_held_note_session(fold->catalog, session, before, now);
	sp_ledger_delete(fold->catalog, fold->database, due->rows, due->nrows);
	pfree(own);
	pfree(places);
	return true;
}

/*
 * Whether the session's run has ended since its rows were read, as far as is
 * known.  True in one turn only: what the next one reads has all that the end is
 * to be told with.  Without a slot nothing remembers that, so it is told at once,
 * and what is missing after it.
 */
static bool
is_ending(const SpHeldSession *session)
{
	const SpDue *due = session->due;

	if (!due->ended || due->at_exit || due->slot == NULL || due->slot->end_seen)
		return false;
	/* cells were read before the ledger: its touch says nothing of them */
	if (due->slot->first_cell >= 0)
		return true;
	for (int i = 0; i < due->nrows; i++)
	{
		if (sp_ledger_is_end(&due->rows[i]))
			return false;
	}
	return true;
}

/* Deletes the sessions whose rows in a tracked table are gone. */
static void
delete_gone(Fold *fold)
{
	int64		ids[SP_FOLD_BATCH];
	int			deleted;

	for (int i = 0; i < fold->ngone; i++)
		ids[i] = fold->gone[i]->session;
	deleted = sp_follow_delete(fold->catalog, ids, fold->ngone);
	for (int i = 0; i < fold->ngone; i++)
	{
		SpDue	   *due = fold->gone[i];

		for (int n = 0; n < deleted && !due->gone; n++)
			due->gone = ids[n] == due->session;
		if (!due->gone)
			continue;
		sp_ledger_delete(fold->catalog, fold->database, due->rows, due->nrows);
		due->outcome = SP_OUTCOME_NOTHING;
		due->restatus = true;
	}
}

/* The work of a range of the batch; an error undoes all of it. */
static void
fold_range(void *state, int first, int count)
{
	Fold	   *fold = state;
	SpHeldSession *sessions;
	SpCounts   *counts;
	SpHeldAccount *accounts = NULL;
	int			nsessions,
				naccounts;
	TimestampTz now = GetCurrentTimestamp();

	for (int i = first; i < first + count; i++)
	{
		SpDue	   *due = &fold->due[i];

		due->outcome = SP_OUTCOME_UNKNOWN;
		due->message = NULL;
		due->score = (SpEtaScore)
		{
			0
		};
		due->progressed = due->restatus = due->gone = false;
	}
	fold->ngone = 0;
	SPI_connect();
	sessions = sp_held_sessions(fold->catalog, fold->database, &fold->due[first], count, &nsessions);
	for (int i = 0; i < nsessions; i++)
		sp_flush_session(&sessions[i]);
	counts = sp_held_accounts(fold->catalog, sessions, nsessions, &accounts, &naccounts);
	for (int i = 0; i < nsessions; i++)
	{
		SpDue	   *due = sessions[i].due;

		if (due->outcome != SP_OUTCOME_NOTHING)
			continue;			/* locked, or not all there */
		due->ended = sessions[i].status >= SP_STATUS_COMPLETED;
		if (is_ending(&sessions[i]))
		{
			due->outcome = SP_OUTCOME_ENDING;
			continue;
		}

		/*
		 * no two alike, in the order of ids: runs of one source share a
		 * stream
		 */
		sessions[i].version = sp_unix_us(now) + i;
		if (sessions[i].nrows > 0 && !fold_session(fold, &sessions[i], counts, accounts, naccounts, now))
			continue;
		if (due->quiet && sessions[i].nrows > 0)
			due->outcome = SP_OUTCOME_FLUSHED;
		else if (!due->quiet && (sessions[i].nrows > 0 || (due->flags & SP_SLOT_RETELL)))
		{
			due->outcome = SP_OUTCOME_FOLDED;
			due->owner = MemoryContextStrdup(fold->context, sessions[i].owner);
			due->payload_function = MemoryContextStrdup(fold->context, sessions[i].payload_function);
		}
	}
	sp_held_write_sessions(fold->catalog, sessions, nsessions);
	delete_gone(fold);
	for (int i = first; i < first + count; i++)
	{
		if (fold->due[i].outcome != SP_OUTCOME_UNKNOWN || !fold->due[i].discard)
			continue;
		if (sp_flush_is_unborn(fold->catalog, &fold->due[i]))
			fold->due[i].discard = false;
		else
			sp_ledger_delete(fold->catalog, fold->database, fold->due[i].rows, fold->due[i].nrows);
	}
	SPI_finish();
}

static void
fold_failed(void *state, int item, ErrorData *error)
{
	Fold	   *fold = state;

	fold->due[item].outcome = SP_OUTCOME_FAILED;
	snprintf(fold->error, fold->error_size, "fold of session " INT64_FORMAT ": %s",
			 fold->due[item].session, error->message);
}

/*
 * Plans are kept, since planning would be half of a fold.  But one that was made
 * when the table was small reads all of it for each row that it looks for.  So
 * when it has doubled, *blocks being its size by then, all plans are made anew.
 */
static void
replan_if_grown(Oid relation, BlockNumber *blocks)
{
	Relation	rel = table_open(relation, NoLock);
	BlockNumber now = RelationGetNumberOfBlocks(rel);

	table_close(rel, NoLock);
	if (now <= 2 * *blocks)
		return;
	*blocks = now;
	ResetPlanCache();
}

/*
 * Fold at most SP_FOLD_BATCH sessions; due[i].outcome says what became of
 * each, its message lies in "context".
 *
 * In a transaction, with the tables locked against being dropped; the caller
 * commits.  *error gets the last error's text.
 */
void
sp_fold_batch(const SpCatalog *catalog, SpDatabase *database, SpDue *due, int ndue,
			  MemoryContext context, char *error, size_t error_size)
{
	Fold		fold = {catalog, database, due, context, error, error_size};
	SpDue	   *told[SP_FOLD_BATCH];
	int			ntold = 0;
	SpGuard		guard;
	static BlockNumber sessions_blocks = 0;
	static BlockNumber accounts_blocks = 0;

	Assert(ndue <= SP_FOLD_BATCH);
	replan_if_grown(catalog->sessions, &sessions_blocks);
	replan_if_grown(catalog->accounts, &accounts_blocks);
	sp_call_enter(sp_catalog_owner(catalog->sessions), &guard);
	sp_isolate(fold_range, fold_failed, &fold, 0, ndue, NULL);
	for (int i = 0; i < ndue; i++)
	{
		if (due[i].outcome == SP_OUTCOME_FOLDED)
			told[ntold++] = &due[i];
	}
	sp_tell_compose(catalog, database, told, ntold, context);
	sp_call_leave(&guard);
}
