/*
 * accept.h
 *		Who comes in by the sockets that are listened on.
 */
#ifndef ACCEPT_H
#define ACCEPT_H

#include "config.h"

struct admission;
struct conns;
struct ev_loop;
struct accepts;
struct sockets;

struct accepts *accepts_open(struct ev_loop *loop, const struct config *config,
							 const struct sockets *sockets, struct conns *conns,
							 struct admission *admission)
			must_check;
void		accepts_close(struct accepts *accepts);

#endif							/* ACCEPT_H */
