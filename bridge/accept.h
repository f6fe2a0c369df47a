/*
 * accept.h
 *		The sockets that are listened on.
 */
#ifndef ACCEPT_H
#define ACCEPT_H

#include "config.h"

struct admission;
struct conns;
struct ev_loop;
struct accepts;

struct accepts *accepts_open(struct ev_loop *loop, const struct config *config,
							 struct conns *conns, struct admission *admission)
			must_check;
void		accepts_close(struct accepts *accepts);
void		accepts_announce(const struct accepts *accepts);
const char *accepts_check(const struct config *config);

#endif							/* ACCEPT_H */
