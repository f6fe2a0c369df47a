/*
 * input.c
 *		Input of a connection that libwebsockets does not read.
 *
 * While an answer is awaited or sent libwebsockets 4.1.6 reads nothing, is woken
 * by input all the same, for ever, and does not notice that a client has gone.
 * What it has read already, because it came together with the request, makes it
 * turn for ever, too.  So at such times the socket is watched here.
 *
 * While an answer is awaited any input ends the connection: it is the end of
 * it, or something that comes before its turn.
 *
 * While an answer is sent the same holds, but what was read with the request
 * stays where it is and is served in its turn.  Until the socket takes more,
 * libwebsockets is kept from looking at it with flow control.  With that on it
 * does not write either: it is called from here when there is room.
 *
 * After the last answer what still comes is read here, and thrown away.
 */
#include "conn.h"

#include <errno.h>
#include <ev.h>
#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "log.h"
#include "loop.h"
#include "parts.h"

#define INPUT_PIECE_BYTES	16384
#define INPUT_NO_WAIT		(-1)	/* shorter than until any timer: it only
									 * says whether there is input */

static struct ev_loop *
loop_of(const struct conn *conn)
{
	return loop_ev(conns_bridge(conn->conns)->loop);
}

static void
watch(struct conn *conn, int events, void (*on_event) (struct ev_loop *, ev_io *, int))
{
	conn_unwatch_input(conn);
	conn->input = mem_zalloc(sizeof(*conn->input));
	ev_io_init(conn->input, on_event, lws_get_socket_fd(conn->wsi), events);
	conn->input->data = conn;
	ev_io_start(loop_of(conn), conn->input);
}

/*
 * What came together with the request was read with it.  libwebsockets does not
 * say so, but whoever is allowed to read again is called back at once if
 * something is there: as WRITEABLE, which nobody has asked for while an answer is
 * awaited.  What OpenSSL holds it says itself.
 */
static void
probe(struct conn *conn)
{
	SSL		   *tls = lws_get_ssl(conn->wsi);

	if (conn->stage != CONN_REPLY)
	{
		lws_rx_flow_control(conn->wsi, 0);
		lws_rx_flow_control(conn->wsi, 1);
	}
	if (tls && SSL_pending(tls) > 0)
		conn_doom(conn);
}

/*
 * The socket takes more: let libwebsockets write, which can end the connection,
 * or the answer.  It does not call us if it gets rid of only a part of what it
 * holds itself.
 */
static void
write_on(struct conn *conn)
{
	struct lws_pollfd writeable = {
		.fd = lws_get_socket_fd(conn->wsi),
		.events = LWS_POLLOUT,
		.revents = LWS_POLLOUT
	};
	bool		is_gone = false;

	/* Taken back below, unless it has gone along with the connection. */
	/* cppcheck-suppress autoVariables */
	conn->is_gone = &is_gone;
	lws_rx_flow_control(conn->wsi, 1);
	lws_service_fd(lws_get_context(conn->wsi), &writeable);
	if (is_gone)
		return;
	conn->is_gone = NULL;
	if (conn->input)
		lws_rx_flow_control(conn->wsi, 0);
}

static void
on_event(struct ev_loop *loop, ev_io *io, int revents)
{
	struct conn *conn = io->data;

	(void) loop;
	if (conn->is_doomed)
		return;
	if (revents & EV_READ)
	{
		log_debug("conn", "ended by its client stage=%d", conn->stage);
		conn_unwatch_input(conn);
		conn_doom(conn);
		return;
	}
	if (revents & EV_CUSTOM)
		probe(conn);
	if (revents & EV_WRITE)
		write_on(conn);
}

/* From now on any input ends the connection. */
void
conn_watch_input(struct conn *conn)
{
	if (conn->input)
		return;
	watch(conn, EV_READ, on_event);

	/* Not now: the rest of what was read is put away only after our callback. */
	ev_feed_event(loop_of(conn), conn->input, EV_CUSTOM);
}

/* Before the socket is closed, or when the next request may come. */
void
conn_unwatch_input(struct conn *conn)
{
	if (conn->input == NULL)
		return;
	ev_io_stop(loop_of(conn), conn->input);
	free(conn->input);
	conn->input = NULL;
}

/*
 * An answer is not out yet: WRITEABLE comes when the socket takes more, and any
 * further input ends the connection.  Only from WRITEABLE.
 */
void
conn_await_room(struct conn *conn)
{
	if (conn->input == NULL || !(conn->input->events & EV_WRITE))
	{
		watch(conn, EV_READ | EV_WRITE, on_event);
		ev_feed_event(loop_of(conn), conn->input, EV_CUSTOM);
	}
	conn_want_write(conn);
	lws_rx_flow_control(conn->wsi, 0);
}

/*
 * An answer is to be written as soon as there is room.  Until then libwebsockets
 * 4.3 takes what it holds of the next request for input that has no place, and
 * hangs up.  So it is kept from looking at it, and then called from here.
 */
void
conn_await_turn(struct conn *conn)
{
#if LWS_LIBRARY_VERSION_NUMBER >= 4002000
	watch(conn, EV_WRITE, on_event);
	lws_rx_flow_control(conn->wsi, 0);
#endif
	conn_want_write(conn);
}

/* One piece for each turn of the loop: nobody is held up. */
static void
throw_away(struct ev_loop *loop, ev_io *io, int revents)
{
	struct conn *conn = io->data;
	char		piece[INPUT_PIECE_BYTES];
	ssize_t		got = recv(io->fd, piece, sizeof(piece), MSG_DONTWAIT);

	(void) loop;
	(void) revents;
	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	conn_unwatch_input(conn);
	conn_doom(conn);
}

/*
 * Nothing is written any more: read what comes, until its end.  Only from
 * WRITEABLE, which returns what this does.
 *
 * Flow control that is carried out makes libwebsockets wait for room, which there
 * is, if it holds input.  What is more than 0 keeps it from being carried out;
 * that it is asked for is enough.  What OpenSSL holds cannot be taken from it.
 */
int
conn_throw_away_input(struct conn *conn)
{
	SSL		   *tls = lws_get_ssl(conn->wsi);

	if (tls && SSL_pending(tls) > 0)
		return -1;
	watch(conn, EV_READ, throw_away);
	lws_rx_flow_control(conn->wsi, 0);
	return 1;
}

/*
 * Has libwebsockets read more of this connection than it has handed out?  It only
 * says whether any connection has such input and may be read from, so it is asked
 * once more while this one may not: if there is some even so, nobody knows.  Only
 * from WRITEABLE, or while a request is taken: what came along with one is put
 * away after its callback.
 */
enum conn_held
conn_held_input(struct conn *conn)
{
	struct lws_context *context = lws_get_context(conn->wsi);
	bool		others;

	if (lws_service_adjust_timeout(context, INPUT_NO_WAIT, 0) != 0)
		return CONN_HOLDS_NOTHING;
	lws_rx_flow_control(conn->wsi, 0);
	others = lws_service_adjust_timeout(context, INPUT_NO_WAIT, 0) == 0;
	lws_rx_flow_control(conn->wsi, 1);
	return others ? CONN_MAY_HOLD_INPUT : CONN_HOLDS_INPUT;
}
