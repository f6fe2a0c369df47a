/*
 * forwarded.h
 *		What a trusted proxy says of the client that it asks for.
 */
#ifndef FORWARDED_H
#define FORWARDED_H

#include <stdbool.h>
#include <stddef.h>

#include "mem.h"

struct conn;
struct lws;

bool		forwarded_take(struct conn *conn, struct lws *wsi) must_check;
void		forwarded_host(const struct conn *conn, struct lws *wsi, char *host,
						   size_t size);

#endif							/* FORWARDED_H */
