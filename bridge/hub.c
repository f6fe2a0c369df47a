/*
 * hub.c
 *		Streams, who watches them, and the latest state of each.
 *
 * A stream exists here while somebody watches it.  It has the newest payload
 * with its version, and groups of subscriptions: one group for every protocol
 * and identifier, because a frame holds the identifier as its client wrote it
 * and is otherwise the same for all.  A frame is built once for a group, into a
 * scratch buffer, and written at once to every client with nothing pending.
 *
 * A client that has something pending is passed over.  Nothing is queued for
 * it: a subscription remembers only the version it was sent last, and when its
 * client can take more it asks for what is newest then, with hub_sub_next().
 * Hence a slow client costs one frame, gets the newest state, and never one
 * older than what it has.
 *
 * Clients that want less are held back as a group (hub_interval.c).
 *
 * Events of a stream are each told, in their order, from a ring that the stream
 * keeps (ring.c).  Whoever may have missed some, because it fell behind or because
 * notifications were not received for a while, is told to read anew.
 *
 * The hub knows neither sockets nor a database: clients are reached through
 * their hub_transport, and streams whose state or rights must be asked for wait
 * until hub_next_wanted() takes them (hub_want.c).  How streams and subscriptions
 * begin and end is in hub_stream.c.
 */
#include "hub_private.h"

#include <string.h>

#include "codes.h"
#include "metrics.h"

#define HUB_AHEAD			4
#define HUB_CLIENT_BYTES	128 /* what a client's first question looks at */

/* ---- what goes out ---- */

/* May this one be told anything but what it is owed first? */
static bool
hub_may_be_told(const struct hub_sub *sub)
{
	return sub->is_confirmed && !sub->is_doubted && !sub->owes_confirm;
}

static bool
hub_is_behind(const struct hub_sub *sub)
{
	const struct hub_stream *stream = sub->group->stream;

	/* It may have been shown a newer one already, as the answer to an action. */
	return stream->payload && (sub->sent_version < stream->version ||
							   (sub->owes_state && sub->sent_version == stream->version));
}

static struct hub_news
hub_news_of(const struct hub_stream *stream)
{
	return (struct hub_news)
	{
		.version = stream->version, .final = stream->final, .payload = stream->payload
	};
}

/*
 * A frame for ten thousand waits mostly for memory, since what is known of each
 * client lies somewhere else.  So who comes soon is fetched while others are
 * written to, one link of the chain a step.  It saves a third of what is spent
 * outside of the kernel.  "next" are those who follow, to be moved on by one.
 */
static void
hub_look_ahead(const struct hub_transport *transport, struct hub_sub **next)
{
	for (int i = 0; i < HUB_AHEAD - 1; i++)
		next[i] = next[i + 1];
	next[HUB_AHEAD - 1] = next[HUB_AHEAD - 2] ? next[HUB_AHEAD - 2]->next : NULL;

	if (next[3])
		mem_fetch(next[3], sizeof(struct hub_sub));
	if (next[2])
		mem_fetch(next[2]->client, HUB_CLIENT_BYTES);
	if (next[1] && transport->ahead)
		transport->ahead(next[1]->client, 2);
	if (next[0] && transport->ahead)
		transport->ahead(next[0]->client, 1);
}

/*
 * Tell everybody in the group who is behind and can be told.  Who could not be
 * told the version "before" either is spared it.  send() only marks a client
 * whose socket failed: nobody leaves a group while it is walked.  Returns how many
 * were told.
 */
int
hub_tell_group(struct hub *hub, struct hub_group *group, int64_t before)
{
	const struct hub_transport *transport = group->transport;
	struct hub_news news = hub_news_of(group->stream);
	bool		is_built = false;
	struct hub_sub *next[HUB_AHEAD] = {group->subs};
	int			told = 0;

	for (int i = 1; i < HUB_AHEAD; i++)
		next[i] = next[i - 1] ? next[i - 1]->next : NULL;
	for (struct hub_sub *sub = group->subs; sub; sub = sub->next)
	{
		hub_look_ahead(transport, next);
		if (!hub_may_be_told(sub) || !hub_is_behind(sub))
			continue;
		if (!transport->is_idle(sub->client))
		{
			if (sub->sent_version < before)
				metric_count(METRIC_CONFLATED);
			continue;
		}
		if (!is_built)
		{
			buf_reset(&hub->frame);
			transport->state(&hub->frame, group->identifier, &news);
			is_built = true;
		}
		sub->sent_version = news.version;
		sub->owes_state = false;
		transport->send(sub->client, &hub->frame);
		hub_time_write(hub);
		told++;
	}
	if (told > 0)
	{
		metric_add(METRIC_STATES_OUT, told);
		group->stream->messages += (uint32_t) told;
		hub_interval_begin(hub, group);
	}
	return told;
}

/* Put an event into the stream, and tell it to everybody who can be told. */
void
hub_tell_event(struct hub *hub, struct hub_stream *stream, const char *type,
			   struct msg *data, const struct hub_times *times)
{
	struct hub_event event = {.type = type, .data = data};
	uint64_t	number;

	hub_time_begin(hub);
	hub_time_stream(hub, times);
	if (stream->ring == NULL)
		stream->ring = ring_create();
	number = ring_push(stream->ring, type, data);
	for (struct hub_group *group = stream->groups; group; group = group->next)
	{
		const struct hub_transport *transport = group->transport;
		bool		is_built = false;

		for (struct hub_sub *sub = group->subs; sub && transport->event; sub = sub->next)
		{
			/* Who is owed something else gets this after it, from the ring. */
			if (!hub_may_be_told(sub) || sub->owes_reload || sub->sent_event + 1 != number ||
				!transport->is_idle(sub->client))
				continue;
			if (!is_built)
			{
				buf_reset(&hub->frame);
				transport->event(&hub->frame, group->identifier, &event);
				is_built = true;
			}
			sub->sent_event = number;
			metric_count(METRIC_EVENTS_OUT);
			transport->send(sub->client, &hub->frame);
			hub_time_write(hub);
			stream->messages++;
		}
	}
	hub_time_written(hub);
	hub_time_end(hub);
}

/* The next event that is owed to this subscription. */
static enum hub_next
hub_sub_next_event(struct hub_sub *sub, struct buf *out)
{
	const struct ring *ring = sub->group->stream->ring;
	struct hub_event event = {.type = CODE_EVENT_RELOADED};
	const struct ring_event *next;

	if (sub->transport->event == NULL ||
		(!sub->owes_reload && sub->sent_event == ring_newest(ring)))
		return HUB_NOTHING;
	next = sub->owes_reload ? NULL : ring_get(ring, sub->sent_event + 1);
	if (next)
	{
		event.type = next->type->bytes;
		event.data = next->data;
		sub->sent_event++;
	}
	else
	{
		/* Reading anew includes whatever is still there. */
		sub->owes_reload = false;
		sub->sent_event = ring_newest(ring);
	}
	metric_count(METRIC_EVENTS_OUT);
	sub->transport->event(out, sub->identifier, &event);
	return HUB_FRAME;
}

/*
 * The next frame that is owed to this subscription, written to "out".
 */
enum hub_next
hub_sub_next(struct hub_sub *sub, struct buf *out)
{
	struct hub_news news;

	buf_reset(out);
	if (sub->owes_reject)
	{
		sub->owes_reject = false;
		sub->transport->reject(out, sub->identifier);
		return HUB_LAST_FRAME;
	}
	if (sub->group == NULL || !sub->is_confirmed || sub->is_doubted)
		return HUB_NOTHING;
	if (sub->owes_confirm)
	{
		sub->owes_confirm = false;
		sub->transport->confirm(out, sub);
		msg_drop(sub->greeting);
		sub->greeting = NULL;
		return HUB_FRAME;
	}
	if (!hub_is_behind(sub) ||
		(sub->group->is_held && sub->sent_version > 0 && !sub->owes_state))
		return hub_sub_next_event(sub, out);
	news = hub_news_of(sub->group->stream);
	if (sub->sent_version > 0 && !sub->owes_state && sub->group->interval_ms == 0)
		hub_time_late(&sub->group->stream->times);
	sub->sent_version = news.version;
	sub->owes_state = false;
	sub->group->stream->messages++;
	hub_interval_begin(sub->group->stream->hub, sub->group);
	metric_count(METRIC_STATES_OUT);
	sub->transport->state(out, sub->identifier, &news);
	return HUB_FRAME;
}

/*
 * This state is for this subscription, whatever the others may see: tell it at
 * once.  If its client takes nothing now it is left out, for what follows by way
 * of the stream is not older.
 */
void
hub_sub_offer(struct hub_sub *sub, const char *stream, const struct hub_news *news)
{
	struct hub *hub;

	if (sub->group == NULL || !hub_may_be_told(sub) || sub->sent_version >= news->version ||
		strcmp(sub->group->stream->name, stream) != 0 || !sub->transport->is_idle(sub->client))
		return;
	hub = sub->group->stream->hub;
	buf_reset(&hub->frame);
	sub->transport->state(&hub->frame, sub->identifier, news);
	sub->sent_version = news->version;
	metric_count(METRIC_STATES_OUT);
	sub->transport->send(sub->client, &hub->frame);
}

/* ---- what comes in ---- */

/*
 * Notifications were not received for a while: if the stream has events, some
 * may have been missed.  One that has no state has nothing else.
 */
void
hub_sub_missed(struct hub_sub *sub)
{
	const struct hub_stream *stream = sub->group ? sub->group->stream : NULL;

	if (stream && (stream->ring || (stream->payload == NULL && !stream->is_awaited)))
		sub->owes_reload = true;
}

/*
 * Who watches the stream may have lost the right to: what comes after this is
 * not for them before they have been asked about.
 */
static void
hub_doubt(struct hub_stream *stream)
{
	for (struct hub_group *group = stream->groups; group; group = group->next)
		for (struct hub_sub *sub = group->subs; sub; sub = sub->next)
			sub->is_doubted = true;
}

/* The worker, or somebody, says that the stream's watchers may have changed. */
static void
hub_take_revoked(struct hub *hub, struct hub_stream *stream, const struct event *event,
				 bool is_trusted)
{
	kept_note(hub->kept, KEPT_REVOKED, event->stream, 0, false, NULL);
	if (stream && is_trusted)
	{
		/* What came before is still theirs. */
		hub_tell_news(hub, stream);
		hub_doubt(stream);
	}
	if (stream)
		hub_want_stream(hub, stream, !is_trusted, HUB_WANTS_RIGHTS);
}

static void
hub_take_state(struct hub *hub, struct hub_stream *stream, const struct event *event,
			   bool is_trusted)
{
	if (!is_trusted)
	{
		kept_note(hub->kept, KEPT_HINT, event->stream, 0, false, NULL);
		if (stream)
			hub_want_stream(hub, stream, true, HUB_WANTS_STATE);
		return;
	}
	kept_note(hub->kept, KEPT_STATE, event->stream, event->version, event->final,
			  event->payload);
	if (stream == NULL || event->version <= stream->version)
		return;
	if (event->payload)
	{
		hub_put_news(hub, stream, event);
		return;
	}
	stream->hinted = hub_times_of(event);
	hub_want_stream(hub, stream, false, HUB_WANTS_STATE);
}

static void
hub_take_list(struct hub *hub, struct hub_stream *stream, const struct event *event,
			  bool is_trusted)
{
	kept_note(hub->kept, KEPT_EVENT, event->stream, 0, false, NULL);
	if (stream && is_trusted)
	{
		struct hub_times times = hub_times_of(event);

		hub_tell_event(hub, stream, event->name, event->payload, &times);
	}
	else if (stream)
		hub_want_stream(hub, stream, true, HUB_WANTS_RELOAD);
}

/*
 * A notification has come.
 *
 * One that the worker has not sent is a hint that something may have changed:
 * the database is asked, or the watchers are told to read anew, in its turn, and
 * the notification's data is not used.
 */
void
hub_take(struct hub *hub, const struct event *event, bool is_trusted)
{
	struct hub_stream *stream = event->stream ? hub_find(hub, event->stream) : NULL;

	switch (event->type)
	{
		case EVENT_PROGRESS:
			hub_take_state(hub, stream, event, is_trusted);
			break;
		case EVENT_REVOKED:
			hub_take_revoked(hub, stream, event, is_trusted);
			break;
		case EVENT_LIST:
			hub_take_list(hub, stream, event, is_trusted);
			break;
		case EVENT_HEARTBEAT:
		case EVENT_DISCONNECT:
			break;
	}
}
