/*
 * limit.h
 *		How often something may happen to somebody: token buckets.
 */
#ifndef LIMIT_H
#define LIMIT_H

#include <stdint.h>

#include "mem.h"

#define LIMIT_KEY_BYTES	16

struct limit;

struct limit_key
{
	uint8_t		bytes[LIMIT_KEY_BYTES];
};

struct limit *limit_create(int per_minute, int keys_max) must_check;
void		limit_free(struct limit *limit);
struct limit_key limit_key(const struct limit *limit, char kind, const void *bytes,
						   size_t len);
int64_t		limit_wait_ms(const struct limit *limit, const struct limit_key *key,
						  int64_t now_ms);
void		limit_count(struct limit *limit, const struct limit_key *key, int64_t now_ms);

#endif							/* LIMIT_H */
