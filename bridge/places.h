/*
 * places.h
 *		How many are connected, in all and from each place, to all workers.
 */
#ifndef PLACES_H
#define PLACES_H

#include <stdbool.h>
#include <stddef.h>

#include "mem.h"

enum places_answer
{
	PLACES_ENTERED,
	PLACES_FULL,				/* too many in all */
	PLACES_CROWDED				/* too many from there */
};

struct places;

struct places *places_create(int max) must_check;
void		places_free(struct places *places);
enum places_answer places_enter(struct places *places, const void *name, size_t len,
								int max, int max_here) must_check;
bool		places_move(struct places *places, const void *from, const void *to,
						size_t len, int max_here) must_check;
void		places_leave(struct places *places, const void *name, size_t len);
bool		places_worker_gone(struct places *places, int worker) must_check;
int			places_count(const struct places *places);
int			places_here(struct places *places, const void *name, size_t len);

#endif							/* PLACES_H */
