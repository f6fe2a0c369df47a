/*
 * parts.h
 *		The parts of one running bridge, for those who serve its clients.
 *
 * Made and wired by bridge.c.  What stands below the clients (hub, ask, auth,
 * the connections to the database) does not know this.
 */
#ifndef PARTS_H
#define PARTS_H

#include <stdbool.h>

#include "config.h"

struct bridge
{
	const struct config *config;	/* changes in place when it is read again */
	struct loop *loop;
	struct intern *intern;
	struct hub *hub;
	struct ask *ask;
	struct auth *auth;
	struct keys *keys;
	struct listen *listen;
	struct query *query;
	struct pool *pool;
	struct survey *survey;
	struct watchdog *watchdog;
	struct history *history;
	struct dashboards *dashboards;
	struct conns *conns;
	struct accepts *accepts;
	struct admission *admission;
	struct www *www;			/* NULL: no files are served */
	struct routes *routes;
	struct tls *tls;			/* NULL: none */
	bool		is_stopping;
};

#endif							/* PARTS_H */
