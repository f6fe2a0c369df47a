/*
 * office.c
 *		Who writes to the table what was counted live: one process at a time.
 *
 * What is counted in shared memory goes with it when the server stops.  So at
 * each moment there must be a process that will write it before it ends, be it
 * the last one.  That is who holds the database's office (worker_proc): its
 * worker while it serves, and for a moment any process that has counted and
 * ends while there is none.
 *
 * One at a time.  A flush writes the sums that it has read before it locked the
 * rows, and says afterwards of the cells that they are flushed.  Of two at once
 * the one with older sums could be the last to write, and the other the last to
 * say that all is written.
 *
 * Nobody between two.  Who resigns flushes, vacates the office, and looks then
 * whether somebody has passed by in the meantime: ended, and left its counts to
 * who was in office.  If so, and nobody else has taken it, it takes it again.
 * Who ends notes first that it passes by, and tries the office after that.  So
 * either it gets the office, or who has it sees the note and what was counted
 * before it.  Who counts later than that flush ends later, too.
 *
 * A holder whose worker_pid is 0 does not serve: it is ending, and what is to be
 * told needs a worker.  A worker that finds the office held so waits for it.
 *
 * What is locked, by a transaction that goes on, is left to the next worker;
 * while the server stops there is none, but the transaction is being ended, too.
 * What even then nobody could write outlives the stop in a file (leftover.c).
 */
#include "postgres.h"

#include "access/xact.h"
#include "cell.h"
#include "compat.h"
#include "flush.h"
#include "leftover.h"
#include "miscadmin.h"
#include "office.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "trigger.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/pidfile.h"
#include "utils/timestamp.h"

#define LOCKED_WAIT_US	INT64CONST(5000000)
#define LOCKED_RETRY_US	20000

static SpDatabase *held = NULL;

static void
vacate(void)
{
	if (held == NULL)
		return;
	pg_atomic_write_u32(&held->worker_proc, SP_NO_PROC);
	pg_memory_barrier();
	held = NULL;
	sp_shared_wake_launcher();
}

/* An error has ended the process while it was flushing. */
static void
at_last(int code, Datum arg)
{
	vacate();
}

/* Take the office.  Returns false when somebody has it. */
bool
sp_office_take(SpDatabase *database)
{
	static bool registered = false;
	uint32		none = SP_NO_PROC;

	if (!registered)
		on_shmem_exit(at_last, (Datum) 0);
	registered = true;
	if (!pg_atomic_compare_exchange_u32(&database->worker_proc, &none, SpMyProcNumber()))
		return false;
	held = database;
	sp_leftover_forget();
	return true;
}

/*
 * Whether the server is being stopped, so that shared memory is about to go.
 * The postmaster says so in its lock file, and nowhere else.
 */
static bool
is_last(void)
{
	FILE	   *file = AllocateFile("postmaster.pid", "r");
	char		line[MAXPGPATH];
	int			number = 0;
	bool		stopping = false;

	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL)
	{
		if (++number == LOCK_FILE_LINE_PM_STATUS)
			stopping = strncmp(line, PM_STATUS_STOPPING, strlen("stopping")) == 0;
	}
	FreeFile(file);
	return stopping;
}

/*
 * Flush everything.  Where the memory itself is about to go, nobody may count
 * live any more, and those who hold a session locked are waited for.
 */
static void
flush(SpDatabase *database, MemoryContext context)
{
	TimestampTz deadline = GetCurrentTimestamp() + LOCKED_WAIT_US;
	bool		last = is_last();

	for (;;)
	{
		if (last)
		{
			pg_atomic_write_u32(&database->live_closed, 1);
			pg_memory_barrier();
			sp_cell_settle(database);
		}
		if (sp_flush_all(database, context) == 0)
			return;
		/* the stop may have come while it tried */
		last = is_last();
		if (!last || GetCurrentTimestamp() > deadline)
			return;
		pg_usleep(LOCKED_RETRY_US);
	}
}

/*
 * The holder ends: flush, and vacate the office.
 *
 * In a before_shmem_exit callback, where an error ends the process at once.
 */
void
sp_office_resign(SpDatabase *database)
{
	MemoryContext context;
	uint64		passed_by;

	AbortOutOfAnyTransaction();
	sp_am_worker = true;
	SetConfigOption("synchronous_commit", "local", PGC_USERSET, PGC_S_OVERRIDE);
	context = AllocSetContextCreate(TopMemoryContext, "sync_progress exit", ALLOCSET_DEFAULT_SIZES);
	do
	{
		passed_by = pg_atomic_read_u64(&database->passed_by);
		pg_memory_barrier();
		flush(database, context);
		vacate();
	} while (pg_atomic_read_u64(&database->passed_by) != passed_by && sp_office_take(database));
}

/*
 * A process ends that has counted live.  Who is in office flushes its counts;
 * where nobody is, it does.  In a before_shmem_exit callback.
 */
void
sp_office_pass_by(SpDatabase *database)
{
	if (database->database != MyDatabaseId)
		return;					/* dropped, and the entry is another's */
	pg_atomic_fetch_add_u64(&database->passed_by, 1);
	if (sp_office_take(database))
		sp_office_resign(database);
}
