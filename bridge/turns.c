/*
 * turns.c
 *		Whose call is next.
 *
 * There are a few places, and a call occupies one while it is under way.  Were
 * calls taken in the order in which they come, one caller with many slow ones
 * would be everybody's wait.  So it is the callers who take turns:
 *
 * - a place goes to whoever occupies the fewest; among those to who has
 *   waited for longest since a call of theirs was done, or since they came; and of
 *   that caller's calls to the oldest;
 * - who occupies one already gets no further one if it is the last;
 * - one caller may have waiting at most as many calls as there is room left, that
 *   is half of the room that the others leave: several who are greedy leave room,
 *   too.
 *
 * Calls with the same key are in one lane: they are taken in the order in which
 * they came, whoever's they are, and one at a time.
 *
 * Callers and lanes exist while they have a call, so there are no more of them
 * than calls, which are few: lists will do.
 *
 * Pure: what a place is, and what the call does there, is the caller's business.
 */
#include "turns.h"

#include <stdlib.h>
#include <string.h>

struct caller
{
	struct istr *name;
	int			waiting;
	int			under_way;
	uint64_t	since;			/* when it came to wait: the lowest is next */
	struct caller *next;
};

struct lane
{
	struct istr *key;
	int			calls;
	bool		is_busy;
	uint64_t	search;			/* the last that has come across it */
	struct lane *next;
};

struct turns
{
	struct intern *names;
	struct caller *callers;
	struct lane *lanes;
	struct turn *first;			/* the oldest that waits */
	struct turn *last;
	int			waiting;
	int			waiting_max;
	uint64_t	clock;
	uint64_t	searches;
};

struct turns *
turns_create(int waiting_max)
{
	struct turns *turns = mem_zalloc(sizeof(*turns));

	turns->names = intern_create();
	turns->waiting_max = waiting_max;
	return turns;
}

/* Every call must have left. */
void
turns_free(struct turns *turns)
{
	intern_free(turns->names);
	free(turns);
}

/* ---- callers and lanes ---- */

static struct caller *
caller_get(struct turns *turns, const struct istr *name)
{
	struct istr *own = intern_get(turns->names, name->bytes, name->len);
	struct caller *caller = turns->callers;

	while (caller && caller->name != own)
		caller = caller->next;
	if (caller)
	{
		intern_drop(own);
		return caller;
	}
	caller = mem_zalloc(sizeof(*caller));
	caller->name = own;
	caller->since = ++turns->clock;
	caller->next = turns->callers;
	turns->callers = caller;
	return caller;
}

/* Forget it, if it has no call any more. */
static void
caller_drop(struct turns *turns, struct caller *caller)
{
	struct caller **at = &turns->callers;

	if (caller->waiting > 0 || caller->under_way > 0)
		return;
	while (*at != caller)
		at = &(*at)->next;
	*at = caller->next;
	intern_drop(caller->name);
	free(caller);
}

static struct lane *
lane_get(struct turns *turns, const char *key)
{
	struct istr *own = intern_get(turns->names, key, strlen(key));
	struct lane *lane = turns->lanes;

	while (lane && lane->key != own)
		lane = lane->next;
	if (lane)
	{
		intern_drop(own);
		return lane;
	}
	lane = mem_zalloc(sizeof(*lane));
	lane->key = own;
	lane->next = turns->lanes;
	turns->lanes = lane;
	return lane;
}

static void
lane_drop(struct turns *turns, struct lane *lane)
{
	struct lane **at = &turns->lanes;

	if (--lane->calls > 0)
		return;
	while (*at != lane)
		at = &(*at)->next;
	*at = lane->next;
	intern_drop(lane->key);
	free(lane);
}

/* ---- calls ---- */

/*
 * Let a call wait for its turn.  "key" may be NULL; both texts are copied.  False:
 * too many wait, or too many of this caller's.
 */
bool
turns_wait(struct turns *turns, struct turn *turn, const struct istr *name,
		   const char *key)
{
	struct caller *caller = caller_get(turns, name);

	if (caller->waiting >= turns->waiting_max - turns->waiting)
	{
		caller_drop(turns, caller);
		return false;
	}
	caller->waiting++;
	turns->waiting++;
	turn->caller = caller;
	turn->lane = key ? lane_get(turns, key) : NULL;
	if (turn->lane)
		turn->lane->calls++;
	turn->prev = turns->last;
	if (turns->last)
		turns->last->next = turn;
	else
		turns->first = turn;
	turns->last = turn;
	return true;
}

/* Is it its turn in its lane?  Asked of all that wait, the oldest first. */
static bool
is_first_in_lane(const struct turns *turns, const struct turn *turn)
{
	struct lane *lane = turn->lane;
	bool		is_behind;

	if (lane == NULL)
		return true;
	is_behind = lane->is_busy || lane->search == turns->searches;
	lane->search = turns->searches;
	return !is_behind;
}

static bool
is_before(const struct caller *one, const struct caller *other)
{
	return one->under_way != other->under_way ? one->under_way < other->under_way :
		one->since < other->since;
}

/* The call that is to have one of so many free places, or NULL. */
struct turn *
turns_next(struct turns *turns, int free_places)
{
	struct turn *best = NULL;

	turns->searches++;
	for (struct turn *turn = turns->first; turn; turn = turn->next)
	{
		if (!is_first_in_lane(turns, turn) ||
			free_places <= (turn->caller->under_way > 0 ? 1 : 0))
			continue;
		if (best == NULL || is_before(turn->caller, best->caller))
			best = turn;
	}
	return best;
}

static void
stop_waiting(struct turns *turns, struct turn *turn)
{
	if (turn->prev)
		turn->prev->next = turn->next;
	else
		turns->first = turn->next;
	if (turn->next)
		turn->next->prev = turn->prev;
	else
		turns->last = turn->prev;
	turn->prev = turn->next = NULL;
	turn->caller->waiting--;
	turns->waiting--;
}

/* A call that waited occupies a place from now on. */
void
turns_begin(struct turns *turns, struct turn *turn)
{
	stop_waiting(turns, turn);
	turn->is_under_way = true;
	turn->caller->under_way++;
	if (turn->lane)
		turn->lane->is_busy = true;
}

/* It has been done, or is not to be. */
void
turns_leave(struct turns *turns, struct turn *turn)
{
	if (turn->is_under_way)
	{
		turn->caller->under_way--;
		turn->caller->since = ++turns->clock;
		if (turn->lane)
			turn->lane->is_busy = false;
	}
	else
		stop_waiting(turns, turn);
	caller_drop(turns, turn->caller);
	if (turn->lane)
		lane_drop(turns, turn->lane);
	turn->caller = NULL;
	turn->lane = NULL;
	turn->is_under_way = false;
}

/* Of those that wait, or NULL. */
struct turn *
turns_oldest(const struct turns *turns)
{
	return turns->first;
}

int
turns_waiting(const struct turns *turns)
{
	return turns->waiting;
}
