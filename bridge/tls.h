/*
 * tls.h
 *		The certificate and key that TLS is served with.
 */
#ifndef TLS_H
#define TLS_H

#include <stdbool.h>

#include "config.h"

struct lws_context_creation_info;

bool		tls_is_on(const struct config *config);
const char *tls_check(const struct config *config);
void		tls_set_up(const struct config *config, struct lws_context_creation_info *info);

#endif							/* TLS_H */
