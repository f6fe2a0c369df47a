/*
 * hub_news.c
 *		What is new, and when it is told.
 *
 * A state that comes by notification is told by hub_flush(), when everything
 * that could be read has been.  So when states come quicker than they can be
 * told, each stream tells only its newest one, and nobody is further behind than
 * one round of all; told one by one they would pile up in the database's queue,
 * and everybody would see what was true long ago.
 *
 * Streams that have something to tell are in a list, in the order in which it
 * came.
 */
#include "hub_private.h"

#include <stddef.h>

#include "metrics.h"

/* The stream has nothing more to tell. */
void
hub_forget_news(struct hub_stream *stream)
{
	struct hub *hub = stream->hub;

	if (!stream->has_news)
		return;
	if (stream->news_prev)
		stream->news_prev->news_next = stream->news_next;
	else
		hub->news_first = stream->news_next;
	if (stream->news_next)
		stream->news_next->news_prev = stream->news_prev;
	else
		hub->news_last = stream->news_prev;
	stream->has_news = false;
	stream->replaced = 0;
}

/* Tell the stream's watchers its state. */
static void
hub_tell(struct hub *hub, struct hub_stream *stream)
{
	int64_t		before = stream->told_version;
	int			replaced = stream->replaced;

	hub_forget_news(stream);
	stream->told_version = stream->version;
	hub_time_stream(hub, &stream->times);
	for (struct hub_group *group = stream->groups; group; group = group->next)
	{
		int			told;

		if (hub_hold(hub, group))
			continue;
		told = hub_tell_group(hub, group, before);
		if (replaced > 0)
			metric_add(METRIC_CONFLATED, (int64_t) told * replaced);
	}
	hub_time_written(hub);
}

void
hub_tell_news(struct hub *hub, struct hub_stream *stream)
{
	if (stream->has_news)
		hub_tell(hub, stream);
}

/*
 * Everything that has come was taken: tell what is new.
 */
void
hub_flush(struct hub *hub)
{
	if (hub->news_first == NULL)
		return;
	hub_time_begin(hub);
	while (hub->news_first)
		hub_tell(hub, hub->news_first);
	hub_time_end(hub);
}

/* False: this is not newer than what is known, and changes nothing. */
static bool
hub_put_state(struct hub_stream *stream, int64_t version, bool final, struct msg *payload)
{
	if (stream->payload && version <= stream->version)
		return false;
	msg_drop(stream->payload);
	stream->payload = msg_hold(payload);
	stream->version = version;
	stream->final = final;
	return true;
}

/*
 * This is the state of the stream, from a source that is to be believed.
 * Whatever is not newer than what is known changes nothing.
 */
void
hub_state(struct hub *hub, const char *name, int64_t version, bool final,
		  struct msg *payload)
{
	struct hub_stream *stream = hub_find(hub, name);

	if (stream == NULL || payload == NULL || !hub_put_state(stream, version, final, payload))
		return;
	stream->times = stream->hinted;
	stream->hinted = hub_untimed;
	hub_time_begin(hub);
	hub_tell(hub, stream);
	hub_time_end(hub);
}

/* The stream has a state, which will be notified. */
void
hub_await(struct hub *hub, const char *name)
{
	struct hub_stream *stream = hub_find(hub, name);

	if (stream)
		stream->is_awaited = true;
}

/* Does the stream have a state, which is not known yet? */
bool
hub_sub_awaits(const struct hub_sub *sub)
{
	return sub->group && sub->group->stream->payload == NULL &&
		sub->group->stream->is_awaited;
}

/* Likewise, as it was notified; it is told later. */
void
hub_put_news(struct hub *hub, struct hub_stream *stream, const struct event *event)
{
	if (!hub_put_state(stream, event->version, event->final, event->payload))
		return;
	stream->times = hub_times_of(event);
	if (stream->has_news)
	{
		stream->replaced++;
		return;
	}
	stream->has_news = true;
	stream->news_next = NULL;
	stream->news_prev = hub->news_last;
	if (hub->news_last)
		hub->news_last->news_next = stream;
	else
		hub->news_first = stream;
	hub->news_last = stream;
}
