/*
 * isolate.c
 *		One bad session must not stop the others.
 *
 * Work on many items runs in a subtransaction.  If that fails, each half gets
 * its own, down to the one item that is to blame: log2(n) more attempts for
 * one culprit, none where there is none.
 *
 * Where an attempt may take long and then fail, a budget bounds what is spent
 * on failures: each attempt may take half of what is left, so that a culprit is
 * found within it.  When it is used up, what was not tried yet is not tried.
 */
#include "postgres.h"

#include "access/xact.h"
#include "isolate.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#define ATTEMPT_MIN_US	10000

/*
 * Do work(first, count) so that an error undoes only what it is about.
 *
 * Inside a transaction.  Without a budget nothing is bounded.  A termination of
 * the process is passed on.
 */
void
sp_isolate(SpWork work, SpFailed failed, void *state, int first, int count, SpBudget *budget)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	TimestampTz start = GetCurrentTimestamp();
	int			timeout_ms = 0;

	if (count == 0)
		return;
	if (budget != NULL && budget->left_us < ATTEMPT_MIN_US)
	{
		for (int i = 0; i < count; i++)
			failed(state, first + i, NULL);
		return;
	}
	if (budget != NULL)
		timeout_ms = (int) (Max(budget->left_us / 2, ATTEMPT_MIN_US) / 1000);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		if (timeout_ms > 0)
			enable_timeout_after(STATEMENT_TIMEOUT, timeout_ms);
		work(state, first, count);
		if (timeout_ms > 0)
			disable_timeout(STATEMENT_TIMEOUT, false);
		QueryCancelPending = false; /* it may have come at the last moment */
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		if (timeout_ms > 0)
			disable_timeout(STATEMENT_TIMEOUT, false);
		QueryCancelPending = false;
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;

	if (error == NULL)
		return;
	if (budget != NULL)
	{
		int64		spent = Max(GetCurrentTimestamp() - start, 0);

		budget->left_us -= spent;
		budget->spent_us += spent;
	}
	if (count == 1)
		failed(state, first, error);
	else
	{
		sp_isolate(work, failed, state, first, count / 2, budget);
		sp_isolate(work, failed, state, first + count / 2, count - count / 2, budget);
	}
	FreeErrorData(error);
}
