/*
 * ring.c
 *		The last events of a stream.
 *
 * Events, unlike states, are each to be told, in their order.  There is no queue
 * for a client: the stream keeps the last few, numbered from 1, and each of its
 * subscriptions remembers the number it was sent last.  Who has fallen so far
 * behind that its next one is gone is told to read anew instead.  So what a
 * stalled client costs does not grow with what it misses.
 *
 * Both the number of events and their bytes are bounded, and one event may have
 * all of the bytes.
 */
#include "ring.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct ring
{
	uint64_t	newest;			/* the number of the last one, 0: none yet */
	unsigned	count;
	size_t		bytes;
	struct ring_event events[RING_EVENTS_MAX];	/* by number */
};

static size_t
ring_size(const struct ring_event *event)
{
	return event->type->len + (event->data ? event->data->len : 0);
}

struct ring *
ring_create(void)
{
	return mem_zalloc(sizeof(struct ring));
}

static void
ring_drop_oldest(struct ring *ring)
{
	uint64_t	number = ring->newest - ring->count + 1;
	struct ring_event *event = &ring->events[number % RING_EVENTS_MAX];

	ring->bytes -= ring_size(event);
	ring->count--;
	msg_drop(event->type);
	msg_drop(event->data);
}

void
ring_free(struct ring *ring)
{
	while (ring && ring->count > 0)
		ring_drop_oldest(ring);
	free(ring);
}

/* Put in an event; "data" is held.  Returns its number. */
uint64_t
ring_push(struct ring *ring, const char *type, struct msg *data)
{
	struct ring_event event = {
		.type = msg_create(type, strlen(type)), .data = msg_hold(data)
	};

	while (ring->count == RING_EVENTS_MAX ||
		   (ring->count > 0 && ring->bytes + ring_size(&event) > RING_BYTES_MAX))
		ring_drop_oldest(ring);
	ring->newest++;
	ring->count++;
	ring->bytes += ring_size(&event);
	ring->events[ring->newest % RING_EVENTS_MAX] = event;
	return ring->newest;
}

/* The number of the last event; without a ring there was none. */
uint64_t
ring_newest(const struct ring *ring)
{
	return ring ? ring->newest : 0;
}

/* The event of this number; NULL: it is gone, or has not been. */
const struct ring_event *
ring_get(const struct ring *ring, uint64_t number)
{
	if (ring == NULL || number > ring->newest || ring->newest - number >= ring->count)
		return NULL;
	return &ring->events[number % RING_EVENTS_MAX];
}
