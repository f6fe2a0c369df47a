/*
 * process.c
 *		What the worker processes use of the machine.
 *
 * In shared memory each worker leaves its process id, and what was used before
 * by those in its place.  Whoever is asked reads what the kernel says of all of
 * them, at that time: a few files of /proc a worker.
 *
 * Shown are the sums under the names that Prometheus has for a process, and by
 * worker what an administrator compares: are they up, who has how many
 * connections, which one is started again and again.  What each says of itself
 * is in vitals.c.
 */
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "metrics.h"
#include "shared.h"

#define PREFIX	"sync_progress_bridge_"
#define PROCESS_LISTED_MAX	1000	/* connections, with which its files still
									 * are */

struct process_slot
{
	pid_t		pid;			/* 0: it does not run */
	int64_t		starts;
	int64_t		past_cpu_us;	/* of those before */
	int64_t		shown_cpu_us;	/* a counter never goes back */
	int64_t		other_files;	/* than connections, when they were listed */
} shared_line_aligned;

/* What the kernel says of one of them. */
struct usage
{
	double		cpu_s;
	int64_t		resident_bytes;
	int64_t		virtual_bytes;
	int64_t		open_files;
};

static struct process_slot unshared;
static struct process_slot *slots = &unshared;
static time_t since;

/* Before the workers are forked. */
void
processes_open(void)
{
	slots = shared_alloc(sizeof(*slots) * (size_t) shared_workers());
	since = time(NULL);
}

/* This process is the worker that it has become. */
void
process_attach(void)
{
	slots[shared_worker()].pid = getpid();
	slots[shared_worker()].starts++;
}

/* A worker has ended, and nobody else is in its place yet. */
void
process_gone(int worker, int64_t cpu_us)
{
	slots[worker].pid = 0;
	slots[worker].past_cpu_us += cpu_us;
}

/* ---- what the kernel says ---- */

static bool
read_text(pid_t pid, const char *name, char *out, size_t size)
{
	char		path[64];
	ssize_t		len;
	int			fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, out, size - 1);
	close(fd);
	if (len <= 0)
		return false;
	out[len] = '\0';
	return true;
}

/*
 * One by one.  Twenty thousand of them were seen to take 15 to 60 ms, in which
 * nobody is served: when there are many they are the connections, and what there
 * was beside them.
 */
static int64_t
list_files(int worker, const char *path)
{
	int64_t		connections = metric_get_of(worker, METRIC_CONNECTIONS);
	int64_t    *others = &slots[worker].other_files;
	DIR		   *directory;
	int64_t		count = 0;

	if (connections > PROCESS_LISTED_MAX)
		return connections + __atomic_load_n(others, __ATOMIC_RELAXED);
	directory = opendir(path);
	if (directory == NULL)
		return 0;
	for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(directory);
	__atomic_store_n(others, count - connections, __ATOMIC_RELAXED);
	return count;
}

/* Linux counts them itself since 6.2; before that they have to be listed. */
static int64_t
count_files(int worker)
{
	char		path[64];
	struct stat files;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int) slots[worker].pid);
	return stat(path, &files) == 0 && files.st_size > 0 ? files.st_size : list_files(worker, path);
}

/*
 * The fields 14, 15, 23 and 24 of /proc/N/stat; the second, the name, is in
 * parentheses and may have any characters in it.
 */
static void
read_usage(int worker, struct usage *usage)
{
	pid_t		pid = slots[worker].pid;
	char text[	1024];
	const char *after;
	unsigned long user;
	unsigned long system;
	unsigned long bytes;
	long		pages;

	memset(usage, 0, sizeof(*usage));
	if (pid == 0 || !read_text(pid, "stat", text, sizeof(text)))
		return;
	after = strrchr(text, ')');
	if (after == NULL ||
		sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu"
			   " %*d %*d %*d %*d %*d %*d %*u %lu %ld", &user, &system, &bytes, &pages) != 4)
		return;
	usage->cpu_s = (double) (user + system) / (double) sysconf(_SC_CLK_TCK);
	usage->virtual_bytes = (int64_t) bytes;
	usage->resident_bytes = (int64_t) pages * sysconf(_SC_PAGESIZE);
	usage->open_files = count_files(worker);
}

/*
 * Between the end of a worker and its account here it has used nothing for a
 * moment, and the clocks of both do not agree to the last tick.
 */
static double
cpu_of(struct process_slot *slot, const struct usage *usage)
{
	int64_t		cpu_us = slot->past_cpu_us + (int64_t) (usage->cpu_s * 1e6);
	int64_t		shown_us = __atomic_load_n(&slot->shown_cpu_us, __ATOMIC_RELAXED);

	if (cpu_us > shown_us)
		__atomic_store_n(&slot->shown_cpu_us, cpu_us, __ATOMIC_RELAXED);
	return (double) (cpu_us > shown_us ? cpu_us : shown_us) / 1e6;
}

/* ---- showing it ---- */

static void
write_head(struct buf *out, const char *name, const char *help)
{
	size_t		len = strlen(name);

	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
			   len > 6 && strcmp(name + len - 6, "_total") == 0 ? "counter" : "gauge");
}

static void
write_sum(struct buf *out, const char *name, const char *help, int64_t value)
{
	write_head(out, name, help);
	buf_printf(out, "%s %" PRId64 "\n", name, value);
}

static void
write_sums(struct buf *out, const struct usage *usages)
{
	struct usage sum = {0};
	struct rlimit files = {0};
	int			count = shared_workers();

	for (int i = 0; i < count; i++)
	{
		sum.cpu_s += cpu_of(&slots[i], &usages[i]);
		sum.resident_bytes += usages[i].resident_bytes;
		sum.virtual_bytes += usages[i].virtual_bytes;
		sum.open_files += usages[i].open_files;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	write_head(out, "process_cpu_seconds_total", "User and system CPU time of all workers.");
	buf_printf(out, "process_cpu_seconds_total %.2f\n", sum.cpu_s);
	write_sum(out, "process_resident_memory_bytes", "Resident memory of all workers; what "
			  "they share counts for each.", sum.resident_bytes);
	write_sum(out, "process_virtual_memory_bytes", "Virtual memory of all workers.",
			  sum.virtual_bytes);
	write_sum(out, "process_open_fds", "Open file descriptors of all workers.", sum.open_files);
	write_sum(out, "process_max_fds", "As many as all workers may have.",
			  (int64_t) files.rlim_cur * count);
	write_sum(out, "process_start_time_seconds", "When the bridge was started, since 1970.",
			  (int64_t) since);
}

/* What write_by_worker() shows of one. */
typedef int64_t (*worker_value) (int worker);

static int64_t
get_up(int worker)
{
	return metric_get_of(worker, METRIC_WORKERS);
}

static int64_t
get_ready(int worker)
{
	return metric_get_of(worker, METRIC_WORKERS_READY);
}

static int64_t
get_connections(int worker)
{
	return metric_get_of(worker, METRIC_CONNECTIONS);
}

static int64_t
get_restarts(int worker)
{
	return slots[worker].starts > 0 ? slots[worker].starts - 1 : 0;
}

static void
write_by_worker(struct buf *out, const char *name, const char *help, worker_value get)
{
	write_head(out, name, help);
	for (int i = 0; i < shared_workers(); i++)
		buf_printf(out, "%s{worker=\"%d\"} %" PRId64 "\n", name, i + 1, get(i));
}

static void
write_workers(struct buf *out)
{
	write_by_worker(out, PREFIX "worker_up", "1: this worker serves.", get_up);
	write_by_worker(out, PREFIX "worker_ready", "1: its clients would see something.", get_ready);
	write_by_worker(out, PREFIX "worker_connections", "Its connections now.", get_connections);
	write_by_worker(out, PREFIX "worker_restarts_total", "Times that another was started in "
					"its place.", get_restarts);
}

/* Append all of it to "out". */
void
processes_write(struct buf *out)
{
	struct usage *usages = mem_zalloc(sizeof(*usages) * (size_t) shared_workers());

	for (int i = 0; i < shared_workers(); i++)
		read_usage(i, &usages[i]);
	write_sums(out, usages);
	write_workers(out);
	free(usages);
}
