/*
 * listen.h
 *		The connection that notifications come on.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conninfo.h"

struct beat;
struct ev_loop;
struct event;
struct listen;

struct listen_ops
{
	/* Notifications are being received from now on, or no longer. */
	void		(*live) (void *arg, bool is_live);
	void		(*event) (void *arg, const struct event *event, bool is_trusted);
};

struct listen *listen_create(struct ev_loop *loop, const struct conninfo *info,
							 const struct listen_ops *ops, void *arg) must_check;
void		listen_free(struct listen *listen);
void		listen_start(struct listen *listen);
void		listen_tick(struct listen *listen, int64_t now_ms);
bool		listen_is_live(const struct listen *listen);
const char *listen_server(const struct listen *listen);
double		listen_up_since(const struct listen *listen);
void		listen_restart(struct listen *listen, const char *why);
const struct beat *listen_beat(const struct listen *listen);
const char *listen_problem(const struct listen *listen);

#endif							/* LISTEN_H */
