/*
 * lock.h
 *		A lock between processes, any of which may be killed.
 */
#ifndef LOCK_H
#define LOCK_H

#include <pthread.h>
#include <stdbool.h>

#include "mem.h"

struct lock
{
	pthread_mutex_t mutex;
};

void		lock_init(struct lock *lock);
bool		lock_take(struct lock *lock) must_check;
void		lock_drop(struct lock *lock);

#endif							/* LOCK_H */
