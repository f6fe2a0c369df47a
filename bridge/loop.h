/*
 * loop.h
 *		The one event loop, with libwebsockets in it.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "mem.h"

/* The headers of a request together. */
#define LOOP_HEADER_BYTES	8192

/*
 * Of each of libwebsockets' protocols: what one read and one write may be.  Each
 * WebSocket keeps a buffer of the first size; commands are shorter than that,
 * and what is longer comes in pieces.
 */
#define LOOP_RX_BYTES	256
#define LOOP_TX_BYTES	65536

struct config;
struct ev_loop;
struct loop;
struct lws_protocols;
struct lws_vhost;
struct tls;

struct loop_ops
{
	void		(*turn) (void *arg);	/* everything that came in was handled */
	void		(*tick) (void *arg, int64_t now_ms);
	void		(*stop) (void *arg, bool is_hasty); /* a signal asks for it */
	void		(*reload) (void *arg);	/* likewise */
};

struct loop *loop_create(const struct loop_ops *ops, void *arg,
						 const struct lws_protocols *protocols, const struct config *config,
						 struct tls *tls)
			must_check;
void		loop_free(struct loop *loop);
void		loop_turn_within(struct loop *loop, int64_t wait_ms);
void		loop_run(struct loop *loop);
void		loop_end(struct loop *loop);
struct ev_loop *loop_ev(struct loop *loop);
struct lws_vhost *loop_vhost(struct loop *loop);
int64_t		loop_clock_ms(void);
int64_t		loop_clock_ns(void);

#endif							/* LOOP_H */
