/*
 * who.h
 *		Whom a client is counted as.
 */
#ifndef WHO_H
#define WHO_H

#include <stdbool.h>
#include <stddef.h>

#include "admission.h"

struct auth_claims;
struct conn;
struct istr;
struct lws;

bool		who_asks(struct conn *conn, struct lws *wsi) must_check;
void		who_is_asked(const struct conn *conn, struct lws *wsi, char *host, size_t size);
struct admission_who who_of(const struct conn *conn, const struct auth_claims *claims);
const struct istr *who_calls(const struct conn *conn, const struct auth_claims *claims);
int			who_waits_s(const struct conn *conn, const struct auth_claims *claims);
int			who_is_refused_s(const struct conn *conn, const struct auth_claims *claims)
			must_check;
void		who_was_refused(const struct conn *conn, const struct auth_claims *claims,
							const char *what, size_t len);

#endif							/* WHO_H */
