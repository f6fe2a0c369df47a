/*
 * send.c
 *		Messages out, by NOTIFY.
 *
 * NOTIFY fails when its queue is full, because a listener does not read.  That
 * must not end the worker: counting and folding go on, telling is tried again.
 */
#include "postgres.h"

#include "access/xact.h"
#include "send.h"
#include "shared.h"
#include "utils/memutils.h"

/*
 * Send messages, outside of a transaction.  Returns false when that failed,
 * with the reason in *error, of SP_ERROR_LENGTH bytes.
 */
bool
sp_send(SpNotifier notify, char **messages, int count, char *error)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool sent = true;

	if (count == 0)
		return true;
	PG_TRY();
	{
		notify(messages, count);
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
