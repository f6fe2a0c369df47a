/*
 * hub_top.c
 *		The streams that most watch, and those that say most.
 *
 * All streams are walked through for it, so it is done while somebody looks at
 * the dashboard and not otherwise.  The rate of a stream is that of the last few
 * seconds, the latest counting most.
 */
#include "hub_private.h"

#include <search.h>

#include "top.h"

#define TOP_SMOOTH		0.3		/* the latest second's part of a rate */
#define TOP_STALE_MS	5000	/* what was counted before is no rate */

struct top_walk
{
	double		seconds;		/* 0: nothing is known of them */
	struct top *by_watchers;
	struct top *by_messages;
};

static void
visit(const void *node, VISIT order, void *arg)
{
	struct hub_stream *stream = *(struct hub_stream *const *) node;
	const struct top_walk *walk = arg;

	if (order != postorder && order != leaf)
		return;
	if (walk->seconds > 0)
		stream->rate += (stream->messages / walk->seconds - stream->rate) * TOP_SMOOTH;
	else
		stream->rate = 0;
	if (stream->rate < 0.01)
		stream->rate = 0;
	stream->messages = 0;
	top_offer(walk->by_watchers, TOP_BY_WATCHERS, stream->name, stream->watchers, stream->rate);
	top_offer(walk->by_messages, TOP_BY_RATE, stream->name, stream->watchers, stream->rate);
}

/* Once a second while it is wanted; both are emptied first. */
void
hub_top(struct hub *hub, int64_t now_ms, struct top *by_watchers, struct top *by_messages)
{
	int64_t		since_ms = now_ms - hub->top_ms;
	struct top_walk walk = {
		.seconds = since_ms < TOP_STALE_MS ? (double) since_ms / 1000 : 0,
		.by_watchers = by_watchers,
		.by_messages = by_messages
	};

	hub->top_ms = now_ms;
	by_watchers->count = by_messages->count = 0;
	twalk_r(hub->streams, visit, &walk);
}
