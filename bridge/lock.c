/*
 * lock.c
 *		A lock between processes, any of which may be killed.
 *
 * A robust mutex in shared memory.  When its holder dies the kernel lets go of
 * it, and the next who takes it is told, for what it guards may be half changed:
 * it repairs that before it does anything else.  If it dies over that, the next
 * one is told again.
 *
 * It is held for some hundred instructions, never over a system call, so that
 * waiting for it does not count as blocking.  But a worker may be stopped (by
 * SIGSTOP, by a debugger) just when it holds one, and then the others stand still
 * as well.  So each leaves a mark while it holds any: the supervisor looks for
 * one that does not go on with it, and never waits for long itself.
 */
#include "lock.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "shared.h"

struct lock_mark
{
	int			held;			/* so many locks */
} shared_line_aligned;

static struct lock_mark *marks;

/* Before the workers are forked. */
void
locks_open(void)
{
	marks = shared_alloc(sizeof(*marks) * (size_t) shared_workers());
}

/* Has this worker, at this moment, any lock? */
bool
lock_is_held_by(int worker)
{
	return marks && __atomic_load_n(&marks[worker].held, __ATOMIC_RELAXED) > 0;
}

/* A worker that is killed leaves its mark; the next in its place begins anew. */
void
locks_attach(void)
{
	if (marks && shared_worker() != SHARED_SUPERVISOR)
		__atomic_store_n(&marks[shared_worker()].held, 0, __ATOMIC_RELAXED);
}

static void
mark(int by)
{
	if (marks && shared_worker() != SHARED_SUPERVISOR)
		__atomic_store_n(&marks[shared_worker()].held, marks[shared_worker()].held + by,
						 __ATOMIC_RELAXED);
}

/* "lock" lies in shared memory; before the workers are forked. */
void
lock_init(struct lock *lock)
{
	pthread_mutexattr_t kind;

	if (pthread_mutexattr_init(&kind) != 0 ||
		pthread_mutexattr_setpshared(&kind, PTHREAD_PROCESS_SHARED) != 0 ||
		pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST) != 0 ||
		pthread_mutex_init(&lock->mutex, &kind) != 0)
		abort();
	pthread_mutexattr_destroy(&kind);
}

/* What has come of trying to take it. */
static enum lock_state
taken(struct lock *lock, int code)
{
	if (code == ETIMEDOUT)
		return LOCK_BUSY;
	if (code != 0 && (code != EOWNERDEAD || pthread_mutex_consistent(&lock->mutex) != 0))
		abort();
	mark(1);
	return code == 0 ? LOCK_TAKEN : LOCK_TAKEN_BROKEN;
}

/*
 * False: it is taken, but who had it before has died, and what it guards must
 * be repaired now.
 */
bool
lock_take(struct lock *lock)
{
	return taken(lock, pthread_mutex_lock(&lock->mutex)) == LOCK_TAKEN;
}

/* Likewise, for somebody who must not wait longer than so many ms. */
enum lock_state
lock_take_within(struct lock *lock, int wait_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += wait_ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return taken(lock, pthread_mutex_clocklock(&lock->mutex, CLOCK_MONOTONIC, &until));
}

void
lock_drop(struct lock *lock)
{
	if (pthread_mutex_unlock(&lock->mutex) != 0)
		abort();
	mark(-1);
}
