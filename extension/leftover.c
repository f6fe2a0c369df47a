/*
 * leftover.c
 *		What was counted live and not written when the server stopped.
 *
 * Where nobody could write a session's counts before a stop (a prepared
 * transaction holds its row, or a client did when its worker ended, and the
 * next one was not there yet), they outlive it in a file.  The postmaster writes
 * it, the last process that sees the memory, after the shutdown checkpoint; the
 * next one reads it when it makes the memory anew.
 *
 * The cells are the same ones afterwards, with their serials, under the same
 * boot number.  So what a session's row says that it has of them still holds,
 * and nothing is counted twice, whatever was flushed before.
 *
 * The file is true until somebody flushes: then rows change, and cells go that
 * the file has.  So it is removed right before that, and not when it is read: a
 * start that fails (a mistake in pg_hba.conf) loses nothing.  And it is of use
 * only to the server that wrote it, as that one stopped: not to one that was
 * stopped otherwise in between, nor to a copy that is made a standby and gets
 * these counts with the next rows.  That is why it says which checkpoint it
 * belongs to.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xlog.h"
#include "cell.h"
#include "common/controldata_utils.h"
#include "guc.h"
#include "leftover.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#define LEFTOVER_FILE	"pg_stat/sync_progress.live"
#define LEFTOVER_FORM	INT64CONST(0x53504c4654000001)

/* A cell, as far as it outlives the memory. */
typedef struct Kept
{
	int64		session;
	int64		account;
	int64		serial;
	int64		opened_at;
	int64		sum;
	int64		flushed;
	Oid			database;
	Oid			relation;
	char		op;
	bool		closed;
	char		name[NAMEDATALEN];
} Kept;

typedef struct Head
{
	int64		form;
	int64		kept_size;
	uint64		system;			/* and the checkpoint: whose it is */
	XLogRecPtr	checkpoint;
	uint64		boot;
	int64		last_serial;
	int64		count;			/* of cells, which follow */
	pg_crc32c	crc;			/* of this, as far as here, and of them */
} Head;

/* Which server this is, as it stopped.  False: not by a clean stop. */
static bool
identify(Head *head)
{
	bool		crc_ok;
	ControlFileData *control = get_controlfile(DataDir, &crc_ok);
	bool		clean = crc_ok && control->state == DB_SHUTDOWNED;

	head->form = LEFTOVER_FORM;
	head->kept_size = sizeof(Kept);
	head->system = control->system_identifier;
	head->checkpoint = control->checkPoint;
	pfree(control);
	return clean;
}

static void
keep(SpCell *cell, Kept *kept)
{
	/* what lies between the fields is written, too */
	memset(kept, 0, sizeof(Kept));
	kept->session = cell->session;
	kept->account = cell->account;
	kept->serial = cell->serial;
	kept->opened_at = cell->opened_at;
	kept->sum = (int64) pg_atomic_read_u64(&cell->sum);
	kept->flushed = cell->flushed;
	kept->database = cell->database;
	kept->relation = cell->relation;
	kept->op = cell->op;
	kept->closed = cell->closed;
	strlcpy(kept->name, cell->name, NAMEDATALEN);
}

static pg_crc32c
crc_of(const Head *head, const Kept *cells)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, head, offsetof(Head, crc));
	COMP_CRC32C(crc, cells, head->count * sizeof(Kept));
	FIN_CRC32C(crc);
	return crc;
}

static void
write_file(const Head *head, const Kept *cells)
{
	FILE	   *file = AllocateFile(LEFTOVER_FILE ".tmp", PG_BINARY_W);
	bool		written = file != NULL && fwrite(head, sizeof(Head), 1, file) == 1 &&
	fwrite(cells, sizeof(Kept), head->count, file) == head->count;

	if (file != NULL)
		written = FreeFile(file) == 0 && written;
	/* this makes its contents durable, too */
	if (written && durable_rename(LEFTOVER_FILE ".tmp", LEFTOVER_FILE, LOG) == 0)
		return;
	ereport(LOG,
			(errcode_for_file_access(),
			 errmsg("sync_progress could not write \"%s\": %m", LEFTOVER_FILE),
			 errdetail("Counts of live mode are lost, in %d counters.", (int) head->count)));
	(void) unlink(LEFTOVER_FILE ".tmp");
}

/* The postmaster ends, and with it the memory. */
static void
save(int code, Datum arg)
{
	Head		head = {0};
	Kept	   *cells;
	int			position = 0;
	SpCell	   *cell;

	/* after a crash the memory is not to be trusted, nor after a kill */
	if (code != 0 || !identify(&head))
		return;
	cells = MemoryContextAllocHuge(CurrentMemoryContext, sp_max_live_counters * sizeof(Kept));
	while ((cell = sp_cell_next_unflushed(&position)) != NULL)
		keep(cell, &cells[head.count++]);
	if (head.count > 0)
	{
		head.boot = sp_cell_boot();
		head.last_serial = sp_cell_last_serial();
		head.crc = crc_of(&head, cells);
		write_file(&head, cells);
	}
	pfree(cells);
}

/* Reads the file.  Returns its cells, NULL if it is not whole or not this server's as it stopped. */
static Kept *
read_file(FILE *file, Head *head)
{
	Head		expected = {0};
	Kept	   *cells = NULL;

	if (fread(head, sizeof(Head), 1, file) != 1 || !identify(&expected) ||
		access("standby.signal", F_OK) == 0 || access("recovery.signal", F_OK) == 0 ||
		head->form != expected.form || head->kept_size != expected.kept_size ||
		head->system != expected.system || head->checkpoint != expected.checkpoint ||
		head->count <= 0 || head->count > MaxAllocHugeSize / sizeof(Kept))
		return NULL;
	cells = MemoryContextAllocExtended(CurrentMemoryContext, head->count * sizeof(Kept), MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (cells != NULL &&
		(fread(cells, sizeof(Kept), head->count, file) != head->count || crc_of(head, cells) != head->crc))
	{
		pfree(cells);
		cells = NULL;
	}
	return cells;
}

/* Makes a cell again, as it was.  Returns false if there is no room. */
static bool
restore(const Kept *saved)
{
	SpDatabase *database = sp_shared_entry(saved->database, saved->relation);
	SpSlot	   *slot = database == NULL ? NULL : sp_slot_pin(database, saved->session);
	SpRow		row = {
		.session = saved->session,
		.account = saved->account,
		.op = saved->op,
		.label = saved->name[0] == '\0' ? NULL : saved->name
	};
	uint32		generation;
	SpCell	   *cell;

	if (slot == NULL)
		return false;
	cell = sp_cell_pin(database, slot, &row, &generation);
	if (cell != NULL)
	{
		cell->serial = saved->serial;
		cell->opened_at = saved->opened_at;
		cell->flushed = cell->base = cell->seen = saved->flushed;
		pg_atomic_write_u64(&cell->sum, (uint64) saved->sum);
		sp_cell_unpin(cell);
	}
	if (saved->closed)
		sp_cell_close(slot);
	sp_slot_unpin(slot);
	pg_atomic_write_u32(&database->wanted, 1);
	return cell != NULL;
}

/* Likewise all of them.  Returns how many there is no room for. */
static int
restore_all(const Head *head, const Kept *cells)
{
	int			lost = 0;

	/* the closed ones first: an open one would be closed with them */
	for (int closed = 1; closed >= 0; closed--)
	{
		for (int64 i = 0; i < head->count; i++)
		{
			if (cells[i].closed == (closed == 1) && !restore(&cells[i]))
				lost++;
		}
	}
	sp_cell_continue(head->boot, head->last_serial);
	return lost;
}

static void
load(void)
{
	FILE	   *file = AllocateFile(LEFTOVER_FILE, PG_BINARY_R);
	Head		head;
	Kept	   *cells;
	int			lost = 0;

	if (file == NULL)
		return;
	cells = read_file(file, &head);
	FreeFile(file);
	if (cells == NULL)
	{
		ereport(LOG,
				(errmsg("sync_progress does not count what is in \"%s\"", LEFTOVER_FILE),
				 errdetail("The server was not stopped cleanly since, or is a standby or a restored copy.")));
		(void) durable_unlink(LEFTOVER_FILE, LOG);
		return;
	}
	lost = restore_all(&head, cells);
	pfree(cells);
	pg_atomic_write_u32(&sp_shared->leftover, 1);
	if (lost > 0)
		ereport(LOG,
				(errmsg("sync_progress has no room for %d counters of live mode that were not written before the stop", lost),
				 errhint("Increase sync_progress.max_live_counters and sync_progress.max_sessions.")));
}

/* The memory is there; "found": it was already. */
void
sp_leftover_attach(bool found)
{
	if (!IsUnderPostmaster)
		on_shmem_exit(save, (Datum) 0);
	if (!found)
		load();
}

/* Somebody is going to flush: what is in the file does not hold any more. */
void
sp_leftover_forget(void)
{
	if (pg_atomic_read_u32(&sp_shared->leftover) != 0 && durable_unlink(LEFTOVER_FILE, LOG) == 0)
		pg_atomic_write_u32(&sp_shared->leftover, 0);
}
