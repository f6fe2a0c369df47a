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
 *
 * An attempt that takes too long is cancelled.  A user's function can catch
 * that and go on, for ever, with the sessions' rows locked.  What no function
 * can catch is the end of the process: HANG_MS later it comes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "isolate.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#define ATTEMPT_MIN_US	10000
#define HANG_MS			1000

static TimeoutId last_resort = MAX_TIMEOUTS;
static volatile sig_atomic_t hung = false;

/* In a signal handler: as if somebody had terminated the process. */
static void
on_last_resort(void)
{
	hung = true;
	InterruptPending = true;
	ProcDiePending = true;
	SetLatch(MyLatch);
}

/* Whether the process ends because an attempt would not. */
bool
sp_isolate_is_hung(void)
{
	return hung;
}

static void
start_limit(int timeout_ms)
{
	if (timeout_ms == 0)
		return;
	if (last_resort == MAX_TIMEOUTS)
		last_resort = RegisterTimeout(USER_TIMEOUT, on_last_resort);
	enable_timeout_after(STATEMENT_TIMEOUT, timeout_ms);
	enable_timeout_after(last_resort, timeout_ms + HANG_MS);
}

static void
stop_limit(int timeout_ms)
{
	if (timeout_ms == 0)
		return;
	disable_timeout(last_resort, false);
	disable_timeout(STATEMENT_TIMEOUT, false);
}

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
		start_limit(timeout_ms);
		work(state, first, count);
		stop_limit(timeout_ms);
		QueryCancelPending = false; /* it may have come at the last moment */
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		stop_limit(timeout_ms);
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
