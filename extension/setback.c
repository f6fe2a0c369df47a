/*
 * setback.c
 *		Workers that fail: said once, and started again ever more seldom.
 *
 * One session's error ends no worker (isolate.c), nor does NOTIFY's (send.c).
 * What does is an error that the next worker meets as well: a table that
 * somebody has altered, a disk that is full.  It costs a process and several
 * lines of log each time, so the launcher waits longer and longer, and the log
 * says a thing once.  Meanwhile increments are counted as ever; those in live
 * mode go to the ledger, too, for nobody would flush them.
 *
 * To be terminated is no setback.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "setback.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#define DELAY_MIN_MS	1000
#define DELAY_MAX_MS	10000

/*
 * A worker has to end because of this.  Returns whether it is news, and is to
 * be logged.
 */
bool
sp_setback_note(SpDatabase *database, const char *what)
{
	char		noted[SP_ERROR_LENGTH];
	bool		news;

	strlcpy(noted, what, SP_ERROR_LENGTH);
	SpinLockAcquire(&database->stats_lock);
	news = strcmp(database->setback, noted) != 0;
	strlcpy(database->setback, noted, SP_ERROR_LENGTH);
	SpinLockRelease(&database->stats_lock);
	(void) sp_shared_note_error(database, noted);
	/* another error may be gone sooner */
	if (news)
		pg_atomic_write_u32(&database->setbacks, 1);
	else
		pg_atomic_fetch_add_u32(&database->setbacks, 1);
	return news;
}

/* The worker ends by an error that the caller has just caught. */
void
sp_setback_exit(SpDatabase *database)
{
	ErrorData  *error;

	error_context_stack = NULL;
	HOLD_INTERRUPTS();
	MemoryContextSwitchTo(TopMemoryContext);
	error = CopyErrorData();
	if (sp_setback_note(database, error->message))
	{
		EmitErrorReport();
		ereport(LOG,
				(errmsg("sync_progress worker ends: %s", error->message),
				 errdetail("Another is started, after pauses of up to %d s for as long as it fails alike. Increments are counted meanwhile, but nobody is told of them.",
						   DELAY_MAX_MS / 1000),
				 errhint("See last_error in pg_stat_sync_progress.")));
	}
	FlushErrorState();
	/* with another code the server would add a line each time */
	proc_exit(0);
}

/* The worker has been at work for a while: whatever failed before does so no more. */
void
sp_setback_forget(SpDatabase *database)
{
	if (pg_atomic_exchange_u32(&database->setbacks, 0) == 0)
		return;
	SpinLockAcquire(&database->stats_lock);
	database->setback[0] = '\0';
	SpinLockRelease(&database->stats_lock);
}

/* How long after the last start the next one may be. */
long
sp_setback_delay_ms(SpDatabase *database)
{
	uint32		setbacks = pg_atomic_read_u32(&database->setbacks);

	return setbacks < 2 ? DELAY_MIN_MS : setbacks > 4 ? DELAY_MAX_MS : (long) DELAY_MIN_MS << (setbacks - 1);
}
