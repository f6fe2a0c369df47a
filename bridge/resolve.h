/*
 * resolve.h
 *		Names of hosts become addresses, without blocking.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include "mem.h"

struct ev_loop;
struct resolve;

/*
 * "error" is NULL, or why there is no address at all.  The lists are of the
 * form that libpq takes, and valid during the call only.
 */
typedef void (*resolve_done) (void *arg, const char *error, const char *hosts,
							  const char *hostaddrs, const char *ports);

struct resolve *resolve_start(struct ev_loop *loop, const char *hosts,
							  const char *ports, resolve_done done, void *arg) must_check;
void		resolve_forget(struct resolve *resolve);

#endif							/* RESOLVE_H */
