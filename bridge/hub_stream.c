/*
 * hub_stream.c
 *		Streams, groups and subscriptions: how they begin and end.
 *
 * A stream exists while somebody watches it, a group while it has members;
 * nothing else keeps them, so that what is watched bounds what is remembered.
 * Both are found in libc's balanced trees: no hash that a stranger's choice of
 * names could make collide.
 */
#include "hub_private.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "interval.h"
#include "metrics.h"

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

struct hub_stream *
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
	stream->hub = hub;
	stream->name = mem_strdup(name);
	if (tsearch(stream, &hub->streams, hub_compare_streams) == NULL)
		abort();
	return stream;
}

static void
hub_stream_drop(struct hub *hub, struct hub_stream *stream)
{
	hub_unwant(stream);
	hub_forget_news(stream);
	tdelete(stream, &hub->streams, hub_compare_streams);
	msg_drop(stream->payload);
	ring_free(stream->ring);
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
	group->interval_ms = interval_wanted_ms(sub->identifier->bytes, sub->identifier->len);
	group->next = stream->groups;
	if (stream->groups)
		stream->groups->prev = group;
	stream->groups = group;
	if (tsearch(group, &stream->group_tree, hub_compare_groups) == NULL)
		abort();
	return group;
}

static void
hub_group_drop(struct hub *hub, struct hub_group *group)
{
	struct hub_stream *stream = group->stream;

	hub_release(hub, group);
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
 * before, which happens when the database says so, it leaves that.  False: it has
 * been watching this one.
 */
bool
hub_attach(struct hub *hub, struct hub_sub *sub, const char *name)
{
	struct hub_group *group;

	if (sub->group && strcmp(sub->group->stream->name, name) == 0)
		return false;
	hub_detach(hub, sub);
	group = hub_group_for(hub_stream_for(hub, name), sub);
	sub->group = group;
	sub->sent_version = 0;
	sub->sent_event = ring_newest(group->stream->ring);
	sub->owes_reload = false;
	sub->prev = NULL;
	sub->next = group->subs;
	if (group->subs)
		group->subs->prev = sub;
	group->subs = sub;
	group->stream->watchers++;
	metric_count(METRIC_SUBSCRIPTIONS);
	return true;
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
	group->stream->watchers--;
	metric_add(METRIC_SUBSCRIPTIONS, -1);
	if (group->subs)
		return;

	stream = group->stream;
	hub_group_drop(hub, group);
	if (stream->groups == NULL)
		hub_stream_drop(hub, stream);
}

/* ---- all of them ---- */

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
