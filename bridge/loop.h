/*
 * loop.h
 *		The one event loop, with libwebsockets in it.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

#include "mem.h"

struct bridge;
struct ev_loop;
struct loop;
struct lws_vhost;

struct loop *loop_create(struct bridge *bridge) must_check;
void		loop_free(struct loop *loop);
void		loop_run(struct loop *loop);
void		loop_end(struct loop *loop);
struct ev_loop *loop_ev(struct loop *loop);
struct lws_vhost *loop_vhost(struct loop *loop);
int64_t		loop_clock_ms(void);

#endif							/* LOOP_H */
