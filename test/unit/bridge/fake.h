/*
 * fake.h
 *		A hub, and clients of it that write down what they are sent.
 *
 * Frames are short texts: "C:id" confirmed, "R:id" rejected, "id=payload" state,
 * "id!type" or "id!type:data" event.
 */
#ifndef FAKE_H
#define FAKE_H

#include <string.h>

#include "hub.h"

struct client
{
	struct hub_sub sub;			/* first */
	bool		is_busy;
	bool		is_over;		/* its rejection was sent */
	char		log[4096];
};

static struct hub *hub;
static struct intern *intern;
static int	fake_states_built;
static int	fake_events_built;

static inline bool
fake_is_idle(void *arg)
{
	struct client *client = arg;

	return !client->is_busy;
}

static inline void
fake_send(void *arg, struct buf *frame)
{
	struct client *client = arg;

	strcat(client->log, frame->data);
	strcat(client->log, " ");
}

/* Take what is owed, as a connection does that can write. */
static inline void
fake_owed(void *arg, struct hub_sub *sub)
{
	struct client *client = arg;
	struct buf	out = {0};
	enum hub_next next = HUB_NOTHING;

	while (!client->is_busy && (next = hub_sub_next(sub, &out)) != HUB_NOTHING)
	{
		fake_send(client, &out);
		if (next == HUB_LAST_FRAME)
			client->is_over = true;
	}
	buf_free(&out);
}

static inline void
fake_state(struct buf *out, const struct istr *identifier, const struct hub_news *news)
{
	fake_states_built++;
	buf_printf(out, "%s=%s", identifier->bytes, news->payload->bytes);
}

static inline void
fake_event(struct buf *out, const struct istr *identifier, const struct hub_event *event)
{
	fake_events_built++;
	buf_printf(out, "%s!%s", identifier->bytes, event->type);
	if (event->data)
		buf_printf(out, ":%s", event->data->bytes);
}

static inline void
fake_confirm(struct buf *out, const struct hub_sub *sub)
{
	buf_printf(out, "C:%s", sub->identifier->bytes);
}

static inline void
fake_reject(struct buf *out, const struct istr *identifier)
{
	buf_printf(out, "R:%s", identifier->bytes);
}

static const struct hub_transport fake_transport = {
	.is_idle = fake_is_idle,
	.send = fake_send,
	.owed = fake_owed,
	.state = fake_state,
	.event = fake_event,
	.confirm = fake_confirm,
	.reject = fake_reject
};

static inline void
fake_init(struct client *client, const char *identifier, const char *claims)
{
	memset(client, 0, sizeof(*client));
	client->sub.transport = &fake_transport;
	client->sub.client = client;
	client->sub.identifier = intern_get(intern, identifier, strlen(identifier));
	client->sub.claims = intern_get(intern, claims, strlen(claims));
}

static inline void
fake_done(struct client *client)
{
	intern_drop(client->sub.identifier);
	intern_drop(client->sub.claims);
}

/* A notification that is read together with what comes after it. */
static inline void
notify_early(enum event_type type, const char *stream, int64_t version, const char *payload,
			 bool is_trusted)
{
	struct event event = {
		.type = type,
		.stream = (char *) (uintptr_t) stream,
		.version = version,
		.payload = payload ? msg_create(payload, strlen(payload)) : NULL
	};

	hub_take(hub, &event, is_trusted);
	msg_drop(event.payload);
}

static inline void
notify(enum event_type type, const char *stream, int64_t version, const char *payload,
	   bool is_trusted)
{
	notify_early(type, stream, version, payload, is_trusted);
	hub_flush(hub);
}

/* An event of a list; "data" may be NULL. */
static inline void
notify_event(const char *stream, const char *name, const char *data, bool is_trusted)
{
	struct event event = {
		.type = EVENT_LIST,
		.stream = (char *) (uintptr_t) stream,
		.payload = data ? msg_create(data, strlen(data)) : NULL
	};

	strcpy(event.name, name);
	hub_take(hub, &event, is_trusted);
	msg_drop(event.payload);
}

#endif							/* FAKE_H */
