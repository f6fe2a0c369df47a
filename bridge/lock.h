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

enum lock_state
{
	LOCK_TAKEN,
	LOCK_TAKEN_BROKEN,			/* and what it guards must be repaired */
	LOCK_BUSY					/* not taken */
};

void		locks_open(void);
void		locks_attach(void);
bool		lock_is_held_by(int worker);
void		lock_init(struct lock *lock);
bool		lock_take(struct lock *lock) must_check;
enum lock_state lock_take_within(struct lock *lock, int wait_ms) must_check;
void		lock_drop(struct lock *lock);

#endif							/* LOCK_H */
