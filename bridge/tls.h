/*
 * tls.h
 *		The certificate and key that TLS is served with.
 */
#ifndef TLS_H
#define TLS_H

#include <stdbool.h>
#include <time.h>

#include "config.h"
#include "mem.h"

struct lws_context_creation_info;
struct tls;

bool		tls_is_on(const struct config *config);
const char *tls_load(const struct config *config, struct tls **out) must_check;
void		tls_free(struct tls *tls);
void		tls_swap(struct tls *tls, struct tls *other);
const char *tls_date_problem(const struct tls *tls, time_t now);
bool		tls_is_same(const struct tls *tls, const struct tls *other);
time_t		tls_expires_at(const struct tls *tls);
void		tls_announce(const struct tls *tls);

/* For libwebsockets. */
void		tls_set_up(const struct config *config, struct lws_context_creation_info *info);
void		tls_serve(struct tls *tls, void *ssl_context);

#endif							/* TLS_H */
