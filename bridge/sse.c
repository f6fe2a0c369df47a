/*
 * sse.c
 *		Server-sent events.
 *
 * A request for a stream is a subscription like those of the cable, of its own
 * transport, so that batching, rights, the latest state and slow readers are the
 * hub's.  It is answered when the database has answered: an EventSource gives up
 * for good at anything but 200, so a refusal must be one (404), and a database
 * that is away must not.  After a second without an answer the stream begins,
 * with the word that it is stale.
 *
 * A stream ends when its client goes: whatever comes from there is the end of
 * it (conn_watch_input()), for libwebsockets 4.1.6 would neither read nor
 * notice.  It ends by itself when its token does, when it was refused since,
 * and after a lifetime that differs from stream to stream, so that no stream
 * outlives what a load balancer has changed.  The client comes back with the
 * version that it has, and is sent only what is newer.
 *
 * What is written is in sse_write.c, the bytes of it in sse_frame.c.
 */
#include "sse.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "codes.h"
#include "command.h"
#include "config.h"
#include "conn.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "parts.h"
#include "reply.h"
#include "request.h"
#include "sse_frame.h"
#include "sse_private.h"

#define SSE_ASK_MS			1000
#define SSE_INTERVAL_DIGITS	6
#define SSE_WARN_S			30	/* before a token expires */

/* When a client comes back that was sent away: soon if it can, else spread. */
#define SSE_SOON_FROM_MS	500
#define SSE_SOON_TO_MS		1500
#define SSE_SPREAD_FROM_MS	1000
#define SSE_SPREAD_TO_MS	5000

static void sse_free(void *client);
static int64_t sse_due_ms(const void *client);
static bool sse_on_deadline(void *client);
static void sse_on_time(void *client, int64_t now_ms);
static int	sse_writeable(struct conn *conn);
static void sse_disconnect(void *client, const struct istr *subject, bool reconnect);
static void sse_restart(void *client);

static const struct conn_client_ops sse_client_ops = {
	.free = sse_free,
	.due_ms = sse_due_ms,
	.on_deadline = sse_on_deadline,
	.on_time = sse_on_time,
	.writeable = sse_writeable,
	.disconnect = sse_disconnect,
	.restart = sse_restart
};

static struct sse *
sse_of(const struct conn *conn)
{
	return conn->ops == &sse_client_ops ? conn->client : NULL;
}

/* ---- life ---- */

/*
 * The identifier that a client of the cable would write for this.
 */
static bool
identifier_of(const struct request *request, struct buf *out)
{
	const char *interval = request_arg(request, "min_interval_ms");
	size_t		digits = interval ? strspn(interval, "0123456789") : 0;

	if (request->params[ROUTE_CHANNEL] == NULL)
		buf_add_text(out, "{\"channel\":\"" CODE_OWNER_CHANNEL "\"}");
	else if (!request_identifier(request, out))
		return false;
	if (digits > 0 && digits <= SSE_INTERVAL_DIGITS && interval[digits] == '\0')
	{
		out->len--;				/* the last brace */
		buf_printf(out, ",\"min_interval_ms\":%d}", atoi(interval));
	}
	return out->len <= COMMAND_IDENTIFIER_MAX;
}

static bool
is_asked(const struct request *request, const char *name)
{
	const char *value = request_arg(request, name);

	return value && strcmp(value, "0") != 0 && strcmp(value, "false") != 0;
}

static int64_t
last_id_of(const struct request *request)
{
	const char *text = request->headers[REQUEST_LAST_EVENT_ID];
	int64_t		id = sse_last_id(text, (int64_t) time(NULL) * 1000000);

	if (id == 0)
		id = sse_last_id(request_arg(request, "last_event_id"), (int64_t) time(NULL) * 1000000);
	return id;
}

/* Take over what the request says. */
static struct sse *
sse_create(struct request *request, const struct buf *identifier)
{
	struct sse *sse = mem_zalloc(sizeof(*sse));

	sse->conn = request->conn;
	sse->bridge = request_bridge(request);
	sse->request = request;
	sse->is_head = request->is_head;
	sse->is_named = is_asked(request, "named");
	sse->is_padded = is_asked(request, "padding");
	sse->last_id = last_id_of(request);
	sse->claims = request->claims;
	memset(&request->claims, 0, sizeof(request->claims));
	sse->sub.transport = sse->is_named ? &sse_named_transport : &sse_transport;
	sse->sub.client = sse;
	sse->sub.identifier = intern_get(sse->bridge->intern, identifier->data, identifier->len);
	if (sse->claims.payload)
		sse->sub.claims = intern_hold(sse->claims.payload);
	return sse;
}

/*
 * Serve a stream.  The connection is its own from here on, as is the request
 * until it is answered.
 *
 * Without claims it is not known who asks, because the keys could not be read:
 * the client is asked to come again.
 */
int
sse_serve(struct request *request)
{
	struct conn *conn = request->conn;
	struct buf	identifier = {0};
	struct sse *sse;

	if (!identifier_of(request, &identifier))
	{
		buf_free(&identifier);
		return reply_not_found(request);
	}
	sse = sse_create(request, &identifier);
	buf_free(&identifier);
	request_take(request);
	conn_set_client(conn, &sse_client_ops, sse);
	conn->stage = CONN_STREAM;
	lws_set_timeout(conn->wsi, NO_PENDING_TIMEOUT, 0);
	lws_http_headers_detach(conn->wsi);
	conn_watch_input(conn);
	conn_set_deadline(conn, SSE_ASK_MS);
	if (sse->bridge->is_stopping || sse->claims.payload == NULL)
		sse_leave(sse, NULL, true, sse_jitter_ms(SSE_SPREAD_FROM_MS, SSE_SPREAD_TO_MS));
	else
		ask_sub(sse->bridge->ask, &sse->sub);
	return 0;
}

/* The answer begins; what it begins with is written by sse_pump(). */
void
sse_open(struct sse *sse)
{
	const struct config *config = sse->bridge->config;
	int64_t		now_ms = loop_clock_ms();

	sse->is_open = sse->owes_head = true;
	sse->heartbeat_due_ms = now_ms + config->heartbeat_seconds * INT64_C(1000);
	if (config->stream_lifetime_seconds > 0)
		sse->end_due_ms = now_ms + (int64_t) (config->stream_lifetime_seconds * 1000 *
											  (0.9 + 0.2 * drand48()));
	metric_count(METRIC_STREAMS);
	conn_set_deadline(sse->conn, 0);
}

static void
sse_free(void *client)
{
	struct sse *sse = client;

	if (sse->is_open)
		metric_add(METRIC_STREAMS, -1);
	ask_forget(&sse->sub);
	hub_detach(sse->bridge->hub, &sse->sub);
	intern_drop(sse->sub.identifier);
	intern_drop(sse->sub.claims);
	auth_claims_drop(&sse->claims);
	if (sse->request)
		request_free(sse->request);
	free(sse);
}

/* It will not become a stream: the request is answered like others. */
void
sse_refuse(struct sse *sse)
{
	struct request *request = sse->request;

	sse->request = NULL;
	conn_set_client(sse->conn, NULL, NULL);
	sse_free(sse);
	request_give_back(request);
	(void) reply_not_found(request);
}

/* ---- time ---- */

/* Seconds until something is due about the token; negative: nothing is. */
static int64_t
token_left_s(const struct sse *sse)
{
	int64_t		left_s = sse->claims.expires_at - time(NULL);

	if (sse->claims.expires_at == 0)
		return -1;
	if (!sse->is_warned)
		left_s -= SSE_WARN_S;
	return left_s > 0 ? left_s : 0;
}

static int64_t
sse_due_ms(const void *client)
{
	const struct sse *sse = client;
	int64_t		due_ms = sse->heartbeat_due_ms;
	int64_t		left_s = token_left_s(sse);

	if (!sse->is_open || sse->close != SSE_STAYS)
		return 0;
	if (sse->end_due_ms != 0 && sse->end_due_ms < due_ms)
		due_ms = sse->end_due_ms;
	if (left_s >= 0 && loop_clock_ms() + left_s * 1000 < due_ms)
		due_ms = loop_clock_ms() + left_s * 1000;
	return due_ms;
}

/* The database has not answered, or the client does not take its leave. */
static bool
sse_on_deadline(void *client)
{
	struct sse *sse = client;

	if (sse->is_open)
		return false;
	sse_open(sse);
	sse->is_stale = sse->owes_stale = true;
	sse_pump(sse);
	return true;
}

static void
sse_on_time(void *client, int64_t now_ms)
{
	struct sse *sse = client;
	int64_t		left_s = sse->claims.expires_at - time(NULL);

	if (!sse->is_open || sse->close != SSE_STAYS)
		return;
	if (sse->claims.expires_at != 0 && left_s <= 0)
	{
		sse_leave(sse, CODE_STREAM_EXPIRED, true,
				  sse_jitter_ms(SSE_SOON_FROM_MS, SSE_SOON_TO_MS));
		return;
	}
	if (sse->end_due_ms != 0 && now_ms >= sse->end_due_ms)
	{
		sse_leave(sse, NULL, true, sse_jitter_ms(SSE_SOON_FROM_MS, SSE_SOON_TO_MS));
		return;
	}
	if (sse->claims.expires_at != 0 && left_s <= SSE_WARN_S && !sse->is_warned)
		sse->is_warned = sse->owes_warning = true;
	if (now_ms >= sse->heartbeat_due_ms)
	{
		sse->owes_heartbeat = true;
		sse->heartbeat_due_ms = now_ms + sse->bridge->config->heartbeat_seconds * INT64_C(1000);
	}
	sse_pump(sse);
}

/* ---- libwebsockets ---- */

/*
 * The stream can be written to, which is what somebody has asked for who was
 * kept waiting or wants to leave.  If nobody has, it is the answer to
 * conn_watch_input(): bytes came along with the request, and lie unread.
 */
static int
sse_writeable(struct conn *conn)
{
	struct sse *sse = sse_of(conn);
	bool		was_pending = conn->is_pending;

	conn_set_pending(conn, lws_partial_buffered(conn->wsi));
	if (sse == NULL || conn->is_doomed || conn->is_pending)
		return 0;
	if (sse->close != SSE_STAYS)
		return sse_take_leave(sse);
	if (!was_pending)
	{
		log_debug("sse", "ended, more came with the request");
		return -1;
	}
	sse_pump(sse);
	return 0;
}

/* ---- all of them ---- */

static void
sse_disconnect(void *client, const struct istr *subject, bool reconnect)
{
	struct sse *sse = client;

	if (sse->claims.subject == subject)
		sse_leave(sse, CODE_STREAM_REMOTE, reconnect,
				  sse_jitter_ms(SSE_SOON_FROM_MS, SSE_SOON_TO_MS));
}

static void
sse_lose_database(struct conn *conn, void *arg)
{
	struct sse *sse = sse_of(conn);

	(void) arg;
	if (sse == NULL || !sse->is_open || sse->is_stale)
		return;
	sse->is_stale = sse->owes_stale = true;
	sse->owes_fresh = false;
	sse_pump(sse);
}

/*
 * Nothing is known to be up to date any more.  Each stream is told when the
 * database has answered about it again.
 */
void
sses_lose_database(struct bridge *bridge)
{
	conns_each(bridge->conns, sse_lose_database, NULL);
}

/* The bridge stops: the client is asked to come again. */
static void
sse_restart(void *client)
{
	sse_leave(client, NULL, true, sse_jitter_ms(SSE_SPREAD_FROM_MS, SSE_SPREAD_TO_MS));
}
