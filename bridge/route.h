/*
 * route.h
 *		Which path is served by what.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "mem.h"

struct config_list;
struct request;
struct routes;

enum route_method
{
	METHOD_GET,
	METHOD_POST,
	METHOD_OPTIONS,
	METHOD_PUT,
	METHOD_PATCH,
	METHOD_DELETE,
	METHOD_OTHER,
	ROUTE_METHODS
};

/* The names that a pattern may have after a colon. */
enum route_param
{
	ROUTE_CHANNEL,
	ROUTE_ID,
	ROUTE_ACTION,
	ROUTE_PARAMS
};

enum route_door
{
	DOOR_PUBLIC,				/* where clients come in */
	DOOR_ADMIN,					/* admin_listen, or everywhere without it */
	DOOR_BOTH
};

/* Who is let through. */
enum route_guard
{
	GUARD_NONE,
	GUARD_CLAIMS,				/* whoever has a token of this service */
	GUARD_STREAM,				/* likewise; served without claims if it
								 * cannot be found out in time who asks */
	GUARD_CALLBACK				/* a worker, with a token for its job */
};

struct route
{
	enum route_method method;	/* GET: HEAD as well */
	const char *pattern;

	/*
	 * Answers the request, at once or later.  Returns what a callback of
	 * libwebsockets is to return; the request may be gone by then.
	 */
	int			(*serve) (struct request *request);
	enum route_guard guard;
	enum route_door door;
};

struct route_match
{
	const struct route *route;	/* NULL: none */
	char	   *params[ROUTE_PARAMS];	/* the caller's to free */
	unsigned	methods;		/* 1 << enum route_method of all that match */
};

struct routes *routes_create(const struct route *table, int count) must_check;
void		routes_free(struct routes *routes);
bool		routes_add_alias(struct routes *routes, const char *line, char *error,
							 size_t error_size) must_check;
void		routes_match(const struct routes *routes, enum route_method method,
						 const char *path, struct route_match *match);
const char *route_method_name(enum route_method method);

#endif							/* ROUTE_H */
