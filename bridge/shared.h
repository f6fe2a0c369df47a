/*
 * shared.h
 *		Memory that all worker processes share.
 */
#ifndef SHARED_H
#define SHARED_H

#include <stddef.h>

#include "mem.h"

/* What two workers write at the same time belongs into lines of its own. */
#define SHARED_LINE_BYTES	64
#define shared_line_aligned	__attribute__((aligned(SHARED_LINE_BYTES)))

#define SHARED_SUPERVISOR	(-1)

void		shared_open(int workers);
void	   *shared_alloc(size_t size) must_check;
void		shared_become(int worker);
int			shared_workers(void);
int			shared_worker(void);

#endif							/* SHARED_H */
