/*
 * worker.c
 *		The process that folds and tells, one per database with the extension.
 *
 * It sleeps on its latch until a commit marks a session or a throttled one
 * becomes due.  A turn: take the marks of the sessions that are due, read the
 * ledger's rows, fold them in batches (fold.c), each followed by a transaction
 * that does nothing but NOTIFY, the only place where that is done.
 *
 * Between turns it rests four times as long as the last turn took: a few
 * milliseconds at quiet, when who commits next should not wait for it.  After a
 * long turn, which load makes, it is nine times (0.1 s at most): turns become
 * larger instead of more, and the worker keeps to a tenth of a core.
 *
 * Marks are hints.  A sweep every ten seconds reads the whole ledger; the
 * first turn folds everything and tells every run again that has not ended or
 * ended in the last ten minutes, whatever got lost with the process before.
 */
#include "postgres.h"

#include "access/xact.h"
#include "activity.h"
#include "catalog/pg_type.h"
#include "commands/async.h"
#include "compat.h"
#include "executor/spi.h"
#include "fold.h"
#include "guc.h"
#include "isolate.h"
#include "miscadmin.h"
#include "office.h"
#include "payload.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "queue.h"
#include "send.h"
#include "setback.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/procsignal.h"
#include "tcop/tcopprot.h"
#include "trigger.h"
#include "turn.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "version.h"
#include "waits.h"
#include "worker.h"

#define REST_FACTOR			4
#define REST_FACTOR_LONG	9
#define LONG_TURN_US		5000
#define REST_MAX_MS			100
#define SLEEP_MAX_MS		10000	/* the next sweep, whatever the clock says */
#define IDLE_EXIT_MS		300000
#define OFFICE_RETRY_MS		10
#define SETTLED_US			INT64CONST(60000000)	/* has not failed for so
													 * long */
#define VERSION_US			INT64CONST(10000000)	/* look at it again */

static SpDatabase *my_database = NULL;
static bool leaving_idle = false;

/* The entry is free for a successor, when all is flushed. */
static void
resign(int code, Datum arg)
{
	if (my_database == NULL)
		return;
	/* it is to blame for that only, not for any other end */
	if (!sp_isolate_is_hung())
		my_database->telling[0] = '\0';
	pg_atomic_write_u32(&my_database->worker_pid, 0);
	pg_memory_barrier();
	/* a commit that came meanwhile has woken us, and nobody else */
	if (leaving_idle && (sp_queue_next(my_database) != PG_INT64_MAX ||
						 pg_atomic_read_u32(&my_database->dirty_heaps) != 0))
		pg_atomic_write_u32(&my_database->wanted, 1);
	ConditionVariableBroadcast(&my_database->flushed);
	sp_office_resign(my_database);
}

/* Becomes this database's worker.  Returns false where there is one. */
static bool
take_office(SpDatabase *database)
{
	while (!sp_office_take(database))
	{
		if (pg_atomic_read_u32(&database->worker_pid) != 0)
			return false;
		/* somebody flushes before it ends, or has just become the worker */
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, OFFICE_RETRY_MS, sp_wait(SP_WAIT_OFFICE));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	my_database = database;
	pg_atomic_write_u64(&database->started[pg_atomic_fetch_add_u32(&database->starts, 1) % SP_STARTS],
						(uint64) GetCurrentTimestamp());
	pg_atomic_write_u32(&database->worker_pid, MyProcPid);
	pg_atomic_write_u32(&database->wanted, 1);
	/* who has just seen nobody here may be taking slots: not any more then */
	LWLockAcquire(sp_shared->lock, LW_SHARED);
	LWLockRelease(sp_shared->lock);
	pg_atomic_write_u32(&database->sweep, 1);
	pg_atomic_write_u64(&database->wake_at, PG_INT64_MAX);
	pg_atomic_write_u32(&database->live_closed, 0);
	before_shmem_exit(resign, (Datum) 0);
	return true;
}

/*
 * Sends messages, in a transaction that does nothing else.
 *
 * A queue that was full stays so when its listeners have read it, or have gone:
 * who NOTIFYs makes room, but not before its own NOTIFY has succeeded.  To ask
 * how full it is makes room as well.
 */
static void
notify(char **messages, int count)
{
	static bool failing = false;

	sp_activity_sending(count);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	if (failing)
		(void) DirectFunctionCall1(pg_notification_queue_usage, (Datum) 0);
	failing = true;
	for (int i = 0; i < count; i++)
		Async_Notify(sp_channel, messages[i]);
	CommitTransactionCommand();
	failing = false;
}

/* Tells attached bridges that the path is open; returns when to do so next, 0: nobody listens. */
static TimestampTz
beat(TimestampTz now)
{
	static TimestampTz last = 0;
	static bool refused = false;
	char		error[SP_ERROR_LENGTH];
	char	   *message;
	bool		sent;

	if (pg_atomic_read_u32(&my_database->attached) == 0)
		return 0;
	/* also when the clock was set back */
	if (now - last >= (int64) sp_heartbeat_interval_ms * 1000 || now < last)
	{
		last = now;
		message = sp_payload_heartbeat(now);
		sent = sp_send(notify, &message, 1, error);
		if (!sent && !refused)
			ereport(WARNING,
					(errmsg("sync_progress: %s", error),
					 errdetail("Bridges get no heartbeat; what is counted is written to the table all the same."),
					 errhint("See pg_notification_queue_usage(), and the server's log for who does not read.")));
		refused = !sent;
	}
	return last + (int64) sp_heartbeat_interval_ms * 1000;
}

/* Whether no run is open, so that a worker has nothing to wait for. */
static bool
nothing_open(const SpCatalog *catalog)
{
	bool		none;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute(psprintf("SELECT FROM %s.sync_sessions WHERE status IN ('pending', 'processing', 'paused') LIMIT 1",
							 quote_identifier(get_namespace_name(catalog->schema))), true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read sessions");
	none = SPI_processed == 0;
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	return none;
}

/* The extension's tables now; NULL when it is gone or another one. */
static const SpCatalog *
my_catalog(void)
{
	const SpCatalog *catalog;

	StartTransactionCommand();
	catalog = sp_catalog_of_extension();
	CommitTransactionCommand();
	if (catalog != NULL && my_database != NULL && catalog->sessions != my_database->relation)
		return NULL;
	return catalog;
}

/* Leave for good: nobody is to start a successor until there is a need. */
static void SP_NORETURN
leave(const char *why)
{
	ereport(DEBUG1, (errmsg_internal("sync_progress worker leaves: %s", why)));
	if (my_database != NULL)
		pg_atomic_write_u32(&my_database->wanted, 0);
	proc_exit(0);
}

/* Ends the worker where the SQL is of a version that it does not serve. */
static void
require_version(SpDatabase *database)
{
	char		version[SP_SQL_VERSION_LENGTH];
	char		what[SP_ERROR_LENGTH];
	bool		served;

	StartTransactionCommand();
	served = sp_catalog_is_served(version);
	CommitTransactionCommand();
	if (served)
		return;
	snprintf(what, sizeof(what), SP_VERSION_UNSERVED, version);
	if (sp_setback_note(database, what))
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s", what),
				 errdetail("Nothing is folded or told in database %u; what is in the ledger stays there.", MyDatabaseId),
				 errhint("Install the library of version %s, and restart the server.", version)));
	proc_exit(0);				/* wanted still: somebody will mend it */
}

/* Waits for the latch or the time. */
static void
rest(long ms, SpWait why)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, sp_wait(why));
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

static void
loop(MemoryContext context)
{
	TimestampTz active_at = GetCurrentTimestamp();
	TimestampTz since = active_at;
	TimestampTz looked_at = active_at;
	bool		first = true;

	for (;;)
	{
		TimestampTz start = GetCurrentTimestamp();
		const SpCatalog *catalog = my_catalog();
		TimestampTz next,
					next_beat,
					now;
		long		rest_ms;

		if (catalog == NULL)
		{
			sp_cell_discard(my_database, NULL);
			leave("the extension is gone");
		}
		if (start - looked_at > VERSION_US || start < looked_at)
		{
			looked_at = start;
			require_version(my_database);
		}
		if (start - since > SETTLED_US)
			sp_setback_forget(my_database);
		MemoryContextReset(context);
		MemoryContextSwitchTo(context);
		pg_atomic_write_u64(&my_database->beat, (uint64) start);
		if (sp_turn(catalog, my_database, context, notify, first, &next))
			active_at = start;
		first = false;
		MemoryContextSwitchTo(context);
		next_beat = beat(start);
		if (next_beat > 0)
		{
			active_at = start;
			next = Min(next, next_beat);
		}
		now = GetCurrentTimestamp();
		if (now - active_at > (int64) IDLE_EXIT_MS * 1000)
		{
			leaving_idle = nothing_open(catalog);
			if (leaving_idle)
				leave("nothing to do");
			active_at = now;
		}
		pgstat_report_stat(true);
		sp_activity_waiting();

		/*
		 * A turn costs its rest, so that a flood makes larger turns, not
		 * more.  What is marked meanwhile is looked at after it.
		 */
		pg_atomic_write_u64(&my_database->wake_at, 0);
		rest_ms = (now - start < LONG_TURN_US ? REST_FACTOR : REST_FACTOR_LONG) * (now - start) / 1000;
		rest_ms = Min(rest_ms, REST_MAX_MS);
		for (TimestampTz until = now + rest_ms * 1000;
			 now < until && until - now <= rest_ms * 1000;	/* not set back */
			 now = GetCurrentTimestamp())
			rest((until - now + 999) / 1000, SP_WAIT_REST);

		/*
		 * resting has reset the latch, and marks were set since the turn
		 * began
		 */
		pg_atomic_write_u64(&my_database->wake_at, PG_INT64_MAX);
		pg_memory_barrier();
		next = Min(next, sp_queue_next(my_database));
		pg_atomic_write_u64(&my_database->wake_at, (uint64) next);
		now = GetCurrentTimestamp();
		if (next > now)
			rest(Min((next - now + 999) / 1000, SLEEP_MAX_MS), SP_WAIT_WORK);
		pg_atomic_write_u64(&my_database->wake_at, PG_INT64_MAX);
	}
}

/*
 * Entry point, started by the launcher for a database by OID.
 *
 * Stays if the database has the extension and no worker yet.
 */
void
sp_worker_main(Datum database)
{
	const SpCatalog *catalog;
	MemoryContext context;
	SpDatabase *entry;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);

	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("synchronous_commit", "local", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_OVERRIDE);
	/* the same few queries for ever: never plan them again */
	SetConfigOption("plan_cache_mode", "force_generic_plan", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("application_name", "sync_progress worker", PGC_USERSET, PGC_S_OVERRIDE);
	sp_am_worker = true;

	catalog = my_catalog();
	sp_shared_disown_others(catalog == NULL ? InvalidOid : catalog->sessions);
	if (catalog == NULL)
		proc_exit(0);
	entry = sp_shared_database(catalog->sessions);
	if (entry == NULL)
		proc_exit(0);
	pg_atomic_fetch_add_u32(&entry->answers, 1);
	require_version(entry);
	if (!take_office(entry))
		proc_exit(0);
	sp_shared_wake_launcher();

	context = AllocSetContextCreate(TopMemoryContext, "sync_progress turn", ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		loop(context);
	}
	PG_CATCH();
	{
		sp_setback_exit(entry);
	}
	PG_END_TRY();
}
