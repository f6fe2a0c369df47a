/*
 * pace.h
 *		At most so many a second, over all workers.
 */
#ifndef PACE_H
#define PACE_H

#include <stdint.h>

#include "mem.h"

struct pace;

struct pace *pace_create(void) must_check;
int64_t		pace_take(struct pace *pace, int per_second, int64_t now_ns);
void		pace_return(struct pace *pace, int per_second);

#endif							/* PACE_H */
