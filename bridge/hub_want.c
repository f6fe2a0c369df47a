/*
 * hub_want.c
 *		Which streams must be asked about, and in which order.
 *
 * A stream waits in one of two lists: what the worker has told leads to a
 * question at once, what anybody may have told only in its turn, at the rate
 * at which the second list is taken from.  Whoever takes the stream asks for all
 * that it waits for.
 */
#include "hub_private.h"

#include <stddef.h>

#include "codes.h"

void
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
void
hub_want_stream(struct hub *hub, struct hub_stream *stream, bool is_hint,
				enum hub_why why)
{
	struct hub_wants *wants = is_hint ? &hub->hinted : &hub->wanted;

	stream->wants_state |= why != HUB_WANTS_RELOAD;
	stream->wants_rights |= why == HUB_WANTS_RIGHTS;
	stream->wants_reload |= why == HUB_WANTS_RELOAD;
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

/* The state of this stream, if it is watched, must be read from the table. */
void
hub_want(struct hub *hub, const char *name, bool is_hint)
{
	struct hub_stream *stream = hub_find(hub, name);

	if (stream)
		hub_want_stream(hub, stream, is_hint, HUB_WANTS_STATE);
}

/*
 * Take the next stream.  "name" is the one whose state is to be read, valid until
 * its last watcher leaves, or NULL when its watchers only had to be told to
 * read anew, which has been done.  If rights have changed, "ask_again" is
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
	*name = stream->wants_state ? stream->name : NULL;
	if (stream->wants_rights)
	{
		for (struct hub_group *group = stream->groups; group; group = group->next)
			for (struct hub_sub *sub = group->subs; sub; sub = sub->next)
				ask_again(sub, arg);
	}
	if (stream->wants_reload)
		hub_tell_event(hub, stream, CODE_EVENT_RELOADED, NULL, &hub_untimed);
	stream->wants_state = stream->wants_rights = stream->wants_reload = false;
	return true;
}
