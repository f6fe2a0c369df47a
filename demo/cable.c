/*
 * cable.c
 *		A small Action Cable client: one connection, many subscriptions.
 *
 * What the demo measures with must be a client like any other, so this speaks
 * the protocol that browsers speak: it waits for "welcome", subscribes to one
 * session after another (libwebsockets wants one write for each writeable
 * callback), and hands over each message.  It does not reconnect: whoever
 * measures wants to know that a connection was lost.
 */
#include "cable.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX_BYTES (1024 * 1024)

struct cable
{
	struct lws_context *context;
	struct lws *wsi;
	lws_sorted_usec_list_t timer;
	const struct cable_events *events;
	void	   *arg;
	char	   *path;
	int64_t    *session_ids;
	int			nsessions;
	int			nsubscribed;	/* commands sent, in the order of session_ids */
	char	   *frame;			/* what has come of a fragmented message */
	size_t		frame_bytes;
	bool		welcome;
	bool		stopped;
};

static void
close_with(struct cable *cable, const char *why)
{
	if (cable->stopped)
		return;
	cable->stopped = true;
	cable->events->closed(cable->arg, why);
	lws_cancel_service(cable->context);
}

/*
 * The session that an identifier, echoed by the server, names; 0 for none.
 */
static int64_t
session_of(const json_t *frame)
{
	const char *identifier = json_string_value(json_object_get(frame, "identifier"));
	json_t	   *parsed = identifier ? json_loads(identifier, 0, NULL) : NULL;
	int64_t		session_id = json_integer_value(json_object_get(parsed, "session_id"));

	json_decref(parsed);
	return session_id;
}

static void
handle_frame(struct cable *cable, const json_t *frame)
{
	const char *type = json_string_value(json_object_get(frame, "type"));
	json_t	   *payload = json_object_get(frame, "message");

	if (type == NULL)
	{
		if (json_is_object(payload))
			cable->events->message(cable->arg, session_of(frame), payload);
	}
	else if (strcmp(type, "welcome") == 0)
	{
		cable->welcome = true;
		lws_callback_on_writable(cable->wsi);
	}
	else if (strcmp(type, "confirm_subscription") == 0)
		cable->events->confirmed(cable->arg, session_of(frame));
	else if (strcmp(type, "reject_subscription") == 0)
		cable->events->rejected(cable->arg, session_of(frame));
	else if (strcmp(type, "disconnect") == 0)
	{
		const char *reason = json_string_value(json_object_get(frame, "reason"));

		close_with(cable, reason ? reason : "disconnect");
	}
}

/*
 * A message may come in pieces of any size: collect, and parse when it is
 * whole.  Returns false if it outgrows its bound or there is no memory.
 */
static bool
collect(struct cable *cable, const void *in, size_t len)
{
	char	   *grown;
	json_t	   *frame;

	if (cable->frame_bytes + len > FRAME_MAX_BYTES)
		return false;
	grown = realloc(cable->frame, cable->frame_bytes + len + 1);
	if (grown == NULL)
		return false;
	memcpy(grown + cable->frame_bytes, in, len);
	cable->frame = grown;
	cable->frame_bytes += len;

	if (!lws_is_final_fragment(cable->wsi) ||
		lws_remaining_packet_payload(cable->wsi) > 0)
		return true;
	frame = json_loadb(cable->frame, cable->frame_bytes, 0, NULL);
	cable->frame_bytes = 0;
	if (frame != NULL)
		handle_frame(cable, frame);
	json_decref(frame);
	return true;
}

static int
send_subscribe(struct cable *cable, int64_t session_id)
{
	char		buffer[LWS_PRE + 256];
	int			len;

	len = snprintf(buffer + LWS_PRE, sizeof(buffer) - LWS_PRE,
				   "{\"command\":\"subscribe\",\"identifier\":\"{\\\"channel\\\":"
				   "\\\"SyncStatusChannel\\\",\\\"session_id\\\":%lld}\"}",
				   (long long) session_id);
	return lws_write(cable->wsi, (unsigned char *) buffer + LWS_PRE, len,
					 LWS_WRITE_TEXT);
}

static int
cable_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
			   void *in, size_t len)
{
	struct cable *cable = lws_context_user(lws_get_context(wsi));

	(void) user;
	switch (reason)
	{
		case LWS_CALLBACK_CLIENT_RECEIVE:
			if (!collect(cable, in, len))
			{
				close_with(cable, "a message that is too long");
				return -1;
			}
			break;

		case LWS_CALLBACK_CLIENT_WRITEABLE:
			if (!cable->welcome || cable->nsubscribed == cable->nsessions)
				break;
			if (send_subscribe(cable, cable->session_ids[cable->nsubscribed++]) < 0)
				return -1;
			lws_callback_on_writable(wsi);
			break;

		case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
			close_with(cable, in ? in : "no connection");
			break;

		case LWS_CALLBACK_CLIENT_CLOSED:
			close_with(cable, "the connection was closed");
			break;

		default:
			break;
	}
	return 0;
}

static const struct lws_protocols protocols[] = {
	{.name = "actioncable-v1-json", .callback = cable_callback, .rx_buffer_size = 16384},
	{.name = NULL}
};

static void
timer_callback(lws_sorted_usec_list_t *sul)
{
	struct cable *cable = lws_container_of(sul, struct cable, timer);

	cable->events->timer(cable->arg);
}

static bool
connect_to(struct cable *cable, int port)
{
	struct lws_client_connect_info info = {0};
	char		origin[64];

	/* lws puts "http://" in front of it */
	snprintf(origin, sizeof(origin), "127.0.0.1:%d", port);
	info.context = cable->context;
	info.address = "127.0.0.1";
	info.host = origin;
	info.origin = origin;
	info.port = port;
	info.path = cable->path;
	info.protocol = protocols[0].name;
	info.pwsi = &cable->wsi;
	return lws_client_connect_via_info(&info) != NULL;
}

struct cable *
cable_create(int port, const char *token, const int64_t *session_ids,
			 int nsessions, const struct cable_events *events, void *arg)
{
	struct lws_context_creation_info info = {0};
	struct cable *cable = calloc(1, sizeof(*cable));
	size_t		path_bytes = strlen(token) + sizeof("/cable?token=");

	if (cable == NULL)
		return NULL;
	cable->events = events;
	cable->arg = arg;
	cable->nsessions = nsessions;
	cable->session_ids = malloc(nsessions * sizeof(*session_ids));
	cable->path = malloc(path_bytes);
	lws_set_log_level(0, NULL);
	info.port = CONTEXT_PORT_NO_LISTEN;
	info.protocols = protocols;
	info.user = cable;
	info.gid = -1;
	info.uid = -1;
	if (cable->session_ids != NULL && cable->path != NULL)
	{
		memcpy(cable->session_ids, session_ids, nsessions * sizeof(*session_ids));
		snprintf(cable->path, path_bytes, "/cable?token=%s", token);
		cable->context = lws_create_context(&info);
	}
	if (cable->context != NULL && connect_to(cable, port))
		return cable;
	cable->stopped = true;
	cable_free(cable);
	return NULL;
}

void
cable_free(struct cable *cable)
{
	cable->stopped = true;		/* what is closed from here on is no news */
	if (cable->context != NULL)
		lws_context_destroy(cable->context);
	free(cable->session_ids);
	free(cable->path);
	free(cable->frame);
	free(cable);
}

void
cable_set_timer(struct cable *cable, int64_t delay_us)
{
	lws_sul_schedule(cable->context, 0, &cable->timer, timer_callback, delay_us);
}

void
cable_run(struct cable *cable)
{
	while (!cable->stopped && lws_service(cable->context, 0) >= 0)
		;
}

void
cable_stop(struct cable *cable)
{
	cable->stopped = true;
	lws_cancel_service(cable->context);
}
