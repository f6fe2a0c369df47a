/*
 * limit.h
 *		How often something may happen to somebody: token buckets.
 */
#ifndef LIMIT_H
#define LIMIT_H

#include <stdint.h>

#include "digest.h"
#include "mem.h"

struct limit;

struct limit *limit_create(int per_minute, int keys_max) must_check;
void		limit_set(struct limit *limit, int per_minute);
void		limit_free(struct limit *limit);
int64_t		limit_wait_ms(struct limit *limit, const struct digest *key, int64_t now_ms);
void		limit_count(struct limit *limit, const struct digest *key, int64_t now_ms);
int64_t		limit_take_ms(struct limit *limit, const struct digest *key, int64_t now_ms)
			must_check;

#endif							/* LIMIT_H */
