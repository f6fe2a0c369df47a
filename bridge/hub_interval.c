/*
 * hub_interval.c
 *		Clients that want to be told less often.
 *
 * They say so in their identifier, so they are a group of their own, and the
 * group is what waits: after a state has gone out to it the next one is held
 * back until the interval is over.  Then it is the newest that goes.  A final
 * state never waits, and neither does the first one of a new subscription, or
 * one that was asked for.
 *
 * Only groups that owe something are in the list that each tick looks through.
 * The clock is that of the ticks, and up to one of them behind: as much is added
 * to the interval, so that it is never shorter than was wished.
 */
#include "hub_private.h"

#include <stddef.h>

#include "interval.h"
#include "wheel.h"

/* A state went out to the group, or to its first member. */
void
hub_interval_begin(struct hub *hub, struct hub_group *group)
{
	if (group->interval_ms > 0 && group->due_ms <= hub->now_ms)
		group->due_ms = hub->now_ms + WHEEL_TICK_MS + group->interval_ms;
}

void
hub_release(struct hub *hub, struct hub_group *group)
{
	if (!group->is_held)
		return;
	group->is_held = false;
	if (group->held_prev)
		group->held_prev->held_next = group->held_next;
	else
		hub->held = group->held_next;
	if (group->held_next)
		group->held_next->held_prev = group->held_prev;
}

/*
 * Must the group wait for the stream's newest state?  Then it will be told by
 * a later tick.
 */
bool
hub_hold(struct hub *hub, struct hub_group *group)
{
	if (group->interval_ms == 0 || group->stream->final || group->due_ms <= hub->now_ms)
	{
		hub_release(hub, group);
		return false;
	}
	if (!group->is_held)
	{
		group->is_held = true;
		group->held_prev = NULL;
		group->held_next = hub->held;
		if (hub->held)
			hub->held->held_prev = group;
		hub->held = group;
	}
	return true;
}

/* Tell the groups whose interval is over; called ten times a second. */
void
hub_tick(struct hub *hub, int64_t now_ms)
{
	hub->now_ms = now_ms;
	for (struct hub_group *group = hub->held, *next; group; group = next)
	{
		next = group->held_next;
		if (group->due_ms > now_ms)
			continue;
		hub_release(hub, group);
		hub_tell_group(hub, group, 0);
	}
}
