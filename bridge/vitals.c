/*
 * vitals.c
 *		What each worker process says of itself.
 *
 * A slot for each in shared memory.  Its worker writes it once a second, and whoever
 * shows the dashboard reads them all.  It is too large to be read in one piece,
 * so it has a number that is odd while it is written: a reader that sees such a
 * number, or another one afterwards, reads again, and after a few times goes
 * without.  Nobody waits.
 *
 * A worker that has ended leaves its slot as it was; the supervisor has it
 * emptied, and if it was in the midst of writing, made even.
 */
#include "vitals.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "shared.h"

#define VITALS_TRIES	8

struct vitals_slot
{
	atomic_uint number;			/* odd while it is being written */
	struct vitals vitals;
} shared_line_aligned;

static struct vitals_slot unshared;
static struct vitals_slot *slots = &unshared;
static int	slots_count = 1;
static int64_t started_s;

/* Before the workers are forked. */
void
vitals_open(void)
{
	slots_count = shared_workers();
	slots = shared_alloc(sizeof(*slots) * (size_t) slots_count);
}

/* This process is the worker that it has become. */
void
vitals_attach(void)
{
	started_s = time(NULL);
}

static void
begin_writing(struct vitals_slot *slot)
{
	atomic_store_explicit(&slot->number, (slot->number | 1), memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void
end_writing(struct vitals_slot *slot)
{
	atomic_store_explicit(&slot->number, slot->number + 1, memory_order_release);
}

/* A worker has ended, and nobody else is in its place yet. */
void
vitals_worker_gone(int worker)
{
	begin_writing(&slots[worker]);
	memset(&slots[worker].vitals, 0, sizeof(slots[worker].vitals));
	end_writing(&slots[worker]);
}

static int64_t
resident_bytes(void)
{
	FILE	   *file = fopen("/proc/self/statm", "re");
	long		pages = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%*s %ld", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

/* Once a second. */
void
vitals_say(const struct top *by_watchers, const struct top *by_messages)
{
	struct vitals_slot *slot = &slots[shared_worker()];
	struct rusage usage;
	struct vitals now = {
		.pid = (int) getpid(),
		.turned_s = time(NULL),
		.resident_bytes = resident_bytes(),
		.by_watchers = *by_watchers,
		.by_messages = *by_messages
	};

	if (started_s == 0)
		started_s = now.turned_s;
	now.started_s = started_s;
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		now.cpu_s = (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			(double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	begin_writing(slot);
	slot->vitals = now;
	end_writing(slot);
}

/* Another number with each second in which it turned. */
uint64_t
vitals_turns(int worker)
{
	return atomic_load_explicit(&slots[worker].number, memory_order_relaxed);
}

/* False: there is no such worker now. */
bool
vitals_of(int worker, struct vitals *copy)
{
	struct vitals_slot *slot = &slots[worker];

	for (int i = 0; i < VITALS_TRIES; i++)
	{
		unsigned	number = atomic_load_explicit(&slot->number, memory_order_acquire);

		memcpy(copy, &slot->vitals, sizeof(*copy));
		atomic_thread_fence(memory_order_acquire);
		if (number % 2 == 0 &&
			atomic_load_explicit(&slot->number, memory_order_relaxed) == number)
			return copy->pid != 0;
	}
	return false;
}

/* ---- for Prometheus ---- */

static void
write_worker(struct buf *out, int worker, const struct vitals *vitals, int row)
{
	buf_printf(out, "{worker=\"%d\"} ", worker + 1);
	if (row == 0)
		buf_printf(out, "%.3f\n", vitals->cpu_s);
	else
		buf_printf(out, "%" PRId64 "\n", row == 1 ? vitals->resident_bytes : vitals->started_s);
}

/* Append what there is of each. */
void
vitals_write(struct buf *out)
{
	static const struct
	{
		const char *name;
		const char *type;
		const char *help;
	}			rows[] = {
		{"worker_cpu_seconds_total", "counter", "Processor time that a worker process has used."},
		{"worker_resident_bytes", "gauge", "Memory that it has in RAM."},
		{"worker_start_time_seconds", "gauge", "When it was started, in seconds since 1970."},
	};

	for (int row = 0; row < (int) (sizeof(rows) / sizeof(rows[0])); row++)
	{
		buf_printf(out, "# HELP sync_progress_bridge_%s %s\n# TYPE sync_progress_bridge_%s %s\n",
				   rows[row].name, rows[row].help, rows[row].name, rows[row].type);
		for (int worker = 0; worker < slots_count; worker++)
		{
			struct vitals vitals;

			if (!vitals_of(worker, &vitals))
				continue;
			buf_printf(out, "sync_progress_bridge_%s", rows[row].name);
			write_worker(out, worker, &vitals, row);
		}
	}
}
