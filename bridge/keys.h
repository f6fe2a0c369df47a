/*
 * keys.h
 *		When the keys that tokens are checked with are read.
 */
#ifndef KEYS_H
#define KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include "mem.h"

struct auth;
struct keys;
struct query;

typedef void (*keys_read) (void *arg);

struct keys *keys_create(struct auth *auth, struct query *query, keys_read on_read,
						 void *arg) must_check;
void		keys_free(struct keys *keys);
void		keys_want(struct keys *keys);
void		keys_set_up(struct keys *keys, bool is_up);
void		keys_tick(struct keys *keys, int64_t now_ms);
bool		keys_are_used(const struct keys *keys);
bool		keys_are_read(const struct keys *keys);
int64_t		keys_asked_ms(const struct keys *keys);

#endif							/* KEYS_H */
