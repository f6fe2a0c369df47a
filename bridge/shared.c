/*
 * shared.c
 *		Memory that all worker processes share.
 *
 * Anonymous mappings, made before the workers are forked and at the same place
 * in each of them: what is a pointer into one may be kept in another.  They
 * live as long as any process that has them, so whatever a worker leaves in
 * them when it is killed stays, and whoever owns the structure says how it is
 * made right again: the supervisor tells it which worker has gone, before there
 * is another in its place.
 *
 * The cheapest rule, and the one to begin with: a slot for each worker, which
 * only that worker writes, with relaxed atomic stores; a reader adds them up.
 * Nothing is locked then, and nothing can be left locked.
 *
 * A process that serves alone is worker 0 of 1, by the same code.
 */
#include "shared.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

static int	workers = 1;
static int	worker = 0;
static pid_t owner;

/* There will be so many of them.  Before anything is allocated. */
void
shared_open(int count)
{
	workers = count;
	worker = count > 1 ? SHARED_SUPERVISOR : 0;
}

/*
 * Zeroed, and never freed.  Not by a worker: it would be shared with nobody.
 */
void *
shared_alloc(size_t size)
{
	void	   *memory;

	if (owner == 0)
		owner = getpid();
	if (owner != getpid())
		die(1, "shared", "memory was asked for that is no longer shared size=%zu", size);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die(1, "shared", "no memory size=%zu: %s", size, strerror(errno));
	return memory;
}

/* This process has been forked to be this worker. */
void
shared_become(int number)
{
	worker = number;
}

/* How many workers are there? */
int
shared_workers(void)
{
	return workers;
}

/* Which of them is this process, from 0?  SHARED_SUPERVISOR: none. */
int
shared_worker(void)
{
	return worker;
}
