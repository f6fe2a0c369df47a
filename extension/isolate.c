/*
 * isolate.c
 *		One bad session must not stop the others.
 *
 * Work on many items runs in a subtransaction.  If that fails, each half gets
 * its own, down to the one item that is to blame: log2(n) more attempts for
 * one culprit, none where there is none.
 */
#include "postgres.h"

#include "access/xact.h"
#include "isolate.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timeout.h"

/*
 * Do work(first, count) so that an error undoes only what it is about.
 *
 * Inside a transaction.  timeout_ms bounds each attempt (0: not at all).
 * A termination of the process is passed on.
 */
void
sp_isolate(SpWork work, SpFailed failed, void *state, int first, int count, int timeout_ms)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	if (count == 0)
		return;
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
	if (count == 1)
		failed(state, first, error);
	else
	{
		sp_isolate(work, failed, state, first, count / 2, timeout_ms);
		sp_isolate(work, failed, state, first + count / 2, count - count / 2, timeout_ms);
	}
	FreeErrorData(error);
}
