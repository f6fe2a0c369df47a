/*
 * cable.h
 *		Action Cable over a WebSocket.
 */
#ifndef CABLE_H
#define CABLE_H

#include <libwebsockets.h>
#include <stdbool.h>

#include "mem.h"
#include <stdint.h>

struct bridge;
struct cable;
struct conn;
enum auth_result;

/* Callbacks of libwebsockets for the two protocols. */
int			cable_callback(struct lws *wsi, enum lws_callback_reasons reason,
						   void *user, void *in, size_t len);
int			cable_unsupported_callback(struct lws *wsi, enum lws_callback_reasons reason,
									   void *user, void *in, size_t len);

/* Decided at the handshake: who this is, or why nobody is let in. */
int			cable_create(struct conn *conn, const char *token) must_check;
struct cable *cable_of(const struct conn *conn);

/* For all of them. */
void		cables_keys_read(struct bridge *bridge);

#endif							/* CABLE_H */
