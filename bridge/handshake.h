/*
 * handshake.h
 *		What is checked before a connection becomes a WebSocket.
 */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

struct conn;
struct lws;

struct handshake_refusal
{
	int			status;			/* of HTTP */
	const char *text;
	int			retry_after_s;	/* 0: not said */
};

/* NULL: the upgrade may go on, and the connection has its cable. */
const struct handshake_refusal *handshake_check(struct conn *conn, struct lws *wsi);

#endif							/* HANDSHAKE_H */
