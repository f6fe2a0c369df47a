/*
 * accept.h
 *		Who comes in by the sockets that are listened on.
 */
#ifndef ACCEPT_H
#define ACCEPT_H

#include "mem.h"

struct accepts;
struct boot;
struct config;
struct conns;
struct ev_loop;

struct accepts *accepts_open(struct ev_loop *loop, const struct boot *boot,
							 struct conns *conns) must_check;
void		accepts_set(struct accepts *accepts, const struct config *config);
void		accepts_stop(struct accepts *accepts);
void		accepts_close(struct accepts *accepts);

#endif							/* ACCEPT_H */
