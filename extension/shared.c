/*
 * shared.c
 *		Shared memory: what the backends, the workers and the launcher of a
 *		server tell each other about the databases that use the extension.
 *
 * Everything here is a hint or a statistic.  The ledger in the tables is the
 * truth: after a crash this memory starts empty and the workers read it anew.
 *
 * Locking.  sp_shared->lock guards which database an entry is for and the
 * slots' hash table (slot.c).  All else in an entry is atomic, has one writer,
 * or is under its stats_lock.  An entry once found stays valid for the
 * backend's life: its memory is never returned, and a backend that holds one
 * whose database was dropped in the meantime marks nothing that matters.
 *
 * Processes are kept as numbers in the PGPROC array, not as pointers: setting
 * the latch of a number that was reused wakes somebody needlessly, and that
 * is all.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "cell.h"
#include "compat.h"
#include "leftover.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "shared.h"
#include "slot.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#include "tcop/utility.h"
#include "utils/timestamp.h"

SpShared   *sp_shared = NULL;

/* What the settings of this server come to. */
Size
sp_shared_memory(void)
{
	return add_size(MAXALIGN(sizeof(SpShared)), add_size(sp_slot_memory(), MAXALIGN(sp_cell_memory())));
}

/* Asks for memory and a lock; for shmem_request_hook. */
void
sp_shared_request(void)
{
	RequestAddinShmemSpace(sp_shared_memory());
	RequestNamedLWLockTranche("sync_progress", 2);
}

static void
init_database(SpDatabase *database)
{
	database->database = InvalidOid;
	database->relation = InvalidOid;
	pg_atomic_init_u32(&database->worker_proc, SP_NO_PROC);
	pg_atomic_init_u32(&database->worker_pid, 0);
	pg_atomic_init_u64(&database->passed_by, 0);
	pg_atomic_init_u32(&database->wanted, 0);
	pg_atomic_init_u32(&database->attached, 0);
	pg_atomic_init_u64(&database->wake_at, PG_INT64_MAX);
	pg_atomic_init_u32(&database->live_closed, 0);
	pg_atomic_init_u64(&database->live_fallbacks, 0);
	pg_atomic_init_u32(&database->current_heap, 0);
	pg_atomic_init_u32(&database->dirty_heaps, 0);
	pg_atomic_init_u32(&database->sweep, 1);
	pg_atomic_init_u32(&database->messages, 0);
	pg_atomic_init_u64(&database->beat, 0);
	pg_atomic_init_u32(&database->starts, 0);
	for (int i = 0; i < SP_STARTS; i++)
		pg_atomic_init_u64(&database->started[i], 0);
	pg_atomic_init_u32(&database->setbacks, 0);
	pg_atomic_init_u32(&database->answers, 0);
	database->setback[0] = '\0';
	database->telling[0] = '\0';
	pg_atomic_init_u64(&database->stamp_floor, 0);
	for (int i = 0; i < SP_HEAPS; i++)
	{
		pg_atomic_init_u32(&database->scan_from[i], 0);
		pg_atomic_init_u32(&database->scan_file[i], 0);
		pg_atomic_init_u32(&database->fold_xid[i], InvalidTransactionId);
		pg_atomic_init_u32(&database->room_to[i], 0);
	}
	pg_atomic_init_u64(&database->page_begun_at, 0);
	pg_atomic_init_u64(&database->flush_wanted, 0);
	pg_atomic_init_u64(&database->flush_done, 0);
	ConditionVariableInit(&database->flushed);
	SpinLockInit(&database->stats_lock);
	memset(&database->stats, 0, sizeof(SpStats));
}

/* Creates the memory, or finds it (EXEC_BACKEND); for shmem_startup_hook. */
void
sp_shared_attach(void)
{
	bool		found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	sp_shared = ShmemInitStruct("sync_progress", sizeof(SpShared), &found);
	if (!found)
	{
		sp_shared->lock = &(GetNamedLWLockTranche("sync_progress"))->lock;
		pg_atomic_init_u32(&sp_shared->launcher_proc, SP_NO_PROC);
		pg_atomic_init_u32(&sp_shared->leftover, 0);
		for (int i = 0; i < SP_MAX_DATABASES; i++)
			init_database(&sp_shared->databases[i]);
	}
	sp_slot_attach(found);
	sp_cell_attach(found);
	LWLockRelease(AddinShmemInitLock);
	sp_leftover_attach(found);
}

/* Raises the one error that every function gives when not preloaded. */
void
sp_shared_require(void)
{
	if (sp_shared == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("sync_progress must be loaded via \"shared_preload_libraries\""),
				 errhint("Add sync_progress to shared_preload_libraries in postgresql.conf and restart the server.")));
}

/* Raises an error on a standby. */
void
sp_shared_require_primary(const char *function)
{
	sp_shared_require();
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot execute %s during recovery", function),
				 errhint("This server is a standby. Connect to the primary, which libpq finds by target_session_attrs=read-write.")));
}

/* Raises an error unless the transaction may write. */
void
sp_shared_require_writable(const char *function)
{
	sp_shared_require_primary(function);
	if (XactReadOnly)
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot execute %s in a read-only transaction", function),
				 errhint("Begin it with BEGIN READ WRITE, and see default_transaction_read_only.")));
	PreventCommandIfParallelMode(function);
}

/* Find or make the entry of a database's extension, whose sync_sessions is "relation"; NULL: there are none left. */
SpDatabase *
sp_shared_entry(Oid oid, Oid relation)
{
	SpDatabase *found = NULL;
	SpDatabase *free_entry = NULL;

	LWLockAcquire(sp_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < SP_MAX_DATABASES && found == NULL; i++)
	{
		SpDatabase *database = &sp_shared->databases[i];

		if (database->database == oid && database->relation == relation)
			found = database;
		else if (database->database == InvalidOid ||
				 (free_entry == NULL && pg_atomic_read_u32(&database->wanted) == 0 &&
				  pg_atomic_read_u32(&database->attached) == 0 &&
				  pg_atomic_read_u32(&database->worker_proc) == SP_NO_PROC))
		{
			/* one that nobody uses now, but rather one that nobody ever did */
			if (free_entry == NULL || free_entry->database != InvalidOid)
				free_entry = database;
		}
	}
	if (found == NULL && free_entry != NULL)
	{
		found = free_entry;
		init_database(found);
		found->database = oid;
		found->relation = relation;
		found->stats.reset_at = GetCurrentTimestamp();
	}
	LWLockRelease(sp_shared->lock);
	return found;
}

/*
 * The entry of this database's extension.  NULL when there are none left:
 * counting goes on, and the launcher's first pass after a restart finds the
 * database again.
 */
SpDatabase *
sp_shared_database(Oid relation)
{
	static SpDatabase *found = NULL;

	if (sp_shared == NULL)
		return NULL;
	if (found == NULL || found->relation != relation || found->database != MyDatabaseId)
		found = sp_shared_entry(MyDatabaseId, relation);
	return found;
}

/*
 * Nobody needs a worker for other extensions of this database than the one
 * whose sync_sessions is "relation" (InvalidOid: none): they were dropped, or
 * are not committed yet; then their first commit asks for a worker again.
 */
void
sp_shared_disown_others(Oid relation)
{
	for (int i = 0; i < SP_MAX_DATABASES; i++)
	{
		SpDatabase *database = &sp_shared->databases[i];

		if (database->database != MyDatabaseId || database->relation == relation)
			continue;
		pg_atomic_write_u32(&database->wanted, 0);
		pg_atomic_fetch_add_u32(&database->answers, 1);
	}
}

void
sp_shared_wake_launcher(void)
{
	uint32		proc = pg_atomic_read_u32(&sp_shared->launcher_proc);

	if (proc != SP_NO_PROC)
		SetLatch(SpProcLatch(proc));
}

/*
 * Wake the database's worker, or have the launcher start one.  Cannot fail:
 * it runs after commit.
 */
void
sp_shared_wake_worker(SpDatabase *database)
{
	uint32		proc = pg_atomic_read_u32(&database->worker_proc);

	if (proc != SP_NO_PROC && pg_atomic_read_u32(&database->worker_pid) != 0)
		SetLatch(SpProcLatch(proc));
	else
	{
		pg_atomic_write_u32(&database->wanted, 1);
		sp_shared_wake_launcher();
	}
}

/*
 * Something failed, in less than SP_ERROR_LENGTH bytes.  Returns whether it is
 * another error than last time.
 *
 * A text that was cut where there was no more room is cut to whole characters:
 * with half of one not every client could read the view, or the log.
 */
bool
sp_shared_note_error(SpDatabase *database, char *error)
{
	TimestampTz now = GetCurrentTimestamp();
	int			length = (int) strlen(error);
	bool		news;

	error[pg_mbcliplen(error, length, length)] = '\0';
	SpinLockAcquire(&database->stats_lock);
	news = strcmp(error, database->stats.last_error) != 0;
	strlcpy(database->stats.last_error, error, SP_ERROR_LENGTH);
	database->stats.last_error_at = now;
	SpinLockRelease(&database->stats_lock);
	return news;
}

/* Counts one latency.  The caller holds stats_lock. */
void
sp_shared_note_latency(uint32 *buckets, int64 us)
{
	int			bucket = us < 1 ? 0 : (int) (4 * log2((double) us));

	buckets[Min(bucket, SP_LATENCY_BUCKETS - 1)]++;
}

/* A quantile (0 to 1) in milliseconds, to a quarter power of two; NaN: none yet. */
double
sp_shared_latency_ms(const uint32 *buckets, double quantile)
{
	uint64		total = 0;
	uint64		below = 0;

	for (int i = 0; i < SP_LATENCY_BUCKETS; i++)
		total += buckets[i];
	if (total == 0)
		return NAN;
	for (int i = 0; i < SP_LATENCY_BUCKETS; i++)
	{
		below += buckets[i];
		if ((double) below >= quantile * (double) total)
			return exp2((i + 0.5) / 4) / 1000;
	}
	return NAN;
}
