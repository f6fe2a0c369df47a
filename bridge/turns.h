/*
 * turns.h
 *		Whose call is next.
 */
#ifndef TURNS_H
#define TURNS_H

#include <stdbool.h>
#include <stdint.h>

#include "intern.h"

struct caller;
struct lane;
struct turns;

/* One call; embedded, zeroed, in whatever it is. */
struct turn
{
	void	   *owner;			/* for who embeds it */
	struct caller *caller;		/* NULL: neither waiting nor under way */
	struct lane *lane;			/* NULL: in no order */
	bool		is_under_way;
	struct turn *prev;			/* among those that wait */
	struct turn *next;
};

struct turns *turns_create(int waiting_max) must_check;
void		turns_free(struct turns *turns);
bool		turns_wait(struct turns *turns, struct turn *turn, const struct istr *caller,
					   const char *key) must_check;
struct turn *turns_next(struct turns *turns, int free_places);
void		turns_begin(struct turns *turns, struct turn *turn);
void		turns_leave(struct turns *turns, struct turn *turn);
struct turn *turns_oldest(const struct turns *turns);
int			turns_waiting(const struct turns *turns);

#endif							/* TURNS_H */
