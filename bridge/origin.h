/*
 * origin.h
 *		Which pages may connect.
 */
#ifndef ORIGIN_H
#define ORIGIN_H

#include <stdbool.h>

#include "config.h"

bool		origin_is_loopback(const char *host) must_check;
bool		origin_is_allowed(const struct config_list *allowed, const char *origin,
							  const char *host, bool is_open, bool has_cookie)
			must_check;
const char *origins_check(const struct config_list *allowed);

#endif							/* ORIGIN_H */
