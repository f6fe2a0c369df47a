/*
 * cable.c
 *		Action Cable over a WebSocket.
 *
 * The protocol as Rails speaks it, frame for frame.  A handshake with a bad
 * token is accepted and then told why, as Rails does it, because browsers hide
 * the status of a handshake that was refused.
 *
 * What is written is in cable_write.c, commands are in cable_command.c, tokens in
 * cable_token.c.
 */
#include "cable.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "auth.h"
#include "cable_private.h"
#include "codes.h"
#include "config.h"
#include "conn.h"
#include "hub.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "parts.h"
#include "who.h"

#define CABLE_PING_MS		3000
#define CABLE_HOLD_MS		30000
#define CABLE_WARN_S		30	/* before a token expires */
#define CABLE_ADMIN_CLAIMS	"{\"scope\":[\"admin\"]}"

static void cable_free(void *client);
static int64_t cable_due_ms(const void *client);
static bool cable_on_deadline(void *client);
static void cable_on_time(void *client, int64_t now_ms);
static void cable_restart(void *client);

static const struct conn_client_ops cable_client_ops = {
	.free = cable_free,
	.due_ms = cable_due_ms,
	.on_deadline = cable_on_deadline,
	.on_time = cable_on_time,
	.disconnect = cable_disconnect,
	.restart = cable_restart
};

/* ---- life ---- */

/* NULL: it has not become a cable. */
struct cable *
cable_of(const struct conn *conn)
{
	return conn->ops == &cable_client_ops ? conn->client : NULL;
}

/*
 * Called at the handshake, when the path and the origin are known to be right.
 * "token" may be empty.  Returns 0, or in how many seconds the client may try
 * again: it has no good token, and there were too many like it.
 */
int
cable_create(struct conn *conn, const char *token)
{
	struct cable *cable = mem_zalloc(sizeof(*cable));

	cable->conn = conn;
	cable->bridge = conns_bridge(conn->conns);
	conn_set_client(conn, &cable_client_ops, cable);
	if (cable->bridge->config->auth == CONFIG_AUTH_NONE)
		cable->claims.payload = intern_get(cable->bridge->intern, CABLE_ADMIN_CLAIMS,
										   strlen(CABLE_ADMIN_CLAIMS));
	else
	{
		cable->wait_s = who_waits_s(conn, NULL);
		if (!cable_identify(cable, token))
			return cable->wait_s;
	}
	return 0;
}

/*
 * A new subscription, which is asked about as soon as the client is let in.
 */
void
cable_sub_add(struct cable *cable, const char *identifier, size_t len)
{
	struct cable_sub *item = mem_zalloc(sizeof(*item));

	item->sub.transport = &cable_transport;
	item->sub.client = cable;
	item->sub.identifier = intern_get(cable->bridge->intern, identifier, len);
	item->next = cable->subs;
	if (cable->subs)
		cable->subs->prev = item;
	cable->subs = item;
	cable->subs_count++;
	if (cable->is_open)
	{
		item->sub.claims = intern_hold(cable->claims.payload);
		ask_sub(cable->bridge->ask, &item->sub);
	}
}

void
cable_sub_drop(struct cable *cable, struct cable_sub *item)
{
	ask_forget(&item->sub);
	hub_detach(cable->bridge->hub, &item->sub);
	intern_drop(item->sub.identifier);
	intern_drop(item->sub.claims);
	if (item->prev)
		item->prev->next = item->next;
	else
		cable->subs = item->next;
	if (item->next)
		item->next->prev = item->prev;
	cable->subs_count--;
	free(item);
}

static void
cable_free(void *client)
{
	struct cable *cable = client;

	if (cable->conn->stage == CONN_CABLE)
		metric_add(METRIC_CABLES, -1);
	while (cable->subs)
		cable_sub_drop(cable, cable->subs);
	cable_calls_forget(cable);
	cable_forget_token(cable);
	auth_claims_drop(&cable->claims);
	buf_free(&cable->rx);
	free(cable);
}

/* ---- time ---- */

/* Let the client in. */
void
cable_welcome(struct cable *cable)
{
	cable->is_open = true;
	cable->owes_welcome = true;
	cable->ping_due_ms = loop_clock_ms() + CABLE_PING_MS;
	conn_set_deadline(cable->conn, 0);
	for (struct cable_sub *item = cable->subs; item; item = item->next)
	{
		item->sub.claims = intern_hold(cable->claims.payload);
		ask_sub(cable->bridge->ask, &item->sub);
	}
	cable_pump(cable);
}

/* When something is due besides the connection's deadline. */
static int64_t
cable_due_ms(const void *client)
{
	const struct cable *cable = client;
	int64_t		due_ms = cable->ping_due_ms;
	int64_t		left_s;

	if (!cable->is_open || cable->close != CLOSE_NO)
		return 0;

	/* Tokens are by the clock on the wall, which may be set meanwhile. */
	left_s = cable->claims.expires_at - time(NULL);
	if (cable->claims.expires_at != 0 && left_s * 1000 < CABLE_PING_MS)
	{
		int64_t		end_ms = loop_clock_ms() + left_s * 1000;

		if (end_ms < due_ms)
			due_ms = end_ms;
	}
	return due_ms;
}

/*
 * The connection's deadline has passed.  True: it was to be held no longer, and
 * goes on to take leave.
 */
static bool
cable_on_deadline(void *client)
{
	struct cable *cable = client;

	if (cable->is_open || cable->close != CLOSE_NO || cable->conn->stage != CONN_CABLE)
		return false;
	log_debug("cable", "held too long without keys");
	cable_want_close(cable, CODE_SERVER_RESTART, true);
	return true;
}

static void
cable_on_time(void *client, int64_t now_ms)
{
	struct cable *cable = client;
	int64_t		left_s = cable->claims.expires_at - time(NULL);

	if (!cable->is_open || cable->close != CLOSE_NO)
		return;
	if (cable->claims.expires_at != 0 && left_s <= 0)
	{
		cable_want_close(cable, CODE_TOKEN_EXPIRED, true);
		return;
	}
	if (cable->claims.expires_at != 0 && left_s <= CABLE_WARN_S && !cable->is_warned)
		cable->is_warned = cable->owes_warning = true;
	if (now_ms >= cable->ping_due_ms)
	{
		cable->owes_ping = true;
		cable->ping_due_ms = now_ms + CABLE_PING_MS;
	}
	cable_pump(cable);
}

/* Binary frames are nobody's commands, whatever is in them. */
static void
cable_take(struct cable *cable, struct lws *wsi, const char *in, size_t len)
{
	metric_add(METRIC_BYTES_IN, (int64_t) len);
	if (lws_frame_is_binary(wsi))
	{
		metric_count(METRIC_FRAMES_IN);
		metric_count(METRIC_UNKNOWN_COMMANDS);
	}
	else
		cable_take_frame(cable, in, len);
}

/*
 * A piece of a frame.  Frames that come in one piece, which is nearly all, are
 * taken from where they lie.
 */
static int
cable_receive(struct cable *cable, struct lws *wsi, const char *in, size_t len)
{
	bool		is_first = lws_is_first_fragment(wsi);
	bool		is_final = lws_is_final_fragment(wsi) &&
	lws_remaining_packet_payload(wsi) == 0;

	if (is_first && is_final)
	{
		cable_take(cable, wsi, in, len);
		return cable->conn->is_doomed ? -1 : 0;
	}
	if (is_first)
		buf_reset(&cable->rx);
	if (cable->rx.len + len > (size_t) cable->bridge->config->frame_bytes)
	{
		metric_count(METRIC_REFUSED_FRAME_SIZE);
		log_debug("cable", "frame too large, closing");
		cable->close = CLOSE_DONE;
		conn_set_deadline(cable->conn, CABLE_CLOSE_MS);
		lws_close_reason(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
		return -1;
	}
	buf_add(&cable->rx, in, len);
	if (is_final)
	{
		cable_take(cable, wsi, cable->rx.data, cable->rx.len);
		buf_free(&cable->rx);
	}
	return 0;
}

/* ---- libwebsockets ---- */

static int
cable_opened(struct conn *conn)
{
	struct cable *cable = cable_of(conn);

	if (cable == NULL)
		return -1;
	conn->stage = CONN_CABLE;
	metric_count(METRIC_CABLES);
	if (cable->close == CLOSE_NO && cable->bridge->is_stopping)
		cable_want_close(cable, CODE_SERVER_RESTART, true);
	else if (cable->close != CLOSE_NO)
	{
		conn_set_deadline(conn, CABLE_CLOSE_MS);
		conn_want_write(conn);
	}
	else if (cable->claims.payload)
		cable_welcome(cable);
	else
		conn_set_deadline(conn, CABLE_HOLD_MS);
	return 0;
}

int
cable_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
			   void *in, size_t len)
{
	struct conn *conn;

	(void) user;
	switch (reason)
	{
		case LWS_CALLBACK_ESTABLISHED:
			conn = conn_of(wsi);
			return conn ? cable_opened(conn) : -1;

		case LWS_CALLBACK_RECEIVE:
			conn = conn_of(wsi);
			return cable_receive(cable_of(conn), wsi, in, len);

		case LWS_CALLBACK_SERVER_WRITEABLE:
			conn = conn_of(wsi);
			conn_set_pending(conn, lws_partial_buffered(wsi));
			if (conn->is_doomed || conn->is_pending)
				return 0;
			if (cable_of(conn)->close != CLOSE_NO)
				return cable_take_leave(cable_of(conn));
			cable_pump(cable_of(conn));
			return 0;

		case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		case LWS_CALLBACK_CLOSED:
			conn = conn_of(wsi);
			if (conn && cable_of(conn))
			{
				cable_of(conn)->close = CLOSE_DONE;
				conn_set_deadline(conn, CABLE_CLOSE_MS);
			}
			return 0;

		default:
			return 0;
	}
}

/*
 * The stock client offers this protocol so that a server which speaks no other
 * can say so.  It is accepted and closed.
 */
int
cable_unsupported_callback(struct lws *wsi, enum lws_callback_reasons reason,
						   void *user, void *in, size_t len)
{
	struct conn *conn = conn_of(wsi);

	(void) user;
	(void) in;
	(void) len;
	if (reason == LWS_CALLBACK_ESTABLISHED && conn)
	{
		conn->stage = CONN_CABLE;
		metric_count(METRIC_CABLES);
		if (cable_of(conn))
			cable_of(conn)->close = CLOSE_TOLD;
		conn_set_deadline(conn, CABLE_CLOSE_MS);
		conn_want_write(conn);
	}
	else if (reason == LWS_CALLBACK_SERVER_WRITEABLE && conn && cable_of(conn))
		return cable_take_leave(cable_of(conn));
	return 0;
}

/* ---- all of them ---- */

/* The bridge stops: the client is asked to come again. */
static void
cable_restart(void *client)
{
	cable_want_close(client, CODE_SERVER_RESTART, true);
}
