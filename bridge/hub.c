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
 * The hub knows neither sockets nor a database: clients are reached through
 * their hub_transport, and streams whose state or rights must be asked for wait
 * in two lists (told by the worker: at once; told by anybody: at a bounded
 * rate) until hub_next_wanted() takes them.
 */
#include "hub.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

struct hub_group
{
	struct hub_stream *stream;
	const struct hub_transport *transport;
	struct istr *identifier;
	struct hub_group *prev;
	struct hub_group *next;
	struct hub_sub *subs;
};

struct hub_stream
{
	char	   *name;
	int64_t		version;
	bool		final;
	struct msg *payload;		/* NULL: none known yet */
	void	   *group_tree;
	struct hub_group *groups;

	struct hub_wants *wants;	/* the list it waits in, or NULL */
	struct hub_stream *want_prev;
	struct hub_stream *want_next;
	bool		wants_rights;
};

struct hub_wants
{
	struct hub_stream *first;
	struct hub_stream *last;
};

struct hub
{
	void	   *streams;		/* tree by name */
	struct kept *kept;
	struct hub_wants wanted;
	struct hub_wants hinted;
	struct buf	frame;
};

/* ---- streams and groups ---- */

static int
hub_compare_streams(const void *left, const void *right)
{
	const struct hub_stream *a = left;
	const struct hub_stream *b = right;

	return strcmp(a->name, b->name);
}

static int
hub_compare_groups(const void *left, const void *right)
{
	const struct hub_group *a = left;
	const struct hub_group *b = right;

	if (a->identifier != b->identifier)
		return (uintptr_t) a->identifier < (uintptr_t) b->identifier ? -1 : 1;
	if (a->transport != b->transport)
		return (uintptr_t) a->transport < (uintptr_t) b->transport ? -1 : 1;
	return 0;
}

struct hub *
hub_create(size_t kept_max)
{
	struct hub *hub = mem_zalloc(sizeof(*hub));

	hub->kept = kept_create(kept_max);
	return hub;
}

/* Every subscription must have been detached. */
void
hub_free(struct hub *hub)
{
	kept_free(hub->kept);
	buf_free(&hub->frame);
	free(hub);
}

struct kept *
hub_kept(struct hub *hub)
{
	return hub->kept;
}

static struct hub_stream *
hub_find(struct hub *hub, const char *name)
{
	struct hub_stream key = {.name = (char *) (uintptr_t) name};
	void	   *node = tfind(&key, &hub->streams, hub_compare_streams);

	return node ? *(struct hub_stream **) node : NULL;
}

static struct hub_stream *
hub_stream_for(struct hub *hub, const char *name)
{
	struct hub_stream *stream = hub_find(hub, name);

	if (stream)
		return stream;
	stream = mem_zalloc(sizeof(*stream));
	stream->name = mem_strdup(name);
	if (tsearch(stream, &hub->streams, hub_compare_streams) == NULL)
		abort();
	return stream;
}

static void
hub_unwant(struct hub_stream *stream)
{
	struct hub_wants *wants = stream->wants;

	if (wants == NULL)
		return;
	if (stream->want_prev)
		stream->want_prev->want_next = stream->want_next;
	else
		wants->first = stream->want_next;
	if (stream->want_next)
		stream->want_next->want_prev = stream->want_prev;
	else
		wants->last = stream->want_prev;
	stream->wants = NULL;
}

/* Put the stream into the list, unless it waits in a more urgent one. */
static void
hub_want_stream(struct hub *hub, struct hub_stream *stream, bool is_hint,
				bool rights)
{
	struct hub_wants *wants = is_hint ? &hub->hinted : &hub->wanted;

	stream->wants_rights |= rights;
	if (stream->wants == &hub->wanted || stream->wants == wants)
		return;
	hub_unwant(stream);
	stream->wants = wants;
	stream->want_next = NULL;
	stream->want_prev = wants->last;
	if (wants->last)
		wants->last->want_next = stream;
	else
		wants->first = stream;
	wants->last = stream;
}

static void
hub_stream_drop(struct hub *hub, struct hub_stream *stream)
{
	hub_unwant(stream);
	tdelete(stream, &hub->streams, hub_compare_streams);
	msg_drop(stream->payload);
	free(stream->name);
	free(stream);
}

static struct hub_group *
hub_group_for(struct hub_stream *stream, const struct hub_sub *sub)
{
	struct hub_group key = {.identifier = sub->identifier, .transport = sub->transport};
	void	   *node = tfind(&key, &stream->group_tree, hub_compare_groups);
	struct hub_group *group;

	if (node)
		return *(struct hub_group **) node;

	group = mem_zalloc(sizeof(*group));
	group->stream = stream;
	group->transport = sub->transport;
	group->identifier = intern_hold(sub->identifier);
	group->next = stream->groups;
	if (stream->groups)
		stream->groups->prev = group;
	stream->groups = group;
	if (tsearch(group, &stream->group_tree, hub_compare_groups) == NULL)
		abort();
	return group;
}

static void
hub_group_drop(struct hub_group *group)
{
	struct hub_stream *stream = group->stream;

	tdelete(group, &stream->group_tree, hub_compare_groups);
	if (group->prev)
		group->prev->next = group->next;
	else
		stream->groups = group->next;
	if (group->next)
		group->next->prev = group->prev;
	intern_drop(group->identifier);
	free(group);
}

/*
 * The subscription watches this stream from now on.  If it watched another one
 * before, which happens when the database says so, it leaves that.
 */
void
hub_attach(struct hub *hub, struct hub_sub *sub, const char *name)
{
	struct hub_group *group;

	if (sub->group && strcmp(sub->group->stream->name, name) == 0)
		return;
	hub_detach(hub, sub);
	group = hub_group_for(hub_stream_for(hub, name), sub);
	sub->group = group;
	sub->sent_version = 0;
	sub->prev = NULL;
	sub->next = group->subs;
	if (group->subs)
		group->subs->prev = sub;
	group->subs = sub;
	metric_count(METRIC_SUBSCRIPTIONS);
}

void
hub_detach(struct hub *hub, struct hub_sub *sub)
{
	struct hub_group *group = sub->group;
	struct hub_stream *stream;

	msg_drop(sub->greeting);
	sub->greeting = NULL;
	if (group == NULL)
		return;
	if (sub->prev)
		sub->prev->next = sub->next;
	else
		group->subs = sub->next;
	if (sub->next)
		sub->next->prev = sub->prev;
	sub->group = NULL;
	metric_add(METRIC_SUBSCRIPTIONS, -1);
	if (group->subs)
		return;

	stream = group->stream;
	hub_group_drop(group);
	if (stream->groups == NULL)
		hub_stream_drop(hub, stream);
}

/* ---- what goes out ---- */

static bool
hub_is_behind(const struct hub_sub *sub)
{
	const struct hub_stream *stream = sub->group->stream;

	return stream->payload && (sub->owes_state || sub->sent_version < stream->version);
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
 * Tell everybody who is behind and can be told.  send() only marks a client
 * whose socket failed: nobody leaves a group while it is walked.
 */
static void
hub_tell(struct hub *hub, struct hub_stream *stream)
{
	for (struct hub_group *group = stream->groups; group; group = group->next)
	{
		const struct hub_transport *transport = group->transport;
		bool		is_built = false;
		struct hub_news news = hub_news_of(stream);

		for (struct hub_sub *sub = group->subs; sub; sub = sub->next)
		{
			if (!sub->is_confirmed || sub->is_doubted || sub->owes_confirm ||
				!hub_is_behind(sub) || !transport->is_idle(sub->client))
				continue;
			if (!is_built)
			{
				buf_reset(&hub->frame);
				transport->state(&hub->frame, group->identifier, &news);
				is_built = true;
			}
			sub->sent_version = stream->version;
			sub->owes_state = false;
			metric_count(METRIC_STATES_OUT);
			transport->send(sub->client, &hub->frame);
		}
	}
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
	if (!hub_is_behind(sub))
		return HUB_NOTHING;
	news = hub_news_of(sub->group->stream);
	sub->sent_version = sub->group->stream->version;
	sub->owes_state = false;
	metric_count(METRIC_STATES_OUT);
	sub->transport->state(out, sub->identifier, &news);
	return HUB_FRAME;
}

/* ---- what comes in ---- */

/*
 * This is the state of the stream, from a source that is to be believed.
 * Whatever is not newer than what is known changes nothing.
 */
void
hub_state(struct hub *hub, const char *name, int64_t version, bool final,
		  struct msg *payload)
{
	struct hub_stream *stream = hub_find(hub, name);

	if (stream == NULL || payload == NULL ||
		(stream->payload && version <= stream->version))
		return;
	msg_drop(stream->payload);
	stream->payload = msg_hold(payload);
	stream->version = version;
	stream->final = final;
	hub_tell(hub, stream);
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

/*
 * A notification has come.
 *
 * One that the worker has not sent is a hint that something may have changed:
 * the database is asked, in its turn, and the notification's data is not used.
 */
void
hub_take(struct hub *hub, const struct event *event, bool is_trusted)
{
	struct hub_stream *stream;
	bool		is_revoked = event->type == EVENT_REVOKED;

	if (event->stream == NULL || (event->type != EVENT_PROGRESS && !is_revoked))
		return;

	stream = hub_find(hub, event->stream);
	if (is_revoked)
	{
		kept_note(hub->kept, KEPT_REVOKED, event->stream, 0, false, NULL);
		if (stream && is_trusted)
			hub_doubt(stream);
		if (stream)
			hub_want_stream(hub, stream, !is_trusted, true);
		return;
	}
	if (!is_trusted)
	{
		kept_note(hub->kept, KEPT_HINT, event->stream, 0, false, NULL);
		if (stream)
			hub_want_stream(hub, stream, true, false);
		return;
	}

	kept_note(hub->kept, KEPT_STATE, event->stream, event->version, event->final,
			  event->payload);
	if (stream == NULL || event->version <= stream->version)
		return;
	if (event->payload)
		hub_state(hub, event->stream, event->version, event->final, event->payload);
	else
		hub_want_stream(hub, stream, false, false);
}

/* ---- what must be asked for ---- */

/* The state of this stream, if it is watched, must be read from the table. */
void
hub_want(struct hub *hub, const char *name, bool is_hint)
{
	struct hub_stream *stream = hub_find(hub, name);

	if (stream)
		hub_want_stream(hub, stream, is_hint, false);
}

/*
 * Take the next stream whose state is to be read.  "name" is valid until the
 * stream's last watcher leaves.  If rights have changed too, "ask_again" is
 * called for each of its subscriptions.  False: there is none.
 */
bool
hub_next_wanted(struct hub *hub, bool is_hint, const char **name,
				hub_visit ask_again, void *arg)
{
	struct hub_stream *stream = is_hint ? hub->hinted.first : hub->wanted.first;

	if (stream == NULL)
		return false;
	hub_unwant(stream);
	*name = stream->name;
	if (stream->wants_rights)
	{
		stream->wants_rights = false;
		for (struct hub_group *group = stream->groups; group; group = group->next)
			for (struct hub_sub *sub = group->subs; sub; sub = sub->next)
				ask_again(sub, arg);
	}
	return true;
}

struct hub_walk
{
	hub_visit	visit;
	void	   *arg;
};

static void
hub_each_stream(const void *node, VISIT order, void *arg)
{
	const struct hub_stream *stream = *(struct hub_stream *const *) node;
	const struct hub_walk *walk = arg;

	if (order != postorder && order != leaf)
		return;
	for (struct hub_group *group = stream->groups; group; group = group->next)
		for (struct hub_sub *sub = group->subs; sub; sub = sub->next)
			walk->visit(sub, walk->arg);
}

/* Visit every subscription that watches a stream; none may leave meanwhile. */
void
hub_each(struct hub *hub, hub_visit visit, void *arg)
{
	struct hub_walk walk = {.visit = visit, .arg = arg};

	twalk_r(hub->streams, hub_each_stream, &walk);
}
