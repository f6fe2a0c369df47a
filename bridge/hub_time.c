/*
 * hub_time.c
 *		How long states and events take from the database to the sockets.
 *
 * The clock is read when telling begins and after every so many writes, not for
 * each: among ten thousand watchers of one state that is the difference between
 * nothing and a percent, and a write is timed to a fraction of a millisecond
 * even so.  What was written since the last reading counts as written now.
 *
 * A state that waits, since its watcher has not taken the one before, is timed
 * for itself: that is the watcher's own doing or its network's, and no number
 * that anybody here could better.  Whoever wants to be told less often is not
 * timed at all, nor is the first state of a new subscription.
 */
#include "hub_private.h"

#include "clock.h"
#include "metrics.h"

#define HUB_WRITES_TIMED	64

const struct hub_times hub_untimed;

/* When this event came, and how long it had been under way. */
struct hub_times
hub_times_of(const struct event *event)
{
	return (struct hub_times)
	{
		.received_us = event->received_us, .under_way_us = event->under_way_us,
			.is_dated = event->emitted_us != 0
	};
}

/* Telling begins, of everything until hub_time_end(). */
void
hub_time_begin(struct hub *hub)
{
	hub->telling_us = clock_us();
}

void
hub_time_end(struct hub *hub)
{
	hub->telling_us = 0;
}

/* This stream's turn has come. */
void
hub_time_stream(struct hub *hub, const struct hub_times *times)
{
	hub->times = *times;
	hub->untimed = 0;
	if (hub->telling_us != 0 && times->received_us != 0)
		timing_add(TIMING_HUB, hub->telling_us - times->received_us, 1);
}

/* All of this stream's have been written. */
void
hub_time_written(struct hub *hub)
{
	int64_t		now_us;

	if (hub->untimed > 0 && hub->telling_us != 0 && hub->times.received_us != 0)
	{
		now_us = clock_us();
		timing_add(TIMING_WRITE, now_us - hub->telling_us, hub->untimed);
		if (hub->times.is_dated)
			timing_add(TIMING_DELIVERY, hub->times.under_way_us + now_us - hub->times.received_us,
					   hub->untimed);
	}
	hub->untimed = 0;
}

/* One more was written. */
void
hub_time_write(struct hub *hub)
{
	if (++hub->untimed >= HUB_WRITES_TIMED)
		hub_time_written(hub);
}

/* A state is written that its watcher had no room for when it was due. */
void
hub_time_late(const struct hub_times *times)
{
	if (times->received_us != 0 && times->is_dated)
		timing_add(TIMING_LATE, times->under_way_us + clock_us() - times->received_us, 1);
}
