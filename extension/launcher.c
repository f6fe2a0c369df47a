/*
 * launcher.c
 *		Starts a worker in each database that uses the extension.
 *
 * No setting names databases.  After a start of the server, when shared memory
 * knows nothing, a worker visits each database in turn and stays where the
 * extension is.  Later the first use of the extension in a database, or a
 * bridge, asks for a worker, and the launcher keeps it alive until it leaves
 * by itself.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "compat.h"
#include "launcher.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "setback.h"
#include "shared.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "waits.h"

#define RETRY_MS			10000	/* no free worker process: try again */

/* What has become of a database. */
typedef enum SpPresence
{
	SP_GONE,
	SP_CLOSED,					/* ALLOW_CONNECTIONS false, say */
	SP_OPEN
} SpPresence;

/* Databases to visit once, after the server's start. */
static Oid *unvisited = NULL;
static int	nunvisited = 0;

/* What was started, per entry of sp_shared->databases; and the visitor. */
static BackgroundWorkerHandle *started[SP_MAX_DATABASES];
static TimestampTz started_at[SP_MAX_DATABASES];
static uint32 answers_before[SP_MAX_DATABASES];
static BackgroundWorkerHandle *visitor = NULL;

/*
 * Whether anybody may connect.  Not to one of which DROP DATABASE was interrupted:
 * that has a limit of -2 then, which older minor versions have no name for.
 */
static bool
is_open(Form_pg_database database)
{
	return database->datallowconn && database->datconnlimit != -2;
}

static void
list_databases(MemoryContext context)
{
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);
		MemoryContext old;

		if (!is_open(database) || database->datistemplate)
			continue;
		old = MemoryContextSwitchTo(context);
		unvisited = unvisited == NULL ? palloc(sizeof(Oid)) : repalloc(unvisited, (nunvisited + 1) * sizeof(Oid));
		unvisited[nunvisited++] = database->oid;
		MemoryContextSwitchTo(old);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
}

/* Starts a worker in the database.  NULL, with a warning once, if there is no room. */
static BackgroundWorkerHandle *
start_worker(Oid database)
{
	static bool warned = false;
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_main_arg = ObjectIdGetDatum(database),
		.bgw_notify_pid = MyProcPid,
	};
	BackgroundWorkerHandle *handle = NULL;

	snprintf(worker.bgw_name, BGW_MAXLEN, "sync_progress worker for database %u", database);
	strlcpy(worker.bgw_type, "sync_progress worker", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "sync_progress", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "sp_worker_main", BGW_MAXLEN);
	if (RegisterDynamicBackgroundWorker(&worker, &handle))
		warned = false;
	else if (!warned)
	{
		warned = true;
		ereport(WARNING,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("no free background worker slot for sync_progress"),
				 errdetail("Increments are counted, but nobody is told of them."),
				 errhint("Increase max_worker_processes and restart the server.")));
	}
	return handle;
}

static bool
is_stopped(BackgroundWorkerHandle *handle)
{
	pid_t		pid;

	return handle == NULL || GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED;
}

/* Whether a worker has taken office in this database. */
static bool
has_worker(Oid database)
{
	for (int i = 0; i < SP_MAX_DATABASES; i++)
	{
		if (sp_shared->databases[i].database == database &&
			pg_atomic_read_u32(&sp_shared->databases[i].worker_pid) != 0)
			return true;
	}
	return false;
}

/* Visits the databases one after the other.  Returns ms to the next try, -1: none left. */
static long
visit(void)
{
	static Oid	visiting = InvalidOid;

	if (visitor != NULL && !is_stopped(visitor) && !has_worker(visiting))
		return RETRY_MS;		/* its end or its settling wakes us */
	if (visitor != NULL)
		pfree(visitor);
	visitor = NULL;
	while (nunvisited > 0)
	{
		visiting = unvisited[nunvisited - 1];
		if (has_worker(visiting))
		{
			nunvisited--;
			continue;
		}
		visitor = start_worker(visiting);
		if (visitor == NULL)
			return RETRY_MS;
		nunvisited--;
		return RETRY_MS;
	}
	return -1;
}

/*
 * Looks at a database.  Not by the index: a process without a database has none
 * until another has written the relation cache's file.
 */
static SpPresence
look_for(Oid oid)
{
	ScanKeyData key;
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	SpPresence	presence = SP_GONE;

	ScanKeyInit(&key, Anum_pg_database_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	StartTransactionCommand();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		presence = is_open((Form_pg_database) GETSTRUCT(tuple)) ? SP_OPEN : SP_CLOSED;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(TopMemoryContext);
	return presence;
}

/*
 * Forgets a database that was dropped.  DROP DATABASE does so first of all
 * (evict.c), but waits for those who are connected then, and they may want a
 * worker again before they leave.
 */
static void
disown(SpDatabase *database)
{
	pg_atomic_write_u32(&database->wanted, 0);
	pg_atomic_write_u32(&database->setbacks, 0);
	ereport(DEBUG1, (errmsg_internal("sync_progress: database %u is gone, and needs no worker", database->database)));
}

/* Forgets a worker that has ended.  One that ended before it could say why had a setback. */
static void
bury(int i)
{
	SpDatabase *database = &sp_shared->databases[i];

	if (started[i] == NULL)
		return;
	pfree(started[i]);
	started[i] = NULL;
	if (pg_atomic_read_u32(&database->answers) == answers_before[i])
		pg_atomic_fetch_add_u32(&database->setbacks, 1);
}

/* How many ms the worker's next start has to wait; 0: none. */
static long
to_wait(int i, TimestampTz now)
{
	int64		delay_us = INT64CONST(1000) * sp_setback_delay_ms(&sp_shared->databases[i]);

	/* also when the clock was set back */
	if (now < started_at[i] || now - started_at[i] >= delay_us)
		return 0;
	return (long) ((delay_us - (now - started_at[i]) + 999) / 1000);
}

/* Starts what is wanted and missing.  Returns ms to the next try, -1: none needed. */
static long
keep(void)
{
	long		wait_ms = -1;
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < SP_MAX_DATABASES; i++)
	{
		SpDatabase *database = &sp_shared->databases[i];
		Oid			oid = database->database;
		long		ms;

		if (oid == InvalidOid || pg_atomic_read_u32(&database->wanted) == 0 ||
			pg_atomic_read_u32(&database->worker_proc) != SP_NO_PROC || !is_stopped(started[i]))
			continue;
		bury(i);
		ms = to_wait(i, now);
		if (ms == 0)
		{
			SpPresence	presence = look_for(oid);

			if (presence == SP_GONE)
			{
				disown(database);
				continue;
			}
			/* a worker would only fill the log with its refusal */
			if (presence == SP_OPEN)
			{
				answers_before[i] = pg_atomic_read_u32(&database->answers);
				started[i] = start_worker(oid);
				started_at[i] = now;
			}
			ms = RETRY_MS;
		}
		if (started[i] == NULL)
		{
			/* nobody flushes, unless one is there in a moment */
			if (ms >= RETRY_MS || pg_atomic_read_u32(&database->setbacks) > 0)
				pg_atomic_write_u32(&database->live_closed, 1);
			wait_ms = wait_ms < 0 ? ms : Min(wait_ms, ms);
		}
	}
	return wait_ms;
}

static void
leave(int code, Datum arg)
{
	pg_atomic_write_u32(&sp_shared->launcher_proc, SP_NO_PROC);
}

/* Entry point. */
void
sp_launcher_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	MemoryContextSwitchTo(TopMemoryContext);
	pg_atomic_write_u32(&sp_shared->launcher_proc, SpMyProcNumber());
	before_shmem_exit(leave, (Datum) 0);
	list_databases(TopMemoryContext);
	MemoryContextSwitchTo(TopMemoryContext);
	SetConfigOption("application_name", "sync_progress launcher", PGC_USERSET, PGC_S_OVERRIDE);
	pgstat_report_activity(STATE_IDLE, "waiting for databases that need a worker");

	for (;;)
	{
		long		visit_ms = visit();
		long		keep_ms = keep();
		long		wait_ms = visit_ms < 0 ? keep_ms : keep_ms < 0 ? visit_ms : Min(visit_ms, keep_ms);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (wait_ms < 0 ? 0 : WL_TIMEOUT),
						 wait_ms, sp_wait(SP_WAIT_LAUNCHER));
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
}

/* Has the postmaster start the launcher; while libraries are preloaded. */
void
sp_launcher_register(void)
{
	BackgroundWorker worker = {
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = 1,
	};

	strlcpy(worker.bgw_name, "sync_progress launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "sync_progress launcher", BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "sync_progress", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "sp_launcher_main", BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}
