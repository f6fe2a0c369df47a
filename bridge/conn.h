/*
 * conn.h
 *		One client, whatever it speaks.
 */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "msg.h"
#include "wheel.h"

struct bridge;
struct conn;
struct conns;
struct ev_io;
struct istr;
struct lws;

enum conn_stage
{
	CONN_REQUEST,				/* a request's headers are awaited */
	CONN_BODY,					/* its body */
	CONN_WAIT,					/* what it needs to be answered */
	CONN_REPLY,					/* an answer is being sent */
	CONN_LINGER,				/* answered; what still comes is thrown away */
	CONN_CABLE,					/* a WebSocket */
	CONN_STREAM					/* an answer without end: SSE */
};

/* Has libwebsockets read more than it has handed out? */
enum conn_held
{
	CONN_HOLDS_NOTHING,
	CONN_HOLDS_INPUT,
	CONN_MAY_HOLD_INPUT
};

/* What a connection asks of whoever it belongs to beyond plain HTTP. */
struct conn_client_ops
{
	void		(*free) (void *client);
	/* When is something due besides the stage's deadline?  0: never. */
	int64_t		(*due_ms) (const void *client);
	/* The deadline has passed.  False: end the connection. */
	bool		(*on_deadline) (void *client);
	void		(*on_time) (void *client, int64_t now_ms);
	/* It may be written to, for a stream: what is to be returned then. */
	int			(*writeable) (struct conn *conn);
	/* Say goodbye, if it has come with a token of this subject. */
	void		(*disconnect) (void *client, const struct istr *subject, bool reconnect);
	/* The bridge stops: say goodbye, and to come again. */
	void		(*restart) (void *client);
};

struct conn
{
	struct conns *conns;
	struct lws *wsi;
	enum conn_stage stage;
	bool		is_doomed;		/* to be ended in this turn of the loop */
	bool		is_pending;		/* libwebsockets holds a part of a frame */
	bool		is_proxied;		/* by a trusted proxy */
	bool		is_kept;		/* for further requests, after an answer */
	struct istr *place;			/* where the client is, for admission.c */
	int64_t		deadline_ms;	/* of the stage; 0: none */
	int64_t		leave_ms;		/* when it is sent away; 0: it is not */
	struct wheel_timer timer;
	struct conn *prev;
	struct conn *next;
	struct conn *next_doomed;

	/* A cable's client from the handshake on, a stream's from its answer on. */
	const struct conn_client_ops *ops;	/* NULL: plain HTTP */
	void	   *client;

	/* What is being sent in CONN_REPLY; these belong to reply.c. */
	struct msg *head;
	struct msg *body;
	size_t		body_sent;
	bool		closes;			/* the connection ends with it */
	bool		is_body_owed;	/* the request's body was not read to its end */
	bool		is_body_read;	/* libwebsockets knows that there is one */
	bool		is_input_lost;	/* what came behind it, too, was read as a
								 * part of it */

	bool		is_admin;		/* it came in by admin_listen */
	bool		is_pipelined;	/* the next request may have been read already */
	struct ev_io *input;		/* NULL: its input is not watched */
	bool	   *is_gone;		/* to be told when it is freed; or NULL */
};

typedef void (*conn_visit) (struct conn *conn, void *arg);

struct conns *conns_create(struct bridge *bridge) must_check;
void		conns_free(struct conns *conns);
int			conns_count(const struct conns *conns);
int			conns_count_clients(const struct conns *conns);
void		conns_adopt(struct conns *conns, int fd, struct istr *place, bool is_proxied,
						bool is_admin);
void		conns_turn(struct conns *conns, int64_t now_ms);
void		conns_reap(struct conns *conns);
void		conns_each(struct conns *conns, conn_visit visit, void *arg);
struct bridge *conns_bridge(const struct conns *conns);
struct buf *conns_scratch(struct conns *conns);

struct conn *conn_of(struct lws *wsi);
void		conn_destroyed(struct conn *conn);
void		conn_set_client(struct conn *conn, const struct conn_client_ops *ops,
							void *client);
void		conn_doom(struct conn *conn);
void		conn_set_deadline(struct conn *conn, int64_t after_ms);
void		conn_leave_at(struct conn *conn, int64_t at_ms);
void		conn_rearm(struct conn *conn);
void		conn_ahead(struct conn *conn, int steps);
bool		conn_is_idle(struct conn *conn);
void		conn_send(struct conn *conn, struct buf *frame);
void		conn_write(struct conn *conn, struct buf *frame);
void		conn_set_pending(struct conn *conn, bool is_pending);
void		conn_want_write(struct conn *conn);

/* input.c */
void		conn_watch_input(struct conn *conn);
void		conn_unwatch_input(struct conn *conn);
void		conn_await_room(struct conn *conn);
void		conn_await_turn(struct conn *conn);
int			conn_throw_away_input(struct conn *conn);
enum conn_held conn_held_input(struct conn *conn);

#endif							/* CONN_H */
