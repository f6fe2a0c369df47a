/*
 * bearer.h
 *		Where a request has its token.
 */
#ifndef BEARER_H
#define BEARER_H

#include <stdbool.h>
#include <stddef.h>

#include "mem.h"

struct config;
struct lws;

/* What a page may do is the origin's business where a browser sends a cookie. */
struct bearer
{
	char	   *token;			/* NULL: there is none */
	bool		is_cookie;
};

bool		bearer_find(struct lws *wsi, const char *cookie, struct bearer *bearer)
			must_check;
void		bearer_clear(struct bearer *bearer);

#endif							/* BEARER_H */
