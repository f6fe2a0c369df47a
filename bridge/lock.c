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
 * waiting for it does not count as blocking.
 */
#include "lock.h"

#include <errno.h>
#include <stdlib.h>

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

/*
 * False: it is taken, but who had it before has died, and what it guards must
 * be repaired now.
 */
bool
lock_take(struct lock *lock)
{
	int			code = pthread_mutex_lock(&lock->mutex);

	if (code == 0)
		return true;
	if (code != EOWNERDEAD || pthread_mutex_consistent(&lock->mutex) != 0)
		abort();
	return false;
}

void
lock_drop(struct lock *lock)
{
	if (pthread_mutex_unlock(&lock->mutex) != 0)
		abort();
}
