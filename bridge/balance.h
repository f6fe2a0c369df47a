/*
 * balance.h
 *		Which worker takes the next connection?
 */
#ifndef BALANCE_H
#define BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#define BALANCE_PAUSE_MS	5

/* What one worker looks at. */
struct balance_view
{
	bool		is_ready;		/* can it serve watchers? */
	int64_t		connections;
	bool		others_ready;	/* one of the others can */
	int64_t		least;			/* connections of the one of them with the
								 * fewest */
	int64_t		others_accepted;	/* by all others, ever */
};

/* Zeroed to begin with. */
struct balance
{
	int64_t		accepted;		/* by the others, when it was looked last */
	int64_t		since_ms;		/* they have taken none, though there was one */
	int64_t		over_ms;		/* the last pause */
	int64_t		stuck_ms;		/* until when they are taken to be busy, or to
								 * stand still */
};

bool		balance_leaves(struct balance *balance, const struct balance_view *view,
						   int64_t now_ms);

#endif							/* BALANCE_H */
