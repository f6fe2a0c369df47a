/*
 * conn.c
 *		One client, whatever it speaks.
 *
 * A connection is made when its socket is accepted and freed in one place, when
 * libwebsockets says that it has destroyed its side.  Meanwhile it is in the
 * list of all, and from the first moment in the timer wheel: there is no state,
 * not half a request, not a close handshake, in which a connection could stay
 * for ever.
 *
 * Writing.  A frame is written at once, from wherever it came up, to a
 * connection with nothing pending; that costs two thirds of asking for
 * WRITEABLE and writing then.  lws_partial_buffered() right after the write says
 * whether a part stayed behind.  From then until WRITEABLE nothing at all is
 * written, pings included, because each further write would be appended to what
 * libwebsockets holds, and that has no bound.
 *
 * Ending.  A connection whose write failed is only marked, since its hub
 * group may be being walked; conns_reap() ends it in the same turn of the loop,
 * with LWS_TO_KILL_SYNC, which must never happen inside its own callback.
 */
#include "conn.h"

#include <errno.h>
#include <libwebsockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "admission.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "parts.h"

#define CONN_KEEPALIVE_S	20
#define CONN_WSI_BYTES		832 /* of libwebsockets' side, that a write
								 * touches */

_Static_assert(LWS_PRE <= BUF_HEADROOM, "a frame needs room for its header");


struct conns
{
	struct bridge *bridge;
	struct wheel *wheel;
	struct conn *first;
	struct conn *doomed;
	struct conn *adopting;		/* until libwebsockets has taken it */
	int			count;
	int			admins;			/* of these, by admin_listen */
	struct buf	scratch;		/* where a frame for one client is built */
};

static void conn_on_timer(struct wheel_timer *timer, void *arg);

struct conns *
conns_create(struct bridge *bridge)
{
	struct conns *conns = mem_zalloc(sizeof(*conns));

	conns->bridge = bridge;
	conns->wheel = wheel_create(loop_clock_ms(), conn_on_timer, conns);
	return conns;
}

/* All connections must be gone. */
void
conns_free(struct conns *conns)
{
	wheel_free(conns->wheel);
	buf_free(&conns->scratch);
	free(conns);
}

int
conns_count(const struct conns *conns)
{
	return conns->count;
}

/* Without those of administrators. */
int
conns_count_clients(const struct conns *conns)
{
	return conns->count - conns->admins;
}

struct bridge *
conns_bridge(const struct conns *conns)
{
	return conns->bridge;
}

struct buf *
conns_scratch(struct conns *conns)
{
	return &conns->scratch;
}

struct conn *
conn_of(struct lws *wsi)
{
	return wsi ? lws_get_opaque_user_data(wsi) : NULL;
}

/* ---- life ---- */

static void
set_socket_options(const struct conns *conns, int fd)
{
	int			on = 1;
	int			bytes = conns->bridge->config->send_buffer_bytes;
	int			idle_s = CONN_KEEPALIVE_S;
	unsigned	timeout_ms = (unsigned) conns->bridge->config->stalled_timeout_ms;

	/*
	 * A small send buffer: what the kernel has taken goes out before anything
	 * newer, however old it is by then.  A peer that takes nothing for so
	 * long, or does not even say that it lives, is gone; where nothing is on
	 * its way to it the keepalive asks.
	 */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

static void
conn_free(struct conn *conn)
{
	struct conns *conns = conn->conns;

	/* Who was taken off the list leads to itself: many may end at once. */
	for (struct conn **at = &conns->doomed; conn->is_doomed && conn->next_doomed != conn && *at;
		 at = &(*at)->next_doomed)
	{
		if (*at == conn)
		{
			*at = conn->next_doomed;
			break;
		}
	}
	wheel_clear(&conn->timer);
	conn_unwatch_input(conn);
	conn_set_pending(conn, false);
	if (conn->is_gone)
		*conn->is_gone = true;
	if (conn->ops)
		conn->ops->free(conn->client);
	msg_drop(conn->head);
	msg_drop(conn->body);
	admission_leave(conns->bridge->admission, conn->place);
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		conns->first = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	conns->count--;
	conns->admins -= conn->is_admin;
	metric_add(METRIC_CONNECTIONS, -1);
	free(conn);
}

static struct conn *
conn_create(struct conns *conns, struct istr *place, bool is_proxied)
{
	struct conn *conn = mem_zalloc(sizeof(*conn));

	conn->conns = conns;
	conn->place = place;
	conn->is_proxied = is_proxied;
	conn->next = conns->first;
	if (conns->first)
		conns->first->prev = conn;
	conns->first = conn;
	conns->count++;
	metric_count(METRIC_CONNECTIONS);
	metric_count(METRIC_ACCEPTED);
	conn_set_deadline(conn, conns->bridge->config->handshake_timeout_ms);
	return conn;
}

/*
 * Take over an accepted socket, and what admission_enter() said of its place.
 */
void
conns_adopt(struct conns *conns, int fd, struct istr *place, bool is_proxied,
			bool is_admin)
{
	struct conn *conn = conn_create(conns, place, is_proxied);
	lws_adopt_desc_t info;
	struct lws *wsi;

	conn->is_admin = is_admin;
	conns->admins += is_admin;
	set_socket_options(conns, fd);
	memset(&info, 0, sizeof(info));
	info.vh = loop_vhost(conns->bridge->loop);
	info.type = LWS_ADOPT_SOCKET | LWS_ADOPT_HTTP | (is_admin ? 0 : LWS_ADOPT_ALLOW_SSL);
	info.fd.sockfd = fd;
	info.opaque = conn;

	/*
	 * When this fails the socket is closed.  Depending on how far it came we
	 * have been told of the destruction, and the connection is gone, or not.
	 */
	conns->adopting = conn;
	wsi = lws_adopt_descriptor_vhost_via_info(&info);
	if (conns->adopting == NULL)
		return;
	conns->adopting = NULL;
	if (wsi)
		conn->wsi = wsi;
	else
		conn_free(conn);
}

/* libwebsockets has destroyed its side: the one place where a connection goes. */
void
conn_destroyed(struct conn *conn)
{
	if (conn->conns->adopting == conn)
		conn->conns->adopting = NULL;
	conn_free(conn);
}

/* From now on the connection is this client's, which is freed with it. */
void
conn_set_client(struct conn *conn, const struct conn_client_ops *ops, void *client)
{
	conn->ops = ops;
	conn->client = client;
}

/*
 * End this connection before the loop turns again.  Safe at any time.
 */
void
conn_doom(struct conn *conn)
{
	if (conn->is_doomed)
		return;
	conn->is_doomed = true;
	conn->next_doomed = conn->conns->doomed;
	conn->conns->doomed = conn;
}

/*
 * End what was marked.  Not to be called from a callback of libwebsockets.
 *
 * If something was still to be sent, libwebsockets first waits for that, on a
 * timer of its own; shutting the socket down makes its next write fail.
 */
void
conns_reap(struct conns *conns)
{
	while (conns->doomed)
	{
		struct conn *conn = conns->doomed;

		conns->doomed = conn->next_doomed;
		conn->next_doomed = conn;
		if (conn->wsi == NULL)
			continue;
		shutdown(lws_get_socket_fd(conn->wsi), SHUT_RDWR);
		lws_set_timeout(conn->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
	}
}

/* "visit" may doom connections, and must not free any. */
void
conns_each(struct conns *conns, conn_visit visit, void *arg)
{
	for (struct conn *conn = conns->first; conn; conn = conn->next)
		visit(conn, arg);
}

/* ---- time ---- */

void
conns_turn(struct conns *conns, int64_t now_ms)
{
	wheel_turn(conns->wheel, now_ms);
}

/* Put the timer to whatever is due first. */
void
conn_rearm(struct conn *conn)
{
	int64_t		due_ms = conn->deadline_ms;
	int64_t		client_ms = conn->ops ? conn->ops->due_ms(conn->client) : 0;

	if (client_ms != 0 && (due_ms == 0 || client_ms < due_ms))
		due_ms = client_ms;
	if (conn->leave_ms != 0 && (due_ms == 0 || conn->leave_ms < due_ms))
		due_ms = conn->leave_ms;
	if (due_ms != 0)
		wheel_set(conn->conns->wheel, &conn->timer, due_ms);
	else
		wheel_clear(&conn->timer);
}

/* The present stage ends in so many milliseconds; 0: it has no end. */
void
conn_set_deadline(struct conn *conn, int64_t after_ms)
{
	conn->deadline_ms = after_ms ? loop_clock_ms() + after_ms : 0;
	conn_rearm(conn);
}

/* It is sent away then. */
void
conn_leave_at(struct conn *conn, int64_t at_ms)
{
	conn->leave_ms = at_ms;
	conn_rearm(conn);
}

static enum metric
conn_timed_out_as(const struct conn *conn)
{
	static const enum metric by_stage[] = {
		[CONN_REQUEST] = METRIC_TIMED_OUT_REQUEST,
		[CONN_BODY] = METRIC_TIMED_OUT_BODY,
		[CONN_WAIT] = METRIC_TIMED_OUT_REPLY,
		[CONN_REPLY] = METRIC_TIMED_OUT_REPLY,
		[CONN_LINGER] = METRIC_TIMED_OUT_CLOSE,
		[CONN_CABLE] = METRIC_TIMED_OUT_CLOSE,
		[CONN_STREAM] = METRIC_TIMED_OUT_CLOSE
	};

	return conn->stage == CONN_REQUEST && conn->is_kept ? METRIC_TIMED_OUT_KEPT :
		by_stage[conn->stage];
}

static void
conn_on_timer(struct wheel_timer *timer, void *arg)
{
	struct conn *conn = lws_container_of(timer, struct conn, timer);
	int64_t		now_ms = loop_clock_ms();

	(void) arg;
	if (conn->deadline_ms != 0 && now_ms >= conn->deadline_ms)
	{
		conn->deadline_ms = 0;
		if (conn->ops == NULL || !conn->ops->on_deadline(conn->client))
		{
			metric_count(conn_timed_out_as(conn));
			log_debug("conn", "ended, took too long stage=%d", conn->stage);
			conn_doom(conn);
			return;
		}
	}
	if (conn->ops)
		conn->ops->on_time(conn->client, now_ms);
	if (conn->leave_ms != 0 && now_ms >= conn->leave_ms)
	{
		conn->leave_ms = 0;
		if (conn->ops && conn->ops->restart)
			conn->ops->restart(conn->client);
		else
			conn_doom(conn);
	}
	conn_rearm(conn);
}

/* ---- writing ---- */

void
conn_want_write(struct conn *conn)
{
	if (conn->wsi && !conn->is_doomed)
		lws_callback_on_writable(conn->wsi);
}

/* Does libwebsockets hold a part of a frame? */
void
conn_set_pending(struct conn *conn, bool is_pending)
{
	if (conn->is_pending == is_pending)
		return;
	conn->is_pending = is_pending;
	metric_add(METRIC_WRITES_WAITING, is_pending ? 1 : -1);
}

/* A frame is going to be written in so many steps: have at hand what it needs. */
void
conn_ahead(struct conn *conn, int steps)
{
	if (steps == 2)
		mem_fetch(conn, sizeof(*conn));
	else if (conn->wsi)
		mem_fetch(conn->wsi, CONN_WSI_BYTES);
}

/*
 * May a frame be written now?  A pong of libwebsockets' own can be what
 * pends, so it is asked, not only remembered.
 */
bool
conn_is_idle(struct conn *conn)
{
	if (conn->is_pending || conn->is_doomed || conn->wsi == NULL)
		return false;
	if (lws_partial_buffered(conn->wsi))
	{
		conn_set_pending(conn, true);
		lws_callback_on_writable(conn->wsi);
		return false;
	}
	return true;
}

/*
 * Write one frame of a WebSocket, or a piece of a stream; only after
 * conn_is_idle() said yes.  Not counted: it is not for a client.
 */
void
conn_write(struct conn *conn, struct buf *frame)
{
	enum lws_write_protocol how = conn->stage == CONN_CABLE ? LWS_WRITE_TEXT : LWS_WRITE_HTTP;

	if (lws_write(conn->wsi, (unsigned char *) frame->data, frame->len, how) < 0)
		conn_doom(conn);
	else if (lws_partial_buffered(conn->wsi))
		conn_set_pending(conn, true);
}

/* Likewise, for a client. */
void
conn_send(struct conn *conn, struct buf *frame)
{
	conn_write(conn, frame);
	if (conn->is_doomed)
		return;
	metric_count(METRIC_FRAMES_OUT);
	metric_add(METRIC_BYTES_OUT, (int64_t) frame->len);
}
